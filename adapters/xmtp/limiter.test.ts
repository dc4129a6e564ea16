import { expect, it } from 'vitest'
import { createVirtualClock } from '../../src/adapter/testing/clock.ts'
import { XmtpError } from './errors.ts'
import { Limiter } from './limiter.ts'

const never = new AbortController().signal

it('lets no window of a minute see more than burst and rate together', async () => {
  const clock = createVirtualClock()
  const limiter = new Limiter({ burst: 2_000, perMinute: 3_000, clock })
  const times: number[] = []
  let refused = 0
  for (let step = 0; step < 3_000; step++) {
    for (let call = 0; call < 4; call++) {
      limiter.take(1, never).then(
        () => times.push(clock.monotonic()),
        () => refused++,
      )
    }
    await clock.advance(50)
  }
  expect(refused).toBeGreaterThan(0)
  for (const start of times.filter((_time, index) => index % 50 === 0)) {
    expect(times.filter((time) => time >= start && time < start + 60_000).length).toBeLessThanOrEqual(5_000)
  }
})

it('takes a batch that is larger than what is left, and makes the next wait for it', async () => {
  const clock = createVirtualClock()
  const limiter = new Limiter({ burst: 10, perMinute: 60_000, clock })
  await limiter.take(110, never)
  const next = limiter.take(1, never).then(() => clock.monotonic())
  await clock.advance(200)
  expect(await next).toBeGreaterThanOrEqual(100)
})

it('names the wait where it is long, and takes nothing then', async () => {
  const clock = createVirtualClock()
  const limiter = new Limiter({ burst: 1, perMinute: 60, clock })
  await limiter.take(31, never)
  const refused = await limiter.take(1, never).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(XmtpError)
  expect(refused).toMatchObject({ code: 'rate-limited', retryAfterMs: 30_000 })
  await clock.advance(30_000)
  await limiter.take(1, never)
})

it('gives back what an aborted caller waited for', async () => {
  const clock = createVirtualClock()
  const limiter = new Limiter({ burst: 1, perMinute: 60_000, clock })
  await limiter.take(1_001, never)
  const abort = new AbortController()
  const waiting = limiter.take(900, abort.signal).catch((error: unknown) => error)
  abort.abort()
  expect(await waiting).toMatchObject({ code: 'aborted' })
  const next = limiter.take(1, never).then(() => clock.monotonic())
  await clock.advance(1_100)
  expect(await next).toBeLessThanOrEqual(1_001)
  expect(await limiter.take(1, AbortSignal.abort()).catch((error: unknown) => error)).toMatchObject({
    code: 'aborted',
  })
})
