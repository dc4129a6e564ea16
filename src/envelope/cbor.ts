import { readCanonical } from './cbor-reader.ts'
import { NotEncodable, writeCanonical } from './cbor-writer.ts'
import { EnvelopeError } from './errors.ts'

/** What a decoder may spend on bytes that nobody has vouched for. */
export interface CanonicalLimits {
  /** Longest input, in bytes. */
  maxBytes: number
  /** Deepest nesting of arrays and maps; a lone integer has depth 0, `[1]` has depth 1. */
  maxDepth: number
}

export { isPlainObject } from './cbor-writer.ts'

const DEPTH_LIMIT = 16

/**
 * Encodes to the core deterministic form of RFC 8949 section 4.2.1. The data model is that of version 1: integers within
 * ±(2^53 - 1), byte strings, well-formed text without a leading byte order mark (decoders strip it), booleans, null, arrays, and
 * plain objects as maps with text keys. Anything else is refused with `value-not-encodable`, so that `decodeCanonical(encodeCanonical(x))` is always `x`.
 */
export function encodeCanonical(value: unknown): Uint8Array {
  try {
    return writeCanonical(value, DEPTH_LIMIT)
  } catch (error) {
    if (!(error instanceof NotEncodable)) throw error
    throw new EnvelopeError(
      'value-not-encodable',
      `Only safe integers, byte strings, well-formed text, booleans, null, arrays and plain objects up to ${DEPTH_LIMIT} levels can be encoded`,
    )
  }
}

/**
 * Decodes bytes only if they are exactly what {@link encodeCanonical} would write, in one pass that goes no deeper than
 * `maxDepth`. Byte strings are copies.
 *
 * Errors: `envelope-too-large` (over `maxBytes`), `envelope-malformed` (not CBOR, too deep, or outside the data model),
 * `envelope-not-canonical` (valid CBOR that has a shorter or differently ordered form).
 */
export function decodeCanonical(bytes: Uint8Array, limits: CanonicalLimits): unknown {
  if (bytes.length > limits.maxBytes) {
    throw new EnvelopeError('envelope-too-large', `${bytes.length} bytes, the limit is ${limits.maxBytes}`)
  }
  return readCanonical(bytes, Math.min(limits.maxDepth, DEPTH_LIMIT))
}
