import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { equalBytes } from './bytes.ts'
import { decodeContent, type InnerContent } from './content.ts'
import { keyCommitment, type Wrap, wrapInfo } from './digests.ts'
import { EnvelopeError } from './errors.ts'
import { SUITE } from './header.ts'
import { unpadContent } from './padding.ts'
import type { SealedEnvelope } from './sealed.ts'
import { requireKeyWrapSuite } from './suites.ts'

const COMMITMENT_BYTES = 32

/** A key that may open an envelope: `keyId` is the `keyIdentifier` of its public half. */
export interface OpeningKey {
  keyId: Uint8Array
  /** Raw private key as `generateEncryptionKeyPair` returned it. */
  privateKey: Uint8Array
}

/**
 * Opens an envelope with the first of the given keys that it carries a wrap for. The body's commitment to the content key is
 * checked before the body is opened.
 *
 * This decides nothing about trust. The caller checks the signature, the device's certificate, that the envelope is addressed
 * to it, `created` and `ttl`, and that the id is new; the client library does all of that.
 *
 * Errors: `envelope-no-key`, `envelope-open-failed`, `envelope-commitment-mismatch`, `envelope-padding-invalid`,
 * `content-malformed`, `envelope-key-invalid`, `envelope-suite-unsupported`.
 */
export async function openSealed(
  sealed: SealedEnvelope,
  options: { privateKeys: OpeningKey[] },
): Promise<InnerContent> {
  if (sealed.header.suite === SUITE.none) return decodeContent(unpadContent(sealed.body))
  for (const { keyId, privateKey } of options.privateKeys) {
    const wrap = sealed.wraps.find((candidate) => equalBytes(candidate.keyId, keyId))
    if (wrap !== undefined) return openWith(sealed, wrap, privateKey)
  }
  requireKeyWrapSuite(sealed.header.suite)
  throw new EnvelopeError(
    'envelope-no-key',
    'This copy carries no wrap for any of the given keys; they may have been rotated away',
  )
}

async function openWith(sealed: SealedEnvelope, wrap: Wrap, privateKey: Uint8Array): Promise<InnerContent> {
  const contentKey = await unwrapKey(sealed, wrap, privateKey)
  const commitment = sealed.body.subarray(0, COMMITMENT_BYTES)
  if (!equalBytes(keyCommitment(contentKey, sealed.headerBytes), commitment)) {
    throw new EnvelopeError(
      'envelope-commitment-mismatch',
      'The body was not made with the wrapped key; refuse the envelope',
    )
  }
  let padded: Uint8Array
  try {
    const cipher = chacha20poly1305(contentKey, new Uint8Array(12), sealed.headerBytes)
    padded = cipher.decrypt(sealed.body.subarray(COMMITMENT_BYTES))
  } catch (cause) {
    throw new EnvelopeError('envelope-open-failed', 'The body does not open under its key; it was altered', {
      cause,
    })
  } finally {
    contentKey.fill(0)
  }
  return decodeContent(unpadContent(padded))
}

async function unwrapKey(sealed: SealedEnvelope, wrap: Wrap, privateKey: Uint8Array): Promise<Uint8Array> {
  const { hpke } = requireKeyWrapSuite(sealed.header.suite)
  const info = wrapInfo(sealed.header.suite, sealed.headerBytes, sealed.body, wrap.keyId)
  let recipientKey: CryptoKey
  try {
    recipientKey = await hpke.kem.deserializePrivateKey(privateKey)
  } catch (cause) {
    throw new EnvelopeError(
      'envelope-key-invalid',
      'The private key does not belong to the suite of the envelope',
      { cause },
    )
  }
  try {
    const recipient = await hpke.createRecipientContext({ recipientKey, enc: wrap.encapsulation, info })
    return new Uint8Array(await recipient.open(wrap.wrappedKey, sealed.headerBytes))
  } catch (cause) {
    throw new EnvelopeError('envelope-open-failed', 'The key wrap does not open with the given key', {
      cause,
    })
  }
}
