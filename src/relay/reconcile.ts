import type { AddressPair } from '../adapter/index.ts'
import type { PairCursor, PairPage } from '../store/port.ts'
import { withDeadline } from './deadline.ts'
import { RelayError } from './errors.ts'
import type { RelayContext } from './parts.ts'
import { createSerializer } from './serializer.ts'
import { OBEY_MS } from './transmit.ts'
import type { Relay } from './types.ts'

/** Key of the adapter store under which the start of the last completed walk stands, Unix milliseconds. */
const CURSOR = 'relay/last-walk'
/** Pairs of addresses that are read from the store at once. */
const PAIRS_PAGE = 500
/**
 * How long a pair is expected to write again, milliseconds. A message that the stream lost may be the first of its pair in
 * days, so this has nothing to do with the time from which messages are asked for.
 */
const PAIR_LIFE_MS = 30 * 86_400_000
/** A walk that takes longer is given up, milliseconds. The next one starts where it had started, and gets on faster. */
const LONGEST_WALK_MS = 1_800_000

/** Walks histories, because streams lose messages. */
export interface Reconciler {
  start(): Promise<void>
  stop(): Promise<void>
  /** Walks one network's history, after the walk that may be under way. Throws `RelayError` `network-unknown`. */
  walk(network: string, signal: AbortSignal): Promise<{ heard: number; accepted: number }>
  /** The network has become connected: walks at once. */
  connected(network: string): void
}

export function createReconciler(context: RelayContext, hear: Relay['hear']): Reconciler {
  const { store, networks, clock, settings, observer, log } = context
  const inTurn = createSerializer()
  const running = new Set<Promise<void>>()
  /** Networks whose next walk waits for the one under way; a second wait would repeat it. */
  const queued = new Set<string>()
  const ended = new AbortController()

  /**
   * Start of the last completed walk. Before the first one: the moment at which this gateway first asked, kept at once, so
   * that a crash before the first walk ends leaves no gap.
   */
  async function lastWalk(network: string): Promise<number> {
    const stored = await store.getAdapterValue(network, CURSOR)
    if (stored !== null) return Number(stored)
    const now = clock.now()
    await store.setAdapterValue(network, CURSOR, String(now))
    return now
  }

  /** Nothing is read before an adapter asks. The cursor moves only when the walk has ended, and with it all pairs were asked. */
  async function* pairsSince(network: string, since: number): AsyncGenerator<AddressPair> {
    let after: PairCursor | null = null
    do {
      const page: PairPage = await store.recentPairs({ network, since, after, limit: PAIRS_PAGE })
      yield* page.pairs
      after = page.next
    } while (after)
  }

  async function walkNow(network: string, signal: AbortSignal): Promise<{ heard: number; accepted: number }> {
    const { adapter } = networks.get(network) ?? {}
    if (!adapter) throw new RelayError('network-unknown', 'No network of this name runs here')
    signal.throwIfAborted()
    const count = { heard: 0, accepted: 0 }
    if (!adapter.history) return count
    // The cursor is when a completed walk began, never the time of a message: live traffic during the walk would move that
    // past messages which were not read yet.
    const startedAt = clock.now()
    const since = Math.max(0, (await lastWalk(network)) - settings.reconcileOverlapMs)
    const pairs = pairsSince(network, Math.max(0, startedAt - PAIR_LIFE_MS))
    for await (const inbound of adapter.history.walk({ since, pairs }, signal)) {
      signal.throwIfAborted()
      const { outcome } = await hear(network, inbound)
      count.heard++
      if (outcome === 'accepted') count.accepted++
    }
    signal.throwIfAborted()
    await store.setAdapterValue(network, CURSOR, String(startedAt))
    observer.reconciled(network, count.heard, count.accepted)
    return count
  }

  /** An adapter that does not end when it is told to holds up nothing but itself. */
  function walkInTime(network: string, signal: AbortSignal): Promise<{ heard: number; accepted: number }> {
    const limits = { milliseconds: LONGEST_WALK_MS, graceMs: OBEY_MS, signal }
    return withDeadline(clock, limits, (until) => walkNow(network, until))
  }

  function inBackground(network: string): void {
    if (ended.signal.aborted || queued.has(network) || !networks.get(network)?.adapter.history) return
    queued.add(network)
    const work: Promise<void> = inTurn(network, async () => {
      queued.delete(network)
      await walkInTime(network, ended.signal)
    })
      .catch((error: unknown) => {
        if (ended.signal.aborted) return
        log.warn({ network, error }, 'walking the history of a network failed; it is walked again')
      })
      .finally(() => running.delete(work))
    running.add(work)
  }

  async function everyInterval(): Promise<void> {
    for (;;) {
      try {
        await clock.sleep(settings.reconcileIntervalMs, ended.signal)
      } catch (error) {
        if (!ended.signal.aborted) log.error({ error }, 'the reconcile timer failed')
        return
      }
      walkConnected()
    }
  }

  /** Whatever goes wrong here is over with the next interval. */
  function walkConnected(): void {
    try {
      for (const { network, state } of networks.list()) if (state === 'connected') inBackground(network)
    } catch (error) {
      log.error({ error }, 'a round of walks could not be begun')
    }
  }

  return {
    async start() {
      for (const network of networks.names()) await lastWalk(network)
      const timer: Promise<void> = everyInterval().finally(() => running.delete(timer))
      running.add(timer)
    },
    async stop() {
      ended.abort(new RelayError('relay-stopping', 'The gateway is stopping'))
      await Promise.all(running)
    },
    walk: (network, signal) =>
      inTurn(network, () => walkInTime(network, AbortSignal.any([ended.signal, signal]))),
    connected: inBackground,
  }
}
