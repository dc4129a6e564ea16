/** A store for simulations: the real operations over SQLite in memory, on the thread and the clock of the test. */
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../src/adapter/index.ts'
import { type Store, StoreError } from '../../src/store/port.ts'
import { Database } from '../../src/store/sqlite/database.ts'
import { toStoreError } from '../../src/store/sqlite/errors.ts'
import { runGroup } from '../../src/store/sqlite/group.ts'
import { migrations } from '../../src/store/sqlite/migrations/index.ts'
import {
  type Input,
  type OperationName,
  type Output,
  operations,
} from '../../src/store/sqlite/operations/index.ts'
import type { Operation } from '../../src/store/sqlite/operations/operation.ts'
import type { Call } from '../../src/store/sqlite/protocol.ts'

interface PendingCall extends Call {
  resolve(value: never): void
  reject(error: StoreError): void
}

export interface SimulatedStore extends Store {
  /** Virtual milliseconds that each group takes from now on. Default: none. */
  pace(groupMs: () => number): void
  /** Reads at once, past the queue, what has been committed. */
  peek<Name extends OperationName>(name: Name, input: Input<Name>): Output<Name>
}

/**
 * Commits in groups, as the real store does: calls gather while one group is under way, and are answered together when it
 * ends. Threads play no part, so that a run with one seed is always the same run.
 */
export function createSimulatedStore(clock: Clock): SimulatedStore {
  const database = new Database(new DatabaseSync(':memory:'))
  for (const { sql } of migrations) database.connection.exec(sql)
  let groupMs = () => 0
  let waiting: PendingCall[] = []
  let running = false
  let closed = false

  function call<Name extends OperationName>(name: Name, input: Input<Name>): Promise<Output<Name>> {
    if (closed) return Promise.reject(new StoreError('store-closed', 'The store is closed'))
    return new Promise((resolve, reject) => {
      waiting.push({ name, input, resolve, reject })
      if (running) return
      running = true
      queueMicrotask(() => void pump())
    })
  }

  async function pump(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.splice(0)
      const answers = runGroup(database, group, { at: clock.now(), monotonic: clock.monotonic() })
      const duration = groupMs()
      if (duration > 0) await clock.sleep(duration)
      group.forEach(({ resolve, reject }, index) => {
        const answer = answers[index]!
        if ('failure' in answer) reject(toStoreError(answer.failure))
        else resolve(answer.value as never)
      })
      await Promise.resolve()
    }
    running = false
  }

  return {
    pace(next) {
      groupMs = next
    },
    peek(name, input) {
      const operation = operations[name] as unknown as Operation<typeof input, Output<typeof name>>
      return operation.run(database, input, { at: clock.now(), monotonic: clock.monotonic() })
    },
    async open() {},
    async close() {
      if (closed) return
      closed = true
      waiting = []
      database.close()
    },
    probe: () => call('probe', null),
    prune: async () => ({}),
    statistics: () => call('statistics', null),
    putChallenge: (challenge) => call('putChallenge', challenge),
    getChallenge: (id) => call('getChallenge', id),
    deleteChallenge: (id) => call('deleteChallenge', id),
    completeChallenge: (input) => call('completeChallenge', input),
    useChallenge: (input) => call('useChallenge', input),
    keyLog: (wallet) => call('keyLog', wallet),
    getSession: (tokenHash, now) => call('getSession', { tokenHash, now }),
    deleteSession: (tokenHash) => call('deleteSession', tokenHash),
    putPrekeys: (prekeys) => call('putPrekeys', prekeys),
    prekeys: (wallet, now) => call('prekeys', { wallet, now }),
    putEndpoint: (endpoint) => call('putEndpoint', endpoint),
    endpoints: (wallet) => call('endpoints', wallet),
    walletsAt: (network, address) => call('walletsAt', { network, address }),
    putRoute: (wallet, route) => call('putRoute', { wallet, route }),
    getRoute: (wallet) => call('getRoute', wallet),
    servedAmong: (wallets) => call('servedAmong', wallets),
    accept: (record) => call('accept', record),
    isTaken: (id) => call('isTaken', id),
    getEnvelope: (id) => call('getEnvelope', id),
    mergeEnvelope: (id, bytes) => call('mergeEnvelope', { id, bytes }),
    envelopeOfRemote: (network, remoteId) => call('envelopeOfRemote', { network, remoteId }),
    inbox: (query) => call('inbox', query),
    inboxBounds: () => call('inboxBounds', null),
    conversations: (query) => call('conversations', query),
    conversation: (wallet, conversation) => call('conversation', { wallet, conversation }),
    markRead: (mark) => call('markRead', mark),
    chooseConversation: (choice) => call('chooseConversation', choice),
    consentOf: (wallet, conversation) => call('consentOf', { wallet, conversation }),
    putInboxSettings: (wallet, settings) => call('putInboxSettings', { wallet, settings }),
    inboxRules: (wallet) => call('inboxRules', wallet),
    openDeliveries: (query) => call('openDeliveries', query),
    addDeliveries: (input) => call('addDeliveries', input),
    getDelivery: (id) => call('getDelivery', id),
    deliveriesOf: (envelopeId) => call('deliveriesOf', envelopeId),
    listDeliveries: (query) => call('listDeliveries', query),
    moveDelivery: (move) => call('moveDelivery', move),
    addCheckpoints: (envelopeId, checkpoints) => call('addCheckpoints', { envelopeId, checkpoints }),
    journey: (envelopeId) => call('journey', envelopeId),
    getAdapterValue: (network, key) => call('getAdapterValue', { network, key }),
    setAdapterValue: (network, key, value) => call('setAdapterValue', { network, key, value }),
    addAlias: (network, remoteId, envelopeId, at) => call('addAlias', { network, remoteId, envelopeId, at }),
    recentPairs: (query) => call('recentPairs', query),
    putEnrolment: (enrolment) => call('putEnrolment', enrolment),
    completeEnrolment: (input) => call('completeEnrolment', input),
    getEnrolment: (id) => call('getEnrolment', id),
    enrolmentsOf: (wallet) => call('enrolmentsOf', wallet),
    liveEnrolments: (query) => call('liveEnrolments', query),
    moveEnrolmentCursor: (id, walkedAt) => call('moveEnrolmentCursor', { id, walkedAt }),
    rewrapEnrolment: (id, secret) => call('rewrapEnrolment', { id, secret }),
    endEnrolment: (input) => call('endEnrolment', input),
    putMirror: (mirror) => call('putMirror', mirror),
    mirrorsOf: (wallet) => call('mirrorsOf', wallet),
    listMirrors: (query) => call('listMirrors', query),
    deleteMirror: (id) => call('deleteMirror', id),
  }
}
