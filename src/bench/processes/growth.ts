/** A store that grows, in a process of its own, so that its CPU time and bytes can be told. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSqliteStore, type SqliteStore } from '../../store/sqlite/index.ts'
import { serveParent } from '../child.ts'
import { closedLoop } from '../load/closed-loop.ts'
import { bytesWritten, cpuMicroseconds } from '../machine.ts'
import { acceptRecord, walletOf } from '../records.ts'
import { quantile } from '../statistics.ts'

const IN_FLIGHT = 64
const PAGE = 50

let store: SqliteStore | null = null
let directory = ''
let wallets = 0
let appended = 0

function opened(): SqliteStore {
  if (store === null) throw new Error('the store is not open')
  return store
}

async function open(input: { wallets: number }): Promise<void> {
  directory = await mkdtemp(join(tmpdir(), 'causeway-bench-'))
  wallets = input.wallets
  store = createSqliteStore({ path: join(directory, 'causeway.db') })
  await store.open()
}

/** Accepts `count` envelopes, 64 under way at once. Figures are per envelope. */
async function append(count: number) {
  const cpu = cpuMicroseconds()
  const written = bytesWritten()
  const first = appended
  const result = await closedLoop({ count, inFlight: IN_FLIGHT, warmup: 0 }, async (number) => {
    await opened().accept(acceptRecord({ number: first + number, wallets }))
  })
  appended += count
  const now = bytesWritten()
  return {
    cpu: (cpuMicroseconds() - cpu) / count,
    written: written === null || now === null ? Number.NaN : (now - written) / count,
    p50: result.p50,
    p99: result.p99,
    rate: result.rate,
  }
}

/** Reads first pages of `count` wallets' inboxes, one after the other. */
async function pages(count: number) {
  const cpu = cpuMicroseconds()
  const latencies: number[] = []
  let items = 0
  for (let number = 0; number < count; number++) {
    const wallet = walletOf((Math.imul(number, 0x9e3779b1) >>> 0) % wallets)
    const startedAt = performance.now()
    items += (await opened().inbox({ wallet, after: 0, limit: PAGE, conversation: null })).length
    latencies.push(performance.now() - startedAt)
  }
  return { cpu: (cpuMicroseconds() - cpu) / count, p50: quantile(latencies, 0.5), items: items / count }
}

async function size(): Promise<{ bytes: number; log: number }> {
  const files = await readdir(directory)
  const sizes = await Promise.all(
    files.map(async (name) => ({ name, bytes: (await stat(join(directory, name))).size })),
  )
  const sum = (list: typeof sizes) => list.reduce((total, { bytes }) => total + bytes, 0)
  return {
    bytes: sum(sizes.filter(({ name }) => name === 'causeway.db')),
    log: sum(sizes.filter(({ name }) => name.endsWith('-wal'))),
  }
}

async function stop(): Promise<void> {
  await store?.close()
  if (directory !== '') await rm(directory, { recursive: true, force: true })
}

serveParent({ open, append, pages, size }, stop)
