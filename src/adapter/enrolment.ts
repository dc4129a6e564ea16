/**
 * Hop mode: a wallet lets the gateway be one of its own clients on a network. The adapter turns signatures into such a
 * client, native messages into {@link NativeInbound} and {@link NativeIntent} into native messages. Consent, custody of
 * secrets, envelopes, deduplication and retries are the gateway's.
 *
 * Life of an enrolment: `begin` → `complete` (counts as open from then on) → any number of `close` and `open` → `revoke`.
 * A begun one that comes to nothing ends by `cancel`. Every rejection is an `AdapterError`.
 */
import type { ContentSupport } from './content-support.ts'
import type { Receipt, StateReport } from './contract.ts'

/** Absent where a network has no way to make the gateway a wallet's client. */
export interface EnrolmentFacet {
  /** What a wallet agrees to. The same for every enrolment of this adapter. */
  readonly terms: EnrolmentTerms
  /**
   * Terms of an enrolment for notifications alone: nothing is handed over, no message of the wallet's is read, and `send`
   * refuses. Absent where the network has no notifications. A wallet has one enrolment on a network, of one kind or the other.
   */
  readonly notifications?: EnrolmentTerms
  /**
   * What the network's own clients make of contents. The gateway renders by it: `send` gets no content that is declared
   * `fallback` or `dropped`. Absent: it gets each as it is.
   */
  readonly contents?: ContentSupport
  /**
   * Prepares a client of the wallet's and answers what the wallet has to sign. What it needs until `complete` stays in this
   * process: a restart ends it, and files that a crash left are the adapter's to remove when it starts.
   * Rejects with `permanent` when the network will not have this wallet, e.g. because it has too many clients.
   */
  begin(request: EnrolmentRequest, signal: AbortSignal): Promise<EnrolmentChallenge>
  /**
   * Checks the signature and joins the network as the wallet's client. `permanent`: the signature is not the wallet's, or
   * what was handed over is not its key (`remoteCode` `handover-invalid`); the same enrolment may be completed again with the
   * right one. The enrolment is open when it resolves.
   */
  complete(completion: EnrolmentCompletion, signal: AbortSignal): Promise<EnrolmentResult>
  /** Forgets a begun enrolment that was not completed, with its files. One that is not known is no error. */
  cancel(id: string): Promise<void>
  /**
   * Makes a stored enrolment hear and send again, after a start or a wake. Resolves when it can send; connection trouble is
   * reported through `context.enrolmentState` as with `start`. One that is open already is no error.
   */
  open(enrolment: Enrolment, signal: AbortSignal): Promise<void>
  /** Ends its connection and frees its memory. Its files stay. One that is not open is no error. */
  close(id: string): Promise<void>
  /**
   * Closes it and deletes its files and keys by itself first, then takes the client away on the network as far as the
   * network lets this client do it. It may not be open. Resolves once nothing is left here; `remote` tells about the network.
   */
  revoke(enrolment: Enrolment, signal: AbortSignal): Promise<EnrolmentRevocation>
  /**
   * Sends a native message from the wallet's client. As `Adapter.send`: the same `transactionId` for every retry, the
   * same error classes. `permanent` for a recipient whom the network does not know. The enrolment is open. Must not wait for
   * `deliverNative`, which waits for sends under way before it takes a message of the wallet's own.
   */
  send(intent: NativeIntent, signal: AbortSignal): Promise<Receipt>
  /** Looks for an earlier send of this intent. As `HistoryFacet.find`. The enrolment is open. */
  find(intent: NativeIntent, signal: AbortSignal): Promise<Receipt | null>
  /**
   * Messages of the wallet's client since a time, own ones included, oldest first where the network can. Repeats are
   * expected and harmless. The enrolment is open.
   */
  walk(query: EnrolmentQuery, signal: AbortSignal): AsyncIterable<NativeInbound>
}

export interface EnrolmentTerms {
  /**
   * What the gateway may do afterwards, as one or two sentences for people. Part of what the wallet's device signs, so a
   * change of it is a change of the terms. At most 1,000 characters.
   */
  meaning: string
  /** `key`: `complete` needs a secret of the wallet's own, which its client hands over sealed to the gateway (Push). */
  handover: 'none' | 'key'
  /** Messages of groups come and go too. */
  groups: boolean
}

/** The wallet's account on a chain, as it signs. */
export interface EnrolledAccount {
  kind: 'evm-account' | 'evm-contract' | 'solana-account'
  /** EIP-55 checksummed EVM address, or base58 Solana address. */
  address: string
  /** Of the account that the wallet named; null outside of EVM. */
  chainId: number | null
}

export interface EnrolmentRequest {
  /** 32 lower-case hex characters, made by the gateway; fit for a file name. */
  id: string
  /** walletKey */
  wallet: string
  account: EnrolledAccount
  /** Which of the facet's terms the wallet has agreed to. Absent: `messages`. */
  covers?: 'messages' | 'notifications'
  /** 32 random bytes of this enrolment alone, e.g. for the key of a local database. Kept by the gateway, wrapped. */
  secret: Uint8Array
}

export interface EnrolmentChallenge {
  /** The exact text that the wallet signs (EIP-191 `personal_sign` on EVM). At most 8,192 characters. */
  text: string
}

export interface EnrolmentCompletion {
  id: string
  /** As the wallet returned it: `0x…` hex on EVM. */
  signature: string
  /** Chain on which a smart account's signature is to be checked; null where the client named none. */
  chainId: number | null
  /** What the client handed over, unsealed; null where it handed over nothing. */
  handover: Uint8Array | null
}

export interface EnrolmentResult {
  /** The wallet's address on the network: XMTP inbox id, Push DID. */
  address: string
  /** Takes the place of the stored secret, at most 64 KiB. */
  secret?: Uint8Array
}

/** A completed enrolment as the gateway keeps it. */
export interface Enrolment {
  id: string
  wallet: string
  account: EnrolledAccount
  address: string
  /** Only for the time of the call; not to be written anywhere in the clear. */
  secret: Uint8Array
}

export interface EnrolmentRevocation {
  /** `done`: the network has taken the client off. `pending`: the wallet has to do it with another client. `none`: there is nothing to do. */
  remote: 'done' | 'pending' | 'none'
  /** For `pending`: what the wallet's owner has to do, one sentence. */
  userAction?: string
}

export interface EnrolmentQuery {
  /** Id of the enrolment. */
  enrolment: string
  /** Unix milliseconds. */
  since: number
}

/** Somebody on the network. */
export interface NativeParty {
  /** walletKey; null where the network names no wallet, or one that has no walletKey. */
  wallet: string | null
  /** The network's own address. */
  address: string
}

export interface NativeConversation {
  /** The network's own id of the conversation, the same for each of its members where the network has such. */
  remoteId: string
  kind: 'direct' | 'group'
  /** Title of a group. */
  name: string | null
  /** The other side of a direct conversation, whoever wrote; null for groups. */
  peer: NativeParty | null
}

/** A content type and its bytes, as XMTP has them: other networks' contents are converted to these types. */
export interface NativeContent {
  /** `authority/type:major.minor`, e.g. `xmtp.org/text:1.0` */
  type: string
  parameters: Record<string, string>
  /** Text for clients that do not know the type. */
  fallback: string | null
  bytes: Uint8Array
}

/** One message that the wallet's client on the network has, whoever sent it. */
export interface NativeInbound {
  /** Id of the enrolment. */
  enrolment: string
  /** The network's own id of the message; the same when it comes again. */
  remoteId: string
  /** Other names by which the network's messages refer to it, each of which may be a `reference` later. */
  otherIds?: string[]
  conversation: NativeConversation
  from: NativeParty
  /** The wallet itself sent it, through this client or another one of its. */
  own: boolean
  /** The network's time of the message, Unix milliseconds. */
  remoteTime: number
  via: 'stream' | 'history'
  content: NativeContent
  /** `remoteId` of the message that this one answers or reacts to. */
  reference: string | null
  /** `remoteId` of the message that this one takes the place of (edits). */
  replaces: string | null
  /** `NativeIntent.transactionId` of a message that this gateway sent, where the adapter can tell. */
  transactionId: string | null
  /** One of several messages of that transaction, and not the last: it does not tell that the transaction was sent. */
  partial?: boolean
}

/** One message on its way out through a wallet's client. */
export interface NativeIntent {
  /** Id of the enrolment that sends. */
  enrolment: string
  /** 32 lower-case hex characters, the same on every retry. */
  transactionId: string
  /** 32 bytes */
  envelopeId: Uint8Array
  /** `conversation`: an existing one by the network's id; `wallet`: the direct conversation with a wallet, made if need be. */
  to: { conversation: string } | { wallet: string }
  content: NativeContent
  /** `remoteId` of the message that this one answers or reacts to. */
  reference: string | null
  /** `remoteId` of the message that this one takes the place of. */
  replaces: string | null
  /** No notification where the network has a choice. */
  silent: boolean
  /** 1 for the first try. */
  attempt: number
}

/**
 * State of one enrolment. `loggedOut`: the network knows this client no more; the gateway stops opening it and says so.
 * Going from any other state to `connected` starts a walk.
 */
export type EnrolmentReport = StateReport
