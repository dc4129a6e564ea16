import assert from 'node:assert/strict'
import type { Check } from '../bench.ts'
import { randomFrame } from '../bytes.ts'

export const receiveChecks: Check[] = [
  {
    name: "a native client's frame is delivered byte for byte with its addresses, id and time",
    async run(bench) {
      const opened = await bench.connect()
      const since = Date.now() - 1000
      const route = { from: bench.alice.address, to: bench.bob.address }
      const everyByte = Uint8Array.from({ length: 512 }, (_, index) => index % 256)
      for (const frame of [randomFrame(2048), Uint8Array.from([...randomFrame(16), ...everyByte])]) {
        const id = await bench.harness.network.inject(frame, route)
        const inbound = await bench.heard(opened, frame, since)
        if (id !== null) assert.equal(inbound.remoteId, id, "the remote id is the network's")
        assert.equal(
          inbound.to,
          bench.addressHeard(opened, route.to),
          'to is the address that the frame was sent to',
        )
        assert.ok(
          inbound.from === null || inbound.from === route.from,
          'from is the address it came from, or null',
        )
        assert.equal(inbound.transactionId, null, 'a frame of a native client has no transaction id of ours')
      }
    },
  },
  {
    name: 'frames are delivered live while connected, not by history alone',
    async run(bench) {
      const opened = await bench.connect()
      // A stream may lose some; it must not lose all.
      await bench.waitFor(
        async () => {
          const { frame } = bench.intent()
          await bench.harness.network.inject(frame, { from: bench.alice.address, to: bench.bob.address })
          await opened.context.clock.sleep(500)
          return opened.context.deliveries.some(({ inbound }) => inbound.via !== 'history')
        },
        { what: 'one of several frames to be delivered by stream or webhook' },
      )
    },
  },
  {
    name: 'a burst of frames is delivered, by stream or history',
    async run(bench) {
      const opened = await bench.connect()
      const since = Date.now() - 1000
      const frames = Array.from({ length: 20 }, () => randomFrame())
      await Promise.all(
        frames.map((frame) =>
          bench.harness.network.inject(frame, { from: bench.bob.address, to: bench.alice.address }),
        ),
      )
      for (const frame of frames) await bench.heard(opened, frame, since)
    },
  },
  {
    name: 'what the gateway could not make durable is not acknowledged: it comes again by stream or history',
    async run(bench) {
      const opened = await bench.connect()
      const { context } = opened
      const since = Date.now() - 1000
      context.rejectDeliveries(true)
      const { frame } = bench.intent()
      await bench.harness.network.inject(frame, { from: bench.alice.address, to: bench.bob.address })
      await bench.waitFor(() => context.offered(frame).length > 0, {
        what: 'the frame to be offered to the gateway',
      })
      const first = context.offered(frame)[0]
      context.rejectDeliveries(false)
      const again = await bench.heard(opened, frame, since)
      assert.equal(again.remoteId, first?.remoteId, 'the same message has the same remote id')
    },
  },
  {
    name: 'a rejected deliver does not stop the frames after it',
    async run(bench) {
      const opened = await bench.connect()
      const since = Date.now() - 1000
      opened.context.rejectDeliveries(true)
      const refused = bench.intent()
      const route = { from: bench.alice.address, to: bench.bob.address }
      await bench.harness.network.inject(refused.frame, route)
      await bench.waitFor(() => opened.context.offered(refused.frame).length > 0, { what: 'the first frame' })
      opened.context.rejectDeliveries(false)
      const next = bench.intent()
      await bench.harness.network.inject(next.frame, route)
      await bench.heard(opened, next.frame, since)
      assert.equal(opened.context.lastState(), 'connected')
    },
  },
]
