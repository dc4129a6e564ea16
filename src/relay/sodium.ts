import { createRequire } from 'node:module'

/** What is used of `sodium-native`. */
export interface Sodium {
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
}

/**
 * libsodium, which verifies Ed25519 in little more than half of OpenSSL's time, or null where its native module does not load:
 * it is built for glibc, macOS and Windows, not for musl.
 */
export function loadSodium(): Sodium | null {
  try {
    return createRequire(import.meta.url)('sodium-native') as Sodium
  } catch (error) {
    if (error instanceof Error) return null
    throw error
  }
}
