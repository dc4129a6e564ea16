import { expect, test } from 'vitest'
import { createRanking } from './ranking.ts'
import { type PlanInput, planDeliveries, transactionIdOf } from './route.ts'

const envelopeId = new Uint8Array(32).fill(7)
const base: PlanInput = {
  envelopeId,
  wallet: 'eip155:*:0x0000000000000000000000000000000000000001',
  route: { policy: 'mirror', order: ['waku', 'xmtp'], fallbackAfterMs: 1_000 },
  endpoints: ['xmtp', 'waku', 'trtc', 'gone'].map((network) => ({ network, address: `${network}-address` })),
  networks: ['waku', 'xmtp', 'trtc'],
  ranking: createRanking(),
  heardAt: null,
  now: 5_000,
}
const brief = (input: Partial<PlanInput>) =>
  planDeliveries({ ...base, ...input }).map(({ network, state, rank, notBefore }) => [
    network,
    state,
    rank,
    notBefore,
  ])

test('mirror: all are due, in the order of the route, the networks that it does not name last', () => {
  expect(brief({})).toEqual([
    ['waku', 'pending', 0, null],
    ['xmtp', 'pending', 0, null],
    ['trtc', 'pending', 0, null],
  ])
})

test('without an order the fast transport is dispatched first', () => {
  const route = { policy: 'mirror', order: 'ranked', fallbackAfterMs: 0 } as const
  expect(brief({ route }).map(([network]) => network)).toEqual(['trtc', 'waku', 'xmtp'])
})

test('fallback: the first is due, the others stand by, one after the other', () => {
  expect(brief({ route: { ...base.route, policy: 'fallback' } })).toEqual([
    ['waku', 'pending', 0, null],
    ['xmtp', 'standby', 1, 6_000],
    ['trtc', 'standby', 2, 7_000],
  ])
})

test('the endpoint at which it was heard has it; only the same network and address count', () => {
  expect(brief({ heardAt: { network: 'xmtp', address: 'xmtp-address' } })[1]).toEqual([
    'xmtp',
    'acknowledged',
    0,
    null,
  ])
  expect(brief({ heardAt: { network: 'xmtp', address: 'another' } })[1]?.[1]).toBe('pending')
  expect(brief({ heardAt: { network: 'waku', address: 'xmtp-address' } })[1]?.[1]).toBe('pending')
})

test('fallback: what stands behind the endpoint that has it is not planned', () => {
  const route = { ...base.route, policy: 'fallback' as const }
  expect(brief({ route, heardAt: { network: 'xmtp', address: 'xmtp-address' } })).toEqual([
    ['waku', 'pending', 0, null],
    ['xmtp', 'acknowledged', 1, null],
  ])
  expect(brief({ route, heardAt: { network: 'waku', address: 'waku-address' } })).toEqual([
    ['waku', 'acknowledged', 0, null],
  ])
})

test('ranked: slow and failing networks move back, unknown ones are tried first', () => {
  const ranking = createRanking()
  for (let sample = 0; sample < 10; sample++) {
    ranking.succeeded('trtc', 900)
    ranking.succeeded('waku', 100)
    ranking.failed('waku')
    ranking.succeeded('xmtp', 200)
  }
  expect(ranking.order(['trtc', 'waku', 'xmtp'])).toEqual(['xmtp', 'trtc', 'waku'])
  expect(ranking.order(['trtc', 'push'])).toEqual(['push', 'trtc'])
})

test('transaction ids are 32 hex characters that follow from envelope, network and address', () => {
  const id = transactionIdOf(envelopeId, 'waku', 'topic')
  expect(id).toMatch(/^[0-9a-f]{32}$/)
  expect(transactionIdOf(envelopeId, 'waku', 'topic')).toBe(id)
  expect(transactionIdOf(envelopeId, 'waku', 'topic2')).not.toBe(id)
  expect(transactionIdOf(envelopeId, 'wakut', 'opic')).not.toBe(id)
  expect(transactionIdOf(new Uint8Array(32), 'waku', 'topic')).not.toBe(id)
})
