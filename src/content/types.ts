/**
 * Contents of messages, as XMTP has them: its content types are the common language, and what XMTP has no type for has one
 * of Causeway's own. Ids of other messages inside of contents are the network's; in an envelope its `inReplyTo` and `replaces`
 * say what a reply, a reaction, an edit or a deletion is about.
 */

/** A content with its type, as XMTP's `EncodedContent`. Not compressed. */
export interface EncodedContent {
  /** `authority/type:major.minor`, e.g. `xmtp.org/text:1.0` */
  type: string
  parameters: Record<string, string>
  /** Text for clients that do not know the type. */
  fallback: string | null
  bytes: Uint8Array
}

/** Content types that are written here. Others are carried as they are. */
export const TYPES = {
  text: 'xmtp.org/text:1.0',
  markdown: 'xmtp.org/markdown:1.0',
  reply: 'xmtp.org/reply:1.0',
  /** JSON of XIP-20. */
  reaction: 'xmtp.org/reaction:1.0',
  /** Protobuf `ReactionV2`. */
  reactionV2: 'xmtp.org/reaction:2.0',
  readReceipt: 'xmtp.org/readReceipt:1.0',
  attachment: 'xmtp.org/attachment:1.0',
  remoteAttachment: 'xmtp.org/remoteStaticAttachment:1.0',
  multiRemoteAttachment: 'xmtp.org/multiRemoteStaticAttachment:1.0',
  /** JSON: a file that anybody can fetch by its URL. */
  attachmentReference: 'causeway/attachment-reference:1.0',
  transactionReference: 'xmtp.org/transactionReference:1.0',
  walletSendCalls: 'xmtp.org/walletSendCalls:1.0',
  /** Protobuf `GroupUpdated`. */
  groupUpdatedNative: 'xmtp.org/group_updated:1.0',
  /** The same as JSON. */
  groupUpdated: 'causeway/group-updated:1.0',
  delete: 'xmtp.org/deleteMessage:1.0',
  edit: 'xmtp.org/editMessage:1.0',
  composite: 'xmtp.org/composite:1.0',
  typing: 'causeway/typing:1.0',
  location: 'causeway/location:1.0',
  notification: 'push.org/notification:1.0',
} as const

export interface TextContent {
  kind: 'text'
  text: string
}

export interface MarkdownContent {
  kind: 'markdown'
  text: string
}

/** In an envelope a reply is its content with `inReplyTo`; this is XMTP's own form. */
export interface ReplyContent {
  kind: 'reply'
  /** The network's id of the message that this one answers. */
  reference: string
  referenceInboxId: string | null
  content: EncodedContent
}

export const REACTION_ACTIONS = ['added', 'removed'] as const
export const REACTION_SCHEMAS = ['unicode', 'shortcode', 'custom'] as const

export interface ReactionContent {
  kind: 'reaction'
  action: (typeof REACTION_ACTIONS)[number]
  schema: (typeof REACTION_SCHEMAS)[number]
  /** The emoji, its shortcode, or what an application makes of `custom`. */
  content: string
  /** The network's id of the message; empty where `inReplyTo` of the envelope says it. */
  reference: string
  referenceInboxId: string
}

export interface ReadReceiptContent {
  kind: 'readReceipt'
}

/** A small file inside of the message. */
export interface AttachmentContent {
  kind: 'attachment'
  filename: string | null
  mimeType: string
  bytes: Uint8Array
}

/** A file kept elsewhere, encrypted as XMTP does it. */
export interface RemoteAttachment {
  url: string
  /** SHA-256 of what is kept there, lower-case hex. */
  contentDigest: string
  secret: Uint8Array
  salt: Uint8Array
  nonce: Uint8Array
  /** As it stands in `url`, e.g. `https`. Some clients write `https://`. */
  scheme: string
  /** Bytes. */
  contentLength: number | null
  filename: string | null
}

export interface RemoteAttachmentContent extends RemoteAttachment {
  kind: 'remoteAttachment'
}

export interface MultiRemoteAttachmentContent {
  kind: 'multiRemoteAttachment'
  attachments: RemoteAttachment[]
}

export const MEDIA = ['image', 'video', 'audio', 'file'] as const

/** A file that anybody can fetch by its URL, not encrypted: what networks without encrypted attachments have. */
export interface AttachmentReferenceContent {
  kind: 'attachmentReference'
  url: string
  media: (typeof MEDIA)[number]
  mimeType: string | null
  filename: string | null
  /** Bytes. */
  size: number | null
  /** Pixels. */
  width: number | null
  /** Pixels. */
  height: number | null
  /** Seconds. */
  duration: number | null
  /** URL of a still image. */
  thumbnail: string | null
}

export interface TransactionReferenceContent {
  kind: 'transactionReference'
  /** CAIP-2 namespace, e.g. `eip155`. */
  namespace: string | null
  networkId: string
  /** Hash of the transaction. */
  reference: string
  metadata: {
    transactionType: string
    currency: string
    /** In the currency's smallest unit where `decimals` is not 0. */
    amount: number
    decimals: number
    fromAddress: string
    toAddress: string
  } | null
}

/** A request to send calls (EIP-5792). Nothing here has been agreed to by anyone. */
export interface WalletSendCallsContent {
  kind: 'walletSendCalls'
  version: string
  /** `0x…` hex */
  chainId: string
  from: string
  calls: {
    to: string | null
    data: string | null
    value: string | null
    gas: string | null
    metadata: Record<string, string> | null
  }[]
  capabilities: Record<string, string> | null
}

/** What happened to a group. Members are XMTP inbox ids, or addresses of another network. */
export interface GroupUpdatedContent {
  kind: 'groupUpdated'
  initiatedBy: string
  added: string[]
  removed: string[]
  left: string[]
  fields: { name: string; before: string | null; after: string | null }[]
  admins: { added: string[]; removed: string[] }
  superAdmins: { added: string[]; removed: string[] }
}

export interface DeleteContent {
  kind: 'delete'
  /** The network's id of the message; in an envelope the hex of `replaces`. */
  messageId: string
}

/** In an envelope an edit is the new content with `replaces`; this is XMTP's own form. */
export interface EditContent {
  kind: 'edit'
  /** The network's id of the message that is edited. */
  messageId: string
  content: EncodedContent
}

/** Several contents that are one message, e.g. a picture with a caption. */
export interface CompositeContent {
  kind: 'composite'
  parts: EncodedContent[]
}

/** Meant for ephemeral messages: it is worth nothing a moment later. */
export interface TypingContent {
  kind: 'typing'
  state: 'started' | 'stopped'
}

export interface LocationContent {
  kind: 'location'
  /** Degrees north, -90 to 90. */
  latitude: number
  /** Degrees east, -180 to 180. */
  longitude: number
  description: string | null
}

/** A notification of an application, as Push channels send them. */
export interface NotificationContent {
  kind: 'notification'
  title: string
  body: string
  /** Where a tap leads. */
  url: string | null
  image: string | null
  /** Name of the application or channel. */
  application: string | null
  icon: string | null
  /** Address of the channel, as the network names it. */
  channel: string | null
}

/** Of a type that this version does not read. */
export interface UnknownContent {
  kind: 'unknown'
  encoded: EncodedContent
}

export type KnownContent =
  | TextContent
  | MarkdownContent
  | ReplyContent
  | ReactionContent
  | ReadReceiptContent
  | AttachmentContent
  | RemoteAttachmentContent
  | MultiRemoteAttachmentContent
  | AttachmentReferenceContent
  | TransactionReferenceContent
  | WalletSendCallsContent
  | GroupUpdatedContent
  | DeleteContent
  | EditContent
  | CompositeContent
  | TypingContent
  | LocationContent
  | NotificationContent

export type Content = KnownContent | UnknownContent
