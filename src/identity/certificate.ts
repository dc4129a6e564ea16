/** The certificate of a device: a signed key entry in one piece, small enough to travel beside every envelope. */
import {
  decodeCanonical,
  EnvelopeError,
  encodeCanonical,
  equalBytes,
  fromHex,
  toHex,
} from '../envelope/index.ts'
import { IdentityError } from './errors.ts'
import { decodeKeyEntry } from './key-entry.ts'
import { CLOCK_SKEW_MS, type SignedKeyEntry, type TrustLevel, verifySignedEntry } from './key-log.ts'
import { type VerifyWallet, verifyWalletSignature } from './wallet-signature.ts'

/** Longest encoded certificate, bytes. */
export const MAX_CERTIFICATE_BYTES = 1024

/** What a verified certificate says. */
export interface CertifiedDevice {
  wallet: string
  device: Uint8Array
  label: string
  capabilities: string[]
  /** Unix milliseconds; `notBefore` as signed, without the allowance for clocks. */
  notBefore: number
  notAfter: number
  /** Who checked the wallet's signature. */
  trust: TrustLevel
}

/** Encodes `[entry, signature, account, domain]` as canonical CBOR. Errors: `certificate-malformed`. */
export function encodeCertificate(signed: SignedKeyEntry): Uint8Array {
  const bytes = fittingCertificate(signed)
  if (bytes === null) throw malformed(`takes more than ${MAX_CERTIFICATE_BYTES} bytes`)
  return bytes
}

/** As {@link encodeCertificate}. Null when it would be too long, which the signatures of smart accounts can make it. */
export function fittingCertificate(signed: SignedKeyEntry): Uint8Array | null {
  if (!/^0x(?:[0-9a-f]{2})+$/.test(signed.signature))
    throw malformed('needs a signature in lower-case hexadecimal')
  const signature = fromHex(signed.signature.slice(2))
  const bytes = encodeCanonical([signed.entry, signature, signed.account, signed.domain])
  return bytes.length > MAX_CERTIFICATE_BYTES ? null : bytes
}

/** Decodes a certificate without checking what it claims. Errors: `certificate-malformed`. */
export function decodeCertificate(bytes: Uint8Array): SignedKeyEntry {
  const value = decodeCertificateBytes(bytes)
  if (!Array.isArray(value) || value.length !== 4) throw malformed('is not an array of four')
  const [entry, signature, account, domain] = value
  if (!(entry instanceof Uint8Array)) throw malformed('holds no key entry')
  if (!(signature instanceof Uint8Array) || signature.length === 0) throw malformed('holds no signature')
  if (typeof account !== 'string' || typeof domain !== 'string')
    throw malformed('names no account or no domain')
  return { entry, signature: `0x${toHex(signature)}`, account, domain }
}

/**
 * Verifies that the wallet certified the device in a text for a trusted domain. Whether the certificate is within its time
 * is left to {@link certificateStatus}, and revocation to the wallet's key log, where it can be had. One wallet signature
 * check, about 2 ms; everything cheap is checked before it.
 *
 * A smart account is asked now, not at the time of the certificate: after a change of its owner it takes new certificates only.
 *
 * Errors: `certificate-malformed`, `certificate-untrusted-domain`, `wallet-signature-invalid`, those of `decodeKeyEntry`,
 * `composeMessage` and `verifyWallet`.
 */
export async function verifyCertificate(
  bytes: Uint8Array,
  options: {
    wallet: string
    device: Uint8Array
    trustedDomains: readonly string[]
    verifyWallet?: VerifyWallet
  },
): Promise<CertifiedDevice> {
  const { wallet, device, trustedDomains, verifyWallet = verifyWalletSignature } = options
  const signed = decodeCertificate(bytes)
  const entry = decodeKeyEntry(signed.entry)
  if (entry.wallet !== wallet) throw malformed('is that of another wallet')
  if (!equalBytes(entry.device.publicKey, device)) throw malformed('is that of another device')
  if (entry.action !== 'add') throw malformed('does not certify a device')
  if (!trustedDomains.includes(signed.domain)) {
    throw new IdentityError(
      'certificate-untrusted-domain',
      'The certificate was signed for a domain that is not trusted here',
    )
  }
  const trust = await verifySignedEntry(signed, wallet, verifyWallet)
  const { label } = entry.device
  const { capabilities, notBefore, notAfter } = entry
  return { wallet, device, label, capabilities, notBefore, notAfter, trust }
}

/** What a verified certificate says about a message received at `receivedAt` (Unix milliseconds). */
export function certificateStatus(
  certified: CertifiedDevice,
  receivedAt: number,
): 'certified' | 'expired' | 'unknown' {
  if (receivedAt < certified.notBefore - CLOCK_SKEW_MS) return 'unknown'
  if (receivedAt > certified.notAfter) return 'expired'
  return certified.capabilities.includes('message:send') ? 'certified' : 'unknown'
}

function decodeCertificateBytes(bytes: Uint8Array): unknown {
  try {
    return decodeCanonical(bytes, { maxBytes: MAX_CERTIFICATE_BYTES, maxDepth: 1 })
  } catch (cause) {
    if (!(cause instanceof EnvelopeError)) throw cause
    throw new IdentityError('certificate-malformed', `The certificate cannot be read: ${cause.message}`, {
      cause,
    })
  }
}

function malformed(reason: string): IdentityError {
  return new IdentityError('certificate-malformed', `The certificate ${reason}`)
}
