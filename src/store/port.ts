/**
 * What the gateway keeps, as narrow operations. Nothing outside `src/store` may know which store it has.
 *
 * Every writing operation is durable when its promise resolves: it survives `kill -9` and loss of power. Operations are
 * atomic one by one and take effect in the order in which they were called. All times are Unix milliseconds; wallets are
 * walletKeys; ids are 32-byte arrays. Rejections are `StoreError`.
 */

export { StoreError, type StoreErrorCode } from './errors.ts'

export interface Store extends IdentityStore, EnvelopeStore, DeliveryStore, JourneyStore, AdapterStore {
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

export interface StoredChallenge {
  id: string
  wallet: string
  /** CAIP-10 account that signs. */
  account: string
  action: 'add' | 'revoke'
  device: Uint8Array
  label: string
  /** Canonical CBOR of the key-log entry that the text certifies. */
  entry: Uint8Array
  /** The exact text to sign. */
  message: string
  createdAt: number
  expiresAt: number
}

export interface StoredKeyEntry {
  wallet: string
  seq: number
  hash: Uint8Array
  entry: Uint8Array
  /** The wallet's signature: `0x…` hex for EIP-191. */
  signature: string
  account: string
  domain: string
  action: 'add' | 'revoke' | 'recover' | 'address'
  device: Uint8Array
  notBefore: number
  notAfter: number
  /** When this gateway took it: revocations count from here. */
  receivedAt: number
}

export interface StoredSession {
  tokenHash: string
  wallet: string
  account: string
  device: Uint8Array
  createdAt: number
  expiresAt: number
}

export interface StoredPrekey {
  keyId: Uint8Array
  wallet: string
  device: Uint8Array
  suite: number
  publicKey: Uint8Array
  notBefore: number
  notAfter: number
  /** Canonical CBOR that the device signed, and the signature. */
  bytes: Uint8Array
  signature: Uint8Array
}

export interface StoredEndpoint {
  wallet: string
  network: string
  address: string
  enabled: boolean
  /** `derived` from the wallet alone, or `chosen` by it. */
  source: 'derived' | 'chosen'
  /** At most one wallet may have the address. */
  exclusive: boolean
  updatedAt: number
}

export interface Route {
  policy: 'mirror' | 'fallback'
  /** Networks in order of preference, or by measured latency and stability. */
  order: string[] | 'ranked'
  /** `fallback`: milliseconds without an acknowledgement after which the next network is tried too. */
  fallbackAfterMs: number
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
  /**
   * One page of a wallet's inbox, oldest first, `seq > after`. `seq` grows with arrival and is never reused; an item that
   * appears later always has a higher seq than every item seen before.
   */
  inbox(query: InboxQuery): Promise<InboxItem[]>
  /**
   * Lowest seq still kept and highest seq given out, of the whole store: tells whether a cursor can be resumed. Every item
   * from `first` on is kept: a cursor `after` misses nothing when `first - 1 <= after <= last`.
   */
  inboxBounds(wallet: string): Promise<{ first: number; last: number }>
  /** Conversations of a wallet, the one with the latest item first. */
  conversations(query: {
    wallet: string
    limit: number
    before: number | null
  }): Promise<ConversationSummary[]>
}

/** An envelope or parcel as it came. */
export interface ArrivedEnvelope {
  id: Uint8Array
  /** 1 envelope, 2 opaque parcel. */
  kind: 1 | 2
  mode: 'sealed' | 'opaque' | 'hop'
  from: string
  device: Uint8Array
  conversation: Uint8Array
  contentType: string
  flags: number
  /** Sender's clock. */
  created: number
  /** 0 when it does not expire. */
  expiresAt: number
  bytes: Uint8Array
  certificate: Uint8Array | null
  /** Canonical CBOR of the hop trace with which it came. */
  trace: Uint8Array
  /** `http`, `socket` or a network. */
  via: string
  receivedAt: number
}

export interface AcceptRecord extends ArrivedEnvelope {
  monotonic: number
  inbox: { wallet: string; direction: 'received' | 'sent' }[]
  deliveries: NewDelivery[]
  alias: { network: string; remoteId: string } | null
}

export interface NewDelivery {
  /** Recipient. */
  wallet: string
  network: string
  address: string
  /** 32 lower-case hex characters, deterministic for (id, network, address). */
  transactionId: string
  /** `standby` waits for a fallback; `acknowledged` is there already, having arrived over this very network. */
  state: 'pending' | 'standby' | 'acknowledged'
  /** Place in the route's order, from 0. */
  rank: number
  /** Not before this time; for `standby`: when to be activated if nothing was acknowledged. Null: only by a certain failure. */
  notBefore: number | null
}

/** `bytes`: a copy to be kept instead, with key wraps that the one kept until now may lack. */
export type MoreDeliveries = Pick<AcceptRecord, 'id' | 'deliveries' | 'receivedAt'> & { bytes?: Uint8Array }

export type AcceptResult =
  | { outcome: 'accepted'; seq: number; deliveries: Delivery[] }
  | { outcome: 'duplicate'; seq: number; deliveries: Delivery[] }

export interface StoredEnvelope extends ArrivedEnvelope {
  seq: number
  /** Wallets in whose inbox it is, sender included. */
  wallets: string[]
}

export interface InboxQuery {
  wallet: string
  after: number
  limit: number
  /** The page ends with the item that reaches this many bytes of envelopes. Absent: `limit` alone ends it. */
  maxBytes?: number
  conversation: Uint8Array | null
}

export interface InboxItem {
  seq: number
  id: Uint8Array
  direction: 'received' | 'sent'
  mode: 'sealed' | 'opaque' | 'hop'
  from: string
  conversation: Uint8Array
  contentType: string
  flags: number
  created: number
  receivedAt: number
  via: string
  bytes: Uint8Array
  certificate: Uint8Array | null
}

export interface ConversationSummary {
  conversation: Uint8Array
  /** The other wallets, as far as the last item names them. */
  from: string
  lastSeq: number
  lastId: Uint8Array
  lastAt: number
  items: number
}

export type DeliveryState =
  /** A later choice of a fallback route. */
  | 'standby'
  /** To be sent as soon as `nextAt` has come. */
  | 'pending'
  /** An adapter is working on it, until `leaseUntil`. */
  | 'dispatching'
  /** Sent, answer lost; looked up before any resend. */
  | 'uncertain'
  /** The network has taken it. */
  | 'acknowledged'
  /** Given up, with `reason`. Can be replayed. */
  | 'dead'
  /** Not needed any more: another network of a fallback route carried it, or it expired. */
  | 'superseded'

export interface Delivery {
  id: number
  envelopeSeq: number
  envelopeId: Uint8Array
  conversation: Uint8Array
  wallet: string
  network: string
  address: string
  transactionId: string
  state: DeliveryState
  rank: number
  attempt: number
  /** Next try, or activation of a standby. Null: none planned. */
  nextAt: number | null
  reason: string | null
  remoteIds: string[]
  createdAt: number
  updatedAt: number
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

export interface DeliveryMove {
  id: number
  from: DeliveryState[]
  to: DeliveryState
  attempt?: number
  nextAt?: number | null
  reason?: string | null
  /** Network ids by which an echo will be recognised. */
  remoteIds?: string[]
  checkpoint?: Omit<Checkpoint, 'deliveryId' | 'network' | 'wallet'>
  at: number
}

export type CheckpointName =
  | 'accepted'
  | 'persisted'
  | 'dispatched'
  | 'remoteAcknowledged'
  | 'remoteEcho'
  | 'delivered'
  | 'read'

export interface Checkpoint {
  name: CheckpointName
  status: 'success' | 'willRetry' | 'failure' | 'uncertain' | 'superseded'
  /** Wall clock, Unix milliseconds. */
  at: number
  /** Monotonic clock of the gateway process, milliseconds with fractions. Comparable within one process run only. */
  monotonic: number
  deliveryId: number | null
  /** `http`, `socket` or a network. */
  network: string | null
  wallet: string | null
  /** Stable code or short reason; no addresses. */
  detail: string | null
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

export interface PairQuery {
  network: string
  since: number
  /** `next` of the page before; null for the first page. */
  after: PairCursor | null
  /** Rows that are looked at: a page may have fewer pairs. */
  limit: number
}

export interface PairPage {
  pairs: { local: string; peer: string }[]
  /** Null after the last page. */
  next: PairCursor | null
}

/** A place among the pairs of a network, made and read by the store. */
export interface PairCursor {
  address: string
  peerId: number
}

export interface PruneLimits {
  /**
   * Envelopes, inbox rows, deliveries and journeys received before this time go. A delivery that is still open then ends as
   * `dead` with the reason `retention`, and its envelope goes with the next call. Wallets that never signed in here and
   * conversations go once nothing names them.
   */
  envelopesBefore: number
  /** Network message ids noted before this time go. A copy that comes later is still known by the envelope's own id. */
  aliasesBefore: number
  /**
   * Ids of envelopes received before this time are forgotten, if their envelopes are gone. A forgotten id is new when it comes
   * again, so this must lie before the creation of everything that the relay still takes.
   */
  idsBefore: number
  /** Used or expired challenges and expired sessions and prekeys. */
  now: number
}

export interface StoreStatistics {
  envelopes: number
  wallets: number
  deliveries: { network: string; state: DeliveryState; count: number }[]
  bytes: number
}
