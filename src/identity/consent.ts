/**
 * Consent of a wallet that a gateway be one of its clients on a network (hop mode). A certified device of the wallet signs it;
 * it names the gateway's own device, whose envelopes the wallet's devices then believe for what they are: attested by that
 * gateway.
 */
import {
  decodeCanonical,
  EnvelopeError,
  encodeCanonical,
  H,
  isWalletKey,
  type SignEd25519,
  type VerifyEd25519,
  verifyEd25519,
} from '../envelope/index.ts'
import { MAX_CERTIFICATE_BYTES } from './certificate.ts'
import { IdentityError } from './errors.ts'

export interface Consent {
  /** Id of the gateway, as in hop traces. */
  gateway: string
  /** Ed25519 key with which the gateway signs what it attests. */
  gatewayDevice: Uint8Array
  network: string
  wallet: string
  /** The wallet's device that signs. */
  device: Uint8Array
  /** Unix milliseconds. */
  issuedAt: number
  /** Unix milliseconds. The enrolment ends then. */
  expiresAt: number
  /** {@link meaningHash} of the terms in words. */
  meaning: Uint8Array
}

export interface SignedConsent {
  /** Canonical CBOR; what the device signs. */
  bytes: Uint8Array
  /** Ed25519, 64 bytes. */
  signature: Uint8Array
}

/** Longest life of a consent, milliseconds. */
export const MAX_CONSENT_LIFE_MS = 400 * 86_400_000
/** Longest text of terms, characters. */
export const MAX_MEANING_LENGTH = 1_000

const TAG = 'causeway/enrol/1'
const CERTIFICATE_TAG = 'causeway/hop-certificate/1'
const MAX_CONSENT_BYTES = 768
const MAX_HOP_CERTIFICATE_BYTES = MAX_CONSENT_BYTES + MAX_CERTIFICATE_BYTES + 256
const NETWORK = /^[a-z][a-z0-9-]{1,31}$/
const GATEWAY = /^[\x21-\x7e]{1,128}$/

/** Hash of the terms in words, as it stands in the consent. */
export function meaningHash(meaning: string): Uint8Array {
  return H('causeway/enrolment-meaning/1', meaning)
}

/** Hash of a consent, 32 bytes: each counts once. */
export function consentHash(bytes: Uint8Array): Uint8Array {
  return H('causeway/consent/1', bytes)
}

/** Encodes and signs. Errors: `consent-malformed`. */
export async function signConsent(consent: Consent, sign: SignEd25519): Promise<SignedConsent> {
  const bytes = encodeConsent(consent)
  return { bytes, signature: await sign(bytes) }
}

/**
 * Verifies the device's signature and answers what it says. Whether the device may speak for the wallet, and whether it is the
 * time, is the caller's to check. Errors: `consent-malformed`, `consent-signature-invalid`.
 */
export async function verifyConsent(
  signed: SignedConsent,
  verify: VerifyEd25519 = verifyEd25519,
): Promise<Consent> {
  const consent = decodeConsent(signed.bytes)
  if (signed.signature.length !== 64 || !(await verify(signed.signature, signed.bytes, consent.device))) {
    throw new IdentityError(
      'consent-signature-invalid',
      'The device that the consent names did not sign it; sign its bytes as they are',
    )
  }
  return consent
}

/** Decodes without checking the signature. Errors: `consent-malformed`. */
export function decodeConsent(bytes: Uint8Array): Consent {
  const value = decode(bytes, MAX_CONSENT_BYTES)
  if (!Array.isArray(value) || value.length !== 9 || value[0] !== TAG) throw malformed('is not one')
  const [, gateway, gatewayDevice, network, wallet, device, issuedAt, expiresAt, meaning] = value
  const consent = { gateway, gatewayDevice, network, wallet, device, issuedAt, expiresAt, meaning }
  check(consent)
  return consent
}

function encodeConsent(consent: Consent): Uint8Array {
  check(consent)
  const { gateway, gatewayDevice, network, wallet, device, issuedAt, expiresAt, meaning } = consent
  return encodeCanonical([TAG, gateway, gatewayDevice, network, wallet, device, issuedAt, expiresAt, meaning])
}

/** Rides beside a hop envelope, where a sealed one has the sender's certificate: it says why the gateway may be believed. */
export interface HopCertificate {
  consent: SignedConsent
  /** Certificate of the device that consented; null where the wallet's key log is known to have it. */
  device: Uint8Array | null
}

export function encodeHopCertificate({ consent, device }: HopCertificate): Uint8Array {
  return encodeCanonical([CERTIFICATE_TAG, consent.bytes, consent.signature, device])
}

/** Errors: `consent-malformed`. */
export function decodeHopCertificate(bytes: Uint8Array): HopCertificate {
  const value = decode(bytes, MAX_HOP_CERTIFICATE_BYTES)
  if (!Array.isArray(value) || value.length !== 4 || value[0] !== CERTIFICATE_TAG)
    throw malformed('is not one')
  const [, consent, signature, device] = value
  if (!(consent instanceof Uint8Array) || !(signature instanceof Uint8Array)) throw malformed('is not signed')
  if (device !== null && !(device instanceof Uint8Array))
    throw malformed('has a device that is no certificate')
  return { consent: { bytes: consent, signature }, device }
}

function decode(bytes: Uint8Array, maxBytes: number): unknown {
  try {
    return decodeCanonical(bytes, { maxBytes, maxDepth: 1 })
  } catch (cause) {
    if (!(cause instanceof EnvelopeError)) throw cause
    throw new IdentityError('consent-malformed', `The consent cannot be read: ${cause.message}`, { cause })
  }
}

function check(value: Record<keyof Consent, unknown>): asserts value is Consent {
  const { gateway, network, wallet, issuedAt, expiresAt } = value
  if (typeof gateway !== 'string' || !GATEWAY.test(gateway)) throw malformed('names no gateway')
  if (typeof network !== 'string' || !NETWORK.test(network)) throw malformed('names no network')
  if (typeof wallet !== 'string' || !isWalletKey(wallet)) throw malformed('names no wallet')
  for (const key of [value.gatewayDevice, value.device, value.meaning]) {
    if (!(key instanceof Uint8Array) || key.length !== 32)
      throw malformed('holds a key or hash that is not 32 bytes')
  }
  if (!Number.isSafeInteger(issuedAt) || !Number.isSafeInteger(expiresAt)) throw malformed('has no times')
  const life = (expiresAt as number) - (issuedAt as number)
  if ((issuedAt as number) < 0 || life <= 0 || life > MAX_CONSENT_LIFE_MS) {
    throw malformed(`lasts ${MAX_CONSENT_LIFE_MS / 86_400_000} days at most`)
  }
}

function malformed(reason: string): IdentityError {
  return new IdentityError('consent-malformed', `The consent ${reason}`)
}
