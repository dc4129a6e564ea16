import assert from 'node:assert/strict'
import type { Check } from '../bench.ts'
import { randomFrame, sameBytes } from '../bytes.ts'

const COUNT = 15

/** Positions in `all` of the first copy of each of `frames`. */
function positions(frames: Uint8Array[], all: Uint8Array[]): number[] {
  return frames.map((frame) => all.findIndex((other) => sameBytes(other, frame)))
}

function assertRising(places: number[], what: string): void {
  const sorted = places.toSorted((left, right) => left - right)
  assert.deepEqual(places, sorted, `${what} came out of order though the manifest promises order`)
}

export const orderingChecks: Check[] = [
  {
    name: 'manifest.ordering: sends of one conversation arrive in order where it is promised',
    async run(bench) {
      const opened = await bench.connect()
      const conversation = randomFrame(32)
      const intents = Array.from({ length: COUNT }, () => bench.intent({ conversation }))
      for (const intent of intents) await bench.send(opened, intent)
      for (const intent of intents) await bench.arrival(intent.frame)
      if (bench.harness.definition.manifest.ordering !== 'conversation') return
      const all = await bench.harness.network.received(bench.bob.address)
      assertRising(
        positions(
          intents.map(({ frame }) => frame),
          all,
        ),
        'sends',
      )
    },
  },
  {
    name: 'manifest.ordering: native frames are delivered in order where it is promised',
    async run(bench) {
      const opened = await bench.connect()
      if (bench.harness.definition.manifest.ordering !== 'conversation') return
      const frames = Array.from({ length: COUNT }, () => randomFrame())
      for (const frame of frames) {
        await bench.harness.network.inject(frame, { from: bench.alice.address, to: bench.bob.address })
      }
      const { context } = opened
      await bench.waitFor(() => frames.every((frame) => context.heard(frame).length > 0), {
        what: 'all frames live',
      })
      const all = context.deliveries.map(({ inbound }) => inbound.frame)
      assertRising(positions(frames, all), 'native frames')
    },
  },
]
