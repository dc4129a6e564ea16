import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createAgenda } from './agenda.ts'
import { createManualClock } from './testing/manual-clock.ts'

test('tasks run in the order of their times, whatever the order in which they came', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 40 }), async (delays) => {
      const clock = createManualClock()
      const agenda = createAgenda(clock)
      const ran: number[] = []
      for (const delay of delays) agenda.at(clock.now() + delay, () => ran.push(delay))
      await clock.pass(500)
      expect(ran).toEqual(delays.toSorted((left, right) => left - right))
      expect(clock.sleepers).toBe(0)
    }),
    { numRuns: 50 },
  )
})

test('a task whose time has passed runs soon, but not within the call', async () => {
  const clock = createManualClock()
  const agenda = createAgenda(clock)
  let ran = false
  agenda.at(clock.now() - 10, () => {
    ran = true
  })
  expect(ran).toBe(false)
  await clock.pass(0)
  expect(ran).toBe(true)
})

test('an earlier task wakes the timer; a cancelled one does not run', async () => {
  const clock = createManualClock()
  const agenda = createAgenda(clock)
  const ran: string[] = []
  agenda.at(clock.now() + 100, () => ran.push('late'))
  const cancelled = agenda.at(clock.now() + 20, () => ran.push('cancelled'))
  agenda.at(clock.now() + 10, () => ran.push('early'))
  agenda.cancel(cancelled)
  await clock.pass(50)
  expect(ran).toEqual(['early'])
})

test('stopping leaves no timer, and nothing runs afterwards', async () => {
  const clock = createManualClock()
  const agenda = createAgenda(clock)
  let ran = 0
  agenda.at(clock.now() + 10, () => ran++)
  await clock.pass(0)
  agenda.stop()
  agenda.at(clock.now() + 10, () => ran++)
  await clock.pass(100)
  expect(ran).toBe(0)
  expect(clock.sleepers).toBe(0)
})
