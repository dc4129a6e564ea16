import type { Adapter, DeliverResult, OpaqueInbound } from '../adapter/index.ts'
import { toHex, utf8Decode, utf8Encode } from '../envelope/index.ts'
import type { StoredEnvelope, StoredMirror } from '../store/port.ts'
import { createAgenda } from './agenda.ts'
import { withDeadline } from './deadline.ts'
import { RelayError } from './errors.ts'
import type { Parcels } from './parcels.ts'
import type { RelayContext } from './parts.ts'
import { retryDelay } from './retry.ts'
import { createSerializer } from './serializer.ts'
import { OBEY_MS } from './transmit.ts'
import type { MirrorSummary, Mirrors } from './types.ts'

/** Mirrors that are read, or begun to be followed, at once. */
const PAGE = 100
/** Default of `settings.mirrorTopics`. */
const TOPICS = 2_000
/** Faults of a registration that its refusal tells. */
const TOLD_FAULTS = 5

/** Keeps the registrations of wallets, and has the adapters follow them. */
export interface MirrorKeeper extends Mirrors {
  /** Reads what earlier runs left and begins to follow it. */
  start(): Promise<void>
  stop(): Promise<void>
  /** A network reported a state: a new instance of its adapter follows nothing yet. */
  connection(network: string): void
  /** Whether the wallet of a parcel still has its network mirrored. */
  isMirrored(parcel: Pick<StoredEnvelope, 'from' | 'via'>): boolean
  /** Takes what a mirror heard. Refuses what is for no mirror of this network. */
  hear(network: string, inbound: OpaqueInbound): Promise<DeliverResult>
}

interface Entry {
  stored: StoredMirror
  registration: unknown
  /** The instance that follows it as it now is; null while there is none. */
  follower: Adapter | null
  /** Deliveries under way; whoever ends the mirror waits for them. */
  underWay: Set<Promise<unknown>>
  ended: boolean
}

type Place = Pick<StoredMirror, 'wallet' | 'network'>

export function createMirrorKeeper(context: RelayContext, parcels: Parcels): MirrorKeeper {
  const { store, networks, clock, random, settings, log, vault, observer } = context
  const entries = new Map<string, Entry>()
  /** Ids by network and wallet. */
  const places = new Map<string, string>()
  const inTurn = createSerializer()
  const agenda = createAgenda(clock)
  const stopping = new AbortController()
  const background = new Set<Promise<void>>()

  const limits = {
    milliseconds: settings.sendTimeoutMs,
    graceMs: OBEY_MS,
    signal: stopping.signal,
  }

  function inBackground(network: string, work: () => Promise<void>): void {
    if (stopping.signal.aborted) return
    const running: Promise<void> = work()
      .catch((error: unknown) => log.error({ network, error }, 'mirrors could not be followed'))
      .finally(() => background.delete(running))
    background.add(running)
  }

  const placeOf = ({ wallet, network }: Place) => `${network}\n${wallet}`
  const purposeOf = ({ wallet, network }: Place) => ({ network, id: `mirror of ${wallet}` })

  /** Has the running adapter follow the mirror, unless it does so already. False when that failed. */
  async function follow(entry: Entry): Promise<boolean> {
    const { id, wallet, network } = entry.stored
    return inTurn(id, async () => {
      const adapter = networks.get(network)?.adapter
      const facet = adapter?.opaque
      if (!adapter || !facet || entries.get(id) !== entry || entry.follower === adapter) return true
      const mirror = { id, wallet, registration: entry.registration }
      try {
        await withDeadline(clock, limits, (signal) => facet.follow(mirror, signal))
        entry.follower = adapter
        return true
      } catch (error) {
        if (!stopping.signal.aborted) log.warn({ network, error }, 'a mirror is not followed yet')
        return false
      }
    })
  }

  async function followAll(network: string, attempt = 1): Promise<void> {
    const adapter = networks.get(network)?.adapter
    const left = [...entries.values()].filter(
      (entry) => entry.stored.network === network && entry.follower !== adapter,
    )
    let failed = 0
    for (let index = 0; index < left.length && !stopping.signal.aborted; index += PAGE) {
      const results = await Promise.all(left.slice(index, index + PAGE).map(follow))
      failed += results.filter((followed) => !followed).length
    }
    if (failed > 0) followLater(network, attempt)
  }

  function followLater(network: string, attempt: number): void {
    agenda.at(clock.now() + retryDelay(settings.retry, attempt, random.fraction()), () =>
      inBackground(network, () => followAll(network, attempt + 1)),
    )
  }

  function checked({ wallet, network }: Place, input: unknown): { registration: unknown; topics: number } {
    const running = networks.get(network)
    if (!running) throw new RelayError('network-unknown', 'No network of this name runs here')
    const { opaque } = running.adapter
    if (!opaque) throw new RelayError('mirror-unsupported', 'This network has no opaque mirroring')
    const parsed = opaque.registration.safeParse(input)
    if (!parsed.success) {
      const faults = parsed.error.issues.slice(0, TOLD_FAULTS)
      const told = faults.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`)
      throw new RelayError('mirror-registration-invalid', told.join('; '))
    }
    const objection = opaque.objection?.(wallet, parsed.data) ?? null
    if (objection !== null) throw new RelayError('mirror-registration-invalid', objection)
    const topics = opaque.topics(parsed.data)
    const most = settings.mirrorTopics ?? TOPICS
    if (topics > most) {
      throw new RelayError('mirror-too-large', `${topics} topics, this gateway follows ${most} of a wallet`)
    }
    return { registration: parsed.data, topics }
  }

  function keep(stored: StoredMirror, registration: unknown): Entry {
    const underWay = entries.get(stored.id)?.underWay ?? new Set()
    const entry: Entry = { stored, registration, follower: null, underWay, ended: false }
    entries.set(stored.id, entry)
    places.set(placeOf(stored), stored.id)
    return entry
  }

  function summaryOf(stored: StoredMirror): MirrorSummary {
    const { network, topics, createdAt, updatedAt } = stored
    const follower = entries.get(stored.id)?.follower
    const following =
      follower !== undefined && follower !== null && follower === networks.get(network)?.adapter
    return { network, topics, createdAt, updatedAt, following }
  }

  async function load(stored: StoredMirror): Promise<void> {
    try {
      const purpose = purposeOf(stored)
      const { secret, stale } = vault.unwrap(stored.registration, purpose)
      const registration: unknown = JSON.parse(utf8Decode(secret))
      const current = stale
        ? await store.putMirror({ ...stored, registration: vault.wrap(secret, purpose) })
        : stored
      keep(current, registration)
    } catch (error) {
      const { network, id } = stored
      log.error(
        { network, mirror: id, error },
        'a registration cannot be opened; was the master key changed?',
      )
    }
  }

  return {
    async start() {
      for (let afterId = ''; ; ) {
        const page = await store.listMirrors({ afterId, limit: PAGE })
        await Promise.all(page.map(load))
        if (page.length < PAGE) break
        afterId = page.at(-1)!.id
      }
      for (const network of networks.names()) await followAll(network)
    },

    async stop() {
      stopping.abort(new RelayError('relay-stopping', 'The gateway is stopping'))
      agenda.stop()
      await Promise.all(background)
    },

    connection(network) {
      const adapter = networks.get(network)?.adapter
      const isNew = [...entries.values()].some(
        ({ stored, follower }) => stored.network === network && follower !== adapter,
      )
      if (isNew) inBackground(network, () => followAll(network))
    },

    isMirrored({ from, via }) {
      const id = places.get(placeOf({ wallet: from, network: via }))
      return id !== undefined && entries.get(id)?.ended === false
    },

    async hear(network, inbound) {
      const entry = entries.get(inbound.mirror)
      if (!entry || entry.ended || entry.stored.network !== network) {
        return { outcome: 'refused', code: 'mirror-unknown' }
      }
      const startedAt = clock.monotonic()
      const taking = parcels.take(network, entry.stored.wallet, inbound)
      entry.underWay.add(taking)
      try {
        const result = await taking
        observer.accepted(network, result.outcome, null, clock.monotonic() - startedAt)
        return result
      } finally {
        entry.underWay.delete(taking)
      }
    },

    put: (wallet, network, input) =>
      inTurn(placeOf({ wallet, network }), async () => {
        const { registration, topics } = checked({ wallet, network }, input)
        const sealed = vault.wrap(utf8Encode(JSON.stringify(registration)), purposeOf({ wallet, network }))
        const now = clock.now()
        const stored = await store.putMirror({
          id: toHex(random.bytes(16)),
          wallet,
          network,
          topics,
          registration: sealed,
          createdAt: now,
          updatedAt: now,
        })
        if (!(await follow(keep(stored, registration)))) followLater(network, 1)
        return summaryOf(stored)
      }),

    remove: (wallet, network) =>
      inTurn(placeOf({ wallet, network }), async () => {
        // One that could not be opened at the start is in the store alone.
        const id =
          places.get(placeOf({ wallet, network })) ??
          (await store.mirrorsOf(wallet)).find((mirror) => mirror.network === network)?.id
        if (id === undefined) {
          throw new RelayError('mirror-unknown', 'This wallet has no mirror of this network')
        }
        const entry = entries.get(id)
        if (entry) entry.ended = true
        try {
          await store.deleteMirror(id)
        } catch (error) {
          if (entry) entry.ended = false
          throw error
        }
        entries.delete(id)
        places.delete(placeOf({ wallet, network }))
        await Promise.allSettled(entry?.underWay ?? [])
        await inTurn(id, async () => {
          const facet = networks.get(network)?.adapter.opaque
          if (!facet) return
          try {
            await withDeadline(clock, limits, (signal) => facet.unfollow(id, signal))
          } catch (error) {
            // What it still hears is refused.
            log.warn({ network, error }, 'an adapter did not end a mirror cleanly')
          }
        })
      }),

    list: async (wallet) => (await store.mirrorsOf(wallet)).map(summaryOf),
  }
}
