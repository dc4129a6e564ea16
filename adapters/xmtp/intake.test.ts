import { expect, it } from 'vitest'
import { createVirtualClock } from '../../src/adapter/testing/clock.ts'
import { createRecordingContext } from '../../src/adapter/testing/context.ts'
import { Intake } from './intake.ts'

function openIntake(capacity: number, deliver: (message: string) => Promise<unknown>) {
  const clock = createVirtualClock()
  const overflows: boolean[] = []
  const { log } = createRecordingContext()
  const overflow = (full: boolean) => overflows.push(full)
  const intake = new Intake<string>({ capacity, clock, log, deliver, overflow })
  return { intake, clock, overflows }
}

it('delivers one conversation in order though a delivery fails, and others meanwhile', async () => {
  const delivered: string[] = []
  let failures = 2
  const { intake, clock } = openIntake(10, async (message) => {
    if (message === 'a1' && failures-- > 0) throw new Error('not durable')
    delivered.push(message)
  })
  for (const message of ['a1', 'a2', 'b1', 'a3']) intake.offer(message[0]!, message)
  await clock.advance(0)
  expect(delivered).toEqual(['b1'])
  await clock.advance(1_000)
  expect(delivered).toEqual(['b1', 'a1', 'a2', 'a3'])
  await intake.stop()
})

it('says that it left messages out, and when they can be read again', async () => {
  const gate = Promise.withResolvers<void>()
  const delivered: string[] = []
  const { intake, clock, overflows } = openIntake(4, async (message) => {
    await gate.promise
    delivered.push(message)
  })
  for (let index = 0; index < 9; index++) intake.offer('a', String(index))
  expect(overflows).toEqual([true])
  gate.resolve()
  await clock.advance(0)
  expect(delivered).toEqual(['0', '1', '2', '3'])
  expect(overflows).toEqual([true, false])
  await intake.stop()
})

it('stops amid a retry, and takes nothing afterwards', async () => {
  const tried: string[] = []
  const { intake, clock } = openIntake(4, async (message) => {
    tried.push(message)
    throw new Error('not durable')
  })
  intake.offer('a', 'first')
  intake.offer('a', 'second')
  await clock.advance(0)
  await intake.stop()
  intake.offer('a', 'late')
  await clock.advance(60_000)
  expect(tried).toEqual(['first'])
})
