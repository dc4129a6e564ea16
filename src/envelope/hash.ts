import { sha256 } from '@noble/hashes/sha2.js'
import { utf8Encode } from './bytes.ts'

/**
 * Tagged SHA-256: the tag and then every part, each with its length before it (4 bytes, big-endian), so that no two lists of
 * parts hash the same bytes. Text is UTF-8. Returns 32 bytes.
 *
 * @example H('causeway/dm/1', walletA, walletB)
 */
export function H(tag: string, ...parts: (Uint8Array | string)[]): Uint8Array {
  const hash = sha256.create()
  const length = new Uint8Array(4)
  const lengthView = new DataView(length.buffer)
  for (const part of [tag, ...parts]) {
    const bytes = typeof part === 'string' ? utf8Encode(part) : part
    lengthView.setUint32(0, bytes.length)
    hash.update(length).update(bytes)
  }
  return hash.digest()
}
