import type { Delivery } from '../store/port.ts'
import type { Checks, Entry } from './checks.ts'
import { decodeTrace, type Frames } from './frames.ts'
import type { Outbox } from './outbox.ts'
import type { RelayContext } from './parts.ts'
import type { Resolver } from './recipients.ts'

/**
 * Sends an envelope on that was heard on a network before its sender posted it here. What is heard goes on to the wallets of
 * this gateway alone; with the post, the sender asks for the other recipients too.
 */
export interface Strangers {
  /**
   * The deliveries of a posted envelope that is taken already, with new ones for recipients that are not served here and
   * that nobody has asked for yet. Throws like a first post when there are such and the posted copy is not in order.
   */
  deliveries(entry: Entry): Promise<Delivery[]>
}

export function createStrangers(
  context: Pick<RelayContext, 'store' | 'directory' | 'admission'>,
  tools: { checks: Checks; resolver: Resolver; frames: Frames; outbox: Outbox },
): Strangers {
  const { store, directory, admission } = context
  const { checks, resolver, frames, outbox } = tools

  async function unasked(to: readonly string[], known: Delivery[]): Promise<string[]> {
    const left = to.filter((wallet) => !known.some((delivery) => delivery.wallet === wallet))
    const served = await directory.servedAmong(left)
    return left.filter((wallet) => !served.has(wallet))
  }

  return {
    async deliveries(entry) {
      const { envelope, receivedAt, via } = entry
      const { id, bytes, header } = envelope
      const known = await store.deliveriesOf(id)
      const elsewhere = await unasked(header.to, known)
      if (elsewhere.length === 0) return known
      const stored = await frames.envelope(id)
      if (!stored) return known
      const heard = { ...entry, trace: decodeTrace(stored.trace) }
      const planned = await resolver.plan(heard, { here: [], elsewhere, senderServed: true })
      if (planned.length === 0) return known
      checks.times(entry)
      await checks.sender(entry)
      await admission.admit({ from: header.from, to: elsewhere, via, bytes: bytes.length, stranger: null })
      // The copy that was heard may lack the strangers' key wraps. One without gaps takes its place.
      const whole = envelope.wraps.length === envelope.wrapDigests.length
      const added = await store.addDeliveries({
        id,
        deliveries: planned,
        receivedAt,
        ...(whole ? { bytes } : {}),
      })
      if (whole) frames.remember({ ...stored, bytes })
      outbox.offer(added)
      return [...known, ...added]
    },
  }
}
