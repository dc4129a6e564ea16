/** Items that stand in an inbox and were not sent on, because the wallet held them back or denied their sender. */
import { decodeSealed } from '../envelope/index.ts'
import type { InboxItem, StoredEnvelope } from '../store/port.ts'
import { decodeTrace, type Frames } from './frames.ts'
import type { Outbox } from './outbox.ts'
import type { RelayContext } from './parts.ts'
import type { Resolver } from './recipients.ts'

/** Of one conversation, the latest items that are sent on when it is allowed. */
const LATEST = 200

export interface Held {
  /**
   * Sends the latest items of a conversation to the wallet's endpoints, oldest first. What has deliveries already is left
   * alone, so it may be asked for again. Resolves when the deliveries are durable.
   */
  release(wallet: string, conversation: Uint8Array): Promise<void>
  /**
   * For wallets to which an envelope was not sent, now that it is durable: a choice that was made meanwhile may not have seen
   * it. Never rejects: the envelope is taken, and a choice that is made again sends it on.
   */
  reconsider(envelope: Pick<StoredEnvelope, 'id' | 'from' | 'conversation'>, wallets: string[]): Promise<void>
}

export function createHeld(
  { store, clock, consents, log }: Pick<RelayContext, 'store' | 'clock' | 'consents' | 'log'>,
  tools: { frames: Frames; outbox: Outbox; resolver: Resolver },
): Held {
  const { frames, outbox, resolver } = tools

  async function releaseOne(wallet: string, id: Uint8Array): Promise<void> {
    const known = await store.deliveriesOf(id)
    if (known.some((delivery) => delivery.wallet === wallet)) return
    const stored = await frames.envelope(id)
    if (!stored || (stored.expiresAt !== 0 && stored.expiresAt <= clock.now())) return
    const receivedAt = clock.now()
    const entry = {
      envelope: decodeSealed(stored.bytes),
      via: stored.via,
      trace: decodeTrace(stored.trace),
      certificate: stored.certificate,
      inbound: null,
      receivedAt,
      monotonic: clock.monotonic(),
    }
    // Also over the network on which it was heard: that may have been at the gateway's own address. Another copy does no harm.
    const deliveries = await resolver.plan(entry, { here: [wallet], elsewhere: [], senderServed: false })
    if (deliveries.length === 0) return
    outbox.offer(await store.addDeliveries({ id, deliveries, receivedAt }))
  }

  async function latest(wallet: string, conversation: Uint8Array): Promise<InboxItem[]> {
    const newest = { order: 'newest' as const, after: Number.MAX_SAFE_INTEGER, limit: LATEST }
    const { items } = await store.inbox({ wallet, conversation, ...newest })
    return items.filter(({ direction, mode }) => direction === 'received' && mode !== 'opaque').reverse()
  }

  return {
    async release(wallet, conversation) {
      for (const { id } of await latest(wallet, conversation)) await releaseOne(wallet, id)
    },
    async reconsider(envelope, wallets) {
      if (wallets.length === 0) return
      try {
        const { relayed } = await consents.judge(envelope, wallets)
        for (const wallet of relayed) await releaseOne(wallet, envelope.id)
      } catch (error) {
        log.warn({ error }, 'sending on what was held back failed')
      }
    },
  }
}
