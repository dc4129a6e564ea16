/**
 * Keeps the connections of enrolments: opens them, reads what they missed, closes what is idle or too many, and wakes what is
 * closed, so that thousands fit one process.
 */
import {
  AdapterError,
  type EnrolmentFacet,
  type EnrolmentReport,
  type StateReport,
} from '../adapter/index.ts'
import { withDeadline } from '../relay/deadline.ts'
import { createSerializer } from '../relay/serializer.ts'
import { createSlots } from './slots.ts'
import type { ActiveEnrolment, Connection, EnrolmentParts } from './types.ts'

/** How often it is looked what is due. Milliseconds. */
const LOOK_EVERY_MS = 1_000
/** How long opening one, and closing one, may take. Milliseconds. */
const OPEN_WITHIN_MS = 60_000
/** A walk that takes longer is given up, and begun again later. Milliseconds. */
const LONGEST_WALK_MS = 1_800_000
/** How long an adapter may take to obey its signal. Milliseconds. */
const OBEY_MS = 1_000

interface Entry {
  readonly enrolment: ActiveEnrolment
  report: EnrolmentReport | null
  open: boolean
  opening: Promise<void> | null
  /** Works that need it open. */
  users: number
  /** Monotonic times. */
  usedAt: number
  triedAt: number
  walkedAt: number
  walking: boolean
}

export interface Keeper {
  add(enrolment: ActiveEnrolment, state: 'open' | 'closed'): void
  /** It is forgotten, and nothing opens it any more. Closing it is left to the caller, who may have more to do with it. */
  remove(id: string): Promise<void>
  get(id: string): ActiveEnrolment | null
  /** The wallet's enrolment on a network. */
  of(wallet: string, network: string): ActiveEnrolment | null
  all(): Iterable<ActiveEnrolment>
  use<T>(id: string, signal: AbortSignal, work: (facet: EnrolmentFacet) => Promise<T>): Promise<T>
  touched(id: string): void
  report(id: string, report: EnrolmentReport): void
  /** What is known of its connection. */
  connection(id: string): Connection | null
  start(): void
  stop(): Promise<void>
}

export function createKeeper(
  parts: Pick<
    EnrolmentParts,
    'store' | 'networks' | 'custody' | 'clock' | 'random' | 'log' | 'settings' | 'deliver'
  >,
  /** Whether the consent still stands. */
  holds: (id: string) => Promise<boolean>,
): Keeper {
  const { store, networks, custody, clock, random, log, settings } = parts
  const entries = new Map<string, Entry>()
  const places = new Map<string, ActiveEnrolment>()
  const placeOf = (wallet: string, network: string) => `${network} ${wallet}`
  /** Of the networks. */
  const states = new Map<string, string>()
  const slots = createSlots(settings.maxOpening)
  const inTurn = createSerializer()
  const running = new Set<Promise<void>>()
  const ended = new AbortController()
  let stopListening = () => {}

  function facetOf({ enrolment }: Entry): EnrolmentFacet {
    const facet = networks.get(enrolment.network)?.adapter.enrolment
    if (!facet) throw new AdapterError('unsupported', 'the network of this enrolment is not joined any more')
    return facet
  }

  function inBackground(what: string, entry: Entry, work: () => Promise<void>): void {
    if (ended.signal.aborted) return
    const { id, network } = entry.enrolment
    const task: Promise<void> = work()
      .catch((error: unknown) => {
        if (!ended.signal.aborted)
          log.warn({ network, enrolment: id, error }, `${what} failed; it is tried again`)
      })
      .finally(() => running.delete(task))
    running.add(task)
  }

  async function secretOf({ enrolment: { id, network } }: Entry): Promise<Uint8Array> {
    const stored = await store.getEnrolment(id)
    if (!stored?.secret) throw new AdapterError('permanent', 'the enrolment has ended')
    const { secret, stale } = custody.unwrap(stored.secret, { id, network })
    if (stale) await store.rewrapEnrolment(id, custody.wrap(secret, { id, network }))
    return secret
  }

  async function openNow(entry: Entry): Promise<void> {
    if (entry.open) return
    entry.triedAt = clock.monotonic()
    if (!(await holds(entry.enrolment.id))) throw new AdapterError('permanent', 'the enrolment has ended')
    const facet = facetOf(entry)
    const { id, wallet, account, address } = entry.enrolment
    const secret = await secretOf(entry)
    try {
      const limits = { milliseconds: OPEN_WITHIN_MS, graceMs: OBEY_MS, signal: ended.signal }
      await withDeadline(clock, limits, (signal) =>
        facet.open({ id, wallet, account, address, secret }, signal),
      )
    } finally {
      secret.fill(0)
    }
    // It was revoked, or its adapter replaced, while it was opened.
    if (entries.get(id) !== entry || networks.get(entry.enrolment.network)?.adapter.enrolment !== facet) {
      await facet.close(id)
      throw new AdapterError('retryable', 'the enrolment was closed while it was opened')
    }
    entry.open = true
    entry.usedAt = clock.monotonic()
    walkSoon(entry)
    makeRoom(entry)
  }

  function open(entry: Entry): Promise<void> {
    if (entry.open) return Promise.resolve()
    entry.opening ??= slots(() => inTurn(`open ${entry.enrolment.id}`, () => openNow(entry))).finally(() => {
      entry.opening = null
    })
    return entry.opening
  }

  /** `unless`: somebody has begun to use it since. */
  function close(entry: Entry, unless: () => boolean = () => false): Promise<void> {
    const { id, network } = entry.enrolment
    return inTurn(`open ${id}`, async () => {
      if (!entry.open || unless()) return
      entry.open = false
      entry.report = null
      await networks.get(network)?.adapter.enrolment?.close(id)
    })
  }

  const isUsed = (entry: Entry) => entry.users > 0 || entry.walking

  /** Closes those used least lately, when more are open than may be. */
  function makeRoom(newest: Entry): void {
    const open = [...entries.values()].filter((entry) => entry.open)
    const idle = open.filter((entry) => entry !== newest && !isUsed(entry))
    idle.sort((left, right) => left.usedAt - right.usedAt)
    for (const entry of idle.slice(0, Math.max(0, open.length - settings.maxOpen))) {
      inBackground('closing an enrolment', entry, () => close(entry, () => isUsed(entry)))
    }
  }

  function walkSoon(entry: Entry): void {
    if (entry.walking) return
    entry.walking = true
    inBackground('reading what an enrolment missed', entry, () =>
      inTurn(entry.enrolment.id, () => walk(entry)).finally(() => {
        entry.walking = false
      }),
    )
  }

  /** From the start of the last completed walk: the time of a message would move past what was not read yet. */
  async function walk(entry: Entry): Promise<void> {
    const { id, network } = entry.enrolment
    const stored = await store.getEnrolment(id)
    if (stored?.state !== 'active' || !entry.open || !(await holds(id))) return
    const startedAt = clock.now()
    const since = Math.max(0, stored.walkedAt - settings.walkOverlapMs)
    const limits = { milliseconds: LONGEST_WALK_MS, graceMs: OBEY_MS, signal: ended.signal }
    await withDeadline(clock, limits, async (signal) => {
      for await (const inbound of facetOf(entry).walk({ enrolment: id, since }, signal)) {
        signal.throwIfAborted()
        await parts.deliver(network, inbound)
      }
      signal.throwIfAborted()
    })
    await store.moveEnrolmentCursor(id, startedAt)
    entry.walkedAt = clock.monotonic()
  }

  /** What cannot be helped by trying again: the network does not know the client any more, or its operator has to act. */
  function isStuck({ report }: Entry): boolean {
    return report?.state === 'loggedOut' || report?.state === 'badCredentials'
  }

  function isUp(network: string): boolean {
    const state = states.get(network)
    return state === 'connected' || state === 'backfilling'
  }

  function look(): void {
    const now = clock.monotonic()
    for (const entry of entries.values()) {
      if (!isUp(entry.enrolment.network) || isStuck(entry) || entry.opening) continue
      if (!entry.open) {
        const isDue = now - entry.triedAt >= settings.wakeIntervalMs
        if (isDue) inBackground('waking an enrolment', entry, () => open(entry))
      } else if (now - entry.walkedAt >= settings.walkIntervalMs) {
        // Failing walks are repeated at the same pace.
        entry.walkedAt = now
        walkSoon(entry)
      } else if (!isUsed(entry) && now - entry.usedAt >= settings.idleCloseMs) {
        inBackground('closing an enrolment', entry, () => close(entry, () => isUsed(entry)))
      }
    }
  }

  function onNetwork(network: string, { state }: StateReport): void {
    const wasUp = isUp(network)
    states.set(network, state)
    const own = [...entries.values()].filter(({ enrolment }) => enrolment.network === network)
    if (state === 'starting' || state === 'stopped') {
      // The instance of the adapter that had them open is gone, or new.
      for (const entry of own) Object.assign(entry, { open: false, report: null })
    } else if (isUp(network) && !wasUp) {
      for (const entry of own) {
        if (entry.open) walkSoon(entry)
        else if (!isStuck(entry)) inBackground('opening an enrolment', entry, () => open(entry))
      }
    }
  }

  async function everyLook(): Promise<void> {
    while (!ended.signal.aborted) {
      try {
        await clock.sleep(LOOK_EVERY_MS, ended.signal)
        look()
      } catch (error) {
        if (!ended.signal.aborted) log.error({ error }, 'looking after enrolments failed')
      }
    }
  }

  return {
    add(enrolment, state) {
      // Spread, so that not all are woken at the same moment.
      const triedAt = clock.monotonic() - random.fraction() * settings.wakeIntervalMs
      const now = clock.monotonic()
      const entry: Entry = {
        enrolment,
        report: null,
        open: state === 'open',
        opening: null,
        users: 0,
        usedAt: now,
        triedAt,
        walkedAt: now,
        walking: false,
      }
      entries.set(enrolment.id, entry)
      places.set(placeOf(enrolment.wallet, enrolment.network), enrolment)
      if (entry.open) walkSoon(entry)
      else if (isUp(enrolment.network)) inBackground('opening an enrolment', entry, () => open(entry))
    },
    async remove(id) {
      const entry = entries.get(id)
      if (!entry) return
      entries.delete(id)
      const { wallet, network } = entry.enrolment
      places.delete(placeOf(wallet, network))
      // One that is being opened finds that it is not wanted any more.
      await inTurn(`open ${id}`, async () => undefined)
    },
    get: (id) => entries.get(id)?.enrolment ?? null,
    of: (wallet, network) => places.get(placeOf(wallet, network)) ?? null,
    *all() {
      for (const { enrolment } of entries.values()) yield enrolment
    },
    async use(id, signal, work) {
      const entry = entries.get(id)
      if (!entry) throw new AdapterError('permanent', 'the wallet has ended this enrolment')
      entry.users++
      try {
        await unlessAborted(open(entry), signal)
        entry.usedAt = clock.monotonic()
        return await work(facetOf(entry))
      } finally {
        entry.users--
      }
    },
    touched(id) {
      const entry = entries.get(id)
      if (entry) entry.usedAt = clock.monotonic()
    },
    report(id, report) {
      const entry = entries.get(id)
      if (!entry) return
      const before = entry.report?.state
      entry.report = report
      if (report.state === 'connected' && before !== 'connected' && entry.open) walkSoon(entry)
    },
    connection(id) {
      const entry = entries.get(id)
      if (!entry) return null
      if (entry.report) return entry.report
      return { state: entry.open ? 'connected' : entry.opening ? 'connecting' : 'closed' }
    },
    start() {
      for (const { network, state } of networks.list()) states.set(network, state)
      stopListening = networks.onState(onNetwork)
      const timer: Promise<void> = everyLook().finally(() => running.delete(timer))
      running.add(timer)
    },
    async stop() {
      stopListening()
      ended.abort(new Error('the gateway is stopping'))
      await Promise.all(running)
      await Promise.allSettled([...entries.values()].map((entry) => close(entry)))
    },
  }
}

/** Opening goes on for others who wait for it. */
async function unlessAborted(opening: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw new AdapterError('retryable', 'aborted before the enrolment was open')
  let onAbort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new AdapterError('retryable', 'the enrolment was not open in time'))
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    await Promise.race([opening, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
