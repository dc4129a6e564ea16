import assert from 'node:assert/strict'
import { type Check, neverAborted } from '../bench.ts'
import { randomFrame } from '../bytes.ts'

export const sendChecks: Check[] = [
  {
    name: 'a frame arrives byte for byte, whatever the bytes',
    async run(bench) {
      const opened = await bench.connect()
      const everyByte = Uint8Array.from({ length: 512 }, (_, index) => index % 256)
      const unique = randomFrame(16)
      const frames = [
        Uint8Array.from([...unique, ...everyByte]),
        Uint8Array.from([...unique, ...new Uint8Array(300)]),
        randomFrame(17),
        randomFrame(2048),
      ]
      for (const frame of frames) {
        await bench.send(opened, bench.intent({ frame }))
        await bench.arrival(frame)
      }
    },
  },
  {
    name: 'a frame of exactly maxFrameBytes is carried',
    async run(bench) {
      const opened = await bench.connect()
      const frame = randomFrame(opened.adapter.capabilities().maxFrameBytes)
      await bench.send(opened, bench.intent({ frame }))
      await bench.arrival(frame)
    },
  },
  {
    name: 'one byte more is refused with tooLarge and not sent',
    async run(bench) {
      const opened = await bench.connect()
      const intent = bench.intent({ frame: randomFrame(opened.adapter.capabilities().maxFrameBytes + 1) })
      await bench.rejects(
        opened.adapter.send(intent, neverAborted()),
        ['tooLarge'],
        'send of maxFrameBytes + 1',
      )
      await bench.settle(opened, intent)
      assert.equal(await bench.copies(intent.frame), 0)
    },
  },
  {
    name: 'many sends at once all arrive, each with a receipt of its own',
    async run(bench) {
      const opened = await bench.connect()
      const intents = Array.from({ length: 20 }, () => bench.intent())
      const receipts = await Promise.all(intents.map((intent) => bench.send(opened, intent)))
      for (const { frame } of intents) await bench.arrival(frame)
      const ids = receipts.flat()
      assert.equal(new Set(ids).size, ids.length, 'two messages share a remote id')
    },
  },
  {
    name: 'a sender without an address on this network can send',
    async run(bench) {
      const opened = await bench.connect()
      const intent = bench.intent({ from: { wallet: bench.stranger(), address: null } })
      await bench.send(opened, intent)
      await bench.arrival(intent.frame)
    },
  },
]
