/**
 * The unified inbox against a model of it: whatever arrives while several devices page through it in both directions, with and
 * without filters, nobody misses an item or meets one twice; and unread counts are what the devices did not read.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { InboxQuery } from '../../src/store/port.ts'
import type { SqliteStore } from '../../src/store/sqlite/index.ts'
import { acceptRecord, bytesOf, carol, walletOf } from '../../src/store/testing/records.ts'
import { openStore } from '../../src/store/testing/stores.ts'

const PEERS = ['dora', 'emil', 'fay'].map(walletOf)
const TYPES = ['xmtp.org/text:1.0', 'xmtp.org/reaction:1.0', 'xmtp.org/readReceipt:1.0']
/** Small, so that a history crosses from memory into the indexes several times. */
const STORE = { indexBatch: 7 }
const RUNS = 600

interface Item {
  seq: number
  peer: number
  type: string
  sent: boolean
}

type Filter = { peer?: number; type?: string; from?: number }

const index = (below: number) => fc.nat(below - 1)
const filters: fc.Arbitrary<Filter> = fc.record(
  { peer: index(PEERS.length), type: fc.constantFrom(...TYPES), from: index(PEERS.length) },
  { requiredKeys: [] },
)
const arrival = fc.record({
  peer: index(PEERS.length),
  type: fc.constantFrom(...TYPES),
  sent: fc.boolean(),
  /** For another wallet: it takes a seq, and is none of the reader's. */
  elsewhere: fc.boolean(),
})
const device = fc.record({
  filter: filters,
  order: fc.constantFrom('oldest' as const, 'newest' as const),
  limit: fc.integer({ min: 1, max: 4 }),
})

const conversationOf = (reader: string, peer: number) => bytesOf(`${reader} and ${PEERS[peer]}`)

class World {
  readonly items: Item[] = []
  readonly #store: SqliteStore
  readonly reader: string
  #count = 0

  constructor(store: SqliteStore, name: string) {
    this.#store = store
    this.reader = walletOf(name)
  }

  async arrive(one: { peer: number; type: string; sent: boolean; elsewhere: boolean }): Promise<void> {
    const { peer, type, sent, elsewhere } = one
    const { seq } = await this.#store.accept(
      acceptRecord(`${this.reader} ${this.#count++}`, {
        from: sent ? this.reader : PEERS[peer]!,
        conversation: conversationOf(this.reader, peer),
        contentType: type,
        inbox: [{ wallet: elsewhere ? carol : this.reader, direction: sent ? 'sent' : 'received' }],
        deliveries: [],
      }),
    )
    if (!elsewhere) this.items.push({ seq, peer, type, sent })
  }

  fits(item: Item, { peer, type, from }: Filter): boolean {
    if (peer !== undefined && item.peer !== peer) return false
    if (type !== undefined && item.type !== type) return false
    return from === undefined || (!item.sent && item.peer === from)
  }

  query({ peer, type, from }: Filter): Pick<InboxQuery, 'wallet' | 'conversation' | 'contentType' | 'from'> {
    return {
      wallet: this.reader,
      conversation: peer === undefined ? null : conversationOf(this.reader, peer),
      ...(type === undefined ? {} : { contentType: type }),
      ...(from === undefined ? {} : { from: PEERS[from]! }),
    }
  }
}

interface Plan {
  filter: Filter
  order: 'oldest' | 'newest'
  limit: number
}

/** A device that pages through the inbox, a page at a time. */
class Pager {
  readonly seen: number[] = []
  readonly #world: World
  readonly #store: SqliteStore
  readonly #plan: Plan
  #after: number
  /** What is there already: all that a device sees that goes back from now. */
  readonly #first: number[]

  constructor(store: SqliteStore, world: World, plan: Plan, last: number) {
    this.#store = store
    this.#world = world
    this.#plan = plan
    this.#after = plan.order === 'newest' ? last + 1 : 0
    this.#first = world.items.map(({ seq }) => seq)
  }

  async page(): Promise<boolean> {
    const { filter, order, limit } = this.#plan
    const query = { ...this.#world.query(filter), order, limit, after: this.#after }
    const { items, through, complete } = await this.#store.inbox(query)
    expect(items.length).toBeLessThanOrEqual(limit)
    this.seen.push(...items.map(({ seq }) => seq))
    if (!complete) expect(through).not.toBe(this.#after)
    this.#after = through
    return !complete
  }

  expected(): number[] {
    const { filter, order } = this.#plan
    const fitting = this.#world.items
      .filter((item) => this.#world.fits(item, filter))
      .map(({ seq }) => seq)
      .sort((one, other) => one - other)
    return order === 'oldest' ? fitting : fitting.filter((seq) => this.#first.includes(seq)).reverse()
  }
}

it('no device misses an item or meets one twice, in either direction and with any filter, while others arrive', async () => {
  const store = await openStore(STORE)
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(arrival, { maxLength: 12 }),
      fc.array(device, { minLength: 1, maxLength: 4 }),
      fc.array(fc.oneof(arrival, fc.record({ page: index(4) })), { maxLength: 40 }),
      async (before, devices, steps) => {
        const world = new World(store, `reader ${run++}`)
        await Promise.all(before.map((one) => world.arrive(one)))
        const { last } = await store.inboxBounds(world.reader)
        const pagers = devices.map((plan) => new Pager(store, world, plan, last))
        // Everything at once: the store takes calls in the order in which they were made.
        const underWay: Promise<unknown>[] = []
        const turns = pagers.map(() => Promise.resolve(true))
        for (const step of steps) {
          if ('page' in step) {
            const place = step.page % pagers.length
            turns[place] = turns[place]!.then(() => pagers[place]!.page())
          } else underWay.push(world.arrive(step))
        }
        await Promise.all([...underWay, ...turns])
        for (const pager of pagers) {
          while (await pager.page());
          expect(pager.seen).toEqual(pager.expected())
        }
      },
    ),
    { numRuns: RUNS },
  )
}, 600_000)

it('read state is shared, never goes back, and leaves as unread what came after it', async () => {
  const store = await openStore(STORE)
  let run = 0
  const reading = fc.record({ peer: index(PEERS.length), share: fc.integer({ min: 0, max: 100 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(arrival, reading), { maxLength: 40 }), async (steps) => {
      const world = new World(store, `other reader ${run++}`)
      const readThrough = new Map<number, number>()
      for (const step of steps) {
        if (!('share' in step)) {
          await world.arrive(step)
          continue
        }
        const items = world.items.filter(({ peer }) => peer === step.peer)
        // Also beyond the last item, which is not read before it comes.
        const through = Math.ceil((((items.at(-1)?.seq ?? 0) + 3) * step.share) / 100)
        const conversation = conversationOf(world.reader, step.peer)
        const marked = await store.markRead({ wallet: world.reader, conversation, through, at: 5_000 })
        if (items.length === 0) {
          expect(marked).toBe(null)
          continue
        }
        const earlier = readThrough.get(step.peer) ?? 0
        const now = Math.max(earlier, Math.min(through, items.at(-1)!.seq))
        readThrough.set(step.peer, now)
        expect(marked).toMatchObject({ before: earlier, state: { readThrough: now } })
      }
      const { conversations } = await store.conversations({ wallet: world.reader, limit: 10, before: null })
      const shown = conversations.map(({ conversation, unread, items }) => ({ conversation, unread, items }))
      const expected = PEERS.map((_peer, peer) => {
        const items = world.items.filter((item) => item.peer === peer)
        const unread = items.filter(
          ({ seq, sent, type }) =>
            !sent && seq > (readThrough.get(peer) ?? 0) && !type.includes('readReceipt'),
        )
        return {
          last: items.at(-1)?.seq ?? 0,
          shown: {
            conversation: conversationOf(world.reader, peer),
            unread: unread.length,
            items: items.length,
          },
        }
      })
        .filter(({ last }) => last > 0)
        .sort((one, other) => other.last - one.last)
      expect(shown).toEqual(expected.map((one) => one.shown))
    }),
    { numRuns: RUNS },
  )
}, 600_000)

it('pages of conversations repeat none, and what they do not hold has an item that came after the first page', async () => {
  const store = await openStore(STORE)
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(arrival, { minLength: 1, maxLength: 20 }),
      fc.array(fc.array(arrival, { maxLength: 4 }), { maxLength: 4 }),
      fc.integer({ min: 1, max: 2 }),
      async (before, between, limit) => {
        const world = new World(store, `third reader ${run++}`)
        for (const one of before) await world.arrive(one)
        const { last } = await store.inboxBounds(world.reader)
        const seen: string[] = []
        let place: number | null = null
        for (let page = 0; page === 0 || place !== null; page++) {
          const found = await store.conversations({ wallet: world.reader, limit, before: place })
          seen.push(
            ...found.conversations.map(({ conversation }) => Buffer.from(conversation).toString('hex')),
          )
          place = found.next
          await Promise.all((between[page] ?? []).map((one) => world.arrive(one)))
        }
        const all = new Set(
          world.items.map(({ peer }) => Buffer.from(conversationOf(world.reader, peer)).toString('hex')),
        )
        const later = world.items
          .filter(({ seq }) => seq > last)
          .map(({ peer }) => Buffer.from(conversationOf(world.reader, peer)).toString('hex'))
        expect(seen).toEqual([...new Set(seen)])
        expect(new Set([...seen, ...later])).toEqual(all)
      },
    ),
    { numRuns: 300 },
  )
}, 600_000)
