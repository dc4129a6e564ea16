/** Prekeys: encryption keys of a device, signed by it, replaced daily without asking the wallet. */
import {
  decodeCanonical,
  EnvelopeError,
  encodeCanonical,
  isWalletKey,
  type SignEd25519,
  SUITE,
  type VerifyEd25519,
  verifyEd25519,
} from '../envelope/index.ts'
import { IdentityError } from './errors.ts'

export interface Prekey {
  wallet: string
  /** Ed25519 key of the device that signs and owns it. */
  device: Uint8Array
  /** 1 (X25519) or 2 (X-Wing). */
  suite: number
  /** HPKE public key: 32 bytes in suite 1, 1,216 bytes in suite 2. */
  publicKey: Uint8Array
  /** Unix milliseconds. */
  notBefore: number
  notAfter: number
}

export interface SignedPrekey {
  /** Canonical CBOR of the prekey; what the device signs. */
  bytes: Uint8Array
  /** Ed25519, 64 bytes. */
  signature: Uint8Array
}

/** Longest life of a prekey, milliseconds: 30 days, after which the device deletes the private half. */
export const MAX_PREKEY_LIFE_MS = 30 * 24 * 60 * 60 * 1000

const TAG = 'causeway/prekey/1'
const MAX_PREKEY_BYTES = 1536
const PUBLIC_KEY_BYTES = new Map<number, number>([
  [SUITE.x25519, 32],
  [SUITE.xwing, 1216],
])

/** Encodes a prekey to canonical CBOR. Errors: `prekey-malformed`, `prekey-lifetime`. */
export function encodePrekey(prekey: Prekey): Uint8Array {
  checkPrekey(prekey)
  return encodeCanonical([
    TAG,
    prekey.wallet,
    prekey.device,
    prekey.suite,
    prekey.publicKey,
    prekey.notBefore,
    prekey.notAfter,
  ])
}

/** Decodes a prekey and checks every field but the signature. Errors: `prekey-malformed`, `prekey-lifetime`. */
export function decodePrekey(bytes: Uint8Array): Prekey {
  const value = decodePrekeyBytes(bytes)
  if (!Array.isArray(value) || value[0] !== TAG || value.length !== 7)
    throw malformed(`is not a ${TAG} array`)
  const [, wallet, device, suite, publicKey, notBefore, notAfter] = value
  const prekey = { wallet, device, suite, publicKey, notBefore, notAfter }
  checkPrekey(prekey)
  return prekey
}

/** Encodes and signs with the device's key. Errors: as {@link encodePrekey}. */
export async function signPrekey(prekey: Prekey, sign: SignEd25519): Promise<SignedPrekey> {
  const bytes = encodePrekey(prekey)
  return { bytes, signature: await sign(bytes) }
}

/**
 * Decodes a prekey and verifies that the device named in it signed it. The caller decides whether that device is certified.
 * Errors: as {@link decodePrekey}, and `prekey-signature-invalid`.
 */
export async function verifyPrekey(
  signed: SignedPrekey,
  verify: VerifyEd25519 = verifyEd25519,
): Promise<Prekey> {
  const prekey = decodePrekey(signed.bytes)
  const wellFormed = signed.signature instanceof Uint8Array && signed.signature.length === 64
  if (!wellFormed || !(await verify(signed.signature, signed.bytes, prekey.device))) {
    throw new IdentityError(
      'prekey-signature-invalid',
      'The prekey is not signed by the device that it names',
    )
  }
  return prekey
}

function checkPrekey(prekey: { [Key in keyof Prekey]: unknown }): asserts prekey is Prekey {
  const { wallet, device, suite, publicKey, notBefore, notAfter } = prekey
  if (typeof wallet !== 'string' || !isWalletKey(wallet)) throw malformed('needs an exact wallet key')
  if (!(device instanceof Uint8Array) || device.length !== 32)
    throw malformed('needs a device key of 32 bytes')
  const publicKeyBytes = PUBLIC_KEY_BYTES.get(suite as number)
  if (publicKeyBytes === undefined) throw malformed('needs suite 1 (X25519) or 2 (X-Wing)')
  if (!(publicKey instanceof Uint8Array) || publicKey.length !== publicKeyBytes) {
    throw malformed(`needs a public key of ${publicKeyBytes} bytes`)
  }
  if (!isTime(notBefore) || !isTime(notAfter)) throw malformed('needs its times in milliseconds since 1970')
  if (notAfter <= notBefore || notAfter - notBefore > MAX_PREKEY_LIFE_MS) {
    throw new IdentityError('prekey-lifetime', 'A prekey must end after it begins, and within 30 days')
  }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function decodePrekeyBytes(bytes: Uint8Array): unknown {
  try {
    return decodeCanonical(bytes, { maxBytes: MAX_PREKEY_BYTES, maxDepth: 1 })
  } catch (cause) {
    if (!(cause instanceof EnvelopeError)) throw cause
    throw new IdentityError('prekey-malformed', `The prekey cannot be read: ${cause.message}`, { cause })
  }
}

function malformed(reason: string): IdentityError {
  return new IdentityError('prekey-malformed', `The prekey ${reason}`)
}
