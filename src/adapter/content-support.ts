/** What a network's own clients make of contents, as adapters declare it for hop mode. */

/**
 * How a content stands at a network's own clients. `native`: as the network's own content of this kind. `converted`: as
 * another content of the network that says the same. `fallback`: as text in its place. `dropped`: not at all.
 */
export type Rendering = 'native' | 'converted' | 'fallback' | 'dropped'

/** `edit`, `reply`: any content that takes the place of a message, or answers one. `other`: of a type that is not known. */
export const CONTENT_KINDS = [
  'text',
  'markdown',
  'reply',
  'reaction',
  'readReceipt',
  'edit',
  'delete',
  'typing',
  'attachment',
  'remoteAttachment',
  'multiRemoteAttachment',
  'attachmentReference',
  'composite',
  'location',
  'notification',
  'transactionReference',
  'walletSendCalls',
  'groupUpdated',
  'other',
] as const

export type ContentKind = (typeof CONTENT_KINDS)[number]

/** Declared by an adapter whose network has hop mode. The gateway renders contents by it before they come to `send`. */
export interface ContentSupport {
  kinds: Readonly<Record<ContentKind, Rendering>>
  /** Reactions that the network has; another one, and taking one back, is then `fallback`. `any`: no such limit. */
  reactions: 'any' | readonly string[]
  /** A read receipt names the message that was read; without one it is `dropped`. */
  receiptsNameMessage: boolean
}
