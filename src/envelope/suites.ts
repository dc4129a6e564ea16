import { Chacha20Poly1305 } from '@hpke/chacha20poly1305'
import { CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core'
import { XWing } from '@hpke/hybridkem-x-wing'
import { EnvelopeError } from './errors.ts'
import { SUITE } from './header.ts'

/**
 * HPKE (RFC 9180) for one suite number, in base mode only. Auth mode is left out on purpose: X-Wing has none, and the library
 * accepts a sender key there and ignores it. The envelope's Ed25519 signature says who sent it.
 */
export interface KeyWrapSuite {
  hpke: CipherSuite
  publicKeyBytes: number
  encapsulationBytes: number
  /** Randomness of one encapsulation, when it is supplied. */
  encapsulationSeedBytes: number
}

const SUITES = new Map<number, KeyWrapSuite>([
  [SUITE.x25519, keyWrapSuite(new DhkemX25519HkdfSha256(), 32)],
  [SUITE.xwing, keyWrapSuite(new XWing(), 64)],
])

function keyWrapSuite(kem: DhkemX25519HkdfSha256 | XWing, encapsulationSeedBytes: number): KeyWrapSuite {
  const hpke = new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Chacha20Poly1305() })
  return { hpke, publicKeyBytes: kem.publicKeySize, encapsulationBytes: kem.encSize, encapsulationSeedBytes }
}

/** The suite's HPKE, or undefined for suite 0 and numbers that this version does not know. */
export function findKeyWrapSuite(suite: number): KeyWrapSuite | undefined {
  return SUITES.get(suite)
}

/** As {@link findKeyWrapSuite}, but refuses with `envelope-suite-unsupported`. */
export function requireKeyWrapSuite(suite: number): KeyWrapSuite {
  const found = SUITES.get(suite)
  if (found === undefined) {
    throw new EnvelopeError(
      'envelope-suite-unsupported',
      `Cipher suite ${suite} cannot be used here; 1 (X25519) and 2 (X-Wing) can`,
    )
  }
  return found
}

/**
 * The X25519 key pair that follows from `seed` (32 random bytes that serve nothing else), as raw bytes: RFC 9180 section 7.1.3.
 */
export async function deriveEncryptionKeyPair(
  seed: Uint8Array,
): Promise<{ publicKey: Uint8Array; privateKey: Uint8Array }> {
  const { kem } = requireKeyWrapSuite(SUITE.x25519).hpke
  const pair = await kem.deriveKeyPair(seed)
  const [publicKey, privateKey] = await Promise.all([
    kem.serializePublicKey(pair.publicKey),
    kem.serializePrivateKey(pair.privateKey),
  ])
  return { publicKey: new Uint8Array(publicKey), privateKey: new Uint8Array(privateKey) }
}

/**
 * A fresh key pair to receive under a suite, as raw bytes that can be stored. Suite 1: 32-byte public and private key; suite 2:
 * 1,216-byte public key, 32-byte seed. Errors: `envelope-suite-unsupported`.
 */
export async function generateEncryptionKeyPair(
  suite: number,
): Promise<{ publicKey: Uint8Array; privateKey: Uint8Array }> {
  const { kem } = requireKeyWrapSuite(suite).hpke
  const pair = await kem.generateKeyPair()
  const [publicKey, privateKey] = await Promise.all([
    kem.serializePublicKey(pair.publicKey),
    kem.serializePrivateKey(pair.privateKey),
  ])
  return { publicKey: new Uint8Array(publicKey), privateKey: new Uint8Array(privateKey) }
}
