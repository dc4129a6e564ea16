/** What a mirror keeps: since when it is there, and where it is in each chat. */
import { z } from 'zod'
import type { AdapterLog, AdapterStorage } from '../../../src/adapter/index.ts'
import type { Place } from './lane.ts'
import { type Registration, scopeOf } from './registration.ts'
import type { Feed } from './source.ts'

/** Clocks of the gateway and the service may differ by this much unnoticed, milliseconds. */
const CLOCK_SKEW_MS = 120_000
const DAY_MS = 86_400_000
/** A cursor that is not in its chat leads back no further than parcels are useful. */
const LONGEST_GAP_MS = 30 * DAY_MS
/** "Now" is where the chats are when they can be asked soon enough; later it is told by the service's clock. */
const PROMPT_MS = 10_000

const placeSchema = z.object({ cid: z.string().nullable(), floor: z.number() })
const indexSchema = z.object({
  since: z.number(),
  scope: z.array(z.string()).nullable(),
  anchored: z.boolean(),
  chats: z.array(z.string()),
})

export interface Places {
  /** Goes on with this registration. Chats that are new in it begin at `now`. Gives the chats that are no longer in it. */
  enter(registration: Registration, now: number): Promise<string[]>
  /** False until `anchor`: chats that have no place yet may be old ones. */
  isAnchored(): boolean
  /** Chats of `feeds` without a place begin after these messages. From here on chats without a place are new ones. */
  anchor(feeds: readonly Feed[], now: number): Promise<void>
  placeIn(chat: string): Promise<Place>
  /** Keeps a place, soon. Calls while one of the same chat is being written become one. */
  save(chat: string, place: Place): void
  forget(chats: readonly string[]): Promise<void>
  /** Resolves when nothing is being written any more. */
  settle(): Promise<void>
}

const keyOf = (mirror: string, chat: string) => `opaque/${mirror}/${chat}`

export async function openPlaces(storage: AdapterStorage, mirror: string, log: AdapterLog): Promise<Places> {
  const stored = await storage.get(`opaque/${mirror}`)
  let index = stored === null ? null : indexSchema.parse(JSON.parse(stored))
  const chats = new Set(index?.chats)
  /** The newest place of each chat that is being written. */
  const writing = new Map<string, Place>()
  const writes = new Set<Promise<void>>()

  async function keepIndex(): Promise<void> {
    await storage.set(`opaque/${mirror}`, JSON.stringify({ ...index, chats: [...chats] }))
  }

  async function add(places: readonly (readonly [string, Place])[]): Promise<void> {
    const before = chats.size
    for (const [chat] of places) chats.add(chat)
    // First the names, by which `forgetMirror` finds the places.
    if (chats.size > before) await keepIndex()
    for (const [chat, place] of places) await storage.set(keyOf(mirror, chat), JSON.stringify(place))
  }

  async function read(chat: string): Promise<Place | null> {
    const text = chats.has(chat) ? await storage.get(keyOf(mirror, chat)) : null
    return text === null ? null : placeSchema.parse(JSON.parse(text))
  }

  async function write(chat: string): Promise<void> {
    try {
      for (
        let place = writing.get(chat), last: Place | undefined;
        place !== last;
        place = writing.get(chat)
      ) {
        last = place
        if (place) await add([[chat, place]])
      }
    } catch (error) {
      // Without it a restart delivers again what is known already.
      log.warn({ error }, 'the place in a mirrored chat could not be kept')
    } finally {
      writing.delete(chat)
    }
  }

  return {
    async enter(registration, now) {
      const scope = scopeOf(registration)
      const before = index?.scope
      const isWider =
        before !== null && (scope === null || [...scope].some((chat) => !before?.includes(chat)))
      if (index === null || isWider) index = { since: now, scope: null, anchored: false, chats: [] }
      index = { ...index, scope: scope && [...scope] }
      await keepIndex()
      const begun: [string, Place][] = []
      for (const { id, cursor } of registration.chats ?? []) {
        if (cursor !== undefined && !chats.has(id))
          begun.push([id, { cid: cursor, floor: now - LONGEST_GAP_MS }])
      }
      await add(begun)
      return scope ? [...chats].filter((chat) => !scope.has(chat)) : []
    },
    isAnchored: () => index?.anchored ?? false,
    async anchor(feeds, now) {
      if (!index) return
      const { since } = index
      if (now - since <= PROMPT_MS) {
        const unplaced = feeds.filter(({ chat }) => !chats.has(chat))
        await add(unplaced.map(({ chat, cid, at }) => [chat, { cid, floor: (at ?? since) - DAY_MS }]))
      }
      index = { ...index, anchored: true }
      await keepIndex()
    },
    placeIn: async (chat) => (await read(chat)) ?? { cid: null, floor: (index?.since ?? 0) - CLOCK_SKEW_MS },
    save(chat, place) {
      const isWriting = writing.has(chat)
      writing.set(chat, place)
      if (isWriting) return
      const one = write(chat).finally(() => writes.delete(one))
      writes.add(one)
    },
    async forget(left) {
      for (const chat of left) {
        await storage.set(keyOf(mirror, chat), null)
        chats.delete(chat)
      }
      if (left.length > 0) await keepIndex()
    },
    async settle() {
      await Promise.all(writes)
    },
  }
}

/** Deletes all that a mirror keeps, followed or not. */
export async function forgetMirror(storage: AdapterStorage, mirror: string): Promise<void> {
  const stored = await storage.get(`opaque/${mirror}`)
  if (stored === null) return
  for (const chat of indexSchema.parse(JSON.parse(stored)).chats) await storage.set(keyOf(mirror, chat), null)
  await storage.set(`opaque/${mirror}`, null)
}
