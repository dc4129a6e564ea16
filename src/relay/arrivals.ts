import { LRUCache } from 'lru-cache'
import type { DeliverResult, Inbound } from '../adapter/index.ts'
import { decodeFrame, decodeSealed, equalBytes, FRAME_KIND, stripWraps, toHex } from '../envelope/index.ts'
import type { Delivery, DeliveryState, StoredEnvelope } from '../store/port.ts'
import type { Frames } from './frames.ts'
import type { LoopGuard } from './loop-guard.ts'
import type { Outbox } from './outbox.ts'
import type { RelayContext } from './parts.ts'
import { createSerializer } from './serializer.ts'

/** Network messages of which it is remembered by default that nothing is left to do; the store knows the rest. */
const REMEMBERED_MESSAGES = 50_000

/** States in which a copy at the address makes a send needless, or tells that it succeeded. */
const UNSETTLED: DeliveryState[] = ['pending', 'standby', 'dispatching', 'uncertain', 'dead']

/** What is done with messages that carry an envelope which this gateway has already. */
export interface Arrivals {
  /** Layer 2 of the loop guard: the answer for a network message that was heard or sent before, else null. */
  known(network: string, message: Pick<Inbound, 'remoteId'>): Promise<DeliverResult | null>
  /** The network has it at the delivery's address. `echo`: by our own send. */
  settle(delivery: Delivery, remoteId: string, echo: boolean): Promise<void>
  /** A copy of a taken envelope: settles the delivery to the place where it was heard. */
  again(network: string, inbound: Inbound, id: Uint8Array, sealed: Uint8Array): Promise<DeliverResult>
  /** Nothing is left to do for this network message, should it come again. */
  remember(network: string, remoteId: string, result: DeliverResult): void
}

export function createArrivals(
  context: RelayContext,
  tools: { guard: LoopGuard; frames: Frames; outbox: Outbox },
): Arrivals {
  const { store, clock, settings, networks } = context
  const { guard, frames, outbox } = tools
  const inTurn = createSerializer()
  const remembered = new LRUCache<string, DeliverResult>({
    max: settings.cacheEntries ?? REMEMBERED_MESSAGES,
  })

  const keyOf = (network: string, remoteId: string) => `${network}\n${remoteId}`

  function remember(network: string, remoteId: string, result: DeliverResult): void {
    remembered.set(keyOf(network, remoteId), result)
  }

  /** Writes `remoteEcho` for a delivery once, though stream and history may bring the echo at the same moment. */
  async function noteEcho({ id: deliveryId, envelopeId, network, wallet }: Delivery): Promise<void> {
    await inTurn(String(deliveryId), async () => {
      const journey = await store.journey(envelopeId)
      if (journey.some((point) => point.name === 'remoteEcho' && point.deliveryId === deliveryId)) return
      const moment = { at: clock.now(), monotonic: clock.monotonic() }
      await store.addCheckpoints(envelopeId, [
        { name: 'remoteEcho', status: 'success', ...moment, deliveryId, network, wallet, detail: null },
      ])
    })
  }

  /** The network has it at the delivery's address. `echo`: by our own send. */
  async function settle(delivery: Delivery, remoteId: string, echo: boolean): Promise<void> {
    const at = clock.now()
    const { moved, delivery: now } = await store.moveDelivery({
      id: delivery.id,
      from: UNSETTLED,
      to: 'acknowledged',
      nextAt: null,
      reason: null,
      remoteIds: [remoteId],
      checkpoint: {
        name: echo ? 'remoteEcho' : 'remoteAcknowledged',
        status: 'success',
        at,
        monotonic: clock.monotonic(),
        detail: echo ? null : 'already-there',
      },
      at,
    })
    if (moved && now) return outbox.settled(now)
    if (echo) await noteEcho(delivery)
    await store.addAlias(delivery.network, remoteId, delivery.envelopeId, at)
  }

  /** A parcel, or the notice of one that is too large, has no copies: what comes back is what was sent. */
  async function isOurParcel(
    bytes: Uint8Array,
    parcel: StoredEnvelope,
    { network, wallet }: Delivery,
  ): Promise<boolean> {
    const adapter = networks.get(network)?.adapter
    if (!adapter) return false
    const sent = await frames.outgoing(parcel, wallet, adapter.capabilities().maxFrameBytes)
    return equalBytes(bytes, decodeFrame(sent).bytes)
  }

  /**
   * Whether a heard copy is as good for the recipient as one that we would send: the same bytes, or the same envelope with
   * nothing missing but wraps of others. Anyone can put a crippled copy at an address; it must not stand for ours.
   */
  async function isFaithful(sealed: Uint8Array, delivery: Delivery): Promise<boolean> {
    const envelope = await frames.envelope(delivery.envelopeId)
    if (!envelope) return false
    if (envelope.kind === FRAME_KIND.opaque) return isOurParcel(sealed, envelope, delivery)
    if (equalBytes(sealed, envelope.bytes)) return true
    const keyIds = decodeSealed(sealed).wraps.map((wrap) => wrap.keyId)
    return (
      equalBytes(sealed, stripWraps(envelope.bytes, keyIds)) &&
      (await frames.opensFor(sealed, delivery.wallet, envelope.receivedAt))
    )
  }

  return {
    remember,
    settle,
    async known(network, { remoteId }) {
      const earlier = remembered.get(keyOf(network, remoteId))
      if (earlier) return earlier
      const id = await guard.byRemoteId(network, remoteId)
      if (!id) return null
      const sent = (await store.deliveriesOf(id)).find(
        (delivery) => delivery.network === network && delivery.remoteIds.includes(remoteId),
      )
      if (sent) await noteEcho(sent)
      const result: DeliverResult = { outcome: sent ? 'echo' : 'duplicate', id: toHex(id) }
      remember(network, remoteId, result)
      return result
    },
    async again(network, inbound, id, sealed) {
      const { remoteId, to } = inbound
      const deliveries = await store.deliveriesOf(id)
      const sent = guard.byTransaction(deliveries, network, inbound)
      const here = sent
        ? [sent]
        : deliveries.filter((delivery) => delivery.network === network && delivery.address === to)
      let settled = 0
      for (const delivery of here) {
        if (!(await isFaithful(sealed, delivery))) continue
        await settle(delivery, remoteId, sent !== null)
        settled++
      }
      if (settled === 0) await store.addAlias(network, remoteId, id, clock.now())
      const result: DeliverResult = { outcome: sent ? 'echo' : 'duplicate', id: toHex(id) }
      remember(network, remoteId, result)
      return result
    },
  }
}
