import { expect, test } from 'vitest'
import { AdapterError, type AdapterErrorClass } from '../adapter/index.ts'
import { interruptionDelay, judge, retryDelay } from './retry.ts'

const settings = {
  scheduleMs: [5_000, 10_000, 30_000, 60_000, 180_000],
  growth: 2,
  maxMs: 3_600_000,
  maxAttempts: 10,
  spread: 0.1,
}
const first = { attempt: 1, limited: 0, connected: true, fraction: 0.5 }

test('waits follow the schedule, then grow up to the bound', () => {
  const waits = Array.from({ length: 11 }, (_, index) => retryDelay(settings, index + 1, 0.5))
  expect(waits).toEqual([
    5_000, 10_000, 30_000, 60_000, 180_000, 360_000, 720_000, 1_440_000, 2_880_000, 3_600_000, 3_600_000,
  ])
})

test('a try that the end of the gateway cut off is made up for at once, three times, then within a minute', () => {
  const waits = Array.from({ length: 8 }, (_, index) => interruptionDelay(settings, index + 1, 0.5))
  expect(waits).toEqual([0, 0, 0, 5_000, 10_000, 30_000, 60_000, 60_000])
})

test('the spread moves a wait both ways by its share', () => {
  expect(retryDelay(settings, 1, 0)).toBe(4_500)
  expect(retryDelay(settings, 1, 1)).toBe(5_500)
})

test.each<[AdapterErrorClass, object]>([
  ['retryable', { state: 'pending', counts: true, certain: true, wakes: true }],
  ['auth', { state: 'pending', counts: false, certain: true }],
  ['uncertain', { state: 'uncertain', counts: true, certain: false }],
  ['permanent', { state: 'dead', certain: true }],
  ['unsupported', { state: 'dead', certain: true }],
  ['tooLarge', { state: 'dead', certain: true }],
])('%s', (errorClass, expected) => {
  expect(judge(settings, new AdapterError(errorClass, 'no'), first)).toMatchObject({
    ...expected,
    reason: errorClass,
  })
})

test('a rate limit waits as long as the network asks, within bounds, and does not count', () => {
  const limited = (retryAfterMs: number) => new AdapterError('rateLimited', 'slow down', { retryAfterMs })
  expect(judge(settings, limited(1_000), { ...first, fraction: 0 })).toMatchObject({
    state: 'pending',
    waitMs: 1_000,
    counts: false,
    wakes: false,
  })
  expect(judge(settings, limited(1e12), { ...first, fraction: 0 }).waitMs).toBe(settings.maxMs)
  expect(judge(settings, limited(1_000), { ...first, limited: settings.maxAttempts }).counts).toBe(true)
})

test('the last try ends as dead, unless the network was not connected', () => {
  const error = new AdapterError('retryable', 'no', { remoteCode: 503 })
  const last = { ...first, attempt: settings.maxAttempts }
  expect(judge(settings, error, last)).toMatchObject({
    state: 'dead',
    reason: 'attempts-exhausted:retryable:503',
  })
  expect(judge(settings, error, { ...last, connected: false })).toMatchObject({
    state: 'pending',
    counts: false,
  })
})

test('an error that breaks the contract may have been a send', () => {
  expect(judge(settings, new TypeError('oops'), first)).toMatchObject({
    state: 'uncertain',
    reason: 'uncertain:adapter-fault',
  })
})

test('a reason never quotes more of the network than a short code', () => {
  const error = new AdapterError('permanent', 'no', { remoteCode: 'user alice@example.org is unknown' })
  expect(judge(settings, error, first).reason).toBe('permanent')
})
