import { decodeCanonical, encodeCanonical, isPlainObject } from './cbor.ts'
import { EnvelopeError, translateCodes } from './errors.ts'
import { isBytes, isContentType, isCount } from './header.ts'

const MOST_BYTES = 65535

/** What the recipients read: the sealed part of an envelope. Its fields follow MIMI content; `content` is read by `contentType`. */
export interface InnerContent {
  /** 16 random bytes, so that the hash of the content tells nothing about it. */
  salt: Uint8Array
  /** Id (32 bytes) of the envelope that this one edits or deletes, or null. */
  replaces: Uint8Array | null
  /** Thread inside the conversation, at most 64 bytes; empty for none. */
  topicId: Uint8Array
  /** Milliseconds since 1970 after which clients hide the content, or null. */
  expires: number | null
  /** Id (32 bytes) of the envelope that this one answers, or null. */
  inReplyTo: Uint8Array | null
  /** `authority/type:major.minor` of `content`. This one decides; the header's copy is for relays. */
  contentType: string
  /** Parameters of the content type, for example `{ encoding: 'UTF-8' }`. */
  parameters: Record<string, string>
  /** Text for clients that do not know the content type, or null. */
  fallback: string | null
  /** The content as its type defines it. */
  content: Uint8Array
}

/** Encodes the inner content (not padded). Errors: `content-malformed`, `envelope-content-too-large`. */
export function encodeContent(content: InnerContent): Uint8Array {
  checkContent(content)
  const { salt, replaces, topicId, expires, inReplyTo, contentType, parameters, fallback } = content
  const bytes = translateCodes({ 'value-not-encodable': 'content-malformed' }, () =>
    encodeCanonical([
      salt,
      replaces,
      topicId,
      expires,
      inReplyTo,
      contentType,
      parameters,
      fallback,
      content.content,
    ]),
  )
  if (bytes.length > MOST_BYTES) {
    throw new EnvelopeError(
      'envelope-content-too-large',
      `The encoded content takes ${bytes.length} bytes of ${MOST_BYTES}`,
    )
  }
  return bytes
}

/** Decodes inner content and checks every field. Errors: `content-malformed`. */
export function decodeContent(bytes: Uint8Array): InnerContent {
  const value = translateCodes(
    {
      'envelope-malformed': 'content-malformed',
      'envelope-not-canonical': 'content-malformed',
      'envelope-too-large': 'content-malformed',
    },
    () => decodeCanonical(bytes, { maxBytes: MOST_BYTES, maxDepth: 2 }),
  )
  if (!Array.isArray(value) || value.length !== 9) throw malformed('it is not an array of 9 elements')
  const [salt, replaces, topicId, expires, inReplyTo, contentType, parameters, fallback, content] = value
  const decoded = { salt, replaces, topicId, expires, inReplyTo, contentType, parameters, fallback, content }
  checkContent(decoded)
  return decoded
}

function checkContent(value: Record<keyof InnerContent, unknown>): asserts value is InnerContent {
  if (!isBytes(value.salt, 16)) throw malformed('salt must be 16 bytes')
  if (value.replaces !== null && !isBytes(value.replaces, 32))
    throw malformed('replaces must be 32 bytes or null')
  if (!(value.topicId instanceof Uint8Array) || value.topicId.length > 64)
    throw malformed('topicId must be at most 64 bytes')
  if (value.expires !== null && !isCount(value.expires, Number.MAX_SAFE_INTEGER)) {
    throw malformed('expires must be milliseconds since 1970 or null')
  }
  if (value.inReplyTo !== null && !isBytes(value.inReplyTo, 32))
    throw malformed('inReplyTo must be 32 bytes or null')
  if (typeof value.contentType !== 'string' || !isContentType(value.contentType)) {
    throw malformed('contentType must be authority/type:major.minor')
  }
  if (
    !isPlainObject(value.parameters) ||
    !Object.values(value.parameters).every((item) => typeof item === 'string')
  ) {
    throw malformed('parameters must map text to text')
  }
  if (value.fallback !== null && typeof value.fallback !== 'string')
    throw malformed('fallback must be text or null')
  if (!(value.content instanceof Uint8Array)) throw malformed('content must be a byte string')
}

function malformed(reason: string): EnvelopeError {
  return new EnvelopeError('content-malformed', `The inner content is malformed: ${reason}`)
}
