/** A store that grows, in a process of its own, so that its CPU time and bytes can be told. */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createSqliteStore, type SqliteStore } from '../../store/sqlite/index.ts'
import { serveParent } from '../child.ts'
import { closedLoop } from '../load/closed-loop.ts'
import { bytesHandedToWrites, cpuMicroseconds } from '../machine.ts'
import { acceptRecord, walletOf } from '../records.ts'
import { quantile } from '../statistics.ts'

const IN_FLIGHT = 64
const PAGE = 50
/** Envelopes between two checkpoints where the timer makes none. Under load the timer makes one about as often. */
const CHECKPOINT_EVERY = 256
/** The timer's thread is then never woken within a measurement: milliseconds of three weeks. */
const NO_TIMER = 2 ** 31 - 1
/** Appended and read before CPU time is measured: after it was opened, a store remembers nothing. */
const WARMUP = 2_048

let store: SqliteStore | null = null
let checkpoints: DatabaseSync | null = null
let directory = ''
let wallets = 0
let appended = 0

function opened(): SqliteStore {
  if (store === null) throw new Error('the store is not open')
  return store
}

const file = () => join(directory, 'causeway.db')

/** `counted`: checkpoints come after a number of envelopes, else as they come in a gateway. */
async function open(input: { wallets: number; counted: boolean }): Promise<void> {
  await close()
  if (directory === '') directory = await mkdtemp(join(tmpdir(), 'causeway-bench-'))
  wallets = input.wallets
  store = createSqliteStore({ path: file(), ...(input.counted ? { checkpointInterval: NO_TIMER } : {}) })
  await store.open()
  if (!input.counted) return
  checkpoints = new DatabaseSync(file())
  checkpoints.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0')
}

async function close(): Promise<void> {
  checkpoints?.close()
  checkpoints = null
  await store?.close()
  store = null
}

/**
 * Accepts `count` envelopes in rounds of 64, with checkpoints in between, so that each run commits the same groups and copies the
 * same pages. Answers the bytes that were handed to writes, for one envelope; NaN where the system does not count them.
 */
async function appendCounted(count: number): Promise<number> {
  const before = bytesHandedToWrites()
  for (let done = 0; done < count; ) {
    const round = Math.min(IN_FLIGHT, count - done)
    await Promise.all(
      Array.from({ length: round }, (_, place) =>
        opened().accept(acceptRecord({ number: appended + place, wallets, repeatable: true })),
      ),
    )
    done += round
    appended += round
    if (appended % CHECKPOINT_EVERY < round) checkpoints?.exec('PRAGMA wal_checkpoint(RESTART)')
  }
  const after = bytesHandedToWrites()
  return before === null || after === null ? Number.NaN : (after - before) / count
}

/** Accepts `count` envelopes, 64 under way at once. Figures are per envelope. */
async function append(count: number) {
  const first = appended
  const accept = async (number: number) => {
    await opened().accept(acceptRecord({ number: first + number, wallets, repeatable: true }))
  }
  await closedLoop({ count: WARMUP, inFlight: IN_FLIGHT, warmup: 0 }, accept)
  const cpu = cpuMicroseconds()
  const result = await closedLoop({ count, inFlight: IN_FLIGHT, warmup: 0 }, (number) =>
    accept(WARMUP + number),
  )
  appended += WARMUP + count
  return {
    cpu: (cpuMicroseconds() - cpu) / count,
    p50: result.p50,
    p99: result.p99,
    rate: result.rate,
  }
}

/** Reads first pages of `count` wallets' inboxes, one after the other. */
async function pages(count: number) {
  const latencies: number[] = []
  let items = 0
  const read = async (number: number) => {
    const wallet = walletOf((Math.imul(number, 0x9e3779b1) >>> 0) % wallets)
    items += (await opened().inbox({ wallet, after: 0, limit: PAGE, conversation: null })).items.length
  }
  for (let number = 0; number < count / 4; number++) await read(count + number)
  items = 0
  const cpu = cpuMicroseconds()
  for (let number = 0; number < count; number++) {
    const startedAt = performance.now()
    await read(number)
    latencies.push(performance.now() - startedAt)
  }
  return { cpu: (cpuMicroseconds() - cpu) / count, p50: quantile(latencies, 0.5), items: items / count }
}

/** Bytes of the database file, with all of the log copied into it. */
async function size(): Promise<number> {
  checkpoints?.exec('PRAGMA wal_checkpoint(RESTART)')
  return (await stat(file())).size
}

async function stop(): Promise<void> {
  await close()
  if (directory !== '') await rm(directory, { recursive: true, force: true })
}

serveParent({ open, appendCounted, append, pages, size, held: () => appended }, stop)
