import { describe, expect, it } from 'vitest'
import type { SendIntent } from '../../src/adapter/index.ts'
import { createVirtualClock } from '../../src/adapter/testing/clock.ts'
import { encodeMessage, messageNumbers } from './carriage.ts'
import { createHistory, ownTransaction, remoteTimeOf } from './history.ts'
import type { RestClient, RoamingMessage, RoamingQuery } from './rest.ts'

const never = new AbortController().signal
const transactionId = 'ab'.repeat(16)
const frame = new Uint8Array([1, 2, 3])
const intent = {
  transactionId,
  envelopeId: new Uint8Array(32),
  frame,
  to: { wallet: 'wallet of bob', address: 'bob' },
  from: { wallet: 'wallet of alice', address: null },
  ephemeral: false,
} as SendIntent

const message = (change: Partial<RoamingMessage> = {}): RoamingMessage => ({
  From_Account: 'alice',
  To_Account: 'bob',
  MsgTimeStamp: 100,
  MsgKey: '1_2_100',
  ...messageNumbers(transactionId),
  ...encodeMessage(frame, new Uint8Array(32), transactionId),
  ...change,
})

/** History over pages that a test gives, newest first. */
function historyOf(
  pages: RoamingMessage[][],
  attempts: Record<string, number> = {},
  clockLagMs: () => number = () => 0,
) {
  const clock = createVirtualClock(1_900_000_000_000)
  const queries: RoamingQuery[] = []
  const rest = {
    clockLagMs,
    async roamingMessages(query: RoamingQuery) {
      queries.push(query)
      const page = query.LastMsgKey === undefined ? 0 : Number(query.LastMsgKey)
      const complete = page + 1 >= pages.length
      return { complete, lastKey: String(page + 1), messages: pages[page] ?? [] }
    },
  } as unknown as RestClient
  const history = createHistory({
    rest,
    clock,
    senderOf: () => 'alice',
    firstAttemptAt: (id) => attempts[id] ?? null,
  })
  return { history, queries }
}

describe('remoteTimeOf', () => {
  it('gives milliseconds, and null for numbers that are no time', () => {
    expect(remoteTimeOf(1_900_000_000)).toBe(1_900_000_000_000)
    expect(remoteTimeOf(1.0004)).toBe(1000)
    for (const wrong of [-1, 1e308, Number.POSITIVE_INFINITY, 2 ** 52]) expect(remoteTimeOf(wrong)).toBeNull()
  })
})

describe('pages', () => {
  it('that go round in circles end with an error: neither an endless walk nor a complete one', async () => {
    let asked = 0
    const rest = {
      clockLagMs: () => 0,
      roamingMessages: async () => ({ complete: false, lastKey: String(asked++ % 3), messages: [] }),
    } as unknown as RestClient
    const clock = createVirtualClock(1_900_000_000_000)
    const history = createHistory({ rest, clock, senderOf: () => 'alice', firstAttemptAt: () => null })
    await expect(history.find(intent, never)).rejects.toMatchObject({ class: 'retryable' })
    expect(asked).toBe(4)
  })
})

describe('find', () => {
  it('asks for the recipient’s view, from the first attempt on, allowing for clocks that differ', async () => {
    const { history, queries } = historyOf([[message()]], { [transactionId]: 1_899_999_000_000 })
    expect(await history.find(intent, never)).toEqual({ remoteIds: ['1_2_100'] })
    expect(queries).toEqual([
      {
        Operator_Account: 'bob',
        Peer_Account: 'alice',
        MaxCnt: 100,
        MinTime: 1_899_999_000 - 120,
        MaxTime: 1_900_000_000 + 86_400,
      },
    ])
  })

  it('looks over all that is kept when the first attempt is not known', async () => {
    const { history, queries } = historyOf([[]])
    expect(await history.find(intent, never)).toBeNull()
    expect(queries[0]?.MinTime).toBe(1_900_000_000 - 7 * 86_400 - 120)
  })

  it('reads page after page, and stops at the message', async () => {
    const other = message({ MsgSeq: 1 })
    const { history, queries } = historyOf([[other], [other], [message({ MsgId: 'tiny-1-2' })], [other]])
    expect(await history.find(intent, never)).toEqual({ remoteIds: ['1_2_100', 'tiny-1-2'] })
    expect(queries.map(({ LastMsgKey }) => LastMsgKey)).toEqual([undefined, '1', '2'])
  })

  it('is not misled by messages that only resemble it', async () => {
    const resembling = [
      message({ From_Account: 'mallory' }),
      message({ MsgSeq: 1 }),
      message({ MsgRandom: 1 }),
      message({ CloudCustomData: '{}' }),
      message({ MsgBody: [] }),
    ]
    expect(await historyOf([resembling]).history.find(intent, never)).toBeNull()
  })
})

describe('walk', () => {
  it('asks further back when the service’s clock was seen behind, by an hour at most', async () => {
    const query = { since: 1_899_999_000_000, pairs: [{ local: 'alice', peer: 'bob' }] }
    for (const [lag, back] of [
      [300_000, 300],
      [86_400_000, 3_600],
    ] as const) {
      const { history, queries } = historyOf([[]], {}, () => lag)
      for await (const inbound of history.walk(query, never))
        throw new Error(`unexpected ${inbound.remoteId}`)
      expect(queries.map(({ MinTime }) => MinTime)).toEqual([1_899_999_000 - back])
    }
  })

  it('leaves out what was recalled and what is not ours', async () => {
    const kept = message({ MsgKey: 'kept' })
    const pages = [[message({ MsgFlagBits: 8 }), message({ MsgBody: [{ MsgType: 'TIMTextElem' }] }), kept]]
    const found: string[] = []
    const pairs = [{ local: 'bob', peer: 'alice' }]
    for await (const inbound of historyOf(pages).history.walk({ since: 0, pairs }, never)) {
      expect(inbound).toMatchObject({ transactionId, remoteTime: 100_000, via: 'history' })
      found.push(inbound.remoteId)
    }
    expect(found).toEqual(['kept'])
  })

  it('may be left early', async () => {
    const pairs = Array.from({ length: 20 }, (_, index) => ({ local: `user${index}`, peer: 'alice' }))
    const { history, queries } = historyOf([[message()]])
    for await (const _inbound of history.walk({ since: 0, pairs }, never)) break
    expect(queries.length).toBeLessThan(20)
  })
})

it('a transaction id counts only with the numbers that follow from it', () => {
  const numbers = messageNumbers(transactionId)
  expect(ownTransaction(transactionId, numbers)).toBe(transactionId)
  expect(ownTransaction(transactionId, { ...numbers, MsgSeq: 1 })).toBeNull()
  expect(ownTransaction(transactionId, { ...numbers, MsgRandom: 1 })).toBeNull()
  expect(ownTransaction(null, numbers)).toBeNull()
})
