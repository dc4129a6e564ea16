import { AdapterError, type Receipt } from '../adapter/index.ts'
import { FRAME_KIND } from '../envelope/index.ts'
import type { Checkpoint, Delivery, DeliveryMove, StoredEnvelope } from '../store/port.ts'
import { withDeadline } from './deadline.ts'
import type { Fallback } from './fallback.ts'
import type { Frames } from './frames.ts'
import { enrolmentOf } from './hop.ts'
import type { HopSends } from './hop-out.ts'
import type { LaneItem, LaneOutcome } from './lanes.ts'
import type { RelayContext } from './parts.ts'
import type { Ranking } from './ranking.ts'
import { CONTENT_DROPPED, renderingDetail } from './rendering.ts'
import { judge, retryDelay } from './retry.ts'
import { createTransmitter, OBEY_MS } from './transmit.ts'
import type { DeliveryOutcome, RunningNetwork } from './types.ts'

/** A delivery in the outbox. */
export interface OutboxItem extends LaneItem {
  readonly envelopeId: Uint8Array
  readonly wallet: string
  readonly address: string
  readonly rank: number
  /** Tries that counted so far. */
  attempt: number
  /** As it was claimed with the acceptance, until its first try. */
  claimed: Delivery | null
  /** Its claim is being given back, and nothing is done with it before that. */
  returning: Promise<void> | null
  /** It did not run as soon as it was durable: a copy heard meanwhile may have settled it, whatever `claimed` says. */
  queued: boolean
  /** Times in a row that the network said `rateLimited`. */
  limited: number
  /** Failed look-ups of an uncertain send. */
  lookups: number
  /** Sent before, and it is not known whether it arrived. */
  uncertain: boolean
  /** An uncertain send has been given its time to be heard as an echo. */
  waited: boolean
  /** Belongs to a `fallback` route with several networks, as far as is known. */
  grouped: boolean
  /** Whether another delivery of the envelope goes to the same address. */
  shared: boolean
  /** Loaded from the store: another delivery may have made it needless while nobody looked. */
  recovered: boolean
  /** Unix milliseconds before which it is not tried: the end of the process has cut it off several times. 0: at once. */
  notBefore: number
  /** The result of a send that could not be written yet. It is written before anything else is done. */
  unwritten: (() => Promise<LaneOutcome>) | null
}

export interface Dispatcher {
  /** Takes one delivery as far as it goes now. Never rejects. */
  run(item: OutboxItem): Promise<LaneOutcome>
}

export function createDispatcher(
  context: RelayContext,
  tools: {
    frames: Frames
    fallback: Fallback
    ranking: Ranking
    isConnected(network: string): boolean
    /** Whether the wallet still has the network mirrored from which a parcel came. */
    isMirrored(parcel: StoredEnvelope): boolean
    /** Null without hop mode. */
    hopSends: HopSends | null
    /** Aborts when sends in flight have to end. */
    hardStop: AbortSignal
    /** A delivery was acknowledged by an answer that came after it was no longer waited for. */
    settled(delivery: Delivery): void
    /** A claimed item waits for another try. */
    giveBack(item: OutboxItem): void
  },
): Dispatcher {
  const { store, clock, random, settings, networks, observer, log } = context
  const { frames, fallback, ranking } = tools
  const transmitter = createTransmitter(context, frames, tools.hardStop, tools.hopSends)

  function checkpoint(
    name: Checkpoint['name'],
    status: Checkpoint['status'],
    detail: string | null,
  ): DeliveryMove['checkpoint'] {
    return { name, status, at: clock.now(), monotonic: clock.monotonic(), detail }
  }

  async function run(item: OutboxItem): Promise<LaneOutcome> {
    try {
      const work = item.unwritten ? writeAgain(item, item.unwritten) : step(item)
      const enrolment = enrolmentOf(item)
      return await (enrolment === null ? work : (tools.hopSends?.track(enrolment, work) ?? work))
    } catch (error) {
      // The store or identity failed, not the network: the delivery stays as it is stored and is taken up again.
      item.queued = true
      tools.giveBack(item)
      log.error({ network: item.network, delivery: item.id, error }, 'a delivery could not be worked on')
      return { retryAt: clock.now() + retryDelay(settings.retry, 1, random.fraction()), wakes: false }
    }
  }

  async function writeAgain(item: OutboxItem, write: () => Promise<LaneOutcome>): Promise<LaneOutcome> {
    const outcome = await write()
    item.unwritten = null
    return outcome
  }

  async function step(item: OutboxItem): Promise<LaneOutcome> {
    if (item.returning) await item.returning
    if (item.notBefore > clock.now()) return { retryAt: item.notBefore, wakes: false }
    const network = networks.get(item.network)
    const envelope = await frames.envelope(item.envelopeId)
    // A network that is not configured any more keeps its deliveries in the store; a pruned envelope has none.
    if (!network || !envelope) return 'done'
    if (envelope.expiresAt !== 0 && envelope.expiresAt <= clock.now())
      return give(item, 'superseded', 'expired')
    if (envelope.kind === FRAME_KIND.opaque && !tools.isMirrored(envelope))
      return give(item, 'superseded', 'mirror-ended')
    if (item.recovered && (await fallback.covered(item))) return give(item, 'superseded', 'carried-before')
    if ((item.shared || item.recovered) && (await takeFromTwin(item))) return 'done'
    if (item.uncertain) {
      const known = await lookUp(item, network, envelope)
      if (known !== 'resend') return known
    }
    return attempt(item, network, envelope)
  }

  /** Ends a delivery without a send. */
  async function give(item: OutboxItem, to: 'superseded' | 'dead', reason: string): Promise<LaneOutcome> {
    const status = to === 'dead' ? 'failure' : 'superseded'
    const { moved } = await store.moveDelivery({
      id: item.id,
      from: item.claimed ? ['dispatching'] : ['pending', 'uncertain'],
      to,
      nextAt: null,
      reason,
      checkpoint: checkpoint('dispatched', status, reason),
      at: clock.now(),
    })
    if (moved) observer.dispatched(item.network, to, 0)
    if (moved && to === 'dead') await handOver(item)
    return 'done'
  }

  /** Two wallets may share an address (Waku buckets): one copy there is enough. */
  async function takeFromTwin(item: OutboxItem): Promise<boolean> {
    const twin = (await store.deliveriesOf(item.envelopeId)).find(
      (other) =>
        other.id !== item.id &&
        other.network === item.network &&
        other.address === item.address &&
        other.state === 'acknowledged',
    )
    if (!twin) return false
    await acknowledge(item, ['pending', 'uncertain'], twin.remoteIds, 'same-address')
    return true
  }

  /** Finds out what became of an uncertain send. `resend`: it may be sent, under the same transaction id. */
  async function lookUp(
    item: OutboxItem,
    { adapter }: RunningNetwork,
    envelope: StoredEnvelope,
  ): Promise<LaneOutcome | 'resend'> {
    const { retry } = settings
    // A send without a try left is looked for all the same: it may have arrived.
    const isLast = item.attempt >= retry.maxAttempts
    const sendAgain = async () => (isLast ? give(item, 'dead', 'attempts-exhausted:uncertain') : 'resend')
    const { resend, find } = transmitter.lookUp(adapter, item)
    if (resend && !isLast) return 'resend'
    const delivery = await store.getDelivery(item.id)
    if (delivery?.state !== 'uncertain') return 'done'
    if (find === null) {
      const capabilities = adapter.capabilities()
      if (item.waited || !(capabilities.echo || capabilities.history)) return sendAgain()
      item.waited = true
      return { retryAt: clock.now() + retryDelay(retry, 1, random.fraction()), wakes: false }
    }
    try {
      const limits = { milliseconds: settings.sendTimeoutMs, graceMs: OBEY_MS, signal: tools.hardStop }
      const receipt = await withDeadline(clock, limits, (signal) => find(delivery, envelope, signal))
      if (receipt === null) return sendAgain()
      const remoteIds = 'remoteIds' in receipt ? receipt.remoteIds : []
      return await acknowledge(item, ['uncertain'], remoteIds, 'found')
    } catch (error) {
      item.lookups++
      log.warn(
        { network: item.network, delivery: item.id, error },
        'an uncertain send could not be looked up',
      )
      if (item.lookups >= retry.maxAttempts) return give(item, 'dead', 'outcome-unknown')
      return { retryAt: clock.now() + retryDelay(retry, item.lookups, random.fraction()), wakes: true }
    }
  }

  /** Null: another state than the one to be claimed. */
  async function claim(item: OutboxItem, detail: string | null): Promise<Delivery | null> {
    const { moved, delivery } = await store.moveDelivery({
      id: item.id,
      from: item.claimed ? ['dispatching'] : ['pending', 'uncertain'],
      to: 'dispatching',
      attempt: item.attempt + 1,
      // The lease: nobody else works in this process, and after a crash `dispatching` means uncertain.
      nextAt: clock.now() + settings.sendTimeoutMs + OBEY_MS,
      checkpoint: checkpoint('dispatched', 'success', detail),
      at: clock.now(),
    })
    return moved ? delivery : null
  }

  /** Claims the delivery unless that came with the acceptance, sends, and writes the result. */
  async function attempt(
    item: OutboxItem,
    { adapter }: RunningNetwork,
    envelope: StoredEnvelope,
  ): Promise<LaneOutcome> {
    const plan = await transmitter.plan(adapter, item, envelope)
    const rendering = plan && 'planned' in plan ? plan.planned.rendering : null
    if (rendering === 'dropped') return give(item, 'superseded', CONTENT_DROPPED)
    const fresh = item.queued ? null : item.claimed
    const delivery = fresh ?? (await claim(item, renderingDetail(rendering)))
    item.claimed = null
    if (!delivery) return 'done'
    const startedAt = clock.monotonic()
    const elapsed = () => clock.monotonic() - startedAt
    let write: () => Promise<LaneOutcome>
    try {
      const receipt = await transmitter.transmit(
        adapter,
        delivery,
        envelope,
        plan,
        (late) => void answeredLate(delivery, late),
      )
      const latency = elapsed()
      ranking.succeeded(item.network, latency)
      write = () => succeeded(item, delivery, receipt, latency)
    } catch (error) {
      const latency = elapsed()
      const connected = tools.isConnected(item.network)
      write = () => failed(item, delivery, error, connected, latency)
    }
    item.unwritten = write
    return writeAgain(item, write)
  }

  async function answeredLate(delivery: Delivery, receipt: Receipt): Promise<void> {
    if (!('remoteIds' in receipt)) return
    try {
      // It may come before the timeout is written, after another try has begun, or when all were given up.
      const from: DeliveryMove['from'] = ['dispatching', 'uncertain', 'pending', 'dead']
      if (await record(delivery, from, receipt.remoteIds, 'late')) await fallback.carried(delivery)
    } catch (error) {
      log.error(
        { network: delivery.network, delivery: delivery.id, error },
        'a late answer could not be kept',
      )
    }
  }

  /** Moves to `acknowledged`; if an echo has done so already, keeps the ids by which more echoes will be known. */
  async function record(
    delivery: Pick<Delivery, 'id' | 'envelopeId' | 'network'>,
    from: DeliveryMove['from'],
    remoteIds: string[],
    detail: string | null,
  ): Promise<boolean> {
    const at = clock.now()
    const result = await store.moveDelivery({
      id: delivery.id,
      from,
      to: 'acknowledged',
      nextAt: null,
      reason: null,
      remoteIds,
      checkpoint: checkpoint('remoteAcknowledged', 'success', detail),
      at,
    })
    if (result.moved && result.delivery) {
      tools.settled(result.delivery)
      return true
    }
    for (const remoteId of remoteIds)
      await store.addAlias(delivery.network, remoteId, delivery.envelopeId, at)
    return false
  }

  async function acknowledge(
    item: OutboxItem,
    from: DeliveryMove['from'],
    remoteIds: string[],
    detail: string | null,
    latency = 0,
  ): Promise<LaneOutcome> {
    await record(item, from, remoteIds, detail)
    observer.dispatched(item.network, 'acknowledged', latency)
    if (item.grouped) await fallback.carried(item)
    return 'done'
  }

  async function succeeded(
    item: OutboxItem,
    delivery: Delivery,
    receipt: Receipt,
    latency: number,
  ): Promise<LaneOutcome> {
    if ('remoteIds' in receipt) return acknowledge(item, ['dispatching'], receipt.remoteIds, null, latency)
    // The id comes with an echo; until then the send may be lost like any other whose answer is missing.
    const waitMs = retryDelay(settings.retry, delivery.attempt, random.fraction())
    const result = await moveOn(item, delivery, 'uncertain', 'awaiting-echo', delivery.attempt, waitMs)
    item.waited = true
    observer.dispatched(item.network, 'uncertain', latency)
    return result ?? 'done'
  }

  async function failed(
    item: OutboxItem,
    delivery: Delivery,
    error: unknown,
    connected: boolean,
    latency: number,
  ): Promise<LaneOutcome> {
    const isLimited = AdapterError.is(error) && error.class === 'rateLimited'
    const failure = {
      attempt: delivery.attempt,
      limited: item.limited,
      connected,
      fraction: random.fraction(),
    }
    const verdict = judge(settings.retry, error, failure)
    if (!AdapterError.is(error))
      log.error({ network: item.network, delivery: item.id, error }, 'an adapter broke its contract')
    const attemptCounted = verdict.counts ? delivery.attempt : delivery.attempt - 1
    const outcome = await moveOn(
      item,
      delivery,
      verdict.state,
      verdict.reason,
      attemptCounted,
      verdict.waitMs,
      verdict.wakes,
    )
    item.limited = isLimited ? item.limited + 1 : 0
    item.waited = verdict.state === 'uncertain'
    if (verdict.state !== 'dead') ranking.failed(item.network)
    observer.dispatched(item.network, outcomeNames[verdict.state], latency)
    // Not moved: an echo said meanwhile that it had arrived.
    if (outcome === null) return 'done'
    if (verdict.certain && !isLimited && (await handOver(item)) === 'superseded') return 'done'
    return verdict.state === 'dead' ? 'done' : outcome
  }

  /** Lets a fallback route go on. A standby that could not be activated now still has its own time. */
  async function handOver(item: OutboxItem): Promise<'open' | 'superseded'> {
    if (!item.grouped) return 'open'
    try {
      return await fallback.failed(item)
    } catch (error) {
      log.error({ network: item.network, delivery: item.id, error }, 'a fallback route could not go on')
      return 'open'
    }
  }

  async function moveOn(
    item: OutboxItem,
    delivery: Delivery,
    to: 'pending' | 'uncertain' | 'dead',
    reason: string,
    attemptCounted: number,
    waitMs: number,
    wakes = false,
  ): Promise<LaneOutcome | null> {
    const status = to === 'dead' ? 'failure' : to === 'uncertain' ? 'uncertain' : 'willRetry'
    const retryAt = clock.now() + waitMs
    const { moved } = await store.moveDelivery({
      id: delivery.id,
      from: ['dispatching'],
      to,
      attempt: attemptCounted,
      nextAt: to === 'dead' ? null : retryAt,
      reason,
      checkpoint: checkpoint('dispatched', status, reason),
      at: clock.now(),
    })
    item.attempt = attemptCounted
    item.uncertain = to === 'uncertain'
    return moved ? { retryAt, wakes } : null
  }

  return { run }
}

const outcomeNames = {
  pending: 'willRetry',
  uncertain: 'uncertain',
  dead: 'dead',
} as const satisfies Record<string, DeliveryOutcome>
