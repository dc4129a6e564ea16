import type { Clock } from '../adapter/index.ts'
import type { Delivery, DeliveryStore } from '../store/port.ts'

type Member = Pick<Delivery, 'id' | 'envelopeId' | 'wallet' | 'network' | 'rank'>

/**
 * The rules between the deliveries of one envelope to one wallet under a `fallback` route. Deliveries of a `mirror` route
 * share one rank and have nothing to do with each other.
 */
export interface Fallback {
  /** The network has it: what else is planned for the wallet is not needed any more, unless it is in flight. */
  carried(member: Member): Promise<void>
  /**
   * The member certainly did not get through for now. Activates the next in line, if none behind it is under way.
   * Answers `superseded` when another network has carried the envelope, so that this member must not be sent again.
   */
  failed(member: Member): Promise<'open' | 'superseded'>
  /** The time of a standby has come. */
  due(deliveryId: number): Promise<void>
  /** Another network has carried it. */
  covered(member: Member): Promise<boolean>
}

export function createFallback(options: {
  store: Pick<DeliveryStore, 'deliveriesOf' | 'getDelivery' | 'moveDelivery'>
  clock: Clock
  /** Hands a delivery that has become pending to the outbox. */
  offer(delivery: Delivery): void
  /** A delivery is superseded and must leave the lanes. */
  superseded(delivery: Delivery): void
}): Fallback {
  const { store, clock, offer } = options

  /** The other deliveries of the same route. */
  async function others(member: Member): Promise<Delivery[]> {
    const deliveries = await store.deliveriesOf(member.envelopeId)
    return deliveries.filter(
      (other) => other.id !== member.id && other.wallet === member.wallet && other.rank !== member.rank,
    )
  }

  async function supersede(id: number, by: string): Promise<void> {
    const at = clock.now()
    const { moved, delivery } = await store.moveDelivery({
      id,
      from: ['pending', 'standby', 'uncertain'],
      to: 'superseded',
      nextAt: null,
      reason: `carried-by:${by}`,
      checkpoint: {
        name: 'dispatched',
        status: 'superseded',
        at,
        monotonic: clock.monotonic(),
        detail: `carried-by:${by}`,
      },
      at,
    })
    if (moved && delivery) options.superseded(delivery)
  }

  async function activate(id: number): Promise<void> {
    const { moved, delivery } = await store.moveDelivery({
      id,
      from: ['standby'],
      to: 'pending',
      nextAt: null,
      at: clock.now(),
    })
    if (moved && delivery) offer(delivery)
  }

  const hasIt = (delivery: Delivery) => delivery.state === 'acknowledged'

  return {
    async carried(member) {
      for (const other of await others(member)) {
        if (other.state === 'pending' || other.state === 'standby' || other.state === 'uncertain') {
          await supersede(other.id, member.network)
        }
      }
    },
    async failed(member) {
      const rest = await others(member)
      const carrier = rest.find(hasIt)
      if (carrier) {
        await supersede(member.id, carrier.network)
        return 'superseded'
      }
      const behind = rest
        .filter((other) => other.rank > member.rank)
        .toSorted((left, right) => left.rank - right.rank)
      // One further network at a time: what stands behind a network that is being tried waits for that one.
      if (behind.every((other) => other.state === 'standby' || other.state === 'dead')) {
        const next = behind.find((other) => other.state === 'standby')
        if (next) await activate(next.id)
      }
      return 'open'
    },
    async due(deliveryId) {
      const delivery = await store.getDelivery(deliveryId)
      if (delivery?.state !== 'standby') return
      const carrier = (await others(delivery)).find(hasIt)
      if (carrier) await supersede(delivery.id, carrier.network)
      else await activate(delivery.id)
    },
    async covered(member) {
      return (await others(member)).some(hasIt)
    },
  }
}
