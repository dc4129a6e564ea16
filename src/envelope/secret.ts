/** Secrets for one holder of a key, outside of envelopes: what a client hands over to its gateway. */
import { decodeCanonical, encodeCanonical } from './cbor.ts'
import { EnvelopeError } from './errors.ts'
import { isBytes, SUITE } from './header.ts'
import { requireKeyWrapSuite } from './suites.ts'

/** Longest secret, in bytes. */
export const MAX_SECRET_BYTES = 64 * 1024
const OVERHEAD_BYTES = 128
const ENCAPSULATION_BYTES = 32

/**
 * Seals to an X25519 key by HPKE base mode. `purpose` (canonical CBOR data) is bound to it: it opens for the same purpose only.
 * Returns canonical CBOR `[encapsulation, ciphertext]`. Errors: `envelope-key-invalid`, `envelope-content-too-large`.
 */
export async function sealSecret(input: {
  secret: Uint8Array
  publicKey: Uint8Array
  purpose: readonly unknown[]
}): Promise<Uint8Array> {
  if (input.secret.length > MAX_SECRET_BYTES) {
    throw new EnvelopeError('envelope-content-too-large', `A secret takes up to ${MAX_SECRET_BYTES} bytes`)
  }
  const { hpke } = requireKeyWrapSuite(SUITE.x25519)
  try {
    const recipientPublicKey = await hpke.kem.deserializePublicKey(input.publicKey)
    const info = encodeCanonical(input.purpose)
    const sender = await hpke.createSenderContext({ recipientPublicKey, info })
    const ciphertext = new Uint8Array(await sender.seal(input.secret))
    return encodeCanonical([new Uint8Array(sender.enc), ciphertext])
  } catch (cause) {
    throw new EnvelopeError('envelope-key-invalid', 'The key to seal to is not a valid X25519 key', { cause })
  }
}

/** Opens what {@link sealSecret} sealed. Errors: `envelope-open-failed`. */
export async function openSecret(input: {
  sealed: Uint8Array
  privateKey: Uint8Array
  purpose: readonly unknown[]
}): Promise<Uint8Array> {
  const { hpke } = requireKeyWrapSuite(SUITE.x25519)
  try {
    const limits = { maxBytes: MAX_SECRET_BYTES + OVERHEAD_BYTES, maxDepth: 1 }
    const { enc, ciphertext } = read(decodeCanonical(input.sealed, limits))
    const recipientKey = await hpke.kem.deserializePrivateKey(input.privateKey)
    const info = encodeCanonical(input.purpose)
    const recipient = await hpke.createRecipientContext({ recipientKey, enc, info })
    return new Uint8Array(await recipient.open(ciphertext))
  } catch (cause) {
    throw new EnvelopeError('envelope-open-failed', 'What was handed over does not open for this purpose', {
      cause,
    })
  }
}

/** Checked before the library sees it: a number in the place of bytes would make it set aside that much memory. */
function read(value: unknown): { enc: Uint8Array; ciphertext: Uint8Array } {
  const [enc, ciphertext] = Array.isArray(value) && value.length === 2 ? value : []
  if (!isBytes(enc, ENCAPSULATION_BYTES) || !(ciphertext instanceof Uint8Array)) {
    throw new RangeError('not an encapsulation and a ciphertext')
  }
  return { enc, ciphertext }
}
