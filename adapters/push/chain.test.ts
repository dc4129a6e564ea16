import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type ChainMessage, createChain, peerOf } from './chain.ts'
import { PushError } from './errors.ts'
import type { RestClient } from './rest.ts'

const PAGE = 30
const { signal } = new AbortController()
const own = 'eip155:0x52908400098527886E0F7030069857D2E4169EE7'
const peer = 'eip155:0x8617E340B3D01FA5F11F306F4090FD50E238070D'

function messageAt(position: number, change: object = {}) {
  return {
    cid: `c${position}`,
    link: position === 0 ? null : `c${position - 1}`,
    fromDID: peer,
    toDID: own,
    fromCAIP10: peer,
    toCAIP10: own,
    messageType: 'Text',
    encType: 'pgp',
    timestamp: position,
    ...change,
  }
}

/** The service, with a chat of this many messages. */
function setUp(length: number, page?: (cid: string) => unknown[]) {
  let asked = 0
  const answer = (cid: string): unknown[] => {
    const newest = Number(cid.slice(1))
    if (newest >= length) return []
    return Array.from({ length: Math.min(PAGE, newest + 1) }, (_, index) => messageAt(newest - index))
  }
  const rest: RestClient = {
    call: () => Promise.reject(new Error('not used')),
    async get(path, schema) {
      asked++
      const cid = /conversationhash\/([^?]+)\?fetchLimit=30$/.exec(path)?.[1] ?? ''
      return schema.parse((page ?? answer)(cid))
    },
    clockOffsetMs: () => null,
  }
  return { chain: createChain(rest), asked: () => asked }
}

async function positions(messages: AsyncIterable<ChainMessage>): Promise<number[]> {
  const found: number[] = []
  for await (const { cid } of messages) found.push(Number(cid.slice(1)))
  return found
}

it('forwards gives exactly what is newer than the place where it stops, oldest first', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 130 }),
      fc.integer({ min: -1, max: 130 }),
      async (length, old) => {
        const { chain } = setUp(length)
        const found = await positions(
          chain.forwards(`c${length - 1}`, ({ timestamp }) => (timestamp ?? 0) <= old, signal),
        )
        const first = Math.min(old, length - 1) + 1
        expect(found).toEqual(Array.from({ length: length - first }, (_, index) => first + index))
      },
    ),
    { numRuns: 60 },
  )
})

it('asks once for a page when that is all, and never twice for the oldest', async () => {
  const short = setUp(30)
  await positions(short.chain.forwards('c29', () => false, signal))
  expect(short.asked()).toBe(1)
  const long = setUp(90)
  await positions(long.chain.forwards('c89', () => false, signal))
  expect(long.asked()).toBe(5)
})

it('backwards goes to the beginning', async () => {
  const { chain } = setUp(65)
  expect(await positions(chain.backwards('c64', signal))).toEqual(
    Array.from({ length: 65 }, (_, index) => 64 - index),
  )
})

it('takes no other messages than those asked for and linked', async () => {
  const { chain } = setUp(3, (cid) =>
    cid === 'c2' ? [messageAt(2), messageAt(0), messageAt(1)] : [messageAt(1), { ...messageAt(0), link: '' }],
  )
  expect(await positions(chain.backwards('c2', signal))).toEqual([2, 1, 0])
  const other = setUp(3, () => [messageAt(7)])
  await expect(positions(other.chain.backwards('c2', signal))).rejects.toBeInstanceOf(PushError)
})

it('a message with odd fields does not break the chain', async () => {
  const odd = { cid: 'c1', link: 'c0', messageType: 7, fromDID: null, timestamp: 'yesterday' }
  const { chain } = setUp(3, () => [messageAt(2), odd, messageAt(0, { timestamp: '12' })])
  const found: ChainMessage[] = []
  for await (const message of chain.backwards('c2', signal)) found.push(message)
  expect(found.map(({ cid, timestamp }) => [cid, timestamp])).toEqual([
    ['c2', 2],
    ['c1', null],
    ['c0', 12],
  ])
})

it('a chain without a beginning ends with an error', async () => {
  const { chain } = setUp(1, (cid) => [messageAt(0, { cid, link: cid === 'x' ? 'y' : 'x' })])
  await expect(positions(chain.backwards('x', signal))).rejects.toThrow(/no beginning/)
  await expect(positions(chain.forwards('x', () => false, signal))).rejects.toThrow(/no beginning/)
})

it('the other side of a chat', () => {
  const of = (change: object) => peerOf(messageAt(1, change) as unknown as ChainMessage, own)
  expect(of({})).toBe(peer)
  expect(of({ fromCAIP10: own, toCAIP10: peer })).toBe(peer)
  expect(of({ toCAIP10: 'a group' })).toBe(null)
  expect(of({ toCAIP10: peer })).toBe(null)
})
