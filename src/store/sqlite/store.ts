import type { PruneLimits, Store } from '../port.ts'
import { IN_MEMORY } from './open.ts'
import { DELETABLE_TABLES, type EnvelopeCursor, type EnvelopeSlice } from './operations/maintenance.ts'
import { type StoreActivity, WriterClient } from './writer-client.ts'

/** Under load the log is copied into the database this often. Milliseconds. */
const CHECKPOINT_INTERVAL_MS = 30

export interface SqliteStoreOptions {
  /** Database file, made with its folder when missing, or `:memory:` for one that ends with the store. */
  path: string
  /** Clocks for `persisted` checkpoints. Default: the system's. */
  clock?: StoreClock
  /** Default: nothing is logged. */
  log?: StoreLog
  /** Milliseconds between background checkpoints of the write-ahead log under load. Default 30. */
  checkpointInterval?: number
  /** Envelopes that are written to the indexes together. Default 8,192. */
  indexBatch?: number
}

export interface StoreClock {
  /** Unix milliseconds. */
  now(): number
  /** Milliseconds of a clock that never steps back. */
  monotonic(): number
}

export interface StoreLog {
  info(details: Record<string, unknown>, text: string): void
  warn(details: Record<string, unknown>, text: string): void
}

export interface SqliteStore extends Store {
  /** Calls and commits since the store was opened, for metrics: `calls / groups` is how many share one wait for the disk. */
  activity(): Readonly<StoreActivity>
}

const systemClock: StoreClock = { now: () => Date.now(), monotonic: () => performance.now() }
const silentLog: StoreLog = { info() {}, warn() {} }

/**
 * The store in one SQLite database, owned by a thread of its own that commits in groups: calls queue here, go over in
 * batches, each batch is one transaction with one wait for the disk, and while it runs the next one gathers. Every call is
 * answered after that wait. Reads go through the same queue, so they see every write that was called before them.
 *
 * Every method below names its operation in `operations/`, where its SQL is.
 *
 * @example
 * const store = createSqliteStore({ path: 'data/causeway.db' })
 * await store.open()
 * const { outcome, seq } = await store.accept(record)
 * await store.close()
 */
export function createSqliteStore(options: SqliteStoreOptions): SqliteStore {
  const { path, clock = systemClock, log = silentLog } = options
  const writer = new WriterClient({
    path,
    checkpointInterval: path === IN_MEMORY ? null : (options.checkpointInterval ?? CHECKPOINT_INTERVAL_MS),
    indexBatch: options.indexBatch,
    moment: () => ({ at: clock.now(), monotonic: clock.monotonic() }),
    log: (line) => log[line.level](line.details, line.text),
  })
  let opening: Promise<void> | null = null
  let closing: Promise<void> | null = null

  async function close(): Promise<void> {
    // A failure to open was told to the caller of open.
    await opening?.catch(() => undefined)
    await writer.close()
  }

  return {
    open() {
      opening ??= writer.open()
      return opening
    },
    close() {
      closing ??= close()
      return closing
    },
    activity: () => ({ ...writer.activity }),
    probe: () => writer.call('probe', null),
    prune: (limits) => prune(writer, limits),
    statistics: () => writer.call('statistics', null),

    putChallenge: (challenge) => writer.call('putChallenge', challenge),
    getChallenge: (id) => writer.call('getChallenge', id),
    deleteChallenge: (id) => writer.call('deleteChallenge', id),
    completeChallenge: (input) => writer.call('completeChallenge', input),
    useChallenge: (input) => writer.call('useChallenge', input),
    keyLog: (wallet) => writer.call('keyLog', wallet),
    getSession: (tokenHash, now) => writer.call('getSession', { tokenHash, now }),
    deleteSession: (tokenHash) => writer.call('deleteSession', tokenHash),
    putPrekeys: (prekeys) => writer.call('putPrekeys', prekeys),
    prekeys: (wallet, now) => writer.call('prekeys', { wallet, now }),
    putEndpoint: (endpoint) => writer.call('putEndpoint', endpoint),
    endpoints: (wallet) => writer.call('endpoints', wallet),
    walletsAt: (network, address) => writer.call('walletsAt', { network, address }),
    putRoute: (wallet, route) => writer.call('putRoute', { wallet, route }),
    getRoute: (wallet) => writer.call('getRoute', wallet),
    servedAmong: (wallets) => writer.call('servedAmong', wallets),

    accept: (record) => writer.call('accept', record),
    isTaken: (id) => writer.call('isTaken', id),
    getEnvelope: (id) => writer.call('getEnvelope', id),
    mergeEnvelope: (id, bytes) => writer.call('mergeEnvelope', { id, bytes }),
    envelopeOfRemote: (network, remoteId) => writer.call('envelopeOfRemote', { network, remoteId }),
    inbox: (query) => writer.call('inbox', query),
    inboxBounds: () => writer.call('inboxBounds', null),
    conversations: (query) => writer.call('conversations', query),
    conversation: (wallet, conversation) => writer.call('conversation', { wallet, conversation }),
    markRead: (mark) => writer.call('markRead', mark),
    chooseConversation: (choice) => writer.call('chooseConversation', choice),
    consentOf: (wallet, conversation) => writer.call('consentOf', { wallet, conversation }),
    putInboxSettings: (wallet, settings) => writer.call('putInboxSettings', { wallet, settings }),
    inboxRules: (wallet) => writer.call('inboxRules', wallet),

    openDeliveries: (query) => writer.call('openDeliveries', query),
    addDeliveries: (input) => writer.call('addDeliveries', input),
    getDelivery: (id) => writer.call('getDelivery', id),
    deliveriesOf: (envelopeId) => writer.call('deliveriesOf', envelopeId),
    listDeliveries: (query) => writer.call('listDeliveries', query),
    moveDelivery: (move) => writer.call('moveDelivery', move),

    addCheckpoints: (envelopeId, checkpoints) => writer.call('addCheckpoints', { envelopeId, checkpoints }),
    journey: (envelopeId) => writer.call('journey', envelopeId),

    getAdapterValue: (network, key) => writer.call('getAdapterValue', { network, key }),
    setAdapterValue: (network, key, value) => writer.call('setAdapterValue', { network, key, value }),
    putEnrolment: (enrolment) => writer.call('putEnrolment', enrolment),
    completeEnrolment: (input) => writer.call('completeEnrolment', input),
    getEnrolment: (id) => writer.call('getEnrolment', id),
    enrolmentsOf: (wallet) => writer.call('enrolmentsOf', wallet),
    liveEnrolments: (query) => writer.call('liveEnrolments', query),
    moveEnrolmentCursor: (id, walkedAt) => writer.call('moveEnrolmentCursor', { id, walkedAt }),
    rewrapEnrolment: (id, secret) => writer.call('rewrapEnrolment', { id, secret }),
    endEnrolment: (input) => writer.call('endEnrolment', input),

    addAlias: (network, remoteId, envelopeId, at) =>
      writer.call('addAlias', { network, remoteId, envelopeId, at }),
    recentPairs: (query) => writer.call('recentPairs', query),

    putMirror: (mirror) => writer.call('putMirror', mirror),
    mirrorsOf: (wallet) => writer.call('mirrorsOf', wallet),
    listMirrors: (query) => writer.call('listMirrors', query),
    deleteMirror: (id) => writer.call('deleteMirror', id),
  }
}

/** Slice by slice, each a call of its own, so that others get their turn in between. */
async function prune(writer: WriterClient, limits: PruneLimits): Promise<Record<string, number>> {
  const removed: Record<string, number> = {}
  const add = (table: string, count: number) => {
    removed[table] = (removed[table] ?? 0) + count
  }
  let after: EnvelopeCursor | null = null
  do {
    const slice: EnvelopeSlice = await writer.call('pruneEnvelopes', {
      before: limits.envelopesBefore,
      after,
    })
    for (const [table, count] of Object.entries(slice.removed)) add(table, count)
    after = slice.next
  } while (after !== null)
  for (const table of DELETABLE_TABLES) {
    let more: boolean
    do {
      const slice = await writer.call('pruneTable', { table, limits })
      add(table, slice.removed)
      more = slice.more
    } while (more)
  }
  return removed
}
