/**
 * Wakes wallets that nothing else tells of a message: no client listens, and no network of theirs notifies their devices. A
 * network with notifications of its own (Push) then says that something waits, and no more.
 */
import { LRUCache } from 'lru-cache'
import { AdapterError, type AdapterLog, type Clock, type WakeFacet } from '../adapter/index.ts'
import { createSlots } from '../enrolment/slots.ts'
import { FLAGS } from '../envelope/index.ts'
import type { Directory } from '../identity/types.ts'
import type { InboxItem } from '../store/port.ts'
import { withDeadline } from './deadline.ts'
import type { LivePublisher, Networks } from './types.ts'

/** Wallets that are being woken at a time. */
const AT_ONCE = 4
/** Wallets that wait for that; more are not woken. */
const MOST_WAITING = 1_000
/** Wallets of which it is remembered when they were seen, and until when they are left alone. */
const REMEMBERED_WALLETS = 50_000
/** After a failure, milliseconds. */
const TRY_AGAIN_MS = 60_000
const WAKE_WITHIN_MS = 30_000
const OBEY_MS = 1_000

export interface Waker extends LivePublisher {
  /** A client of the wallet was here: it may be told again once it is away. */
  seen(wallet: string): void
  start(): void
  stop(): Promise<void>
}

export interface WakerParts {
  networks: Networks
  directory: Pick<Directory, 'endpoints' | 'route'>
  /** Who listens now. */
  live: LivePublisher & { isWatched(wallet: string): boolean }
  clock: Clock
  log: AdapterLog
}

/** Publishes to `live` as it stands, and wakes who is not there. Nobody waits for that. */
export function createWaker({ networks, directory, live, clock, log }: WakerParts): Waker {
  const quietUntil = new LRUCache<string, number>({ max: REMEMBERED_WALLETS })
  const seenAt = new LRUCache<string, number>({ max: REMEMBERED_WALLETS })
  const connected = new Set<string>()
  const inSlot = createSlots(AT_ONCE)
  const running = new Set<Promise<void>>()
  const ended = new AbortController()
  let stopListening = () => {}

  const note = (network: string, state: string) =>
    state === 'connected' || state === 'backfilling' ? connected.add(network) : connected.delete(network)

  /** The first network that can, and is there. */
  function wakingNetwork(): { network: string; facet: WakeFacet } | null {
    for (const network of networks.names()) {
      const facet = connected.has(network) ? networks.get(network)?.adapter.wake : undefined
      if (facet) return { network, facet }
    }
    return null
  }

  /** Whether a network that brings the message notifies the wallet's devices of it. */
  async function isNotified(wallet: string): Promise<boolean> {
    const [{ order }, endpoints] = await Promise.all([directory.route(wallet), directory.endpoints(wallet)])
    return endpoints.some(
      ({ network }) =>
        connected.has(network) &&
        (order === 'ranked' || order.includes(network)) &&
        networks.get(network)?.definition.manifest.notifiesDevices === true,
    )
  }

  async function wake(wallet: string, network: string, facet: WakeFacet): Promise<void> {
    // It came back while it waited for its turn.
    if (ended.signal.aborted || live.isWatched(wallet) || (await isNotified(wallet))) return
    const limits = { milliseconds: WAKE_WITHIN_MS, graceMs: OBEY_MS, signal: ended.signal }
    const seen = seenAt.get(wallet) ?? null
    const result = await withDeadline(clock, limits, (signal) => facet.wake(wallet, seen, signal))
    if ((seenAt.get(wallet) ?? null) === seen) quietUntil.set(wallet, result.quietUntil)
    log.debug({ network, outcome: result.outcome }, 'a wallet was to be woken')
  }

  function wakeSoon(wallet: string, { via, mode }: InboxItem): void {
    const waking = wakingNetwork()
    // What came as a network's own message or notification was told by its own applications.
    if (!waking || (mode !== 'sealed' && via === waking.network)) return
    const now = clock.now()
    if (now < (quietUntil.get(wallet) ?? 0) || running.size >= MOST_WAITING) return
    quietUntil.set(wallet, now + TRY_AGAIN_MS)
    const { network, facet } = waking
    const task: Promise<void> = inSlot(() => wake(wallet, network, facet))
      .catch((error: unknown) => {
        if (!ended.signal.aborted) log.warn({ network, code: codeOf(error) }, 'a wallet could not be woken')
      })
      .finally(() => running.delete(task))
    running.add(task)
  }

  return {
    publishConversation: live.publishConversation,
    publish(wallet, item, how = {}) {
      live.publish(wallet, item, how)
      const isNews = !how.completed && item.direction === 'received'
      const isQuiet = how.quiet || (item.flags & (FLAGS.silent | FLAGS.ephemeral)) !== 0
      if (!isNews || isQuiet || ended.signal.aborted || live.isWatched(wallet)) return
      wakeSoon(wallet, item)
    },
    seen(wallet) {
      seenAt.set(wallet, clock.now())
      quietUntil.delete(wallet)
    },
    start() {
      for (const { network, state } of networks.list()) note(network, state)
      stopListening = networks.onState((network, { state }) => void note(network, state))
    },
    async stop() {
      stopListening()
      ended.abort()
      await Promise.all(running)
    },
  }
}

function codeOf(error: unknown): string {
  return AdapterError.is(error) ? `${error.remoteCode ?? error.class}` : 'unexpected'
}
