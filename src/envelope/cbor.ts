import { decode, encode, rfc8949EncodeOptions } from 'cborg'
import { EnvelopeError } from './errors.ts'

/** What a decoder may spend on bytes that nobody has vouched for. */
export interface CanonicalLimits {
  /** Longest input, in bytes. */
  maxBytes: number
  /** Deepest nesting of arrays and maps; a lone integer has depth 0, `[1]` has depth 1. */
  maxDepth: number
}

const DEPTH_LIMIT = 16

const DECODE_OPTIONS = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
}

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
 * Decodes bytes only if they are exactly what {@link encodeCanonical} would write. Size and nesting are checked by a flat scan
 * before anything recurses.
 *
 * Errors: `envelope-too-large` (over `maxBytes`), `envelope-malformed` (not CBOR, too deep, or outside the data model),
 * `envelope-not-canonical` (valid CBOR that has a shorter or differently ordered form).
 */
export function decodeCanonical(bytes: Uint8Array, limits: CanonicalLimits): unknown {
  if (bytes.length > limits.maxBytes) {
    throw new EnvelopeError('envelope-too-large', `${bytes.length} bytes, the limit is ${limits.maxBytes}`)
  }
  scan(bytes, Math.min(limits.maxDepth, DEPTH_LIMIT))
  let value: unknown
  try {
    value = decode(bytes, DECODE_OPTIONS)
  } catch (cause) {
    throw new EnvelopeError(
      'envelope-malformed',
      'CBOR with a repeated map key, a key that is not text, or a number out of range',
      {
        cause,
      },
    )
  }
  if (!sameBytes(encode(value, rfc8949EncodeOptions), bytes)) {
    throw notCanonical('map keys out of order or text that is not UTF-8 or starts with a byte order mark')
  }
  return value
}

/**
 * Walks the CBOR heads without recursion (RFC 8949 section 3). Cost is linear in the input: a head may not promise more items
 * than bytes are left.
 */
function scan(bytes: Uint8Array, maxDepth: number): void {
  const open: number[] = []
  let position = 0
  do {
    if (position >= bytes.length) throw malformed('ends before its last item')
    const initial = bytes[position]!
    const major = initial >> 5
    if (major === 6) throw malformed('holds a tag; version 1 has none')
    if (major === 7 && (initial < 0xf4 || initial > 0xf6))
      throw malformed('holds a float or simple value other than true, false, null')
    const { argument, next } = readArgument(bytes, position)
    position = next
    let items = 0
    if (major === 2 || major === 3) position += argument
    else if (major === 4) items = argument
    else if (major === 5) items = argument * 2
    if (position > bytes.length || items > bytes.length - position)
      throw malformed('promises more than it holds')
    if (major === 4 || major === 5) {
      if (open.length >= maxDepth) throw malformed(`nests deeper than ${maxDepth} levels`)
      open.push(items)
    } else if (open.length > 0) {
      open[open.length - 1]!--
    }
    while (open.length > 0 && open[open.length - 1] === 0) {
      open.pop()
      if (open.length > 0) open[open.length - 1]!--
    }
  } while (open.length > 0)
  if (position !== bytes.length) throw malformed('is followed by other bytes')
}

function readArgument(bytes: Uint8Array, position: number): { argument: number; next: number } {
  const additional = bytes[position]! & 0x1f
  if (additional < 24) return { argument: additional, next: position + 1 }
  if (additional === 31) throw notCanonical('indefinite length')
  if (additional > 27) throw malformed('holds a reserved length')
  const width = 1 << (additional - 24)
  const next = position + 1 + width
  if (next > bytes.length) throw malformed('ends inside a length')
  let argument = 0
  for (let index = position + 1; index < next; index++) argument = argument * 256 + bytes[index]!
  const least = width === 1 ? 24 : 2 ** (width * 4)
  if (argument < least) throw notCanonical('a number or length longer than it needs to be')
  return { argument, next }
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

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index])
}

function malformed(reason: string): EnvelopeError {
  return new EnvelopeError('envelope-malformed', `The CBOR ${reason}`)
}

function notCanonical(reason: string): EnvelopeError {
  return new EnvelopeError(
    'envelope-not-canonical',
    `Not deterministic CBOR (RFC 8949 section 4.2.1): ${reason}`,
  )
}
