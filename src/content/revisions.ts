/** What is about another message: replies, edits and deletions as XMTP has them; and several contents in one message. */
import { concatBytes } from '../envelope/index.ts'
import type { Codec } from './codec.ts'
import { decodeEncodedContent, encodeEncodedContent } from './encoded.ts'
import { bytesInvalid, ContentError } from './errors.ts'
import { field, optionalField, readFields } from './protobuf.ts'
import { type EncodedContent, TYPES } from './types.ts'
import { readableText } from './utf8.ts'

const MOST_PARTS = 32

export const reply: Codec<'reply'> = {
  type: TYPES.reply,
  read({ parameters, bytes }) {
    return {
      kind: 'reply',
      reference: parameters.reference ?? '',
      referenceInboxId: parameters.referenceInboxId ?? null,
      content: decodeEncodedContent(bytes, 'reply'),
    }
  },
  write({ reference, referenceInboxId, content }) {
    return {
      parameters: {
        reference,
        contentType: content.type,
        ...(referenceInboxId === null ? {} : { referenceInboxId }),
      },
      fallback: replyFallback(content),
      bytes: encodeEncodedContent(content),
    }
  },
}

function replyFallback(content: EncodedContent): string {
  return content.type.startsWith('xmtp.org/text:')
    ? `Replied with "${readableText(content.bytes)}" to an earlier message`
    : 'Replied to an earlier message'
}

export const deletion: Codec<'delete'> = {
  type: TYPES.delete,
  read: ({ bytes }) => ({ kind: 'delete', messageId: readFields(bytes, 'deletion').text(1) }),
  write: ({ messageId }) => ({ parameters: {}, fallback: null, bytes: field(1, messageId) }),
}

export const edit: Codec<'edit'> = {
  type: TYPES.edit,
  read({ bytes }) {
    const fields = readFields(bytes, 'edit')
    const content = fields.messages(2).at(-1)
    if (content === undefined) throw bytesInvalid('edit', 'it has no content')
    return { kind: 'edit', messageId: fields.text(1), content: decodeEncodedContent(content, 'edit') }
  },
  write({ messageId, content }) {
    const bytes = concatBytes(field(1, messageId), optionalField(2, encodeEncodedContent(content)))
    return { parameters: {}, fallback: content.fallback, bytes }
  },
}

/** XIP-9, with the parts in one list: a composite in a composite is refused. */
export const composite: Codec<'composite'> = {
  type: TYPES.composite,
  read({ bytes }) {
    const parts = readFields(bytes, 'composite')
      .messages(1)
      .map((part) => {
        const content = readFields(part, 'composite').messages(1).at(-1)
        if (content === undefined) throw bytesInvalid('composite', 'a part of it is a composite, or empty')
        return decodeEncodedContent(content, 'composite')
      })
    if (!holdsParts(parts))
      throw bytesInvalid('composite', `it has no parts, over ${MOST_PARTS}, or nested ones`)
    return { kind: 'composite', parts }
  },
  write({ parts }) {
    if (!holdsParts(parts)) {
      throw new ContentError(
        'content-value-invalid',
        `A composite has 1 to ${MOST_PARTS} parts that are no composites`,
      )
    }
    const bytes = concatBytes(
      ...parts.map((part) => optionalField(1, optionalField(1, encodeEncodedContent(part)))),
    )
    const fallbacks = parts.map((part) =>
      /^xmtp\.org\/(text|markdown):/.test(part.type) ? readableText(part.bytes) : part.fallback,
    )
    return { parameters: {}, fallback: fallbacks.filter((text) => text !== null).join('\n') || null, bytes }
  },
}

function holdsParts(parts: readonly EncodedContent[]): boolean {
  return (
    parts.length > 0 &&
    parts.length <= MOST_PARTS &&
    !parts.some(({ type }) => type.startsWith('xmtp.org/composite:'))
  )
}
