import type { Delivery, NewDelivery, StoredEnvelope } from '../store/port.ts'
import { createAgenda } from './agenda.ts'
import { type Claim, createClaims } from './claims.ts'
import { createDispatcher, type OutboxItem } from './dispatch.ts'
import { createFallback, type Fallback } from './fallback.ts'
import type { Frames } from './frames.ts'
import type { HopSends } from './hop-out.ts'
import { createLanes, laneOf } from './lanes.ts'
import type { RelayContext } from './parts.ts'
import type { Ranking } from './ranking.ts'
import { interruptionDelay, retryDelay } from './retry.ts'

/** Rows of the store that are read at once. */
const PAGE = 500
/** Deliveries of one network, and standbys of all, that are kept in memory by default; the rest waits in the store. */
const HIGH_WATER = 10_000
/** Name under which standbys are counted beside the networks. */
const STANDBY = ''
/** Reason of a delivery whose send the end of an earlier run cut off. */
const INTERRUPTED = 'interrupted'

/** Takes every delivery from its row in the store to its end. */
export interface Outbox {
  /** Loads what an earlier run left, page by page. */
  start(): Promise<void>
  /** Ends timers, lets sends in flight end until the signal, then aborts them. `entering`: what may offer deliveries until it ends. */
  stop(signal: AbortSignal, entering: Promise<unknown>): Promise<void>
  /**
   * Claims, as a part of the acceptance, those planned deliveries that would be sent at once: their first try then needs no
   * transaction of its own. Only what stands alone, and has no one before it in its lane, is claimed; the rest stays as it is.
   * To be ended when the acceptance ends, however it does.
   */
  claim(planned: NewDelivery[], conversation: Uint8Array): Claim
  /** Takes deliveries that were stored just now. */
  offer(deliveries: Delivery[]): void
  /** Takes a delivery that was ended and is to be sent again. */
  again(delivery: Delivery): void
  /** A delivery was settled elsewhere, e.g. by an echo: it holds its lane no longer, and its route is done. */
  settled(delivery: Delivery): Promise<void>
  /** Connection of a network. `down`: not merely on its way up. */
  connection(network: string, state: 'up' | 'opening' | 'down'): void
}

export function createOutbox(
  context: RelayContext,
  frames: Frames,
  ranking: Ranking,
  hopSends: HopSends | null,
  isMirrored: (parcel: StoredEnvelope) => boolean,
): Outbox {
  const { store, clock, random, settings, networks, log } = context
  const highWater = settings.maxQueuedPerNetwork ?? HIGH_WATER
  const agenda = createAgenda(clock)
  const hardStop = new AbortController()
  const background = new Set<Promise<void>>()
  const down = new Set<string>()
  const standbys = new Set<number>()
  /** Deliveries left in the store for want of room: the lowest id by network, and by {@link STANDBY}. */
  const leftBehind = new Map<string, number>()
  /** The same for those that were passed by while others were being fetched. */
  const passedBy = new Map<string, number>()
  const fetching = new Set<string>()
  let stopped = false

  const lanes = createLanes<OutboxItem>({
    maxInFlightPerNetwork: settings.maxInFlightPerNetwork,
    highWater,
    laneHoldMs: settings.laneHoldMs,
    now: clock.now,
    agenda,
    run: (item) => dispatcher.run(item),
    onRoom: fetchInBackground,
  })
  const claims = createClaims(context, lanes)
  const fallback: Fallback = createFallback({
    store,
    clock,
    offer: (delivery) => take(delivery, { grouped: true }),
    superseded: (delivery) => lanes.release(delivery.network, delivery.id),
  })
  const dispatcher = createDispatcher(context, {
    frames,
    fallback,
    ranking,
    isConnected: lanes.isOpen,
    hopSends,
    isMirrored,
    hardStop: hardStop.signal,
    settled: (delivery) => lanes.release(delivery.network, delivery.id),
    giveBack: claims.giveBack,
  })

  function inBackground(what: string, work: () => Promise<void>): void {
    if (stopped) return
    const running: Promise<void> = work()
      .catch((error: unknown) => log.error({ error }, `${what} failed`))
      .finally(() => background.delete(running))
    background.add(running)
  }

  /** Puts a delivery where it belongs by its state. False when there was no room and it stays in the store. */
  function take(
    delivery: Delivery,
    known: { grouped?: boolean; shared?: boolean; recovered?: boolean; claimed?: boolean } = {},
  ): boolean {
    if (delivery.state === 'standby') return standBy(delivery)
    const { claimed = false } = known
    if (delivery.state !== 'pending' && delivery.state !== 'uncertain' && !claimed) return true
    const { id, network, envelopeId, wallet, address, rank, attempt } = delivery
    const { grouped = true, shared = false, recovered = false } = known
    if (!networks.get(network) || down.has(network)) {
      // Nothing can be sent there for now: a fallback route need not wait for its time.
      if (grouped) inBackground('a fallback route', async () => void (await fallback.failed(delivery)))
      if (!networks.get(network)) return true
    }
    const item: OutboxItem = {
      id,
      network,
      lane: laneOf(address, delivery.conversation),
      envelopeId,
      wallet,
      address,
      rank,
      attempt: claimed ? attempt - 1 : attempt,
      claimed: claimed ? delivery : null,
      returning: null,
      queued: false,
      limited: 0,
      lookups: 0,
      uncertain: delivery.state === 'uncertain',
      waited: false,
      grouped,
      shared,
      recovered,
      notBefore: delivery.reason === INTERRUPTED ? (delivery.nextAt ?? 0) : 0,
      unwritten: null,
    }
    // Behind what is left in the store it must queue there too: the order of a lane is that of acceptance.
    const mustQueue = leftBehind.has(network) && !recovered
    const added = !mustQueue && lanes.add(item)
    item.queued = !added || !lanes.isRunning(item)
    if (item.queued) claims.giveBack(item)
    if (!added) note(mustQueue ? passedBy : leftBehind, network, id)
    return added
  }

  function standBy(delivery: Delivery): boolean {
    const { id, nextAt } = delivery
    if (nextAt === null || standbys.has(id)) return true
    if (standbys.size >= highWater) {
      note(leftBehind, STANDBY, id)
      note(passedBy, STANDBY, id)
      return false
    }
    standbys.add(id)
    agenda.at(nextAt, () => {
      standbys.delete(id)
      inBackground('a fallback route', () => fallback.due(id))
      if (leftBehind.has(STANDBY) && standbys.size <= highWater / 2) fetchInBackground(STANDBY)
    })
    return true
  }

  function note(lowest: Map<string, number>, key: string, id: number): void {
    lowest.set(key, Math.min(lowest.get(key) ?? id, id))
  }

  /** Walks the open deliveries from `afterId` on; stops when `visit` answers false. */
  async function walkOpen(afterId: number, visit: (delivery: Delivery) => Promise<boolean>): Promise<void> {
    for (let last = afterId; !stopped; ) {
      const page = await store.openDeliveries({ afterId: last, limit: PAGE })
      for (const delivery of page) if (!(await visit(delivery))) return
      if (page.length < PAGE) return
      last = page.at(-1)!.id
    }
  }

  /** A delivery as an earlier run left it. What was in flight then is uncertain now. */
  async function recover(delivery: Delivery): Promise<boolean> {
    if (delivery.state !== 'dispatching') return take(delivery, { recovered: true })
    const { moved, delivery: now } = await store.moveDelivery({
      id: delivery.id,
      from: ['dispatching'],
      to: 'uncertain',
      nextAt: clock.now() + interruptionDelay(settings.retry, delivery.attempt, random.fraction()),
      reason: INTERRUPTED,
      checkpoint: {
        name: 'dispatched',
        status: 'uncertain',
        at: clock.now(),
        monotonic: clock.monotonic(),
        detail: INTERRUPTED,
      },
      at: clock.now(),
    })
    return moved && now ? take(now, { recovered: true }) : true
  }

  const keyOf = (delivery: Delivery) => (delivery.state === 'standby' ? STANDBY : delivery.network)

  /** Brings what was left behind under `key` into memory, as far as there is room. */
  async function fetchMore(key: string): Promise<void> {
    if (fetching.has(key)) return
    fetching.add(key)
    try {
      if (leftBehind.has(key)) takePassedBy(key)
      for (let from = leftBehind.get(key); from !== undefined && !stopped; from = takePassedBy(key)) {
        if (!(await fetchFrom(key, from))) return
      }
      if (!stopped) leftBehind.delete(key)
    } catch (error) {
      // The store failed. Nobody else would ask again: what is left behind keeps new deliveries out of the lanes.
      agenda.at(clock.now() + retryDelay(settings.retry, 1, random.fraction()), () => fetchInBackground(key))
      throw error
    } finally {
      fetching.delete(key)
    }
  }

  /**
   * Counts what was passed by to what is left behind. It may be older than all of that: a standby whose time has come, a
   * delivery that an operator replays. Answers the lowest id among it.
   */
  function takePassedBy(key: string): number | undefined {
    const lowest = passedBy.get(key)
    passedBy.delete(key)
    if (lowest !== undefined) note(leftBehind, key, lowest)
    return lowest
  }

  function fetchInBackground(key: string): void {
    inBackground('fetching deliveries from the store', () => fetchMore(key))
  }

  /** False when there was no room for all. */
  async function fetchFrom(key: string, from: number): Promise<boolean> {
    let full = false
    await walkOpen(from - 1, async (delivery) => {
      if (keyOf(delivery) !== key || lanes.has(delivery.network, delivery.id)) return true
      full = !(await recover(delivery))
      if (full) leftBehind.set(key, delivery.id)
      return !full
    })
    return !full
  }

  /** Tries one delivery of a network that is down, now and then: its state may be wrong. */
  function probeLater(network: string, count: number): void {
    agenda.at(clock.now() + retryDelay(settings.retry, count, random.fraction()), () => {
      if (!down.has(network)) return
      lanes.probe(network)
      probeLater(network, count + 1)
    })
  }

  return {
    async start() {
      await walkOpen(0, async (delivery) => {
        await recover(delivery)
        return true
      })
    },
    async stop(signal, entering) {
      stopped = true
      agenda.stop()
      const abort = () => hardStop.abort(signal.reason)
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
      await lanes.stop()
      await entering
      await Promise.all([...background, claims.settled()])
      signal.removeEventListener('abort', abort)
    },
    claim: (planned, conversation) =>
      claims.claim(planned, conversation, (network) => leftBehind.has(network)),
    offer(deliveries) {
      const grouped = new Set(deliveries.filter(({ rank }) => rank > 0).map(({ wallet }) => wallet))
      const places = deliveries.map(({ network, address }) => `${network}\n${address}`)
      deliveries.forEach((delivery, index) => {
        const shared = places.indexOf(places[index]!) !== places.lastIndexOf(places[index]!)
        const claimed = delivery.state === 'dispatching'
        take(delivery, { grouped: grouped.has(delivery.wallet), shared, claimed })
      })
    },
    again(delivery) {
      take(delivery)
    },
    async settled(delivery) {
      lanes.release(delivery.network, delivery.id)
      await fallback.carried(delivery)
    },
    connection(network, state) {
      if (state === 'up') {
        down.delete(network)
        if (!lanes.isOpen(network)) lanes.open(network)
        return
      }
      lanes.close(network)
      if (state === 'opening' || down.has(network)) return
      down.add(network)
      probeLater(network, 1)
    },
  }
}
