/** What applications see of the client library. */
import type { InnerContent } from '../envelope/index.ts'
import type { ClientStorage } from './storage.ts'

/** Any ethers-style signer, e.g. `new Wallet(key)`, a `BrowserProvider` signer, or an object with these two methods. */
export interface WalletSigner {
  getAddress(): Promise<string>
  /** EIP-191 `personal_sign` of the text. Called once for each new device and each renewal, never for a message. */
  signMessage(message: string): Promise<string>
}

export interface ClientOptions {
  /** Base URL of the gateway, e.g. `http://127.0.0.1:8787`. */
  gateway: string
  signer: WalletSigner
  /** EVM chain that stands in the text to sign. Default 1. */
  chainId?: number
  /** Keys and state of this device. Default: memory, which makes a new device at each start. */
  storage?: ClientStorage
  /** Name of the device, shown to the wallet when it signs. Default `Causeway client`. */
  deviceLabel?: string
  /** Domain that the text to sign must name. Default: the host of `gateway`, or what `GET /v1/gateway` says on loopback. */
  domain?: string
  /** Domains of other gateways whose certificates this client accepts in frames. */
  trustedDomains?: string[]
  /** Unix milliseconds; default the system clock. */
  now?: () => number
  fetch?: typeof globalThis.fetch
}

export interface OutgoingMessage {
  /** Wallets: CAIP-10 accounts, walletKeys or bare EVM addresses. */
  to: string | string[]
  /** Shorthand for content of type `xmtp.org/text:1.0`. */
  text?: string
  /** Any other content; exclusive with `text`. */
  content?: { contentType: string; bytes: Uint8Array; parameters?: Record<string, string>; fallback?: string }
  /** Id (hex) of the message that this one answers. */
  replyTo?: string
  /** Seconds after which it need not be delivered any more. Default 30 days. */
  ttlSeconds?: number
  /** Not stored by networks that have a choice, e.g. typing. */
  ephemeral?: boolean
  /** No notification. */
  silent?: boolean
}

/** A sealed message, ready to go by any way. The same `id` on every one of them. */
export interface SealedMessage {
  /** 64 lower-case hex characters. */
  id: string
  /** For `POST /v1/envelopes`. */
  sealed: Uint8Array
  /** For a network: put these bytes into the network's own message. */
  frame: Uint8Array
}

export interface SentMessage extends SealedMessage {
  /** The gateway had it already. */
  duplicate: boolean
  deliveries: { network: string; wallet: string; state: string }[]
}

/** A message that was opened and checked. */
export interface Message {
  id: string
  /** walletKey of the sender; its signature was verified. */
  from: string
  to: string[]
  conversation: string
  contentType: string
  /** Present for text content. */
  text: string | null
  content: InnerContent
  replyTo: string | null
  /** Sender's clock, Unix milliseconds. */
  createdAt: number
  /** `http` or the network over which this copy came. */
  via: string
  /** `received`, or `sent` for what another device of this wallet sent. */
  direction: 'received' | 'sent'
  /** Inbox cursor, for messages that came over HTTP. */
  cursor: string | null
}

/** An item of the inbox: the message, or why it could not be opened. */
export interface InboxEntry {
  id: string
  cursor: string
  message: Message | null
  error: (Error & { code?: string }) | null
}

/** `GET /v1/gateway` */
export interface GatewayInfo {
  id: string
  version: string
  publicKey: string
  /** Domain that wallets see in the text they sign. */
  domain: string
  sandbox: boolean
}

/** `GET /v1/wallets/{wallet}` */
export interface WalletInfo {
  wallet: string
  endpoints: { network: string; address: string; enabled: boolean }[]
}

/** `GET /v1/envelopes/{id}/journey` */
export interface Journey {
  id: string
  checkpoints: {
    name: string
    status: string
    /** Unix milliseconds. */
    at: number
    /** Milliseconds of the gateway's monotonic clock. */
    monotonic: number
    network: string | null
    wallet: string | null
    detail: string | null
  }[]
  deliveries: { network: string; wallet: string; state: string; attempt: number; reason: string | null }[]
}
