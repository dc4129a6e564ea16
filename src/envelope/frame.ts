import { equalBytes } from './bytes.ts'
import { decodeCanonical, encodeCanonical } from './cbor.ts'
import { EnvelopeError, translateCodes } from './errors.ts'
import { H } from './hash.ts'
import { FLAGS, isBytes, isCount } from './header.ts'
import { LIMITS } from './limits.ts'
import { decodeSealed, type SealedEnvelope } from './sealed.ts'

const NETWORK = /^[a-z][a-z0-9-]{0,31}$/
const GATEWAY = /^[\x21-\x7e]{1,128}$/

/** A gateway that a frame has passed. */
export interface Hop {
  /** Id of the gateway: 1 to 128 printable ASCII characters. */
  gateway: string
  /** Network that it took the frame from, for example `waku`. */
  network: string
  /** Milliseconds since 1970 by that gateway's clock. */
  at: number
}

/** How a message travels: `sealed` by the sender's client, `opaque` network ciphertext, or re-sealed at a gateway (`hop`). */
export type RelayMode = 'sealed' | 'opaque' | 'hop'

/** Kinds of frame. */
export const FRAME_KIND = { envelope: 1, opaque: 2 } as const

/** An envelope or opaque parcel as it rides over a network, with its hop trace. Nothing here is signed but the envelope itself. */
export interface Frame {
  /** 1 = envelope, 2 = opaque parcel. */
  kind: 1 | 2
  /** 32 bytes: the envelope's id, or {@link opaqueIdentifier}. */
  id: Uint8Array
  /** Sealed envelope, or the network's own ciphertext. */
  bytes: Uint8Array
  /** At most 8 hops, oldest first. */
  trace: Hop[]
  /** `opaque` for kind 2; for kind 1 `hop` exactly when the envelope's hop flag is set, else `sealed`. */
  mode: RelayMode
  /** Certificate of the sender's device, for gateways and clients that never met the sender, or null. */
  certificate: Uint8Array | null
}

/** Encodes a frame. Errors: those of {@link decodeFrame}. */
export function encodeFrame(frame: Frame): Uint8Array {
  checkFrame(frame)
  const trace = frame.trace.map((hop) => [hop.gateway, hop.network, hop.at])
  return encodeCanonical([1, frame.kind, frame.id, frame.bytes, trace, frame.mode, frame.certificate])
}

/**
 * Decodes a frame strictly. For kind 1 the envelope inside is decoded too: its id must be the frame's, its hop flag must agree
 * with the mode. `maxBytes` bounds the whole frame; the default leaves room for the largest envelope.
 *
 * Errors: `frame-too-large`, `frame-malformed`, `frame-version-unsupported`, `frame-kind-unsupported`, `frame-hops-exceeded`,
 * `frame-id-mismatch`, and the errors of `decodeSealed` for the envelope inside.
 */
export function decodeFrame(bytes: Uint8Array, limits: { maxBytes?: number } = {}): Frame {
  const maxBytes = limits.maxBytes ?? LIMITS.sealedBytes + LIMITS.frameOverheadBytes
  const value = translateCodes(
    {
      'envelope-too-large': 'frame-too-large',
      'envelope-malformed': 'frame-malformed',
      'envelope-not-canonical': 'frame-malformed',
    },
    () => decodeCanonical(bytes, { maxBytes, maxDepth: 3 }),
  )
  if (!Array.isArray(value)) throw malformed('it is not an array')
  if (value[0] !== 1)
    throw new EnvelopeError(
      'frame-version-unsupported',
      'Only frame version 1 is supported; update this software',
    )
  if (value.length !== 7) throw malformed('it does not have 7 elements')
  const [, kind, id, content, trace, mode, certificate] = value
  const frame = { kind, id, bytes: content, trace: readTrace(trace), mode, certificate }
  checkFrame(frame)
  return frame
}

/** A frame of kind 1 with an empty trace. Errors: as `decodeSealed`; `frame-malformed` for an oversized certificate. */
export function frameForEnvelope(sealedBytes: Uint8Array, certificate: Uint8Array | null): Frame {
  const sealed = decodeSealed(sealedBytes)
  const frame: Frame = {
    kind: 1,
    id: sealed.id,
    bytes: sealedBytes,
    trace: [],
    mode: modeOf(sealed),
    certificate,
  }
  checkCertificate(certificate)
  return frame
}

/** Id of an opaque parcel, 32 bytes, from the network's name and the network's own message id. */
export function opaqueIdentifier(network: string, remoteId: string): Uint8Array {
  return H('causeway/opaque-id/1', network, remoteId)
}

/** The frame with one more hop at the end. Errors: `frame-hops-exceeded` when it has 8 already, `frame-malformed`. */
export function withHop(frame: Frame, hop: Hop): Frame {
  const trace = [...frame.trace, hop]
  checkTrace(trace)
  return { ...frame, trace }
}

function checkFrame(frame: Record<keyof Frame, unknown>): asserts frame is Frame {
  const { kind, id, bytes, trace, mode, certificate } = frame
  if (kind !== FRAME_KIND.envelope && kind !== FRAME_KIND.opaque) {
    throw new EnvelopeError(
      'frame-kind-unsupported',
      'The frame is of a kind that this version does not carry',
    )
  }
  if (!isBytes(id, 32)) throw malformed('the id must be 32 bytes')
  if (!(bytes instanceof Uint8Array)) throw malformed('the content must be a byte string')
  checkTrace(trace)
  checkCertificate(certificate)
  let expected: RelayMode = 'opaque'
  if (kind === FRAME_KIND.envelope) {
    const sealed = decodeSealed(bytes)
    if (!equalBytes(sealed.id, id))
      throw new EnvelopeError('frame-id-mismatch', 'The id of the frame is not that of its envelope')
    expected = modeOf(sealed)
  }
  if (mode !== expected) throw malformed(`the mode must be ${expected} for what it carries`)
}

function modeOf(sealed: SealedEnvelope): RelayMode {
  return (sealed.header.flags & FLAGS.hop) === 0 ? 'sealed' : 'hop'
}

function readTrace(value: unknown): unknown {
  if (!Array.isArray(value)) return value
  return value.map((hop) => {
    if (!Array.isArray(hop) || hop.length !== 3) throw malformed('a hop must be an array of 3 elements')
    const [gateway, network, at] = hop
    return { gateway, network, at }
  })
}

function checkTrace(trace: unknown): asserts trace is Hop[] {
  if (!Array.isArray(trace)) throw malformed('the trace must be an array')
  if (trace.length > LIMITS.hops) {
    throw new EnvelopeError('frame-hops-exceeded', `A frame may pass ${LIMITS.hops} gateways; drop it`)
  }
  for (const { gateway, network, at } of trace as Record<keyof Hop, unknown>[]) {
    if (typeof gateway !== 'string' || !GATEWAY.test(gateway))
      throw malformed('a hop names no valid gateway id')
    if (typeof network !== 'string' || !NETWORK.test(network)) throw malformed('a hop names no valid network')
    if (!isCount(at, Number.MAX_SAFE_INTEGER)) throw malformed('a hop has no valid time')
  }
}

function checkCertificate(certificate: unknown): asserts certificate is Uint8Array | null {
  if (certificate === null) return
  if (!(certificate instanceof Uint8Array) || certificate.length > LIMITS.certificateBytes) {
    throw malformed(`the certificate must be null or at most ${LIMITS.certificateBytes} bytes`)
  }
}

function malformed(reason: string): EnvelopeError {
  return new EnvelopeError('frame-malformed', `The frame is malformed: ${reason}`)
}
