import { LRUCache } from 'lru-cache'
import { AdapterError } from '../adapter/index.ts'
import {
  decodeCanonical,
  decodeSealed,
  encodeCanonical,
  encodeFrame,
  FRAME_KIND,
  type Hop,
  LIMITS,
  SUITE,
  stripWraps,
  toHex,
} from '../envelope/index.ts'
import type { DeviceTrust } from '../identity/types.ts'
import type { EnvelopeStore, IdentityStore, StoredEnvelope } from '../store/port.ts'

/** Bytes of envelopes that are kept in memory for the sends right after their acceptance. */
const CACHE_BYTES = 32 * 1024 * 1024

/** Canonical CBOR of a hop trace, as the store keeps it. */
export function encodeTrace(trace: Hop[]): Uint8Array {
  return encodeCanonical(trace.map((hop) => [hop.gateway, hop.network, hop.at]))
}

/** The hop trace that {@link encodeTrace} made. */
export function decodeTrace(bytes: Uint8Array): Hop[] {
  const hops = decodeCanonical(bytes, { maxBytes: LIMITS.frameOverheadBytes, maxDepth: 2 })
  return (hops as [string, string, number][]).map(([gateway, network, at]) => ({ gateway, network, at }))
}

/** Makes the frames that leave this gateway. */
export interface Frames {
  /** Keeps an envelope in memory for a while. */
  remember(envelope: StoredEnvelope): void
  /** Whether an envelope is in memory: it is then taken, and durable. */
  remembers(id: Uint8Array): boolean
  /** From memory or the store. Null when it was pruned. */
  envelope(id: Uint8Array): Promise<StoredEnvelope | null>
  /**
   * The frame of an envelope for one recipient: the trace with which it came and this gateway's own hop, the mode as it
   * was, the certificate from the key log or else the one that came along.
   *
   * All wraps go along while they fit into `maxFrameBytes`. If they do not, those of the recipient's prekeys alone are
   * kept, where this gateway knows them. If that is too large still, throws `AdapterError` of class `tooLarge`. An opaque
   * parcel that is too large goes as a notice: the same frame without bytes.
   */
  outgoing(envelope: StoredEnvelope, wallet: string, maxFrameBytes: number): Promise<Uint8Array>
  /** Whether a copy holds a wrap for one of the wallet's prekeys. An envelope that is not encrypted needs none. */
  opensFor(sealed: Uint8Array, wallet: string, at: number): Promise<boolean>
}

export function createFrames(options: {
  gateway: string
  store: Pick<EnvelopeStore, 'getEnvelope'> & Pick<IdentityStore, 'prekeys'>
  trust: Pick<DeviceTrust, 'certificateOf'>
}): Frames {
  const { gateway, store, trust } = options
  const recent = new LRUCache<string, StoredEnvelope>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (envelope) => envelope.bytes.length + 1024,
  })

  /** Key ids of the wraps in this copy that are the wallet's. */
  async function keysOf(sealed: Uint8Array, wallet: string, at: number): Promise<Uint8Array[]> {
    const known = new Set((await store.prekeys(wallet, at)).map((prekey) => toHex(prekey.keyId)))
    return decodeSealed(sealed)
      .wraps.map((wrap) => wrap.keyId)
      .filter((keyId) => known.has(toHex(keyId)))
  }

  /** The notice says which parcel waits here: its client fetches it by the id, or from the network itself. */
  function parcelFrame(parcel: StoredEnvelope, maxFrameBytes: number): Uint8Array {
    const { id, kind, mode, via, receivedAt, bytes } = parcel
    const trace = [...decodeTrace(parcel.trace), { gateway, network: via, at: receivedAt }]
    const frame = { kind, id, bytes, trace, mode, certificate: null }
    const whole = encodeFrame(frame)
    return whole.length <= maxFrameBytes ? whole : encodeFrame({ ...frame, bytes: new Uint8Array() })
  }

  return {
    remember(envelope) {
      recent.set(toHex(envelope.id), envelope)
    },
    remembers: (id) => recent.has(toHex(id)),
    async envelope(id) {
      return recent.get(toHex(id)) ?? store.getEnvelope(id)
    },
    async outgoing(envelope, wallet, maxFrameBytes) {
      const { id, kind, mode, via, receivedAt } = envelope
      if (kind === FRAME_KIND.opaque) return parcelFrame(envelope, maxFrameBytes)
      const certificate = (await trust.certificateOf(envelope.from, envelope.device)) ?? envelope.certificate
      const trace = [...decodeTrace(envelope.trace), { gateway, network: via, at: receivedAt }]
      const frameOf = (bytes: Uint8Array) => encodeFrame({ kind, id, bytes, trace, mode, certificate })
      const whole = frameOf(envelope.bytes)
      if (whole.length <= maxFrameBytes) return whole
      const keep = await keysOf(envelope.bytes, wallet, receivedAt)
      const stripped = keep.length > 0 ? frameOf(stripWraps(envelope.bytes, keep)) : whole
      if (stripped.length <= maxFrameBytes) return stripped
      throw new AdapterError(
        'tooLarge',
        `the frame has ${stripped.length} bytes, the network takes ${maxFrameBytes}`,
      )
    },
    async opensFor(sealed, wallet, at) {
      if (decodeSealed(sealed).header.suite === SUITE.none) return true
      return (await keysOf(sealed, wallet, at)).length > 0
    },
  }
}
