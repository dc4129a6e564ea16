/** Contents and their bytes: the one entry to all codecs. */
import * as attachments from './attachments.ts'
import type { Codec } from './codec.ts'
import { ContentError } from './errors.ts'
import * as groups from './groups.ts'
import * as reactions from './reactions.ts'
import * as revisions from './revisions.ts'
import * as signals from './signals.ts'
import * as texts from './texts.ts'
import type { Content, EncodedContent, KnownContent } from './types.ts'
import * as wallets from './wallets.ts'

/** One codec for each kind: what it is written as. */
const writers: { [Kind in KnownContent['kind']]: Codec<Kind> } = {
  text: texts.text,
  markdown: texts.markdown,
  reply: revisions.reply,
  reaction: reactions.reaction,
  readReceipt: texts.readReceipt,
  attachment: attachments.attachment,
  remoteAttachment: attachments.remoteAttachment,
  multiRemoteAttachment: attachments.multiRemoteAttachment,
  attachmentReference: attachments.attachmentReference,
  transactionReference: wallets.transactionReference,
  walletSendCalls: wallets.walletSendCalls,
  groupUpdated: groups.groupUpdated,
  delete: revisions.deletion,
  edit: revisions.edit,
  composite: revisions.composite,
  typing: signals.typing,
  location: signals.location,
  notification: signals.notification,
}

/** By authority, type and major version: a minor version may not change what older readers see. */
const readers = new Map<string, (encoded: EncodedContent) => KnownContent>(
  [...Object.values(writers), reactions.reactionV2, groups.groupUpdatedNative].map(({ type, read }) => [
    majorOf(type),
    read,
  ]),
)

/**
 * Reads a content. One of a type that this version does not know is `unknown`. Throws `ContentError`
 * `content-bytes-invalid`, and nothing else whatever the bytes.
 */
export function readContent(encoded: EncodedContent): Content {
  const read = readers.get(majorOf(encoded.type))
  return read ? read(encoded) : { kind: 'unknown', encoded }
}

/** As `readContent`; what cannot be read is `unknown`, so that its fallback is shown. */
export function readContentOrFallback(encoded: EncodedContent): Content {
  try {
    return readContent(encoded)
  } catch (error) {
    if (error instanceof ContentError) return { kind: 'unknown', encoded }
    throw error
  }
}

/** Writes a content; reactions as version 1.0, changes of groups as JSON. Throws `ContentError` `content-value-invalid`. */
export function writeContent(content: Content): EncodedContent {
  if (content.kind === 'unknown') return content.encoded
  const { type, write } = writers[content.kind] as Codec<typeof content.kind>
  return { type, ...write(content as never) }
}

function majorOf(type: string): string {
  return type.replace(/\.\d+$/, '')
}
