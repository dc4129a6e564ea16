import { LRUCache } from 'lru-cache'
import { type Adapter, AdapterError, type Receipt, type SendIntent } from '../adapter/index.ts'
import { FLAGS } from '../envelope/index.ts'
import type { Delivery, StoredEnvelope } from '../store/port.ts'
import { withDeadline } from './deadline.ts'
import type { Frames } from './frames.ts'
import type { RelayContext } from './parts.ts'

/** How long an adapter may take to obey its signal before its slot is taken from it. */
export const OBEY_MS = 1_000
/** Addresses known to have been provisioned; more are provisioned once again, which is harmless. */
const PROVISIONED_ADDRESSES = 50_000

/** One call of an adapter's `send`, and what has to be done before it. */
export interface Transmitter {
  intentFor(delivery: Delivery, envelope: StoredEnvelope, adapter: Adapter): Promise<SendIntent>
  /**
   * Provisions the address when it is new, builds the frame, sends it. Rejects with what the adapter rejected with, with
   * `AdapterError` of class `retryable` for whatever failed before the send, or with the abort reason when the adapter did
   * not answer in time; `late` is told an answer that came after that.
   */
  transmit(
    adapter: Adapter,
    delivery: Delivery,
    envelope: StoredEnvelope,
    late: (receipt: Receipt) => void,
  ): Promise<Receipt>
}

export function createTransmitter(
  context: Pick<RelayContext, 'clock' | 'settings' | 'directory' | 'log'>,
  frames: Frames,
  hardStop: AbortSignal,
): Transmitter {
  const { clock, settings, directory, log } = context
  const limits = { milliseconds: settings.sendTimeoutMs, graceMs: OBEY_MS, signal: hardStop }
  const provisioned = new LRUCache<string, true>({ max: settings.cacheEntries ?? PROVISIONED_ADDRESSES })

  async function intentFor(
    delivery: Delivery,
    envelope: StoredEnvelope,
    adapter: Adapter,
  ): Promise<SendIntent> {
    const sender = await directory.endpoints(envelope.from)
    return {
      transactionId: delivery.transactionId,
      envelopeId: envelope.id,
      frame: await frames.outgoing(envelope, delivery.wallet, adapter.capabilities().maxFrameBytes),
      to: { wallet: delivery.wallet, address: delivery.address },
      from: {
        wallet: envelope.from,
        address: sender.find((endpoint) => endpoint.network === delivery.network)?.address ?? null,
      },
      conversation: envelope.conversation,
      ephemeral: (envelope.flags & FLAGS.ephemeral) !== 0,
      silent: (envelope.flags & FLAGS.silent) !== 0,
      attempt: delivery.attempt,
    }
  }

  async function provision({ identity }: Adapter, { network, wallet, address }: Delivery): Promise<void> {
    const key = `${network}\n${address}`
    if (!identity?.provision || provisioned.has(key)) return
    await withDeadline(clock, limits, async (signal) => identity.provision?.({ wallet, address }, signal))
    provisioned.set(key, true)
  }

  /** Whatever fails before the send is certain not to have sent anything. */
  async function prepared(
    adapter: Adapter,
    delivery: Delivery,
    envelope: StoredEnvelope,
  ): Promise<SendIntent> {
    try {
      await provision(adapter, delivery)
      return await intentFor(delivery, envelope, adapter)
    } catch (error) {
      if (AdapterError.is(error) && error.class !== 'uncertain') throw error
      throw new AdapterError('retryable', 'the send could not be prepared', { cause: error })
    }
  }

  return {
    intentFor,
    async transmit(adapter, delivery, envelope, late) {
      const intent = await prepared(adapter, delivery, envelope)
      return withDeadline(clock, limits, (signal) => adapter.send(intent, signal), {
        resolved: late,
        rejected: (error) =>
          log.debug(
            { network: delivery.network, delivery: delivery.id, error },
            'a send that had timed out failed',
          ),
      })
    },
  }
}
