import { LRUCache } from 'lru-cache'
import {
  type Adapter,
  AdapterError,
  type EnrolmentFacet,
  type Receipt,
  type SendIntent,
} from '../adapter/index.ts'
import { ContentError } from '../content/index.ts'
import type { EnrolmentDirectory } from '../enrolment/types.ts'
import { EnvelopeError, FLAGS } from '../envelope/index.ts'
import type { Delivery, StoredEnvelope } from '../store/port.ts'
import { withDeadline } from './deadline.ts'
import type { Frames } from './frames.ts'
import { aliasedReceipt, enrolmentOf } from './hop.ts'
import type { HopSends, PlannedSend } from './hop-out.ts'
import type { RelayContext } from './parts.ts'

/** How long an adapter may take to obey its signal before its slot is taken from it. */
export const OBEY_MS = 1_000
/** Addresses known to have been provisioned; more are provisioned once again, which is harmless. */
const PROVISIONED_ADDRESSES = 50_000

/** One call of an adapter's `send`, or of its enrolment facet's, and what has to be done before it. */
export interface Transmitter {
  /**
   * How a hop request will be sent; null for everything else. What fails here is told by `transmit`, to which it is given.
   */
  plan(
    adapter: Adapter,
    delivery: Pick<Delivery, 'address'>,
    envelope: StoredEnvelope,
  ): Promise<SendPlan | null>
  /**
   * How an earlier send is looked up. `resend`: it may be repeated instead, for the network takes it once. `find` is null
   * where the network cannot be asked.
   */
  lookUp(
    adapter: Adapter,
    delivery: Pick<Delivery, 'address'>,
  ): {
    resend: boolean
    find:
      | ((delivery: Delivery, envelope: StoredEnvelope, signal: AbortSignal) => Promise<Receipt | null>)
      | null
  }
  /**
   * Provisions the address when it is new, builds the frame, sends it. Rejects with what the adapter rejected with, with
   * `AdapterError` of class `retryable` for whatever failed before the send, or with the abort reason when the adapter did
   * not answer in time; `late` is told an answer that came after that.
   */
  transmit(
    adapter: Adapter,
    delivery: Delivery,
    envelope: StoredEnvelope,
    plan: SendPlan | null,
    late: (receipt: Receipt) => void,
  ): Promise<Receipt>
}

export type SendPlan = { planned: PlannedSend } | { failure: AdapterError }

export function createTransmitter(
  context: Pick<RelayContext, 'clock' | 'settings' | 'directory' | 'log' | 'hop' | 'consents'>,
  frames: Frames,
  hardStop: AbortSignal,
  hopSends: HopSends | null = null,
): Transmitter {
  const { clock, settings, directory, log, consents } = context
  const limits = { milliseconds: settings.sendTimeoutMs, graceMs: OBEY_MS, signal: hardStop }
  const provisioned = new LRUCache<string, true>({ max: settings.cacheEntries ?? PROVISIONED_ADDRESSES })

  async function intentFor(
    delivery: Delivery,
    envelope: StoredEnvelope,
    adapter: Adapter,
  ): Promise<SendIntent> {
    const [sender, isMuted] = await Promise.all([
      directory.endpoints(envelope.from),
      consents.isMuted(delivery.wallet, envelope.conversation),
    ])
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
      silent: isMuted || (envelope.flags & FLAGS.silent) !== 0,
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
      throw preparationError(error)
    }
  }

  function hopOf(enrolment: string): { directory: EnrolmentDirectory; sends: HopSends } {
    const directory = context.hop?.enrolments
    if (directory && hopSends) return { directory, sends: hopSends }
    throw new AdapterError(
      'permanent',
      `enrolment ${enrolment} cannot send: this gateway has no hop mode now`,
    )
  }

  async function planned(adapter: Adapter, enrolment: string, envelope: StoredEnvelope): Promise<SendPlan> {
    try {
      const { sends } = hopOf(enrolment)
      return { planned: await sends.plan(enrolment, adapter.enrolment?.contents ?? null, envelope) }
    } catch (error) {
      return { failure: preparationError(error) }
    }
  }

  /** What may take long, and sends nothing, comes first: opening the wallet's client. */
  async function openClient(enrolment: string): Promise<void> {
    const { directory } = hopOf(enrolment)
    try {
      const open = async (signal: AbortSignal) => directory.use(enrolment, signal, async () => undefined)
      await withDeadline(clock, limits, open)
    } catch (error) {
      throw preparationError(error)
    }
  }

  /** Of a hop request. Throws `AdapterError`; null for what is not sent at all. */
  async function preparedNative(enrolment: string, delivery: Delivery, plan: SendPlan) {
    if ('failure' in plan) throw plan.failure
    if (plan.planned.intentOf === null) return null
    await openClient(enrolment)
    return plan.planned.intentOf(delivery)
  }

  function native<T>(
    enrolment: string,
    call: (facet: EnrolmentFacet, signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return hopOf(enrolment).directory.use(enrolment, signal, (facet) => call(facet, signal))
  }

  async function sender(
    adapter: Adapter,
    delivery: Delivery,
    envelope: StoredEnvelope,
    plan: SendPlan | null,
  ): Promise<(signal: AbortSignal) => Promise<Receipt>> {
    const enrolment = enrolmentOf(delivery)
    if (enrolment === null) {
      const intent = await prepared(adapter, delivery, envelope)
      return (signal) => adapter.send(intent, signal)
    }
    const intent = await preparedNative(
      enrolment,
      delivery,
      plan ?? (await planned(adapter, enrolment, envelope)),
    )
    if (intent === null) return async () => ({ remoteIds: [] })
    return async (signal) => {
      const receipt = await native(enrolment, (facet, until) => facet.send(intent, until), signal)
      return aliasedReceipt(enrolment, receipt)
    }
  }

  return {
    lookUp(adapter, delivery) {
      const enrolment = enrolmentOf(delivery)
      if (enrolment !== null) {
        return {
          resend: false,
          async find(own, envelope, signal) {
            const plan = await planned(adapter, enrolment, envelope)
            const intent = await preparedNative(enrolment, own, plan)
            if (intent === null) return null
            const receipt = await native(enrolment, (facet, until) => facet.find(intent, until), signal)
            return receipt && aliasedReceipt(enrolment, receipt)
          },
        }
      }
      const { idempotentSend, lookup } = adapter.capabilities()
      const { history } = adapter
      return {
        resend: idempotentSend,
        find:
          history && lookup
            ? async (own, envelope, signal) => history.find(await intentFor(own, envelope, adapter), signal)
            : null,
      }
    },
    async plan(adapter, delivery, envelope) {
      const enrolment = enrolmentOf(delivery)
      return enrolment === null ? null : planned(adapter, enrolment, envelope)
    },
    async transmit(adapter, delivery, envelope, plan, late) {
      const send = await sender(adapter, delivery, envelope, plan)
      return withDeadline(clock, limits, send, {
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

/** What failed before the send, as the relay judges it: nothing has left. */
function preparationError(error: unknown): AdapterError {
  if (AdapterError.is(error) && error.class !== 'uncertain') return error
  if (error instanceof EnvelopeError) {
    return new AdapterError('permanent', 'the request does not open', { cause: error })
  }
  if (error instanceof ContentError) {
    return new AdapterError('permanent', 'the content cannot be written for this network', { cause: error })
  }
  return new AdapterError('retryable', 'the send could not be prepared', { cause: error })
}
