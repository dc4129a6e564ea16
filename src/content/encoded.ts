/** XMTP's `EncodedContent` as protobuf (`xmtp.mls.message_contents`), as it stands inside of replies, edits and composites. */
import { concatBytes } from '../envelope/index.ts'
import { bytesInvalid, ContentError } from './errors.ts'
import { type Fields, field, optionalField, readFields } from './protobuf.ts'
import type { EncodedContent } from './types.ts'

export function encodeEncodedContent({ type, parameters, fallback, bytes }: EncodedContent): Uint8Array {
  const { authority, name, major, minor } = parseType(type)
  const typeBytes = concatBytes(field(1, authority), field(2, name), field(3, major), field(4, minor))
  const entries = Object.entries(parameters).map(([key, value]) =>
    optionalField(2, concatBytes(field(1, key), field(2, value))),
  )
  return concatBytes(optionalField(1, typeBytes), ...entries, optionalField(3, fallback), field(4, bytes))
}

/**
 * Throws `content-bytes-invalid`, also for compressed content, for content without a type, and for a type that could not be
 * written again: what was read can always be passed on.
 */
export function decodeEncodedContent(bytes: Uint8Array, what: string): EncodedContent {
  const fields = readFields(bytes, what)
  const type = fields.messages(1).at(-1)
  if (type === undefined) throw bytesInvalid(what, 'the content inside has no type')
  if (fields.optionalNumber(5) !== null) throw bytesInvalid(what, 'the content inside is compressed')
  const entries = fields.messages(2).map((entry) => {
    const pair = readFields(entry, what)
    return [pair.text(1), pair.text(2)] as const
  })
  const named = typeText(readFields(type, what))
  if (!TYPE.test(named)) throw bytesInvalid(what, 'the type inside is not `authority/type:major.minor`')
  return {
    type: named,
    parameters: Object.fromEntries(entries),
    fallback: fields.optionalText(3),
    bytes: fields.bytes(4).slice(),
  }
}

const TYPE = /^([^/]+)\/([^:]+):(\d{1,9})\.(\d{1,9})$/

function typeText(fields: Fields): string {
  return `${fields.text(1)}/${fields.text(2)}:${fields.number(3)}.${fields.number(4)}`
}

/** Parts of `authority/type:major.minor`. Throws `content-value-invalid`. */
export function parseType(type: string): { authority: string; name: string; major: number; minor: number } {
  const parsed = TYPE.exec(type)
  if (!parsed) {
    throw new ContentError('content-value-invalid', 'The content type is not `authority/type:major.minor`')
  }
  const [, authority = '', name = '', major, minor] = parsed
  return { authority, name, major: Number(major), minor: Number(minor) }
}
