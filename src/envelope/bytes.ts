import { base32nopad, base64urlnopad } from '@scure/base'
import { EnvelopeError } from './errors.ts'

const utf8Encoder = new TextEncoder()
/** Codes of the digits 0 to f. */
const HEX_DIGITS = utf8Encoder.encode('0123456789abcdef')
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  const { length } = bytes
  // One text from character codes: put together piece by piece, each piece would be an object.
  if (length > 1024) return toHex(bytes.subarray(0, 1024)) + toHex(bytes.subarray(1024))
  const codes: number[] = []
  for (let index = 0; index < length; index++) {
    const byte = bytes[index]!
    codes.push(HEX_DIGITS[byte >> 4]!, HEX_DIGITS[byte & 15]!)
  }
  return String.fromCharCode(...codes)
}

/**
 * Reads lower-case hexadecimal without prefix. Anything else (an odd length, upper case, `0x`, a stray character) is refused
 * with `encoding-invalid`: a lenient reader turns a typing error into a shorter key.
 */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) {
    throw new EnvelopeError(
      'encoding-invalid',
      'Not lower-case hexadecimal of whole bytes; send two characters 0-9a-f a byte',
    )
  }
  const bytes = new Uint8Array(text.length / 2)
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = Number.parseInt(text.slice(index * 2, index * 2 + 2), 16)
  }
  return bytes
}

/** Base64url without padding (RFC 4648 section 5). */
export function toBase64url(bytes: Uint8Array): string {
  return base64urlnopad.encode(bytes)
}

/** Reads unpadded, canonical base64url: one text for each byte string (spare bits zero). Errors: `encoding-invalid`. */
export function fromBase64url(text: string): Uint8Array {
  try {
    return base64urlnopad.decode(text)
  } catch (cause) {
    throw new EnvelopeError(
      'encoding-invalid',
      'Not canonical base64url; use the URL-safe alphabet without padding',
      { cause },
    )
  }
}

/** Base32 of RFC 4648 in lower case without padding, alphabet `[a-z2-7]`: 20 bytes give 32 characters. */
export function base32Lower(bytes: Uint8Array): string {
  return base32nopad.encode(bytes).toLowerCase()
}

/** One new array that holds all parts in order. */
export function concatBytes(...parts: Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const joined = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** Compares in a time that depends on the lengths alone, so it may compare secrets. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  let difference = 0
  for (let index = 0; index < left.length; index++) difference |= left[index]! ^ right[index]!
  return difference === 0
}

/** UTF-8. A lone surrogate has no UTF-8 form and is refused (`encoding-invalid`) instead of being replaced in silence. */
export function utf8Encode(text: string): Uint8Array {
  if (!text.isWellFormed())
    throw new EnvelopeError('encoding-invalid', 'The text holds a lone surrogate; send well-formed Unicode')
  return utf8Encoder.encode(text)
}

/** Reads UTF-8, keeping a byte order mark. Errors: `encoding-invalid`, nothing is replaced. */
export function utf8Decode(bytes: Uint8Array): string {
  try {
    return utf8Decoder.decode(bytes)
  } catch (cause) {
    throw new EnvelopeError('encoding-invalid', 'Not valid UTF-8', { cause })
  }
}
