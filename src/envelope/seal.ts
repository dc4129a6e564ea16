import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { randomBytes } from '@noble/hashes/utils.js'
import { concatBytes, toHex } from './bytes.ts'
import { encodeCanonical } from './cbor.ts'
import { encodeContent, type InnerContent } from './content.ts'
import {
  envelopeId,
  keyCommitment,
  keyIdentifier,
  signatureInput,
  type Wrap,
  wrapDigest,
  wrapInfo,
} from './digests.ts'
import type { SignEd25519 } from './ed25519.ts'
import { EnvelopeError } from './errors.ts'
import { type EnvelopeHeader, encodeHeader, SUITE } from './header.ts'
import { LIMITS } from './limits.ts'
import { padContent } from './padding.ts'
import { type KeyWrapSuite, requireKeyWrapSuite } from './suites.ts'

/** What is sealed, for whom, and by which device. */
export interface SealInput {
  header: Omit<EnvelopeHeader, 'version'>
  content: InnerContent
  /** Raw public keys of every recipient device and of the sender's own other devices; a key given twice counts once. Empty in suite 0. */
  recipients: { publicKey: Uint8Array }[]
  /** Signs with the private half of `header.device`. */
  sign: SignEd25519
}

/** Returns that many unpredictable bytes. */
export type RandomSource = (length: number) => Uint8Array

/**
 * Seals a message: pads and encrypts the content once under a random key, wraps that key for each device, signs the whole.
 *
 * `random` exists for test vectors; leave it out everywhere else.
 *
 * Errors: `envelope-content-too-large` (over 8 KiB encoded: send an encrypted remote attachment), `envelope-header-invalid`,
 * `content-malformed`, `envelope-recipients-invalid`, `envelope-key-invalid`, `envelope-suite-unsupported`,
 * `envelope-signature-invalid` (the signer returned no 64 bytes), `envelope-too-large`.
 */
export async function sealEnvelope(
  input: SealInput,
  random?: RandomSource,
): Promise<{ id: Uint8Array; bytes: Uint8Array }> {
  const headerBytes = encodeHeader({ version: 1, ...input.header })
  const encoded = encodeContent(input.content)
  if (encoded.length > LIMITS.inlineContentBytes) {
    throw new EnvelopeError(
      'envelope-content-too-large',
      `The content takes ${encoded.length} bytes of ${LIMITS.inlineContentBytes}; send it as an encrypted remote attachment`,
    )
  }
  const padded = padContent(encoded)
  const { body, wraps } =
    input.header.suite === SUITE.none
      ? sealOpenly(padded, input.recipients.length)
      : await sealFor(input, headerBytes, padded, random)

  const wrapDigests = wraps.map(wrapDigest)
  const signature = await input.sign(signatureInput(headerBytes, body, wrapDigests))
  if (signature.length !== 64) {
    throw new EnvelopeError(
      'envelope-signature-invalid',
      'The signer must return a 64-byte Ed25519 signature',
    )
  }
  const bytes = encodeSealed({ headerBytes, body, wraps, wrapDigests, signature })
  if (bytes.length > LIMITS.sealedBytes) {
    throw new EnvelopeError(
      'envelope-too-large',
      `The envelope takes ${bytes.length} bytes of ${LIMITS.sealedBytes}; wrap for fewer devices`,
    )
  }
  return { id: envelopeId(headerBytes, body), bytes }
}

/** The outermost encoding: `[headerBytes, body, wraps, wrapDigests, signature]`. */
export function encodeSealed(parts: {
  headerBytes: Uint8Array
  body: Uint8Array
  wraps: Wrap[]
  wrapDigests: Uint8Array[]
  signature: Uint8Array
}): Uint8Array {
  const wraps = parts.wraps.map((wrap) => [wrap.keyId, wrap.encapsulation, wrap.wrappedKey])
  return encodeCanonical([parts.headerBytes, parts.body, wraps, parts.wrapDigests, parts.signature])
}

function sealOpenly(padded: Uint8Array, recipients: number): { body: Uint8Array; wraps: Wrap[] } {
  if (recipients > 0) {
    throw new EnvelopeError(
      'envelope-recipients-invalid',
      'Suite 0 does not encrypt; give no recipient keys, or choose suite 1 or 2',
    )
  }
  return { body: padded, wraps: [] }
}

async function sealFor(
  { header, recipients }: SealInput,
  headerBytes: Uint8Array,
  padded: Uint8Array,
  random: RandomSource | undefined,
): Promise<{ body: Uint8Array; wraps: Wrap[] }> {
  const suite = requireKeyWrapSuite(header.suite)
  const keys = new Map(recipients.map(({ publicKey }) => [toHex(keyIdentifier(publicKey)), publicKey]))
  if (keys.size === 0 || keys.size > LIMITS.wraps) {
    throw new EnvelopeError(
      'envelope-recipients-invalid',
      `Give 1 to ${LIMITS.wraps} recipient keys, not ${keys.size}`,
    )
  }
  const contentKey = (random ?? randomBytes)(32)
  // The key encrypts this one body and nothing else, so the nonce may be zero.
  const ciphertext = chacha20poly1305(contentKey, new Uint8Array(12), headerBytes).encrypt(padded)
  const body = concatBytes(keyCommitment(contentKey, headerBytes), ciphertext)
  const wraps = await Promise.all(
    [...keys.values()].map((publicKey) => {
      const seed = random?.(suite.encapsulationSeedBytes)
      return wrapKey(suite, { suite: header.suite, headerBytes, body, contentKey, publicKey, seed })
    }),
  )
  contentKey.fill(0)
  return { body, wraps }
}

async function wrapKey(
  { hpke, publicKeyBytes }: KeyWrapSuite,
  input: {
    suite: number
    headerBytes: Uint8Array
    body: Uint8Array
    contentKey: Uint8Array
    publicKey: Uint8Array
    seed: Uint8Array | undefined
  },
): Promise<Wrap> {
  const { publicKey, headerBytes } = input
  if (publicKey.length !== publicKeyBytes) {
    throw new EnvelopeError(
      'envelope-key-invalid',
      `A recipient key has ${publicKey.length} bytes, suite ${input.suite} needs ${publicKeyBytes}`,
    )
  }
  const keyId = keyIdentifier(publicKey)
  const info = wrapInfo(input.suite, headerBytes, input.body, keyId)
  try {
    const recipientPublicKey = await hpke.kem.deserializePublicKey(publicKey)
    const sender = await hpke.createSenderContext(
      input.seed === undefined ? { recipientPublicKey, info } : { recipientPublicKey, info, ekm: input.seed },
    )
    const wrappedKey = await sender.seal(input.contentKey, headerBytes)
    return { keyId, encapsulation: new Uint8Array(sender.enc), wrappedKey: new Uint8Array(wrappedKey) }
  } catch (cause) {
    throw new EnvelopeError(
      'envelope-key-invalid',
      'A recipient key is not a valid public key of the suite; fetch it again',
      { cause },
    )
  }
}
