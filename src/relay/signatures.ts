import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { LRUCache } from 'lru-cache'
import { toHex, type VerifyEd25519 } from '../envelope/index.ts'
import { SignaturePool } from './signature-pool.ts'
import { loadSodium } from './sodium.ts'

/** DER of a SubjectPublicKeyInfo for Ed25519 up to the 32 key bytes (RFC 8410 section 4). */
const SPKI_PREFIX = Uint8Array.from([0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00])

/** Shared by all gateways of the process. Null: libsodium does not load here. */
let pool: SignaturePool | null | undefined

/**
 * Ed25519 verification (RFC 8032), off the main thread where there is much of it: by libsodium, or where that does not load by
 * OpenSSL. A key that is not the canonical encoding of a point, or is of small order, verifies nothing: the same rule that
 * browsers apply through the envelope part.
 */
export function createSignatureVerifier(): VerifyEd25519 {
  if (pool === undefined) {
    const sodium = loadSodium()
    pool = sodium && new SignaturePool(sodium)
  }
  const shared = pool
  if (shared === null) return createThreadPoolVerifier()
  return (signature, message, publicKey) => {
    if (signature.length !== 64 || publicKey.length !== 32) return false
    return shared.verify(signature, message, publicKey)
  }
}

/** By OpenSSL, on the thread pool of libuv. Keys are imported once and kept for the `maxKeys` devices seen last. */
export function createThreadPoolVerifier(options: { maxKeys?: number } = {}): VerifyEd25519 {
  const keys = new LRUCache<string, { key: KeyObject | null }>({ max: options.maxKeys ?? 10_000 })

  function keyOf(publicKey: Uint8Array): KeyObject | null {
    const name = toHex(publicKey)
    let entry = keys.get(name)
    if (!entry) {
      entry = { key: isUsable(publicKey) ? importKey(publicKey) : null }
      keys.set(name, entry)
    }
    return entry.key
  }

  return (signature, message, publicKey) => {
    if (signature.length !== 64 || publicKey.length !== 32) return false
    const key = keyOf(publicKey)
    if (!key) return false
    return new Promise((resolve, reject) => {
      verify(null, message, key, signature, (error, valid) => (error ? reject(error) : resolve(valid)))
    })
  }
}

function isUsable(publicKey: Uint8Array): boolean {
  try {
    return !ed25519.Point.fromBytes(publicKey, false).isSmallOrder()
  } catch (error) {
    // Bytes that are no point of the curve are an answer here, not a failure.
    if (error instanceof Error) return false
    throw error
  }
}

function importKey(publicKey: Uint8Array): KeyObject {
  const der = Buffer.concat([SPKI_PREFIX, publicKey])
  return createPublicKey({ key: der, format: 'der', type: 'spki' })
}
