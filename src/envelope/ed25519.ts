import { ed25519 } from '@noble/curves/ed25519.js'

/** Signs with a device key it holds; returns 64 bytes. May be asynchronous (a hardware key, WebCrypto, a worker). */
export type SignEd25519 = (message: Uint8Array) => Uint8Array | Promise<Uint8Array>

/** Checks a 64-byte signature against a 32-byte public key. Returns false, and does not throw, on anything invalid. */
export type VerifyEd25519 = (
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
) => boolean | Promise<boolean>

/** A fresh device key: `privateKey` is the 32-byte RFC 8032 seed. Random for each device, never derived from a wallet signature. */
export function generateDeviceKey(): { publicKey: Uint8Array; privateKey: Uint8Array } {
  const { publicKey, secretKey } = ed25519.keygen()
  return { publicKey, privateKey: secretKey }
}

/** Signs with a 32-byte seed in memory (RFC 8032 Ed25519, deterministic). */
export function signerFromDeviceKey(privateKey: Uint8Array): SignEd25519 {
  return (message) => ed25519.sign(message, privateKey)
}

/**
 * RFC 8032 verification in JavaScript, for browsers: points and scalars must be canonical and the key of full order
 * (`zip215: false`). A server may pass a faster one, such as node:crypto, wherever a {@link VerifyEd25519} is taken.
 */
export const verifyEd25519: VerifyEd25519 = (signature, message, publicKey) => {
  if (signature.length !== 64 || publicKey.length !== 32) return false
  return ed25519.verify(signature, message, publicKey, { zip215: false })
}
