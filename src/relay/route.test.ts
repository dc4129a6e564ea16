import { expect, test } from 'vitest'
import { orderOf, type PlanInput, planDeliveries, transactionIdOf } from './route.ts'

const envelopeId = new Uint8Array(32).fill(7)
const base: PlanInput = {
  envelopeId,
  wallet: 'eip155:*:0x0000000000000000000000000000000000000001',
  rule: { policy: 'mirror', fallbackAfterMs: 1_000 },
  order: ['waku', 'xmtp', 'trtc'],
  endpoints: ['xmtp', 'waku', 'trtc', 'gone'].map((network) => ({ network, address: `${network}-address` })),
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

test('the order of the route comes first, the networks that it does not name last, those that do not run not at all', () => {
  const rank = () => expect.unreachable()
  expect(orderOf({ order: ['push', 'waku'] }, ['xmtp', 'waku', 'trtc'], rank)).toEqual({
    networks: ['waku', 'trtc', 'xmtp'],
    ranked: null,
  })
})

test('a ranked order is asked for with the fast transport first', () => {
  const standing = { connected: true, quiet: true, latencyMs: null, stability: null, score: 0 }
  const rank = (networks: readonly string[]) => ({
    order: networks.map((network) => ({ ...standing, network })),
    probed: null,
  })
  const { networks, ranked } = orderOf({ order: 'ranked' }, ['xmtp', 'waku', 'trtc'], rank)
  expect(networks).toEqual(['trtc', 'xmtp', 'waku'])
  expect(ranked?.order).toHaveLength(3)
})

test('mirror: all are due, in the order given', () => {
  expect(brief({})).toEqual([
    ['waku', 'pending', 0, null],
    ['xmtp', 'pending', 0, null],
    ['trtc', 'pending', 0, null],
  ])
})

test('fallback: the first is due, the others stand by, one after the other', () => {
  expect(brief({ rule: { ...base.rule, policy: 'fallback' } })).toEqual([
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
  const rule = { ...base.rule, policy: 'fallback' as const }
  expect(brief({ rule, heardAt: { network: 'xmtp', address: 'xmtp-address' } })).toEqual([
    ['waku', 'pending', 0, null],
    ['xmtp', 'acknowledged', 1, null],
  ])
  expect(brief({ rule, heardAt: { network: 'waku', address: 'waku-address' } })).toEqual([
    ['waku', 'acknowledged', 0, null],
  ])
})

test('transaction ids are 32 hex characters that follow from envelope, network and address', () => {
  const id = transactionIdOf(envelopeId, 'waku', 'topic')
  expect(id).toMatch(/^[0-9a-f]{32}$/)
  expect(transactionIdOf(envelopeId, 'waku', 'topic')).toBe(id)
  expect(transactionIdOf(envelopeId, 'waku', 'topic2')).not.toBe(id)
  expect(transactionIdOf(envelopeId, 'wakut', 'opic')).not.toBe(id)
  expect(transactionIdOf(new Uint8Array(32), 'waku', 'topic')).not.toBe(id)
})
