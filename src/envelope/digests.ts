import { encodeCanonical } from './cbor.ts'
import { H } from './hash.ts'

/** The encapsulated content key for one device. */
export interface Wrap {
  /** {@link keyIdentifier} of the device's public key, 16 bytes. */
  keyId: Uint8Array
  /** HPKE encapsulation: 32 bytes in suite 1, 1,120 bytes in suite 2. */
  encapsulation: Uint8Array
  /** The content key under HPKE: 32 bytes and a 16-byte tag. */
  wrappedKey: Uint8Array
}

/** Hash of an envelope's body, 32 bytes. */
export function bodyHash(body: Uint8Array): Uint8Array {
  return H('causeway/body/1', body)
}

/**
 * Id of an envelope, 32 bytes. It covers header and body, so one id has one meaning, and leaves out wraps and signature, so
 * that it is the same on every network whatever copy of the wraps travels.
 */
export function envelopeId(headerBytes: Uint8Array, body: Uint8Array): Uint8Array {
  return envelopeIdOfHash(headerBytes, bodyHash(body))
}

/** The same for whoever has hashed the body already. */
export function envelopeIdOfHash(headerBytes: Uint8Array, hash: Uint8Array): Uint8Array {
  return H('causeway/envelope-id/1', headerBytes, hash)
}

/** Commitment of a body to its content key, 32 bytes: ChaCha20-Poly1305 alone would open one body under two keys. */
export function keyCommitment(contentKey: Uint8Array, headerBytes: Uint8Array): Uint8Array {
  return H('causeway/commit/1', contentKey, headerBytes)
}

/** 16 bytes that name a public encryption key in wraps. */
export function keyIdentifier(publicKey: Uint8Array): Uint8Array {
  return H('causeway/key-id/1', publicKey).slice(0, 16)
}

/** 16 bytes by which the signature covers a wrap even where the wrap itself was dropped from a copy. */
export function wrapDigest(wrap: Wrap): Uint8Array {
  return H('causeway/wrap-digest/1', wrap.keyId, wrap.encapsulation, wrap.wrappedKey).slice(0, 16)
}

/** HPKE `info` of a wrap: binds it to this suite, header, body and recipient key. */
export function wrapInfo(
  suite: number,
  headerBytes: Uint8Array,
  body: Uint8Array,
  keyId: Uint8Array,
): Uint8Array {
  return encodeCanonical(['causeway/wrap/1', suite, headerBytes, bodyHash(body), keyId])
}

/** The bytes that the sender's device signs. */
export function signatureInput(
  headerBytes: Uint8Array,
  body: Uint8Array,
  wrapDigests: Uint8Array[],
): Uint8Array {
  return signatureInputOfHash(headerBytes, bodyHash(body), wrapDigests)
}

/** The same for whoever has hashed the body already. */
export function signatureInputOfHash(
  headerBytes: Uint8Array,
  hash: Uint8Array,
  wrapDigests: Uint8Array[],
): Uint8Array {
  return encodeCanonical(['causeway/sig/1', headerBytes, hash, wrapDigests])
}
