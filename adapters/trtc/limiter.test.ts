import { describe, expect, it } from 'vitest'
import { createVirtualClock } from '../../src/adapter/testing/clock.ts'
import { createLimiter } from './limiter.ts'

const never = new AbortController().signal

/** Starts `count` calls that end at once and returns the times at which they were granted, filled as time goes on. */
function grants(limiter: ReturnType<typeof createLimiter>, count: number, now: () => number): number[] {
  const times: number[] = []
  for (let index = 0; index < count; index++) {
    void limiter.acquire(never).then((release) => {
      times.push(now())
      release()
    })
  }
  return times
}

describe('limiter', () => {
  it('grants no more than the rate in any second, and nearly the rate in the long run', async () => {
    const clock = createVirtualClock()
    const limiter = createLimiter({ perSecond: 200, maxInFlight: 50, clock })
    const times = grants(limiter, 2000, clock.monotonic)
    for (let step = 0; step < 1100; step++) await clock.advance(10)
    expect(times).toHaveLength(2000)
    for (const [index, start] of times.entries()) {
      const inWindow = times.slice(index).filter((time) => time < start + 1000).length
      expect(inWindow).toBeLessThanOrEqual(200)
    }
    expect(times.at(-1)).toBeLessThan(11_000)
  })

  it('is fair: first come, first served', async () => {
    const clock = createVirtualClock()
    const limiter = createLimiter({ perSecond: 20, maxInFlight: 5, clock })
    const order: number[] = []
    for (let index = 0; index < 20; index++) {
      void limiter.acquire(never).then((release) => {
        order.push(index)
        release()
      })
    }
    for (let step = 0; step < 200; step++) await clock.advance(10)
    expect(order).toEqual(order.toSorted((left, right) => left - right))
    expect(order).toHaveLength(20)
  })

  it('keeps calls in flight below the cap, and a call that ends twice counts once', async () => {
    const clock = createVirtualClock()
    const limiter = createLimiter({ perSecond: 10_000, maxInFlight: 2, clock })
    const releases: (() => void)[] = []
    for (let index = 0; index < 4; index++)
      void limiter.acquire(never).then((release) => releases.push(release))
    await clock.advance(100)
    expect(releases).toHaveLength(2)
    releases[0]?.()
    releases[0]?.()
    await clock.advance(100)
    expect(releases).toHaveLength(3)
  })

  it('lets a waiting call be given up, as certainly not sent', async () => {
    const clock = createVirtualClock()
    const limiter = createLimiter({ perSecond: 10_000, maxInFlight: 1, clock })
    const release = await limiter.acquire(never)
    const abort = new AbortController()
    const waiting = limiter.acquire(abort.signal)
    const behind = limiter.acquire(never)
    abort.abort()
    await expect(waiting).rejects.toMatchObject({ class: 'retryable', remoteCode: 'aborted' })
    await expect(limiter.acquire(AbortSignal.abort())).rejects.toMatchObject({ class: 'retryable' })
    release()
    await expect(behind).resolves.toBeTypeOf('function')
  })
})
