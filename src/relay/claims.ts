import type { NewDelivery } from '../store/port.ts'
import type { OutboxItem } from './dispatch.ts'
import { enrolmentOf } from './hop.ts'
import { type Lanes, laneOf } from './lanes.ts'
import type { RelayContext } from './parts.ts'
import { OBEY_MS } from './transmit.ts'

/** What one acceptance claims. */
export interface Claim {
  /** All that was planned, what is claimed as `dispatching`. */
  deliveries: NewDelivery[]
  /** To be called once the deliveries were offered, or not stored at all. */
  end(): void
}

/** Deliveries that are stored as being sent already, so that their first try needs no transaction of its own. */
export interface Claims {
  claim(planned: NewDelivery[], conversation: Uint8Array, mayQueue: (network: string) => boolean): Claim
  /**
   * Of an item that could not run at once: makes it `pending`, since what is left as `dispatching` by the end of the process
   * counts as sent perhaps. Nothing is done with the item until then.
   */
  giveBack(item: OutboxItem): void
  /** Resolves when nothing is being given back. */
  settled(): Promise<void>
}

export function createClaims(
  { store, clock, settings, networks, log }: RelayContext,
  lanes: Pick<Lanes<OutboxItem>, 'reserve' | 'unreserve'>,
): Claims {
  const working = new Set<Promise<void>>()

  async function makePending(item: OutboxItem, attempt: number): Promise<void> {
    const at = clock.now()
    try {
      await store.moveDelivery({
        id: item.id,
        from: ['dispatching'],
        to: 'pending',
        attempt,
        nextAt: null,
        checkpoint: {
          name: 'dispatched',
          status: 'willRetry',
          at,
          monotonic: clock.monotonic(),
          detail: 'queued',
        },
        at,
      })
      item.claimed = null
    } catch (error) {
      // It is still claimed, and sent as such.
      log.error({ network: item.network, delivery: item.id, error }, 'a claim could not be given back')
    } finally {
      item.returning = null
    }
  }

  return {
    claim(planned, conversation, mayQueue) {
      const reserved: { network: string; lane: string }[] = []
      const isClaimable = ({ network, address, state, rank }: NewDelivery) =>
        state === 'pending' &&
        rank === 0 &&
        planned.every((other) => other.network === network || other.rank === 0) &&
        planned.filter((other) => other.network === network && other.address === address).length === 1 &&
        !mayQueue(network) &&
        networks.get(network) !== undefined &&
        enrolmentOf({ address }) === null
      const lease = clock.now() + settings.sendTimeoutMs + OBEY_MS
      const deliveries = planned.map((delivery) => {
        const { network, address } = delivery
        const lane = laneOf(address, conversation)
        if (!isClaimable(delivery) || !lanes.reserve(network, lane)) return delivery
        reserved.push({ network, lane })
        return { ...delivery, state: 'dispatching' as const, notBefore: lease }
      })
      return {
        deliveries,
        end() {
          for (const { network, lane } of reserved.splice(0)) lanes.unreserve(network, lane)
        },
      }
    },
    giveBack(item) {
      if (item.claimed === null || item.returning !== null) return
      const work: Promise<void> = makePending(item, item.claimed.attempt - 1).finally(() =>
        working.delete(work),
      )
      working.add(work)
      item.returning = work
    },
    async settled() {
      while (working.size > 0) await Promise.all(working)
    },
  }
}
