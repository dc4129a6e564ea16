/** What the store takes and gives, as plain data. Times are Unix milliseconds, wallets walletKeys, ids 32 bytes. */

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
  /** The wallet's signature as `0x…` hex: EIP-191, Ed25519, or what a smart account takes (ERC-1271, ERC-6492). */
  signature: string
  account: string
  domain: string
  /** Where a smart account's signature was found to be good; null for accounts that a private key controls. */
  proof: { kind: 'contract' | 'counterfactual'; chainId: string; blockNumber: number } | null
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

export interface RouteRule {
  policy: 'mirror' | 'fallback'
  /** Networks in order of preference, or by measured latency and stability. */
  order: string[] | 'ranked'
  /** `fallback`: milliseconds without an acknowledgement after which the next network is tried too. */
  fallbackAfterMs: number
}

/** How messages reach a wallet. */
export interface Route extends RouteRule {
  /** Rules for what is exchanged with single wallets. Absent: none. */
  overrides?: RouteOverride[]
}

export interface RouteOverride extends RouteRule {
  /** walletKey */
  peer: string
}

/** An enrolment before the network has confirmed it. */
export interface NewEnrolment {
  id: string
  wallet: string
  network: string
  /** The account as it signs, as the enrolment part encodes it. */
  account: string
  /** Wrapped by the master key. */
  secret: Uint8Array
  /** What a device of the wallet signed, with the signature, as the enrolment part encodes it. */
  consent: Uint8Array
  /** 32 bytes; each counts once. */
  consentHash: Uint8Array
  /** The terms in words. */
  meaning: string
  /** When the consent ends. */
  expiresAt: number
  createdAt: number
}

export interface StoredEnrolment extends Omit<NewEnrolment, 'secret' | 'consentHash'> {
  /** The wallet's address on the network; null while `completing`. */
  address: string | null
  /** `completing`: the network was asked and has not confirmed; after a crash nobody knows whether it did. */
  state: 'completing' | 'active' | 'ended'
  /** Null once it has ended. */
  secret: Uint8Array | null
  /** Start of the last completed walk of its messages; before the first one, `createdAt`. */
  walkedAt: number
  endedAt: number | null
  /** Why it ended. */
  reason: string | null
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
  /**
   * `claims`: the network message is the same whatever envelope was made of it. When it is noted for another envelope
   * already, nothing is written and that one is the `duplicate`. `otherIds`: more names of the same network message.
   */
  alias: { network: string; remoteId: string; otherIds?: string[]; claims?: boolean } | null
}

export interface NewDelivery {
  /** Recipient. */
  wallet: string
  network: string
  address: string
  /** 32 lower-case hex characters, deterministic for (id, network, address). */
  transactionId: string
  /**
   * `dispatching`: claimed already, its first try begins once the envelope is durable. `standby` waits for a fallback;
   * `acknowledged` is there already, having arrived over this very network.
   */
  state: 'pending' | 'dispatching' | 'standby' | 'acknowledged'
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

export interface StoredMirror {
  /** 32 lower-case hex characters. */
  id: string
  wallet: string
  network: string
  /** How many topics it follows. */
  topics: number
  /** What the wallet gave, sealed: it may hold keys. */
  registration: Uint8Array
  createdAt: number
  updatedAt: number
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
