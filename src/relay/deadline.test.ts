import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test, vi } from 'vitest'
import { withDeadline } from './deadline.ts'
import { createManualClock } from './testing/manual-clock.ts'

const limits = { milliseconds: 100, graceMs: 10 }

test('passes on what comes in time and leaves no timer', async () => {
  const clock = createManualClock()
  expect(await withDeadline(clock, limits, async () => 7)).toBe(7)
  await expect(withDeadline(clock, limits, async () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(clock.sleepers).toBe(0)
})

test('aborts at the deadline, and lets an obedient callee say how it ended', async () => {
  const clock = createManualClock()
  const ended = withDeadline(clock, limits, (signal) => {
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('uncertain')))
    })
  })
  const outcome = expect(ended).rejects.toThrow('uncertain')
  await clock.pass(100)
  await outcome
  expect(clock.sleepers).toBe(0)
})

test('a callee that ignores its signal is left behind; its answer still reaches `late`', async () => {
  const clock = createManualClock()
  const late: unknown[] = []
  let answer = (_value: number) => {}
  const abandoned = withDeadline(clock, limits, () => new Promise<number>((resolve) => (answer = resolve)), {
    resolved: (value) => late.push(value),
    rejected: (error) => late.push(error),
  })
  const outcome = expect(abandoned).rejects.toMatchObject({ name: 'TimeoutError' })
  await clock.pass(110)
  await outcome
  answer(5)
  await clock.pass(0)
  expect(late).toEqual([5])
  expect(clock.sleepers).toBe(0)
})

test('the signal of the caller ends it too', async () => {
  const clock = createManualClock()
  const controller = new AbortController()
  const ended = withDeadline(clock, { ...limits, signal: controller.signal }, () => new Promise(() => {}))
  const outcome = expect(ended).rejects.toThrow('enough')
  controller.abort(new Error('enough'))
  await clock.pass(10)
  await outcome
})

test('a signal that lives on keeps nothing of what has ended', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { signal } = new AbortController()
  const given: WeakRef<AbortSignal>[] = []
  for (let call = 0; call < 20; call++) {
    await withDeadline(
      createManualClock(),
      { ...limits, signal },
      async (own) => void given.push(new WeakRef(own)),
    )
  }
  await vi.waitFor(() => {
    collect()
    expect(given.filter((own) => own.deref() !== undefined).length).toBeLessThan(3)
  })
})
