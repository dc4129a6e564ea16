/** The unified inbox as the store takes and gives it. Times are Unix milliseconds, wallets walletKeys, ids 32 bytes. */

export interface InboxQuery {
  wallet: string
  /** `oldest` first, the default: items with `seq > after`. `newest` first: items with `seq < after`. */
  order?: 'oldest' | 'newest'
  after: number
  /** With `newest` first: only items with a higher seq. */
  downTo?: number
  limit: number
  /** The page ends with the item that reaches this many bytes of envelopes. Absent: `limit` alone ends it. */
  maxBytes?: number
  /** Only items of it, whatever was chosen for it. Null: of all, without those that the wallet denied. */
  conversation: Uint8Array | null
  /** Only of this content type, with its version or without. */
  contentType?: string
  /** Only from this sender. */
  from?: string
}

export interface InboxPage {
  items: InboxItem[]
  /** The last place that was looked at, from which the next page goes on; `after` of the query when there was none. */
  through: number
  /** There was nothing more. A page that is not complete may have fewer items than `limit`, even none. */
  complete: boolean
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

/** Whether a wallet wants to hear from a conversation. `unknown`: it said nothing, and never wrote in it. */
export type Consent = 'unknown' | 'allowed' | 'denied'

export interface ConversationQuery {
  wallet: string
  limit: number
  /** The page ends with the conversation whose last item reaches this many bytes of envelopes. */
  maxBytes?: number
  /** Conversations whose last item has `seq < before`. */
  before: number | null
  /** Only this one. */
  conversation?: Uint8Array
  /** Absent: all but denied ones. */
  consent?: Consent
  /** Only with unread items. */
  unread?: boolean
  /** Only those that have, or had, items of this content type. */
  contentType?: string
}

export interface ConversationPage {
  conversations: ConversationSummary[]
  /** `before` of the next page; null for none. A page may have fewer conversations than `limit` and still have a next one. */
  next: number | null
}

/** What is known of a conversation beside its last item. */
export interface ConversationState {
  conversation: Uint8Array
  consent: Consent
  muted: boolean
  /** Items up to this seq are read. */
  readThrough: number
  /** Received items that are not read, up to `MOST_UNREAD`: then there may be more. */
  unread: number
}

export interface ConversationSummary extends ConversationState {
  last: InboxItem
  items: number
  /** Networks (`http`, `socket` among them) and modes of its items, each once. */
  marks: { via: string; mode: InboxItem['mode'] }[]
}

/** How many unread items of a conversation are counted. */
export const MOST_UNREAD = 100

/** What a wallet chooses for a conversation; what is absent stays as it is. */
export interface ConversationChoice {
  wallet: string
  conversation: Uint8Array
  /** The other wallet of a direct conversation; null for others, and where it is not known. */
  peer: string | null
  /** `unknown` takes a choice back. */
  consent?: Consent
  muted?: boolean
  at: number
}

/** Denied and muted conversations that a wallet may have. */
export const MOST_CHOICES = 10_000

export interface InboxSettings {
  /** What is done with envelopes of unknown senders: `relay` them to the wallet's endpoints, or `hold` them in the inbox. */
  unknownSenders: 'relay' | 'hold'
  /** To whom it is told, over networks that can, that the wallet has read: nobody, allowed senders, everybody. */
  sendReadReceipts: 'never' | 'allowed' | 'always'
}

/** What the relay has to know of a wallet's choices before it sends anything. */
export interface InboxRules extends InboxSettings {
  denied: { conversation: Uint8Array; peer: string | null }[]
  muted: Uint8Array[]
}
