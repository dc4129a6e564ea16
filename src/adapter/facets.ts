/** Optional parts of an adapter. Each is an object or absent; absence is the declaration that the network has no such thing. */
import type { Endpoint, Inbound, Receipt, SendIntent } from './contract.ts'

/** Reading what the network kept. Streams lose messages on every network: this is what makes delivery certain. */
export interface HistoryFacet {
  /**
   * Yields inbound frames kept by the network from `since` on, oldest first where the network can. The gateway stores
   * the start of each completed walk and passes it as the next `since`, less an overlap; repeats are expected and harmless.
   */
  walk(query: HistoryQuery, signal: AbortSignal): AsyncIterable<Inbound>
  /**
   * Looks for an earlier send of this intent: its receipt, or null when the network certainly does not have it. Where
   * the network cannot be asked it rejects with `retryable`: null would have the message sent a second time.
   */
  find(intent: SendIntent, signal: AbortSignal): Promise<Receipt | null>
}

export interface HistoryQuery {
  /** Unix milliseconds. */
  since: number
  /**
   * Pairs of addresses on this network that talked lately, each once whichever side wrote, for networks whose history is kept
   * per pair. Read them as the walk gets on, for there may be very many, and all of them: the walk counts as complete when it
   * ends. Others leave them alone, and nothing is looked up.
   */
  pairs: AsyncIterable<AddressPair> | Iterable<AddressPair>
}

/** Two addresses on one network, in any order. */
export interface AddressPair {
  local: string
  peer: string
}

/** Where wallets live on this network. */
export interface IdentityFacet {
  /** The wallet's address where it follows from the wallet alone (no network call), else null. */
  addressOf(wallet: string): string | null
  /** Makes sure that the address can receive (TRTC: imports the account). Idempotent; called before the first send. */
  provision?(endpoint: Endpoint, signal: AbortSignal): Promise<void>
  /** Whether `address` has the network's form. */
  isAddress(address: string): boolean
  /** The gateway's own address on the network, if it has one. */
  ownAddress(): string | null
}

/** Webhooks of the network, mounted by the gateway at `POST /hooks/<network>/<secret>`. */
export interface WebhookFacet {
  /** The handler checks the secret, the signature and the clock itself, in constant time where it compares secrets. */
  handle(request: WebhookRequest, signal: AbortSignal): Promise<WebhookResponse>
}

export interface WebhookRequest {
  secret: string
  query: URLSearchParams
  headers: Headers
  /** Raw body, at most `server.limits.webhookBodyBytes`. */
  body: Uint8Array
}

export interface WebhookResponse {
  /** HTTP status; 4xx answers are counted as refused and carry `code`. */
  status: number
  body: unknown
  /** Stable code of the refusal, e.g. `webhook-signature-invalid`. */
  code?: string
}

/** Short-lived credentials with which a wallet's own client joins the network (TRTC: UserSig). */
export interface CredentialsFacet {
  issue(endpoint: Endpoint, signal: AbortSignal): Promise<Record<string, string | number>>
}

/** Notifications of the network's own, by which the gateway tells a wallet's owner that something waits in the inbox. */
export interface WakeFacet {
  /**
   * Tells the wallet that something waits, and nothing else: no content, no sender, no id. At most once an interval of the
   * adapter's configuration, until the wallet was seen again (`seenAt`, Unix milliseconds; null: not since the gateway
   * started). Rejects with `AdapterError`; with `uncertain` it may have gone out.
   */
  wake(wallet: string, seenAt: number | null, signal: AbortSignal): Promise<WakeResult>
}

export interface WakeResult {
  /** `not-wanted`: the wallet has not asked for the gateway's notifications, or has no address on the network. */
  outcome: 'sent' | 'not-wanted' | 'too-soon'
  /** Until when there is no use in asking again unless the wallet is seen, Unix milliseconds. */
  quietUntil: number
}

/** Self-diagnosis for `causeway doctor`. */
export interface DoctorFacet {
  examine(signal: AbortSignal): Promise<Finding[]>
}

export interface Finding {
  /** What was looked at, e.g. `clock`. */
  check: string
  status: 'ok' | 'warning' | 'error'
  /** What was found and, if it is not ok, why it matters. */
  message: string
  /** What to do about it. */
  fix?: string
}
