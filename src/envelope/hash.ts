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

/** Where the input of a hash is put together. Wiped after each. */
let scratch = new Uint8Array(4096)
let scratchView = new DataView(scratch.buffer)
/** The tags, which are few and written in the code, as UTF-8. */
const tags = new Map<string, Uint8Array>()

/**
 * Tagged SHA-256: the tag and then every part, each with its length before it (4 bytes, big-endian), so that no two lists of
 * parts hash the same bytes. Text is UTF-8. Returns 32 bytes.
 *
 * @example H('causeway/dm/1', walletA, walletB)
 */
export function H(tag: string, ...parts: (Uint8Array | string)[]): Uint8Array {
  let end = append(0, tagBytes(tag))
  for (const part of parts) end = append(end, typeof part === 'string' ? utf8Encode(part) : part)
  const digest = hash(scratch.subarray(0, end))
  // Among what is hashed are keys.
  scratch.fill(0, 0, end)
  return digest
}

function tagBytes(tag: string): Uint8Array {
  let bytes = tags.get(tag)
  if (bytes === undefined) {
    bytes = utf8Encode(tag)
    tags.set(tag, bytes)
  }
  return bytes
}

function append(offset: number, bytes: Uint8Array): number {
  const start = offset + 4
  const end = start + bytes.length
  if (end > scratch.length) {
    const larger = new Uint8Array(2 * end)
    larger.set(scratch.subarray(0, offset))
    scratch = larger
    scratchView = new DataView(larger.buffer)
  }
  scratchView.setUint32(offset, bytes.length)
  scratch.set(bytes, start)
  return end
}
