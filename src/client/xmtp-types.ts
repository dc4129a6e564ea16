/**
 * The parts of an XMTP SDK client that are used here, by shape: `@xmtp/node-sdk` from 6.0, `@xmtp/browser-sdk` from 6.5. The
 * library imports neither.
 */
export interface XmtpSdkClient {
  readonly inboxId?: string | undefined
  /** Hex. */
  readonly installationId?: string | undefined
  readonly conversations: {
    list(): Promise<XmtpSdkConversation[]>
    /** By conversation id. */
    hmacKeys(): Awaitable<
      Record<string, readonly XmtpHmacKey[]> | ReadonlyMap<string, readonly XmtpHmacKey[]>
    >
    /** Fetches welcomes: conversations that the wallet was taken into. */
    sync(): Promise<unknown>
    /** The same, and the messages of all conversations. */
    syncAll?(): Promise<unknown>
    getConversationById(id: string): Promise<XmtpSdkConversation | undefined>
  }
}

export interface XmtpSdkConversation {
  /** Hex. */
  readonly id: string
  sync(): Promise<unknown>
  /** Decrypts and stores a message as the node hands it out. */
  processStreamedMessage(bytes: Uint8Array): Promise<XmtpSdkMessage[]>
  debugInfo?(): Promise<{ cursor: readonly { sequenceId: number | bigint }[] }>
}

export interface XmtpSdkMessage {
  readonly id: string
  readonly senderInboxId: string
  /** When the SDK stored it, by this machine's clock. */
  readonly insertedAtNs?: bigint | undefined
}

export interface XmtpHmacKey {
  readonly key: Uint8Array
  readonly epoch: number | bigint
}

type Awaitable<Value> = Value | Promise<Value>

/** What `PUT /v1/mirrors/xmtp` takes. */
export interface XmtpRegistration {
  installations: string[]
  conversations: { id: string; cursor?: string; hmacKeys: { epoch: number; key: string }[] }[]
}

/** An opaque parcel: a network's own message, or word that one waits there. */
export interface Parcel {
  /** 64 lower-case hex characters. */
  id: string
  /** Where it comes from, e.g. `xmtp`. */
  network: string
  /** Empty in a wake-up, and in the notice of a parcel that was too large for the network that brought it. */
  bytes: Uint8Array
}

/**
 * What became of a mirrored message.
 *
 * - `message`: the SDK has it. `duplicate`: it was ingested before. Whether it was shown already, e.g. out of the SDK's own
 *   stream, `isFirst` tells.
 * - `changed`: a commit, which changes the group (members, name) and may hold no message for people.
 * - `woken`: the SDK fetched what it was told of; `mirror()` again to have new conversations mirrored too.
 * - `queued`: it needs the XMTP node, e.g. because the group has changed, and the node cannot be reached. It is tried again in
 *   order, by itself and by `retry()`, and `onIngested` is told when it is done.
 */
export interface Ingested {
  /** Id of the parcel. */
  id: string
  outcome: 'message' | 'changed' | 'woken' | 'queued'
  /** XMTP's own ids; null where there is no message. */
  messageId: string | null
  conversationId: string | null
  senderInboxId: string | null
  duplicate: boolean
}
