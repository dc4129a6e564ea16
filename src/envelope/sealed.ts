import { equalBytes, toHex } from './bytes.ts'
import { decodeCanonical } from './cbor.ts'
import {
  bodyHash,
  envelopeIdOfHash,
  signatureInput,
  signatureInputOfHash,
  type Wrap,
  wrapDigest,
} from './digests.ts'
import { type VerifyEd25519, verifyEd25519 } from './ed25519.ts'
import { EnvelopeError } from './errors.ts'
import { decodeHeader, type EnvelopeHeader, isBytes, SUITE } from './header.ts'
import { LIMITS } from './limits.ts'
import { PADDING_BUCKETS } from './padding.ts'
import { encodeSealed } from './seal.ts'
import { findKeyWrapSuite } from './suites.ts'

/** Bytes that suites 1 and 2 add to the padded content: the 32-byte commitment and the 16-byte tag. */
export const BODY_OVERHEAD_BYTES = 48

/** A decoded envelope. Its shape is checked; its signature is not until {@link verifySealed} says so. */
export interface SealedEnvelope {
  /** Content address, 32 bytes, the same on every network. */
  id: Uint8Array
  header: EnvelopeHeader
  headerBytes: Uint8Array
  body: Uint8Array
  /** Hash of `body` under its tag, 32 bytes: both the id and the signature are over it. */
  bodyHash: Uint8Array
  /** The wraps that this copy carries, in the order of `wrapDigests`. */
  wraps: Wrap[]
  /** Digests (16 bytes) of all wraps that the sender made. */
  wrapDigests: Uint8Array[]
  /** Ed25519 signature (64 bytes) by `header.device` over {@link signedBytes}. */
  signature: Uint8Array
  /** The encoding that was decoded. */
  bytes: Uint8Array
}

/**
 * Decodes a sealed envelope strictly. An envelope of an unknown suite decodes too, so that a gateway can carry it; only its
 * sizes are checked then.
 *
 * Errors: `envelope-too-large`, `envelope-malformed`, `envelope-not-canonical`, `envelope-header-invalid`,
 * `envelope-version-unsupported`, `envelope-padding-invalid`, `envelope-wrap-unlisted`.
 */
export function decodeSealed(bytes: Uint8Array, limits: { maxBytes?: number } = {}): SealedEnvelope {
  const value = decodeCanonical(bytes, { maxBytes: limits.maxBytes ?? LIMITS.sealedBytes, maxDepth: 3 })
  if (!Array.isArray(value) || value.length !== 5) throw malformed('it is not an array of 5 elements')
  const [headerBytes, body, wrapValues, wrapDigests, signature] = value
  if (!(headerBytes instanceof Uint8Array && body instanceof Uint8Array))
    throw malformed('header and body must be byte strings')
  if (!isBytes(signature, 64)) throw malformed('the signature must be 64 bytes')
  const header = decodeHeader(headerBytes)
  checkBodySize(header.suite, body)
  const wraps = readWraps(header.suite, wrapValues)
  checkWrapDigests(header.suite, wraps, wrapDigests)
  const hash = bodyHash(body)
  return {
    id: envelopeIdOfHash(headerBytes, hash),
    header,
    headerBytes,
    body,
    bodyHash: hash,
    wraps,
    wrapDigests,
    signature,
    bytes,
  }
}

/** The bytes under the signature: header, body hash and the digests of all wraps, with the tag `causeway/sig/1`. */
export function signedBytes(
  sealed: Pick<SealedEnvelope, 'headerBytes' | 'body' | 'wrapDigests'>,
): Uint8Array {
  return signatureInput(sealed.headerBytes, sealed.body, sealed.wrapDigests)
}

/**
 * Whether `header.device` signed this envelope. Whether that device may speak for `header.from` is for the certificate or the
 * key log to say.
 */
export async function verifySealed(
  sealed: SealedEnvelope,
  verify: VerifyEd25519 = verifyEd25519,
): Promise<boolean> {
  const { headerBytes, bodyHash: hash, wrapDigests, signature, header } = sealed
  return verify(signature, signatureInputOfHash(headerBytes, hash, wrapDigests), header.device)
}

/**
 * A smaller copy that keeps the wraps of the given keys only. Id and signature stay the same, because the signature covers
 * digests of the dropped wraps. Errors: as {@link decodeSealed}.
 */
export function stripWraps(bytes: Uint8Array, keepKeyIds: Uint8Array[]): Uint8Array {
  const sealed = decodeSealed(bytes)
  const keep = new Set(keepKeyIds.map(toHex))
  return encodeSealed({ ...sealed, wraps: sealed.wraps.filter((wrap) => keep.has(toHex(wrap.keyId))) })
}

/**
 * A copy with the wraps of both, where `other` is another copy of the same envelope. Only wraps that `sealed` lists come in,
 * so that its signature holds for all of them; id and signature stay the same. Null when `other` adds nothing.
 */
export function mergeWraps(sealed: SealedEnvelope, other: SealedEnvelope): Uint8Array | null {
  if (sealed.wraps.length === sealed.wrapDigests.length || !equalBytes(sealed.id, other.id)) return null
  const byDigest = new Map(other.wraps.map((wrap) => [toHex(wrapDigest(wrap)), wrap]))
  for (const wrap of sealed.wraps) byDigest.set(toHex(wrapDigest(wrap)), wrap)
  const wraps = sealed.wrapDigests.flatMap((digest) => byDigest.get(toHex(digest)) ?? [])
  const keys = new Set(wraps.map((wrap) => toHex(wrap.keyId)))
  if (wraps.length === sealed.wraps.length || keys.size < wraps.length) return null
  return encodeSealed({ ...sealed, wraps })
}

function checkBodySize(suite: number, body: Uint8Array): void {
  const overhead = suite === SUITE.none ? 0 : findKeyWrapSuite(suite) ? BODY_OVERHEAD_BYTES : undefined
  if (overhead !== undefined && !PADDING_BUCKETS.includes(body.length - overhead)) {
    throw new EnvelopeError(
      'envelope-padding-invalid',
      `A body of ${body.length} bytes is not padded to a bucket of version 1`,
    )
  }
}

function readWraps(suite: number, values: unknown): Wrap[] {
  if (!Array.isArray(values) || values.length > LIMITS.wraps)
    throw malformed(`wraps must be an array of up to ${LIMITS.wraps}`)
  const known = findKeyWrapSuite(suite)
  return values.map((value) => {
    if (!Array.isArray(value) || value.length !== 3) throw malformed('a wrap must be an array of 3 elements')
    const [keyId, encapsulation, wrappedKey] = value
    const fits = known
      ? isBytes(encapsulation, known.encapsulationBytes) && isBytes(wrappedKey, 48)
      : isShort(encapsulation) && isShort(wrappedKey)
    if (!isBytes(keyId, 16) || !fits)
      throw malformed(`a wrap has a part of the wrong size for suite ${suite}`)
    return { keyId, encapsulation, wrappedKey }
  })
}

function checkWrapDigests(suite: number, wraps: Wrap[], digests: unknown): asserts digests is Uint8Array[] {
  if (
    !Array.isArray(digests) ||
    digests.length > LIMITS.wraps ||
    !digests.every((digest) => isBytes(digest, 16))
  ) {
    throw malformed(`wrapDigests must be up to ${LIMITS.wraps} digests of 16 bytes`)
  }
  if (suite === SUITE.none ? digests.length > 0 : findKeyWrapSuite(suite) && digests.length === 0) {
    throw malformed('suite 0 has no wraps, suites 1 and 2 have at least one')
  }
  if (new Set(digests.map(toHex)).size !== digests.length) throw malformed('a wrap is listed twice')
  if (new Set(wraps.map((wrap) => toHex(wrap.keyId))).size !== wraps.length)
    throw malformed('two wraps are for the same key')
  // In the order of the list, so that one set of wraps has one encoding.
  let position = 0
  for (const wrap of wraps) {
    const digest = wrapDigest(wrap)
    while (position < digests.length && !equalBytes(digests[position]!, digest)) position++
    if (position === digests.length) {
      throw new EnvelopeError(
        'envelope-wrap-unlisted',
        'A wrap is not the one that the sender signed, or is out of order',
      )
    }
    position++
  }
}

function isShort(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length <= LIMITS.unknownSuiteFieldBytes
}

function malformed(reason: string): EnvelopeError {
  return new EnvelopeError('envelope-malformed', `The sealed envelope is malformed: ${reason}`)
}
