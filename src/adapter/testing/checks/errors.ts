import assert from 'node:assert/strict'
import { type Check, neverAborted } from '../bench.ts'

export const errorChecks: Check[] = [
  {
    name: 'during an outage send rejects with retryable or uncertain, and the state leaves connected and returns',
    async run(bench) {
      const opened = await bench.connect()
      const intent = bench.intent()
      let errorClass = ''
      const ran = await bench.duringOutage(async () => {
        const error = await bench.rejects(
          opened.adapter.send(intent, neverAborted()),
          ['retryable', 'uncertain'],
          'send while cut off',
        )
        errorClass = error.class
        await bench.waitFor(() => opened.context.lastState() !== 'connected', {
          timeoutMs: 60_000,
          what: 'the state to leave "connected"',
        })
        assert.ok(opened.context.states.at(-1)?.reason, 'the report of a lost connection says why')
      })
      if (!ran) return
      await opened.connected()
      const next = bench.intent()
      await bench.send(opened, next)
      await bench.arrival(next.frame)
      // `retryable` claims that the network certainly did not take the message.
      if (errorClass === 'retryable')
        assert.equal(await bench.copies(intent.frame), 0, 'retryable, yet it arrived')
    },
  },
  {
    name: 'the same intent goes through after the outage',
    async run(bench) {
      const opened = await bench.connect()
      const intent = bench.intent()
      const ran = await bench.duringOutage(async () => {
        await bench.rejects(
          opened.adapter.send(intent, neverAborted()),
          ['retryable', 'uncertain'],
          'send while cut off',
        )
      })
      if (!ran) return
      await opened.connected()
      await bench.send(opened, { ...intent, attempt: 2 })
      await bench.arrival(intent.frame)
    },
  },
  {
    name: "an address that is none of this network's is refused for good",
    async run(bench) {
      const opened = await bench.connect()
      const to = { wallet: bench.bob.wallet, address: 'no address \u0000 of any network' }
      await bench.rejects(
        opened.adapter.send(bench.intent({ to }), neverAborted()),
        ['permanent', 'unsupported'],
        'send to a malformed address',
      )
    },
  },
  {
    name: 'send before start and after stop rejects with retryable',
    async run(bench) {
      const opened = bench.open()
      await bench.rejects(
        opened.adapter.send(bench.intent(), neverAborted()),
        ['retryable'],
        'send before start',
      )
      await opened.start()
      await opened.connected()
      await opened.stop()
      await bench.rejects(
        opened.adapter.send(bench.intent(), neverAborted()),
        ['retryable'],
        'send after stop',
      )
    },
  },
]
