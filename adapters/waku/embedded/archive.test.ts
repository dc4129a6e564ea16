import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { testMessage } from '../testing/node.ts'
import { type NetworkMessage, toNanoseconds } from '../wire/message.ts'
import { Archive } from './archive.ts'

const START = 1_787_000_000_000
let now = START
const clock = { now: () => now, monotonic: () => now, sleep: async () => {} }
const open: Archive[] = []

function makeArchive(options: { retentionMs?: number; maxBytes?: number } = {}): Archive {
  const archive = new Archive({ file: null, retentionMs: 3_600_000, maxBytes: 10_000_000, clock, ...options })
  open.push(archive)
  return archive
}

afterEach(() => {
  for (const archive of open.splice(0)) archive.close()
  now = START
})

const entries = fc.array(
  fc.record({
    at: fc.integer({ min: 0, max: 20 }),
    topic: fc.integer({ min: 0, max: 3 }),
    payload: fc.uint8Array({ minLength: 1, maxLength: 3 }),
  }),
  { maxLength: 60 },
)

const toMessages = (list: { at: number; topic: number; payload: Uint8Array }[]): NetworkMessage[] =>
  list.map(({ at, topic, payload }) =>
    testMessage({ at: START + at, contentTopic: `/causeway/1/in-${topic}/cbor`, payload }),
  )

const ordered = (messages: NetworkMessage[]) =>
  [...new Map(messages.map((message) => [message.id, message])).values()].sort((left, right) =>
    left.timestamp === right.timestamp
      ? left.id < right.id
        ? -1
        : 1
      : left.timestamp < right.timestamp
        ? -1
        : 1,
  )

describe('pages', () => {
  it.each([true, false])(
    'give every message of the range once and in order, whatever the page size (forward: %s)',
    (forward) => {
      fc.assert(
        fc.property(
          entries,
          fc.integer({ min: 1, max: 9 }),
          fc.integer({ min: 0, max: 20 }),
          (list, limit, from) => {
            const archive = makeArchive()
            const messages = toMessages(list)
            for (const message of messages) archive.put(message)
            const query = {
              contentTopics: ['/causeway/1/in-1/cbor', '/causeway/1/in-2/cbor'],
              from: toNanoseconds(START + from),
              forward,
              limit,
              maxBytes: 1_000_000,
            }
            const read: string[] = []
            let cursor: Uint8Array | undefined
            do {
              const page = archive.page({ ...query, ...(cursor ? { cursor } : {}) })
              expect(page.messages.length).toBeLessThanOrEqual(limit)
              const ids = page.messages.map(({ id }) => id)
              if (forward) read.push(...ids)
              else read.unshift(...ids)
              cursor = page.next ?? undefined
            } while (cursor)
            const expected = ordered(messages).filter(
              ({ contentTopic, timestamp }) =>
                query.contentTopics.includes(contentTopic) && timestamp >= query.from,
            )
            expect(read).toEqual(expected.map(({ id }) => id))
            archive.close()
          },
        ),
        { numRuns: 60 },
      )
    },
  )

  it('end before they exceed the bytes of an answer, and hold one message at least', () => {
    const archive = makeArchive()
    for (let index = 0; index < 5; index++)
      archive.put(testMessage({ at: START + index, payload: new Uint8Array(1000) }))
    const query = { contentTopics: [], forward: true, limit: 100 }
    expect(archive.page({ ...query, maxBytes: 2500 }).messages).toHaveLength(2)
    expect(archive.page({ ...query, maxBytes: 10 }).messages).toHaveLength(1)
    expect(archive.page({ ...query, maxBytes: 10 }).next).not.toBeNull()
  })

  it('refuse a cursor that the archive does not hold', () => {
    const query = { contentTopics: [], forward: true, limit: 1, maxBytes: 10, cursor: new Uint8Array(32) }
    expect(() => makeArchive().page(query)).toThrow(expect.objectContaining({ code: 'query-invalid' }))
  })
})

describe('by receipt', () => {
  it('a message that arrives late is found, although it is older than what was read before', () => {
    const archive = makeArchive()
    archive.put(testMessage({ at: START }))
    now = START + 10_000
    const late = testMessage({ at: START - 60_000 })
    archive.put(late)
    expect(archive.received(START + 5_000, null, 10).map(({ message }) => message.id)).toEqual([late.id])
  })

  it('pages give every message once', () => {
    fc.assert(
      fc.property(entries, fc.integer({ min: 1, max: 9 }), (list, limit) => {
        const archive = makeArchive()
        const messages = toMessages(list)
        for (const [index, message] of messages.entries()) {
          now = START + (index >> 2)
          archive.put(message)
        }
        const read: string[] = []
        let after: { received: bigint; hash: Uint8Array } | null = null
        for (;;) {
          const page = archive.received(START, after, limit)
          read.push(...page.map(({ message }) => message.id))
          const last = page.at(-1)
          if (!last) break
          after = { received: last.received, hash: last.message.hash }
        }
        expect(read.toSorted()).toEqual(
          ordered(messages)
            .map(({ id }) => id)
            .toSorted(),
        )
        archive.close()
      }),
      { numRuns: 40 },
    )
  })
})

it('find knows a message by its content topic and payload', () => {
  const archive = makeArchive()
  const message = testMessage({ at: START, payload: Uint8Array.of(0, 1, 0, 2) })
  archive.put(message)
  expect(archive.find(message.contentTopic, message.payload, START)?.id).toBe(message.id)
  expect(archive.find(message.contentTopic, Uint8Array.of(0, 1), START)).toBeNull()
  expect(archive.find('/causeway/1/in-1/cbor', message.payload, START)).toBeNull()
  expect(archive.find(message.contentTopic, message.payload, START + 1)).toBeNull()
})

describe('retention', () => {
  it('keeps a message once', () => {
    const archive = makeArchive()
    const message = testMessage({ at: START })
    expect(archive.put(message)).toBe(true)
    expect(archive.put(message)).toBe(false)
    expect(archive.count()).toBe(1)
    expect(archive.bytes).toBe(message.wire.length)
  })

  it('removes what is older than the retention time, and nothing else', () => {
    fc.assert(
      fc.property(entries, fc.integer({ min: 0, max: 25 }), (list, age) => {
        now = START
        const archive = makeArchive({ retentionMs: 60_000 })
        const messages = toMessages(list)
        for (const message of messages) archive.put(message)
        now = START + 60_000 + age
        const removed = archive.sweep()
        // Receipt was at START: one millisecond past the retention time everything goes.
        const kept = ordered(messages).filter(
          ({ timestamp }) => age === 0 && timestamp >= toNanoseconds(START),
        )
        expect(archive.count()).toBe(kept.length)
        expect(removed + kept.length).toBe(ordered(messages).length)
        expect(archive.bytes).toBe(kept.reduce((sum, { wire }) => sum + wire.length, 0))
        archive.close()
      }),
      { numRuns: 40 },
    )
  })

  it('removes the oldest first when the bytes are too many', () => {
    const archive = makeArchive({ maxBytes: 50_000 })
    const messages = Array.from({ length: 300 }, (_, index) =>
      testMessage({ at: START + index, payload: new Uint8Array(1000) }),
    )
    for (const message of messages) {
      archive.put(message)
      expect(archive.bytes).toBeLessThanOrEqual(50_000)
    }
    const kept = archive.page({ contentTopics: [], forward: true, limit: 1000, maxBytes: 1e9 }).messages
    expect(kept.map(({ id }) => id)).toEqual(messages.slice(-kept.length).map(({ id }) => id))
    expect(kept.length).toBeGreaterThan(40)
  })
})
