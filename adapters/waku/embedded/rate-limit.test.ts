import { expect, it } from 'vitest'
import { PeerRateLimiter } from './rate-limit.ts'

it('grants a burst, then the rate, to each peer on its own', () => {
  let now = 0
  const clock = { now: () => now, monotonic: () => now, sleep: async () => {} }
  const limiter = new PeerRateLimiter({ burst: 3, perSecond: 2 }, clock)
  expect([1, 2, 3, 4].map(() => limiter.take('a'))).toEqual([true, true, true, false])
  expect(limiter.take('b')).toBe(true)
  now = 500
  expect([limiter.take('a'), limiter.take('a')]).toEqual([true, false])
  now = 60_000
  expect([1, 2, 3, 4].map(() => limiter.take('a'))).toEqual([true, true, true, false])
})
