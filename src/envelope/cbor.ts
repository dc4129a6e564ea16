import { encode, rfc8949EncodeOptions } from 'cborg'
import { readCanonical } from './cbor-reader.ts'
import { EnvelopeError } from './errors.ts'

/** What a decoder may spend on bytes that nobody has vouched for. */
export interface CanonicalLimits {
  /** Longest input, in bytes. */
  maxBytes: number
  /** Deepest nesting of arrays and maps; a lone integer has depth 0, `[1]` has depth 1. */
  maxDepth: number
}

const DEPTH_LIMIT = 16

/**
 * Encodes to the core deterministic form of RFC 8949 section 4.2.1. The data model is that of version 1: integers within
 * ±(2^53 - 1), byte strings, well-formed text without a leading byte order mark (decoders strip it), booleans, null, arrays, and
 * plain objects as maps with text keys. Anything else is refused with `value-not-encodable`, so that `decodeCanonical(encodeCanonical(x))` is always `x`.
 */
export function encodeCanonical(value: unknown): Uint8Array {
  assertEncodable(value, 0)
  return plainBytes(encode(value, rfc8949EncodeOptions))
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

function assertEncodable(value: unknown, depth: number): void {
  if (value === null || typeof value === 'boolean' || value instanceof Uint8Array) return
  if (typeof value === 'number' && Number.isSafeInteger(value)) return
  if (typeof value === 'string' && value.isWellFormed() && !value.startsWith('\ufeff')) return
  if (depth < DEPTH_LIMIT && Array.isArray(value)) {
    for (const item of value) assertEncodable(item, depth + 1)
    return
  }
  if (depth < DEPTH_LIMIT && isPlainObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      assertEncodable(key, depth + 1)
      assertEncodable(item, depth + 1)
    }
    return
  }
  throw new EnvelopeError(
    'value-not-encodable',
    `Only safe integers, byte strings, well-formed text, booleans, null, arrays and plain objects up to ${DEPTH_LIMIT} levels can be encoded`,
  )
}

/** True for `{…}` and for objects without a prototype; false for arrays, maps, dates and class instances. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** On Node the library may return a Buffer, which compares, slices and serialises unlike the Uint8Array of browsers. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return Object.getPrototypeOf(bytes) === Uint8Array.prototype ? bytes : new Uint8Array(bytes)
}
