import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLiveHub } from '../live/hub.ts'
import type { InboxItem, InboxPage } from '../store/port.ts'
import { type FeedEnd, type FeedSink, feedStart, startFeed } from './feed.ts'

const WALLET = 'eip155:*:0x0000000000000000000000000000000000000001'

function item(seq: number): InboxItem {
  return { seq, bytes: new Uint8Array(8) } as InboxItem
}

/** A store that answers pages when it is told to, as they were at the moment of asking. */
function slowStore() {
  const items: InboxItem[] = []
  const waiting: (() => void)[] = []
  return {
    items,
    store: {
      inbox: ({ after, limit }: { after: number; limit: number }) => {
        const later = items.filter(({ seq }) => seq > after)
        const page = later.slice(0, limit)
        const through = page.at(-1)?.seq ?? after
        const complete = later.length <= limit
        return new Promise<InboxPage>((resolve) =>
          waiting.push(() => resolve({ items: page, through, complete })),
        )
      },
    },
    /** Answers the oldest question; false when there is none. */
    answer() {
      const next = waiting.shift()
      next?.()
      return next !== undefined
    },
  }
}

/** Takes everything. */
const sink: FeedSink = { write: () => true, writeConversation: () => true, drained: async () => true }

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('a feed', () => {
  it('passes every item on once and in order, however reads and live items mix', async () => {
    // `true`: an item becomes durable. `false`: the hub hears of the oldest that it has not heard of. null: the store answers.
    const steps = fc.array(fc.constantFrom(true, false, null), { maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.nat(6),
        fc.nat(6),
        fc.integer({ min: 1, max: 4 }),
        async (plan, before, after, pageItems) => {
          const hub = createLiveHub()
          const { items, store, answer } = slowStore()
          const heard: number[] = []
          const unheard: InboxItem[] = []
          let seq = 0
          const add = () => {
            const added = item(++seq)
            items.push(added)
            return added
          }
          for (let index = 0; index < before; index++) add()
          const from = Math.min(after, before)
          const feed = startFeed({
            store,
            live: hub,
            wallet: WALLET,
            after: from,
            pageItems,
            sink: { ...sink, write: (one) => heard.push(one.seq) > 0 },
            onEnd: (reason) => expect.unreachable(`ended: ${reason}`),
          })
          for (const step of plan) {
            if (step === true) unheard.push(add())
            else if (step === false) {
              const next = unheard.shift()
              if (next) hub.publish(WALLET, next)
            } else answer()
            await settle()
          }
          for (const one of unheard) hub.publish(WALLET, one)
          do await settle()
          while (answer())
          const live = add()
          hub.publish(WALLET, live)
          do await settle()
          while (answer())
          expect(heard).toEqual(items.map((one) => one.seq).filter((one) => one > from))
          feed.stop()
          expect(hub.subscribers).toBe(0)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('does not wait for an item that was removed before it could be read', async () => {
    const hub = createLiveHub()
    const { store, answer } = slowStore()
    const heard: number[] = []
    startFeed({
      store,
      live: hub,
      wallet: WALLET,
      after: 0,
      pageItems: 2,
      sink: { ...sink, write: (one) => heard.push(one.seq) > 0 },
      onEnd: () => expect.unreachable(),
    })
    hub.publish(WALLET, item(5))
    for (let index = 0; index < 3; index++) {
      answer()
      await settle()
    }
    expect(answer()).toBe(false)
    hub.publish(WALLET, item(6))
    expect(heard).toEqual([6])
  })

  async function endOf(
    act: (hub: ReturnType<typeof createLiveHub>) => void,
    options: { full?: boolean; fail?: boolean },
  ) {
    const hub = createLiveHub()
    const ends: FeedEnd[] = []
    startFeed({
      store: {
        inbox: async () =>
          options.fail ? Promise.reject(new Error('closed')) : { items: [], through: 0, complete: true },
      },
      live: hub,
      wallet: WALLET,
      after: 0,
      pageItems: 2,
      sink: { ...sink, write: () => !options.full, drained: async () => false },
      onEnd: (reason) => ends.push(reason),
    })
    await settle()
    act(hub)
    await settle()
    expect(hub.subscribers).toBe(0)
    return ends
  }

  it('ends once: for a slow reader, a failing store, a closed hub', async () => {
    expect(await endOf((hub) => [1, 2].map((seq) => hub.publish(WALLET, item(seq))), { full: true })).toEqual(
      ['slow'],
    )
    expect(await endOf(() => {}, { fail: true })).toEqual(['failed'])
    expect(await endOf((hub) => hub.close(), {})).toEqual(['dropped'])
  })
})

describe('where a stream begins', () => {
  const store = { inboxBounds: async () => ({ first: 10, last: 20 }) }
  it.each([
    ['without a cursor: now', null, { recovered: true, after: 20 }],
    ['at the cursor', { seq: 15 }, { recovered: true, after: 15 }],
    ['at the oldest place that misses nothing', { seq: 9 }, { recovered: true, after: 9 }],
    ['now, when items after the cursor are gone', { seq: 8 }, { recovered: false, after: 20 }],
    ['now, for a cursor from the future', { seq: 21 }, { recovered: false, after: 20 }],
    ['now, for a cursor of another store', { seq: null }, { recovered: false, after: 20 }],
  ])('%s', async (_name, cursor, start) => {
    expect(await feedStart(store, WALLET, cursor)).toEqual(start)
  })
})
