/**
 * Hop requests: envelopes that a wallet's device seals to its gateway, to be sent as native messages by the client that the
 * gateway is on a network. They are kept sealed and opened in memory only.
 */
import { AdapterError, type ContentSupport, type NativeIntent, type Rendering } from '../adapter/index.ts'
import { render } from '../content/index.ts'
import type { ActiveEnrolment } from '../enrolment/types.ts'
import {
  decodeSealed,
  equalBytes,
  FLAGS,
  type HopRequest,
  isHop,
  openSealed,
  readHopOrigin,
  readHopRequest,
  type SealedEnvelope,
  SUITE,
} from '../envelope/index.ts'
import type { AcceptRecord, Delivery, StoredEnvelope } from '../store/port.ts'
import type { Checks, Entry } from './checks.ts'
import { RelayError } from './errors.ts'
import { encodeTrace, type Frames } from './frames.ts'
import { type HopParts, hopAddress, nativeAlias, transactionAlias } from './hop.ts'
import { nativeOf } from './hop-content.ts'
import type { RelayContext } from './parts.ts'
import { transactionIdOf } from './route.ts'

export interface HopRequests {
  /** Everything from the shape on, up to what is to be stored. Throws `RelayError`, `EnvelopeError`. */
  record(entry: Entry): Promise<AcceptRecord>
}

export function createHopRequests(
  context: Pick<RelayContext, 'gateway' | 'admission' | 'hop'>,
  checks: Checks,
): HopRequests {
  const { hop } = context

  function requireEnrolment(wallet: string, request: HopRequest): ActiveEnrolment {
    const enrolment = request.gateway === context.gateway ? hop?.enrolments.of(wallet, request.network) : null
    if (!enrolment) {
      throw new RelayError(
        'hop-not-enrolled',
        'The wallet has not enrolled this gateway on the network that the request names',
      )
    }
    return enrolment
  }

  /** Now, so that the sender hears of it: at the time of the send nobody would. */
  async function requireOpens(envelope: SealedEnvelope): Promise<void> {
    const { header, wraps } = envelope
    const key = hop?.openingKey
    const isEncrypted = header.suite !== SUITE.none
    if (!key || !isEncrypted || !wraps.some((wrap) => equalBytes(wrap.keyId, key.keyId))) {
      throw new RelayError('hop-key-missing', 'The request is not sealed to this gateway’s own key')
    }
    await openSealed(envelope, { privateKeys: [key] })
  }

  return {
    async record(entry) {
      const { envelope, via, receivedAt, monotonic } = entry
      const { header, id, bytes } = envelope
      const request = readHopRequest(header)
      checks.times(entry)
      const enrolment = requireEnrolment(header.from, request)
      await checks.sender(entry)
      await requireOpens(envelope)
      if (!(await hop?.enrolments.holds(enrolment.id))) {
        throw new RelayError('hop-not-enrolled', 'The enrolment has ended')
      }
      const { from, to, ttl, created } = header
      await context.admission.admit({ from, to, via, bytes: bytes.length, stranger: null })
      const address = hopAddress(enrolment.id)
      const transactionId = transactionIdOf(id, request.network, address)
      return {
        id,
        kind: 1,
        mode: 'hop',
        from,
        device: header.device,
        conversation: header.conversation,
        contentType: header.contentType,
        flags: header.flags,
        created,
        expiresAt: ttl === 0 ? 0 : created + ttl * 1000,
        bytes,
        certificate: null,
        trace: encodeTrace([]),
        via,
        receivedAt,
        monotonic,
        inbox: [{ wallet: from, direction: 'sent' }],
        deliveries: [
          {
            wallet: to[0]!,
            network: request.network,
            address,
            transactionId,
            state: 'pending',
            rank: 0,
            notBefore: null,
          },
        ],
        // An echo may come before the network's answer, or instead of it.
        alias: { network: request.network, remoteId: transactionAlias(enrolment.id, transactionId) },
      }
    },
  }
}

/** How a request is sent. Holds plaintext: it is dropped when the send has ended. */
export interface PlannedSend {
  rendering: Rendering
  /** Null: the network's clients would see nothing of it, and it is not sent. */
  intentOf: ((delivery: Pick<Delivery, 'transactionId' | 'attempt'>) => NativeIntent) | null
}

/** Sends that are under way, by enrolment. */
export interface HopSends {
  /** Opens the request and decides by what the network declares (null: nothing) how it is to be sent. */
  plan(enrolment: string, support: ContentSupport | null, envelope: StoredEnvelope): Promise<PlannedSend>
  /** Notes a send until it has ended, whatever its end. */
  track<T>(enrolment: string, send: Promise<T>): Promise<T>
  /** Resolves when the sends that are under way now have ended, and what they told is stored. */
  settled(enrolment: string): Promise<void>
}

export function createHopSends(
  context: Pick<RelayContext, 'store'>,
  hop: HopParts,
  frames: Frames,
): HopSends {
  const underWay = new Map<string, Set<Promise<unknown>>>()

  /** The network's own id of a message that the sender has in its inbox. */
  async function remoteIdOf(
    { id, wallet, network }: ActiveEnrolment,
    envelopeId: Uint8Array | null,
  ): Promise<string | null> {
    const envelope = envelopeId && (await frames.envelope(envelopeId))
    if (envelope?.mode !== 'hop' || !envelope.wallets.includes(wallet)) return null
    if (equalBytes(envelope.device, hop.device.publicKey)) {
      const origin = readHopOrigin(decodeSealed(envelope.bytes).header)
      return origin.network === network ? origin.id : null
    }
    const prefix = nativeAlias(id, '')
    const sent = (await context.store.deliveriesOf(envelope.id)).flatMap(({ remoteIds }) => remoteIds)
    return sent.find((alias) => alias.startsWith(prefix))?.slice(prefix.length) ?? null
  }

  return {
    async plan(id, support, envelope) {
      const enrolment = hop.enrolments.get(id)
      if (!enrolment) throw new AdapterError('permanent', 'the wallet has ended this enrolment')
      const sealed = decodeSealed(envelope.bytes)
      const request = readHopRequest(sealed.header)
      const inner = await openSealed(sealed, { privateKeys: [hop.openingKey] })
      const [reference, replaces] = await Promise.all([
        remoteIdOf(enrolment, inner.inReplyTo),
        remoteIdOf(enrolment, inner.replaces),
      ])
      const asked = { content: nativeOf(inner), reference, replaces }
      const { rendering, outgoing } = support
        ? render(support, { ...asked, revises: inner.replaces !== null })
        : { rendering: 'native' as const, outgoing: asked }
      if (outgoing === null) return { rendering, intentOf: null }
      const { conversation } = request
      const to = conversation === null ? { wallet: sealed.header.to[0]! } : { conversation }
      const silent = (envelope.flags & FLAGS.silent) !== 0
      return {
        rendering,
        intentOf: ({ transactionId, attempt }) => {
          return { enrolment: id, transactionId, envelopeId: envelope.id, to, ...outgoing, silent, attempt }
        },
      }
    },
    track(enrolment, send) {
      const own = underWay.get(enrolment) ?? new Set()
      underWay.set(enrolment, own.add(send))
      const forget = () => {
        own.delete(send)
        if (own.size === 0) underWay.delete(enrolment)
      }
      send.then(forget, forget)
      return send
    },
    async settled(enrolment) {
      await Promise.allSettled(underWay.get(enrolment) ?? [])
    },
  }
}

/** Whether the envelope is a request to this gateway, and not what a gateway attests. */
export function isHopRequest({ header }: SealedEnvelope): boolean {
  return (
    isHop(header) &&
    typeof header.ext.hop === 'object' &&
    header.ext.hop !== null &&
    !('id' in header.ext.hop)
  )
}
