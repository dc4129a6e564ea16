/**
 * Kills the gateway with SIGKILL at random moments while wallets send over HTTP and over the networks themselves, starts it
 * again on the same data, and compares at the end what was promised with what is there.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../../src/adapter/testing/index.ts'
import { quantile } from '../../src/bench/statistics.ts'
import { type Broken, compare, startCrew } from './crew.ts'
import type { GatewayProcess } from './gateway-process.ts'
import { createLedger } from './ledger.ts'
import { createInboxReader, type InboxReader } from './people.ts'
import { type SeededRandom, seededRandom } from './random.ts'
import { converged, countWays, startTraffic, type Traffic, type Ways } from './traffic.ts'

/** Share of kills that hit the gateway while it starts. */
const KILLED_AT_START = 0.25
/**
 * A life lasts until so many more messages were acknowledged over HTTP, at most, and a moment longer: kills fall amid the
 * traffic, however fast the machine is.
 */
const MOST_ACKNOWLEDGED = 12
const LONGEST_MOMENT_MS = 60
const LONGEST_LIFE_MS = 30_000
/** Starts between two looks into the inboxes, and between two lines of progress. */
const READ_EVERY = 15
const REPORT_EVERY = 10

export interface CrashOptions {
  kills: number
  seed: number
  /** Names of the networks. */
  networks: readonly string[]
  onProgress?(text: string): void
  /** Ends the killing early. What was promised until then is compared all the same. */
  signal?: AbortSignal
  /** Leaves databases and archives in place when a promise was broken, and names the folder in the report. */
  keep?: boolean
}

export interface CrashReport {
  seed: number
  networks: readonly string[]
  /** How often the process was killed: fewer than asked for after an interruption. */
  kills: number
  killedAtStart: number
  /** Envelopes by way. */
  ways: Ways
  /** Milliseconds from the last start until everything acknowledged was in its inbox and every delivery had ended. */
  convergedAfterMs: number
  /** Copies beyond the first that the networks hold, each after an uncertain outcome. */
  repeats: number
  /** Milliseconds from the start of a process on what the last one left to its first answer. */
  recoveryMs: { p50: number; p99: number; longest: number }
  seconds: number
  /** Broken promises by sort; `violations` has them in words. */
  broken: Broken
  /** Broken promises. Empty when all hold. */
  violations: string[]
  /** Where databases and archives were left. */
  folder?: string
}

/** Runs the harness once. Rejects only when the harness itself fails; broken promises are in the report. */
export async function runCrash(options: CrashOptions): Promise<CrashReport> {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-crash-'))
  const stopping: (() => Promise<unknown>)[] = []
  let kept = false
  try {
    const report = await run(options, directory, stopping)
    kept = options.keep === true && report.violations.length > 0
    return kept ? { ...report, folder: directory } : report
  } finally {
    for (const step of stopping.reverse()) await step()
    if (!kept) await rm(directory, { recursive: true, force: true })
  }
}

async function run(
  options: CrashOptions,
  directory: string,
  stopping: (() => Promise<unknown>)[],
): Promise<CrashReport> {
  const startedAt = performance.now()
  const random = seededRandom(options.seed)
  const { networks, gateway, people } = await startCrew(options.networks, random, directory, stopping)
  const ledger = createLedger()
  const traffic = startTraffic({ people, networks, ledger, random: random.fork('traffic') })
  stopping.push(() => traffic.stop())
  await waitFor(() => (ledger.acknowledged().length > 10 * networks.length ? true : traffic.failure()), {
    what: 'first messages',
  })
  const readers = people.map(createInboxReader)
  const kills = await killAndRestart(gateway, options, random.fork('kills'), traffic, readers)
  await traffic.stop()
  const failure = traffic.failure()
  if (failure) throw failure

  const restartedAt = performance.now()
  const open = await converged(gateway, ledger, readers)
  const convergedAfterMs = Math.round(performance.now() - restartedAt)
  const { repeats, broken, violations } = await compare({ networks, gateway, people }, ledger, readers, open)
  return {
    seed: options.seed,
    networks: options.networks,
    kills: kills.count,
    killedAtStart: kills.atStart,
    ways: countWays(ledger),
    convergedAfterMs,
    repeats,
    recoveryMs: {
      p50: Math.round(quantile(kills.startTimes, 0.5)),
      p99: Math.round(quantile(kills.startTimes, 0.99)),
      longest: Math.round(Math.max(0, ...kills.startTimes)),
    },
    seconds: Math.round((performance.now() - startedAt) / 1000),
    broken,
    violations,
  }
}

/** Leaves the gateway running. */
async function killAndRestart(
  gateway: GatewayProcess,
  { kills, onProgress, signal }: CrashOptions,
  random: SeededRandom,
  { acknowledged, pausedFor }: Traffic,
  readers: readonly InboxReader[],
): Promise<{ count: number; atStart: number; startTimes: number[] }> {
  const begin = performance.now()
  const startTimes: number[] = []
  let atStart = 0
  let count = 0
  while (count < kills && !(signal?.aborted && gateway.running())) {
    if (gateway.running()) {
      const enough = acknowledged() + random.between(0, MOST_ACKNOWLEDGED)
      const deadline = performance.now() + LONGEST_LIFE_MS
      while (acknowledged() < enough && performance.now() < deadline) await sleep(1)
      await sleep(random.between(0, LONGEST_MOMENT_MS))
      await gateway.kill()
    } else {
      gateway.spawn()
      const typical = quantile(startTimes, 0.5) || 1_000
      await sleep(random.between(0, Math.round(typical * 1.1)))
      await gateway.kill()
      atStart++
    }
    count++
    if (count < kills && !signal?.aborted && random.chance(KILLED_AT_START)) continue
    const spawnedAt = performance.now()
    gateway.spawn()
    await gateway.ready()
    startTimes.push(performance.now() - spawnedAt)
    // What has to be read at the end stays little, however long the run: the time until all is in place is then the gateway's.
    if (startTimes.length % READ_EVERY === 0) {
      await pausedFor(async () => {
        for (const reader of readers) await reader.readOn()
      })
    }
    if (startTimes.length % REPORT_EVERY === 0) {
      const seconds = Math.round((performance.now() - begin) / 1000)
      onProgress?.(`${count} of ${kills} kills after ${seconds} s, ${acknowledged()} acknowledged over HTTP`)
    }
  }
  return { count, atStart, startTimes }
}
