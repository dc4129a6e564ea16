/** The parts of `@pushprotocol/restapi` 1.7 that are used here, by shape. The library does not import it. */
export interface PushSdk {
  readonly chat: {
    /** Checks the signature of each message and decrypts it. */
    decryptConversation(options: {
      messages: PushSdkMessage[]
      connectedUser: PushSdkProfile
      pgpPrivateKey?: string
      env?: string
    }): Promise<PushSdkMessage[]>
    /** The wallet's chats. With it, `mirror()` learns the keys of those it talks to. */
    chats?(options: {
      account: string
      env?: string
      toDecrypt?: boolean
      page?: number
      limit?: number
    }): Promise<readonly { did?: string | null }[]>
  }
  readonly user: {
    get(options: { account: string; env?: string }): Promise<PushSdkProfile | null>
  }
}

export interface PushSdkProfile {
  did?: string
  wallets: string
  publicKey: string
  encryptedPrivateKey?: string
  verificationProof?: string | null | undefined
}

/** A message of Push; once it is opened `messageObj` is what was written, e.g. `{ content: 'hello' }`. */
export interface PushSdkMessage {
  /** The service's id of the message. */
  cid?: string
  /** cid of the message before it in its chat. */
  link?: string | null
  fromDID: string
  toDID: string
  fromCAIP10: string
  toCAIP10: string
  /** `Text`, `Reaction`, `File`, … */
  messageType: string
  messageObj?: unknown
  /** The content in an old form, which no signature covers: not in what `ingest` gives. */
  messageContent?: string
  encType: string
  encryptedSecret?: string | null
  /** Unix milliseconds, by the service's clock. No signature covers it. */
  timestamp?: number
  verificationProof?: string | null
}

export interface PushAttachment {
  /** The wallet's decrypted PGP key, armored: `(await push.encryption.info()).decryptedPgpPrivateKey`. Kept in memory alone. */
  pgpPrivateKey: string
  /** As given to the SDK, e.g. `prod`. */
  env: string
  /** Told of each parcel that waited, once it is opened or refused. */
  onIngested?: (result: PushIngested) => void
}

/** What `PUT /v1/mirrors/push` takes. */
export interface PushRegistration {
  account: string
  chats?: { id: string; cursor?: string }[]
}

/**
 * What became of a mirrored message.
 *
 * - `message`: it is opened, and its sender's signature holds. `duplicate`: the same one was shown before.
 * - `woken`: something came that the gateway does not have. Read the history of the chats, as at a start.
 * - `queued`: it needs the Push node, e.g. for the sender's keys, and the node cannot be reached; or the gateway, for a notice.
 *   It is tried again by itself and by `retry()`, and `onIngested` is told when it is done.
 * - `refused`: it waited, and cannot be opened after all. Only for `onIngested`; `ingest` rejects instead.
 */
export interface PushIngested {
  /** Id of the parcel. */
  id: string
  outcome: 'message' | 'woken' | 'queued' | 'refused'
  message: PushSdkMessage | null
  cid: string | null
  /** DID of the other side of a direct chat, or the id of a group. */
  chat: string | null
  /** DID of the sender. */
  from: string | null
  duplicate: boolean
}
