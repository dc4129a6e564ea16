import { sha256 } from '@noble/hashes/sha2.js'
import { utf8Encode } from './bytes.ts'

/** SHA-256 of bytes, 32 bytes in an array of their own. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array

let hash: Sha256 = sha256

/**
 * Lets another implementation of SHA-256 do the work: the native one of a server is five times as fast as the portable one.
 * The results are the same, so that it makes no difference who calls this, and when.
 */
export function useSha256(implementation: Sha256): void {
  hash = implementation
}

/**
 * Tagged SHA-256: the tag and then every part, each with its length before it (4 bytes, big-endian), so that no two lists of
 * parts hash the same bytes. Text is UTF-8. Returns 32 bytes.
 *
 * @example H('causeway/dm/1', walletA, walletB)
 */
export function H(tag: string, ...parts: (Uint8Array | string)[]): Uint8Array {
  const pieces = [tag, ...parts].map((part) => (typeof part === 'string' ? utf8Encode(part) : part))
  let length = 0
  for (const piece of pieces) length += 4 + piece.length
  const input = new Uint8Array(length)
  const view = new DataView(input.buffer)
  let offset = 0
  for (const piece of pieces) {
    view.setUint32(offset, piece.length)
    input.set(piece, offset + 4)
    offset += 4 + piece.length
  }
  return hash(input)
}
