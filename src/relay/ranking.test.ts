import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { createVirtualClock, type VirtualClock } from '../adapter/testing/clock.ts'
import { createRanking, HALF_LIFE_MS, PROBE_EVERY, type Ranking } from './ranking.ts'

let clock: VirtualClock
let ranking: Ranking
const all = new Set(['xmtp', 'push', 'waku', 'trtc'])

beforeEach(() => {
  clock = createVirtualClock()
  ranking = createRanking(clock)
})

const names = (networks: string[]) => ranking.standings(networks).map(({ network }) => network)
const sends = (network: string, count: number, latencyMs: number) => {
  for (let sample = 0; sample < count; sample++) ranking.succeeded(network, latencyMs)
}

test('slow networks stand behind fast ones, failing ones behind both', () => {
  sends('trtc', 10, 900)
  sends('waku', 10, 100)
  for (let sample = 0; sample < 10; sample++) ranking.failed('waku')
  sends('xmtp', 10, 200)
  expect(names(['trtc', 'waku', 'xmtp'])).toEqual(['xmtp', 'trtc', 'waku'])
})

test('an unmeasured network stands behind what works and before what fails', () => {
  sends('trtc', 5, 20)
  for (let sample = 0; sample < 5; sample++) ranking.failed('waku')
  expect(names(['waku', 'push', 'trtc'])).toEqual(['trtc', 'push', 'waku'])
})

test('noise does not change the order, a real difference does', () => {
  sends('trtc', 20, 100)
  sends('waku', 20, 101)
  expect(ranking.choose(['trtc', 'waku'], all).order[0]?.network).toBe('trtc')
  sends('trtc', 20, 110)
  expect(names(['trtc', 'waku'])).toEqual(['trtc', 'waku'])
  sends('trtc', 60, 400)
  expect(names(['trtc', 'waku'])).toEqual(['waku', 'trtc'])
})

test('old samples lose their weight until the network is quiet', async () => {
  sends('waku', 3, 50)
  expect(ranking.standings(['waku'])[0]).toMatchObject({ quiet: false, latencyMs: 50, stability: 1 })
  await clock.advance(HALF_LIFE_MS)
  ranking.failed('waku')
  expect(ranking.standings(['waku'])[0]?.stability).toBeCloseTo(1.5 / 2.5)
  await clock.advance(10 * HALF_LIFE_MS)
  expect(ranking.standings(['waku'])[0]).toMatchObject({ quiet: true })
})

test('a network without a connection comes last, and back when it has one', () => {
  sends('trtc', 5, 20)
  ranking.connection('trtc', false)
  expect(names(['trtc', 'waku'])).toEqual(['waku', 'trtc'])
  ranking.connection('trtc', true)
  expect(names(['trtc', 'waku'])).toEqual(['trtc', 'waku'])
})

test('one choice in twenty puts a connected quiet network first that the wallet has', () => {
  sends('trtc', 100, 20)
  ranking.connection('push', false)
  const networks = ['trtc', 'xmtp', 'push', 'waku']
  const usable = new Set(['trtc', 'push', 'waku'])
  const choices = Array.from({ length: 2 * PROBE_EVERY }, () => ranking.choose(networks, usable))
  expect(choices.flatMap(({ probed }) => probed ?? [])).toEqual(['waku', 'waku'])
  expect(choices.filter(({ order }) => order[0]?.network === 'trtc')).toHaveLength(2 * PROBE_EVERY - 2)
  // Where nothing is tried after another, nothing is probed, and no probe is used up.
  const mirrored = Array.from({ length: PROBE_EVERY }, () => ranking.choose(networks, new Set()))
  expect(mirrored.every(({ probed }) => probed === null)).toBe(true)
})

test('whatever was measured, the order holds each network once, and settles', () => {
  const network = fc.constantFrom('xmtp', 'push', 'waku', 'trtc')
  const event = fc.oneof(
    fc.record({ kind: fc.constant('succeeded' as const), network, latencyMs: fc.nat(5_000) }),
    fc.record({ kind: fc.constant('failed' as const), network }),
    fc.record({ kind: fc.constant('connection' as const), network, connected: fc.boolean() }),
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const one = createRanking(createVirtualClock())
      for (const happened of events) {
        if (happened.kind === 'succeeded') one.succeeded(happened.network, happened.latencyMs)
        else if (happened.kind === 'failed') one.failed(happened.network)
        else one.connection(happened.network, happened.connected)
        const { order } = one.choose(['trtc', 'waku', 'xmtp', 'push'], all)
        expect(order.map((standing) => standing.network).toSorted()).toEqual(['push', 'trtc', 'waku', 'xmtp'])
      }
      expect(one.standings(['trtc', 'waku', 'xmtp', 'push'])).toEqual(
        one.standings(['trtc', 'waku', 'xmtp', 'push']),
      )
    }),
  )
})
