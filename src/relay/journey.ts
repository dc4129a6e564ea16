import { toHex } from '../envelope/index.ts'
import type { Checkpoint, Delivery, StoredEnvelope } from '../store/port.ts'
import type { Outbox } from './outbox.ts'
import type { RelayContext } from './parts.ts'
import { createSerializer } from './serializer.ts'
import type { ClientReceipt } from './types.ts'

/** What clients and operators read of an envelope's way, and what clients add to it. */
export interface Journeys {
  receipts(wallet: string, receipts: ClientReceipt[]): Promise<number>
  journey(id: Uint8Array): Promise<{ checkpoints: Checkpoint[]; deliveries: Delivery[] }>
}

export function createJourneys(context: RelayContext, outbox: Outbox): Journeys {
  const { store, clock, networks } = context
  /** What is known is read before more is noted: receipts for one envelope take turns. */
  const inTurn = createSerializer()

  /** A wallet's receipts for one envelope. Counts those that are new; a repeated receipt changes nothing. */
  async function receiptsOf(
    envelope: StoredEnvelope,
    wallet: string,
    receipts: ClientReceipt[],
  ): Promise<number> {
    const [known, deliveries] = await Promise.all([
      store.journey(envelope.id),
      store.deliveriesOf(envelope.id),
    ])
    const points: Checkpoint[] = []
    for (const { network, kind, at } of receipts) {
      if (network !== 'http' && !networks.get(network)) continue
      const delivery = deliveries.find((other) => other.network === network && other.wallet === wallet)
      const repeated = [...known, ...points].some(
        (point) => point.name === kind && point.network === network && point.wallet === wallet,
      )
      if (repeated) continue
      points.push({
        name: kind,
        status: 'success',
        at,
        monotonic: clock.monotonic(),
        deliveryId: delivery?.id ?? null,
        network,
        wallet,
        detail: 'client-clock',
      })
      if (delivery?.state === 'uncertain') await arrived(delivery)
    }
    if (points.length > 0) await store.addCheckpoints(envelope.id, points)
    return points.length
  }

  /** The recipient has it: an uncertain send did arrive. */
  async function arrived(uncertain: Delivery): Promise<void> {
    const { moved, delivery } = await store.moveDelivery({
      id: uncertain.id,
      from: ['uncertain'],
      to: 'acknowledged',
      nextAt: null,
      reason: null,
      at: clock.now(),
    })
    if (moved && delivery) await outbox.settled(delivery)
  }

  return {
    async receipts(wallet, receipts) {
      const byEnvelope = Map.groupBy(receipts, (receipt) => toHex(receipt.id))
      let noted = 0
      for (const group of byEnvelope.values()) {
        const envelope = await store.getEnvelope(group[0]!.id)
        // One that is unknown or somebody else's is passed over in silence: an answer would tell that it exists. The
        // sender's own copy was never on its way.
        if (!envelope?.wallets.includes(wallet)) continue
        if (envelope.from === wallet && envelope.wallets.length > 1) continue
        noted += await inTurn(toHex(envelope.id), () => receiptsOf(envelope, wallet, group))
      }
      return noted
    },
    async journey(id) {
      const [checkpoints, deliveries] = await Promise.all([store.journey(id), store.deliveriesOf(id)])
      return { checkpoints, deliveries }
    },
  }
}
