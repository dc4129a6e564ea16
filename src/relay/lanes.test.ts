import { expect, test } from 'vitest'
import { createAgenda } from './agenda.ts'
import { createLanes, type LaneItem, type LaneOutcome } from './lanes.ts'
import { createManualClock } from './testing/manual-clock.ts'

function setUp(options: { highWater?: number; maxInFlight?: number } = {}) {
  const clock = createManualClock()
  const agenda = createAgenda(clock)
  const started: number[] = []
  const ends = new Map<number, (outcome: LaneOutcome) => void>()
  const rooms: string[] = []
  const lanes = createLanes<LaneItem>({
    maxInFlightPerNetwork: options.maxInFlight ?? 4,
    highWater: options.highWater ?? 100,
    laneHoldMs: 1_000,
    now: clock.now,
    agenda,
    run: (item) => {
      started.push(item.id)
      return new Promise((resolve) => ends.set(item.id, resolve))
    },
    onRoom: (network) => rooms.push(network),
  })
  return {
    clock,
    lanes,
    started,
    rooms,
    add: (id: number, lane = 'lane', network = 'fast') => lanes.add({ id, lane, network }),
    async end(id: number, outcome: LaneOutcome = 'done') {
      ends.get(id)!(outcome)
      await clock.pass(0)
    },
    retry: (afterMs: number, wakes = true): LaneOutcome => ({ retryAt: clock.now() + afterMs, wakes }),
  }
}

test('one at a time in a lane, lanes side by side up to the cap', async () => {
  const { lanes, add, started, end } = setUp({ maxInFlight: 2 })
  lanes.open('fast')
  add(1, 'a')
  add(2, 'a')
  add(3, 'b')
  add(4, 'c')
  expect(started).toEqual([1, 3])
  await end(3)
  expect(started).toEqual([1, 3, 4])
  await end(1)
  expect(started).toEqual([1, 3, 4, 2])
})

test('a network that hangs holds no other', () => {
  const { lanes, add, started } = setUp({ maxInFlight: 1 })
  lanes.open('slow')
  lanes.open('fast')
  add(1, 'a', 'slow')
  add(2, 'a', 'slow')
  add(3, 'a', 'fast')
  expect(started).toEqual([1, 3])
})

test('a waiting head keeps its lane within the hold, and loses it beyond', async () => {
  const { lanes, add, started, end, retry, clock } = setUp()
  lanes.open('fast')
  add(1)
  add(2)
  await end(1, retry(600))
  await clock.pass(599)
  expect(started).toEqual([1])
  await clock.pass(1)
  expect(started).toEqual([1, 1])
  await end(1, retry(600))
  expect(started, '1,200 ms after the first failure is more than the hold').toEqual([1, 1, 2])
  await end(2)
  await clock.pass(600)
  expect(started).toEqual([1, 1, 2, 1])
})

test('an item that comes back goes before younger ones, but not before one that runs', async () => {
  const { lanes, add, started, end, retry, clock } = setUp()
  lanes.open('fast')
  for (const id of [1, 2, 3]) add(id)
  await end(1, retry(5_000))
  expect(started).toEqual([1, 2])
  await clock.pass(5_000)
  expect(started).toEqual([1, 2])
  await end(2)
  expect(started).toEqual([1, 2, 1])
  await end(1)
  expect(started).toEqual([1, 2, 1, 3])
})

test('a closed network starts nothing; opening it brings waiting items forward, except those that must wait', async () => {
  const { lanes, add, started, end, retry } = setUp()
  add(1, 'a')
  add(2, 'b')
  expect(started).toEqual([])
  lanes.open('fast')
  await end(1, retry(50_000))
  await end(2, retry(50_000, false))
  lanes.close('fast')
  lanes.open('fast')
  expect(started).toEqual([1, 2, 1])
})

test('a probe lets one item of a closed network run', () => {
  const { lanes, add, started } = setUp()
  add(1, 'a')
  add(2, 'b')
  lanes.probe('fast')
  lanes.probe('fast')
  expect(started).toEqual([1])
})

test('a released item leaves its lane without having been tried again', async () => {
  const { lanes, add, started, end, retry, clock } = setUp()
  lanes.open('fast')
  add(1)
  add(2)
  await end(1, retry(500))
  lanes.release('fast', 1)
  expect(started).toEqual([1, 2])
  await end(2)
  await clock.pass(1_000)
  expect(started).toEqual([1, 2])
})

test('above the high-water mark items are refused, and room is announced once at half of it', async () => {
  const { lanes, add, end, rooms } = setUp({ highWater: 4 })
  lanes.open('fast')
  expect([1, 2, 3, 4, 5, 6].map((id) => add(id, `lane ${id}`))).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
  ])
  expect(add(1, 'lane 1'), 'a known item needs no room').toBe(true)
  await end(1)
  expect(rooms).toEqual([])
  await end(2)
  await end(3)
  expect(rooms).toEqual(['fast'])
})

test('stopping waits for what runs and starts nothing more', async () => {
  const { lanes, add, started, end, clock } = setUp()
  lanes.open('fast')
  add(1)
  add(2)
  let stopped = false
  const stopping = lanes.stop().then(() => {
    stopped = true
  })
  await clock.pass(10)
  expect(stopped).toBe(false)
  await end(1)
  await stopping
  expect(started).toEqual([1])
})
