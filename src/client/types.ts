/** What applications see of the client library. */
import type { InnerContent } from '../envelope/index.ts'
import type { ChainSettings, TrustLevel, WalletKind } from '../identity/index.ts'
import type { ClientStorage } from './storage.ts'
import type { Parcel } from './xmtp-types.ts'

/**
 * Any ethers-style signer, e.g. `new Wallet(key)`, a `BrowserProvider` signer, or an object with these two methods. For Solana
 * wallets: `solanaSigner`.
 */
export interface WalletSigner {
  /** Of a smart account, the account's own address, not its owner's. */
  getAddress(): Promise<string>
  /**
   * EIP-191 `personal_sign` of the text; for a smart account what the account takes (ERC-1271), with the wrapper of ERC-6492
   * while it is not deployed. Called once for each new device and each renewal, never for a message.
   */
  signMessage(message: string): Promise<string>
}

export interface ClientOptions {
  /** Base URL of the gateway, e.g. `http://127.0.0.1:8787`. */
  gateway: string
  signer: WalletSigner
  /**
   * How the wallet signs. Default `evm-account`: a private key, also where it delegates to a contract (EIP-7702). A smart
   * account is `evm-contract`, and a wallet of its own on each chain.
   */
  kind?: WalletKind
  /** Chain that stands in the text to sign: an EVM chain id, default 1, or a CAIP-2 reference of Solana, default mainnet. */
  chainId?: number | string
  /**
   * Nodes with which this client checks the signatures of smart accounts itself, by EVM chain id. Without one, what such
   * accounts sign is `trust: 'gateway'`.
   */
  chains?: Record<string, ChainSettings>
  /**
   * Seal to smart accounts whose keys the gateway alone has checked. Default false: sending to one is refused with
   * `peer-not-verified`, because a dishonest gateway could have made the keys up.
   */
  allowGatewayTrust?: boolean
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
  /** Wallets: CAIP-10 accounts, walletKeys or bare EVM addresses. May be left out for a native conversation in hop mode. */
  to?: string | string[]
  /**
   * `hop`: sent as a native message of `network` by the client that the gateway is there for this wallet. The gateway reads it.
   * Default `sealed`.
   */
  mode?: 'sealed' | 'hop'
  /** With `hop`: the network. */
  network?: string
  /** With `hop`: a conversation of the network, as `attestation` of a received message names it. */
  native?: { conversation: string; kind: 'direct' | 'group' }
  /** Shorthand for content of type `xmtp.org/text:1.0`. */
  text?: string
  /** Any other content, e.g. what `contentFor` makes; exclusive with `text`. */
  content?: { contentType: string; bytes: Uint8Array; parameters?: Record<string, string>; fallback?: string }
  /** Id (hex) of the message that this one answers. */
  replyTo?: string
  /** Id (hex) of a message of one's own that this one edits: it takes its place. With a content of kind `delete`: deletes it. */
  replaces?: string
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
  /** `gateway` as soon as the keys of one recipient were checked by the gateway alone. */
  trust: TrustLevel
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
  /** `hop`: a gateway says what `attestation` tells; no signature of the sender stands behind it. */
  mode: 'sealed' | 'hop'
  /** Null for sealed messages. */
  attestation: Attestation | null
  /** walletKey of the sender; its signature was verified, unless `mode` is `hop`. */
  from: string
  /**
   * Who checked that the sender's wallet stands behind this. `verified`: this client. `gateway`: the gateway alone, because it
   * attests the message (`hop`), or because the sender is a smart account and this client has no node of its chain
   * (`ClientOptions.chains`). A dishonest gateway could write in such a sender's name: show it.
   */
  trust: TrustLevel
  to: string[]
  conversation: string
  contentType: string
  /** Present for text content. */
  text: string | null
  content: InnerContent
  replyTo: string | null
  /** Id (hex) of the message that this one edits or deletes. Only what the same sender sent may be taken to be replaced. */
  replaces: string | null
  /** Sender's clock, Unix milliseconds. */
  createdAt: number
  /** `http` or the network over which this copy came. */
  via: string
  /** `received`, or `sent` for what another device of this wallet sent. */
  direction: 'received' | 'sent'
  /** Inbox cursor, for messages that came over HTTP. */
  cursor: string | null
}

/** Where a message in hop mode comes from, or goes to. */
export interface Attestation {
  /** Id of the gateway that says so, which this wallet trusted by a consent. Null: this wallet's own device sent it. */
  attestedBy: string | null
  gateway: string
  network: string
  /** The network's own id of the message; null for what this wallet sent through its gateway. */
  remoteId: string | null
  /** The network's own id of the conversation. */
  conversation: string | null
  kind: 'direct' | 'group'
  /** The network's own address of the sender. */
  sender: string | null
  /** False: the network names no wallet of the sender, and `from` is a name made of the address. */
  known: boolean
}

/** An item of the inbox: the message, or why it could not be opened. */
export interface InboxEntry {
  id: string
  cursor: string
  message: Message | null
  /** A network's own message, mirrored: for `client.xmtp.ingest` or `client.push.ingest`, by its `network`. Null for all others. */
  parcel: Parcel | null
  error: (Error & { code?: string }) | null
}

/** `GET /v1/gateway` */
export interface GatewayInfo {
  id: string
  version: string
  publicKey: string
  /** Null without hop mode. */
  encryptionKey: string | null
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
  deliveries: {
    network: string
    wallet: string
    state: string
    /** In hop mode what the network's own clients see; `dropped`: nothing. Null in other modes, and before the first try. */
    rendering: 'native' | 'converted' | 'fallback' | 'dropped' | null
    attempt: number
    reason: string | null
  }[]
}
