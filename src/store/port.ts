/**
 * What the gateway keeps, as narrow operations. Nothing outside `src/store` may know which store it has.
 *
 * Every writing operation is durable when its promise resolves: it survives `kill -9` and loss of power. Operations are
 * atomic one by one and take effect in the order in which they were called. All times are Unix milliseconds; wallets are
 * walletKeys; ids are 32-byte arrays. Rejections are `StoreError`.
 */

import type {
  Consent,
  ConversationChoice,
  ConversationPage,
  ConversationQuery,
  ConversationState,
  ConversationSummary,
  InboxPage,
  InboxQuery,
  InboxRules,
  InboxSettings,
} from './conversation-records.ts'
import type {
  AcceptRecord,
  AcceptResult,
  Checkpoint,
  Delivery,
  DeliveryMove,
  DeliveryState,
  MoreDeliveries,
  NewEnrolment,
  PairPage,
  PairQuery,
  PruneLimits,
  Route,
  StoredChallenge,
  StoredEndpoint,
  StoredEnrolment,
  StoredEnvelope,
  StoredKeyEntry,
  StoredMirror,
  StoredPrekey,
  StoredSession,
  StoreStatistics,
} from './records.ts'

export * from './conversation-records.ts'
export { StoreError, type StoreErrorCode } from './errors.ts'
export type * from './records.ts'

export interface Store
  extends IdentityStore,
    EnvelopeStore,
    InboxStore,
    DeliveryStore,
    EnrolmentStore,
    JourneyStore,
    AdapterStore,
    MirrorStore {
  /** Opens the files and brings the schema up to date. Refuses a damaged or newer database with a `StoreError`. */
  open(): Promise<void>
  /** Finishes what was accepted and closes. Operations after it reject with `store-closed`. */
  close(): Promise<void>
  /** Writes and removes a probe row; resolves when it was durable. For readiness. */
  probe(): Promise<void>
  /** Removes what is over its time. Called by the gateway on a timer. Returns how many rows went. */
  prune(limits: PruneLimits): Promise<Record<string, number>>
  /** Counts for metrics: rows by table and deliveries by network and state. */
  statistics(): Promise<StoreStatistics>
}

export interface IdentityStore {
  /** Keeps a challenge until it is used or expires. */
  putChallenge(challenge: StoredChallenge): Promise<void>
  /** Reads a challenge without using it. Null when there is none, or it was used. */
  getChallenge(id: string): Promise<StoredChallenge | null>
  deleteChallenge(id: string): Promise<void>
  /**
   * Uses the challenge up and appends its entry to the wallet's key log, in one transaction.
   * `used`: unknown or used already. `conflict`: another entry was appended meanwhile (seq or prev no longer fits).
   * A `revoke` entry also ends the device's sessions and prekeys. `session` is stored in the same transaction.
   */
  completeChallenge(input: {
    challengeId: string
    entry: StoredKeyEntry
    session: StoredSession | null
    at: number
  }): Promise<'done' | 'used' | 'conflict'>
  /**
   * Uses the challenge up without appending its entry, and stores the session, in one transaction. `conflict`: the last entry
   * of the log is not the one at `headSeq` any more.
   */
  useChallenge(input: {
    challengeId: string
    headSeq: number
    session: StoredSession | null
  }): Promise<'done' | 'used' | 'conflict'>
  /** The wallet's key log, oldest first. Empty for a wallet never seen. */
  keyLog(wallet: string): Promise<StoredKeyEntry[]>
  /** Session by SHA-256 of its token (hex), if it has not expired at `now`. */
  getSession(tokenHash: string, now: number): Promise<StoredSession | null>
  deleteSession(tokenHash: string): Promise<void>
  /**
   * Adds prekeys; one that the device has published already is left as it is. Of a device that has more than two months'
   * worth, those that began first are removed.
   */
  putPrekeys(prekeys: StoredPrekey[]): Promise<void>
  /** The newest two prekeys of each device and suite of the wallet that are valid at `now`, newest first. */
  prekeys(wallet: string, now: number): Promise<StoredPrekey[]>
  /** Makes or changes an endpoint. Answers `taken` when another wallet has this exclusive address. */
  putEndpoint(endpoint: StoredEndpoint): Promise<'done' | 'taken'>
  endpoints(wallet: string): Promise<StoredEndpoint[]>
  /** Reverse look-up. Several wallets where addresses are shared on purpose (Waku buckets). */
  walletsAt(network: string, address: string): Promise<string[]>
  putRoute(wallet: string, route: Route): Promise<void>
  /** Null: the wallet has not chosen; the configured default holds. */
  getRoute(wallet: string): Promise<Route | null>
  /** Which of the wallets are served: those that have signed in here at least once. */
  servedAmong(wallets: readonly string[]): Promise<string[]>
}

export interface EnvelopeStore {
  /**
   * The one transaction of an accept: envelope, inbox rows, deliveries, aliases and first checkpoints.
   * For an id that is known it writes nothing but new aliases, and answers `duplicate`.
   */
  accept(record: AcceptRecord): Promise<AcceptResult>
  /** Which of the ids are taken. A look-up that saves work; `accept` decides. */
  isTaken(id: Uint8Array): Promise<boolean>
  getEnvelope(id: Uint8Array): Promise<StoredEnvelope | null>
  /** Keeps `bytes`, a copy of the same envelope with more key wraps, in the place of the copy that is kept. */
  mergeEnvelope(id: Uint8Array, bytes: Uint8Array): Promise<void>
  /** Id of the envelope that this network message carried. */
  envelopeOfRemote(network: string, remoteId: string): Promise<Uint8Array | null>
}

/** Inboxes and conversations of wallets. */
export interface InboxStore {
  /**
   * One page of a wallet's inbox. `seq` grows with arrival and is never reused; an item that appears later always has a
   * higher seq than every item seen before.
   */
  inbox(query: InboxQuery): Promise<InboxPage>
  /**
   * Lowest seq still kept and highest seq given out, of the whole store: tells whether a cursor can be resumed. Every item
   * from `first` on is kept: a cursor `after` misses nothing when `first - 1 <= after <= last`.
   */
  inboxBounds(wallet: string): Promise<{ first: number; last: number }>
  /** Conversations of a wallet, the one with the latest item first. One that gets an item meanwhile moves to the front. */
  conversations(query: ConversationQuery): Promise<ConversationPage>
  /** One conversation, whatever was chosen for it; null for one without items. */
  conversation(wallet: string, conversation: Uint8Array): Promise<ConversationSummary | null>
  /**
   * Notes that a wallet has read a conversation up to a seq; never goes back. `before`: how far it was read until now.
   * A conversation without items is null.
   */
  markRead(mark: {
    wallet: string
    conversation: Uint8Array
    through: number
    at: number
  }): Promise<{ before: number; state: ConversationState } | null>
  /** Keeps a choice. `full`: the wallet has as many as there may be. */
  chooseConversation(choice: ConversationChoice): Promise<ConversationState | 'full'>
  consentOf(wallet: string, conversation: Uint8Array): Promise<Consent>
  putInboxSettings(wallet: string, settings: InboxSettings): Promise<void>
  /** Of a wallet that chose nothing: the defaults. */
  inboxRules(wallet: string): Promise<InboxRules>
}

export interface DeliveryStore {
  /** Deliveries in `pending`, `dispatching` or `uncertain`, and `standby` ones with a time, oldest first. For start-up. */
  openDeliveries(query: { afterId: number; limit: number }): Promise<Delivery[]>
  getDelivery(id: number): Promise<Delivery | null>
  /** Adds deliveries to a kept envelope, for wallets that it has none for. Answers the ones added. */
  addDeliveries(more: MoreDeliveries): Promise<Delivery[]>
  deliveriesOf(envelopeId: Uint8Array): Promise<Delivery[]>
  /** For operators, newest first. */
  listDeliveries(query: {
    state: DeliveryState | null
    network: string | null
    limit: number
    beforeId: number | null
  }): Promise<Delivery[]>
  /**
   * Moves a delivery from one of `from` to `to`, writes its checkpoint and aliases in the same transaction.
   * Answers the delivery as it now is, and whether the move happened; it does not when the state was another.
   */
  moveDelivery(move: DeliveryMove): Promise<{ moved: boolean; delivery: Delivery | null }>
}

export interface EnrolmentStore {
  /**
   * Keeps an enrolment in state `completing`. `taken`: the wallet has one on this network that has not ended. `replayed`:
   * the consent was used before.
   */
  putEnrolment(enrolment: NewEnrolment): Promise<'done' | 'taken' | 'replayed'>
  /** Makes it `active`. Null when it was not `completing`. The secret that it had is overwritten. */
  completeEnrolment(input: {
    id: string
    address: string
    secret: Uint8Array
  }): Promise<StoredEnrolment | null>
  getEnrolment(id: string): Promise<StoredEnrolment | null>
  /** All of a wallet, ended ones too, oldest first. */
  enrolmentsOf(wallet: string): Promise<StoredEnrolment[]>
  /** Those of everyone that have not ended, by id, after `after`. */
  liveEnrolments(query: { after: string; limit: number }): Promise<StoredEnrolment[]>
  /** Notes the start of a completed walk; never goes back. */
  moveEnrolmentCursor(id: string, walkedAt: number): Promise<void>
  /** Replaces the secret of one that has not ended. */
  rewrapEnrolment(id: string, secret: Uint8Array): Promise<void>
  /** Ends it: its secret is overwritten in the files when this resolves. False when it had ended. */
  endEnrolment(input: { id: string; at: number; reason: string }): Promise<boolean>
}

export interface JourneyStore {
  addCheckpoints(envelopeId: Uint8Array, checkpoints: Checkpoint[]): Promise<void>
  /** In the order in which they were written. */
  journey(envelopeId: Uint8Array): Promise<Checkpoint[]>
}

export interface AdapterStore {
  getAdapterValue(network: string, key: string): Promise<string | null>
  setAdapterValue(network: string, key: string, value: string | null): Promise<void>
  /** Notes that a network message carried this envelope. */
  addAlias(network: string, remoteId: string, envelopeId: Uint8Array, at: number): Promise<void>
  /**
   * One page of the pairs of addresses on `network` between which envelopes went since `since`, each once whichever side
   * wrote, for per-pair histories. In an order that traffic does not change, so that a walk over all pages misses none.
   */
  recentPairs(query: PairQuery): Promise<PairPage>
}

/** Registrations for opaque mirroring, at most one of a wallet for a network. */
export interface MirrorStore {
  /** Makes or changes one. It keeps the id and `createdAt` that it has; answers it as it now is. */
  putMirror(mirror: StoredMirror): Promise<StoredMirror>
  /** In order of network. */
  mirrorsOf(wallet: string): Promise<StoredMirror[]>
  /** One page of all, `id > afterId`. For start-up. */
  listMirrors(query: { afterId: string; limit: number }): Promise<StoredMirror[]>
  /** False when there was none with this id. */
  deleteMirror(id: string): Promise<boolean>
}
