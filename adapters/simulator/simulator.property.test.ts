import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Inbound } from '../../src/adapter/index.ts'
import {
  createRecordingContext,
  createVirtualClock,
  randomHex,
  type VirtualClock,
} from '../../src/adapter/testing/index.ts'
import { createSimulatedNetwork, default as simulator, simulatorAddress } from './index.ts'

const ALICE = simulatorAddress('eip155:*:0x00000000000000000000000000000000000a11ce')
const BOB = simulatorAddress('eip155:*:0x0000000000000000000000000000000000000b0b')
/** Longer than any latency and hold-back of these tests, in milliseconds. */
const LONG = 10_000

interface Faults {
  latencyMs: number
  loss: number
  duplication: number
  reordering: number
}

interface Run {
  /** Indexes of the messages sent, in the order in which Bob's client got them. */
  client: number[]
  /** The same for the gateway's stream. */
  gateway: number[]
  /** Milliseconds of virtual time at which the gateway got each. */
  times: number[]
  /** Frames that came out other than they went in, of all places. */
  altered: number
  /** Indexes that a walk of the gateway yields. */
  history: number[]
}

const share = fc.oneof(fc.constant(0), fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true }))
const anyFaults: fc.Arbitrary<Faults> = fc.record({
  latencyMs: fc.integer({ min: 0, max: 300 }),
  loss: share,
  duplication: share,
  reordering: share,
})
/** Each message: pause before it in milliseconds, ephemeral or not, its bytes after the index. */
const anyTraffic = fc.array(
  fc.record({
    pauseMs: fc.integer({ min: 0, max: 30 }),
    ephemeral: fc.boolean(),
    bytes: fc.uint8Array({ maxLength: 40 }),
  }),
  { minLength: 1, maxLength: 25 },
)
type Traffic = { pauseMs: number; ephemeral: boolean; bytes: Uint8Array }[]

async function play(seed: number, faults: Faults, traffic: Traffic): Promise<Run> {
  const clock: VirtualClock = createVirtualClock()
  const name = randomHex(8)
  const network = createSimulatedNetwork({ name, clock, seed, ...faults })
  const frames = traffic.map(({ bytes }, index) => Uint8Array.from([index, ...bytes]))
  const run: Run = { client: [], gateway: [], times: [], altered: 0, history: [] }
  const note = (list: number[], frame: Uint8Array) => {
    const index = frame[0] ?? -1
    if (Buffer.compare(frame, frames[index] ?? new Uint8Array()) !== 0) run.altered += 1
    list.push(index)
  }
  const context = createRecordingContext({ clock })
  const adapter = simulator.create(simulator.config.parse({ network: name }), {
    ...context,
    async deliver(inbound: Inbound) {
      note(run.gateway, inbound.frame)
      run.times.push(clock.monotonic())
      return { outcome: 'accepted', id: inbound.remoteId }
    },
  })
  try {
    const { signal } = new AbortController()
    await adapter.start(signal)
    network.attachClient(BOB, (frame) => note(run.client, frame))
    for (const [index, { pauseMs, ephemeral }] of traffic.entries()) {
      await clock.advance(pauseMs)
      network.inject({ frame: frames[index]!, from: ALICE, to: BOB, ephemeral })
    }
    await clock.advance(LONG)
    const walking = (async () => {
      for await (const { frame } of adapter.history!.walk({ since: 0, pairs: [] }, signal))
        note(run.history, frame)
    })()
    await clock.advance(LONG)
    await walking
    await adapter.stop(signal)
    return run
  } finally {
    network.close()
  }
}

const unique = (list: number[]) => [...new Set(list)]
const isRising = (list: number[]) => list.every((value, index) => index === 0 || list[index - 1]! <= value)

describe('a simulated network, with any seed, faults and traffic', () => {
  it('only ever loses, delays, doubles and reorders as the switches say, and never alters', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), anyFaults, anyTraffic, async (seed, faults, traffic) => {
        const run = await play(seed, faults, traffic)
        const all = traffic.map((_, index) => index)
        expect(run.altered).toBe(0)
        for (const heard of [run.client, run.gateway]) {
          expect(all).toEqual(expect.arrayContaining(heard))
          for (const index of all) expect(heard.filter((one) => one === index).length).toBeLessThanOrEqual(2)
          if (faults.loss === 0) expect(unique(heard).length).toBe(all.length)
          if (faults.loss === 1) expect(heard).toEqual([])
          if (faults.duplication === 0) expect(unique(heard)).toEqual(heard)
          if (faults.duplication === 1) expect(heard.length).toBe(2 * unique(heard).length)
          if (faults.reordering === 0) expect(isRising(heard)).toBe(true)
        }
        const kept = all.filter((index) => !traffic[index]!.ephemeral)
        expect(run.history, 'a walk yields everything that is not ephemeral, once, in order').toEqual(kept)
      }),
      { numRuns: 150 },
    )
  })

  it('delivers after exactly the latency where nothing reorders', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.integer({ min: 0, max: 300 }),
        anyTraffic,
        async (seed, latencyMs, traffic) => {
          const run = await play(seed, { latencyMs, loss: 0, duplication: 0, reordering: 0 }, traffic)
          let sent = 0
          const expected = traffic.map(({ pauseMs }) => {
            sent += pauseMs
            return sent + latencyMs
          })
          expect(run.times).toEqual(expected)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('plays the same run again for the same seed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), anyFaults, anyTraffic, async (seed, faults, traffic) => {
        expect(await play(seed, faults, traffic)).toEqual(await play(seed, faults, traffic))
      }),
      { numRuns: 50 },
    )
  })

  it('plays different runs for different seeds', async () => {
    const faults = { latencyMs: 10, loss: 0.5, duplication: 0.5, reordering: 0.5 }
    const traffic = Array.from({ length: 25 }, () => ({
      pauseMs: 1,
      ephemeral: false,
      bytes: new Uint8Array(4),
    }))
    const runs = await Promise.all([1, 2, 3, 4].map((seed) => play(seed, faults, traffic)))
    expect(new Set(runs.map((run) => JSON.stringify(run.gateway))).size).toBe(runs.length)
  })

  it('does not move other faults by switching one on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), anyFaults, anyTraffic, async (seed, faults, traffic) => {
        const single = await play(seed, { ...faults, duplication: 0 }, traffic)
        const doubled = await play(seed, faults, traffic)
        expect(unique(doubled.gateway)).toEqual(single.gateway)
      }),
      { numRuns: 50 },
    )
  })
})
