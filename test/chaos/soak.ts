/**
 * Mixed traffic over several networks for minutes, while one fault after another lies between the gateway and each of them;
 * at the end everything that was promised is compared with what is there.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../../src/adapter/testing/index.ts'
import { type Broken, compare, startCrew } from './crew.ts'
import { createLedger } from './ledger.ts'
import type { FaultKind, RunningNetwork } from './networks/index.ts'
import { createInboxReader, type InboxReader } from './people.ts'
import { type SeededRandom, seededRandom } from './random.ts'
import { residentBytes } from './resident.ts'
import { converged, countWays, startTraffic, type Traffic, type Ways } from './traffic.ts'

/** Of a fault, and of the peace between two of one network, in milliseconds. */
const FAULT_MS = [1_000, 8_000] as const
const PEACE_MS = [2_000, 12_000] as const
/** Between two looks into the inboxes, and two lines of progress. */
const LOOK_MS = 15_000
/** Sends of one way are this far apart: the run is to be long, not its ledger. */
const PAUSE_MS = 250

export interface SoakOptions {
  minutes: number
  seed: number
  /** Names of the networks; each brings the faults of its own. */
  networks: readonly string[]
  onProgress?(text: string): void
  /** Ends the traffic early. What was promised until then is compared all the same. */
  signal?: AbortSignal
}

export interface SoakReport {
  seed: number
  networks: readonly string[]
  minutes: number
  /** How often each network was hurt, and by how many kinds of fault. */
  faults: Record<string, { count: number; kinds: number }>
  ways: Ways
  /** Milliseconds from the end of the traffic until everything was in place. */
  convergedAfterMs: number
  /** Copies beyond the first on the networks, each after an uncertain outcome. */
  repeats: number
  /** Resident memory of the gateway after the first quarter of the run, and at its end, bytes. */
  memory: { early: number; end: number }
  broken: Broken
  /** Broken promises. Empty when all hold. */
  violations: string[]
}

/** Runs the harness once. Rejects only when the harness itself fails; broken promises are in the report. */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-soak-'))
  const stopping: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true })]
  try {
    return await run(options, directory, stopping)
  } finally {
    for (const step of stopping.reverse()) await step()
  }
}

async function run(
  options: SoakOptions,
  directory: string,
  stopping: (() => Promise<unknown>)[],
): Promise<SoakReport> {
  const random = seededRandom(options.seed)
  const { networks, gateway, people } = await startCrew(options.networks, random, directory, stopping)
  const ledger = createLedger()
  const readers = people.map(createInboxReader)
  const traffic = startTraffic({
    people,
    networks,
    ledger,
    random: random.fork('traffic'),
    insists: true,
    pauseMs: PAUSE_MS,
  })
  stopping.push(() => traffic.stop())
  await waitFor(() => (ledger.acknowledged().length > 5 * networks.length ? true : traffic.failure()), {
    what: 'first messages',
  })

  /** A fault that could not be put or healed ends the run. */
  const failed = new AbortController()
  const over = AbortSignal.any([
    AbortSignal.timeout(options.minutes * 60_000),
    failed.signal,
    ...(options.signal ? [options.signal] : []),
  ])
  const hurting = Promise.all(
    networks.map((network) => hurt(network, random.fork(`faults of ${network.name}`), over)),
  )
  hurting.catch(() => failed.abort())
  const early = await watch({ options, over, traffic, readers, pid: gateway.pid })
  const faults = Object.fromEntries(
    (await hurting).map((kinds, place) => [
      networks[place]?.name ?? '',
      { count: kinds.length, kinds: new Set(kinds).size },
    ]),
  )
  await traffic.stop()
  const failure = traffic.failure()
  if (failure) throw failure
  const endedAt = performance.now()
  const open = await converged(gateway, ledger, readers)
  const convergedAfterMs = Math.round(performance.now() - endedAt)
  const end = residentBytes(gateway.pid())

  const { repeats, broken, violations } = await compare({ networks, gateway, people }, ledger, readers, open)
  return {
    seed: options.seed,
    networks: options.networks,
    minutes: options.minutes,
    faults,
    ways: countWays(ledger),
    convergedAfterMs,
    repeats,
    memory: { early, end },
    broken,
    violations,
  }
}

/** Puts one fault of the network after another, and heals each. Answers their names once it is over. */
async function hurt({ faults }: RunningNetwork, random: SeededRandom, over: AbortSignal): Promise<string[]> {
  // Whatever is left out here loses messages for good, or is a fault of what nobody can tell from a refusal.
  const kinds = faults.filter(({ inboxOnly, needsStream }) => !inboxOnly && !needsStream)
  const names: string[] = []
  for (;;) {
    await pause(random.between(...PEACE_MS), over)
    if (over.aborted) return names
    const kind: FaultKind = random.pick(kinds)
    names.push(kind.name)
    try {
      await kind.start(random.fork(`${kind.name} ${names.length}`))
      await pause(random.between(...FAULT_MS), over)
    } finally {
      await kind.heal()
    }
  }
}

/** Reads inboxes as they grow and tells of progress, until it is over. Answers the memory after the first quarter. */
async function watch(parts: {
  options: SoakOptions
  over: AbortSignal
  traffic: Traffic
  readers: readonly InboxReader[]
  pid(): number
}): Promise<number> {
  const { options, over, traffic, readers } = parts
  const startedAt = performance.now()
  let early: number | null = null
  while (!over.aborted && !traffic.failure()) {
    await pause(LOOK_MS, over)
    await traffic.pausedFor(async () => {
      for (const reader of readers) await reader.readOn()
    })
    const seconds = (performance.now() - startedAt) / 1_000
    const resident = residentBytes(parts.pid())
    if (seconds > options.minutes * 15) early ??= resident
    options.onProgress?.(
      `${Math.round(seconds)} of ${options.minutes * 60} s, ${traffic.acknowledged()} acknowledged over HTTP, gateway ${Math.round(resident / 2 ** 20)} MiB`,
    )
  }
  return early ?? residentBytes(parts.pid())
}

async function pause(ms: number, over: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: over }).catch((error: unknown) => {
    if (!over.aborted) throw error
  })
}
