import assert from 'node:assert/strict'
import type { Check } from '../bench.ts'
import { sameBytes } from '../bytes.ts'

export const dedupChecks: Check[] = [
  {
    name: 'capability idempotentSend: one transaction sent twice arrives once, exactly if declared',
    async run(bench) {
      const opened = await bench.connect()
      const intent = bench.intent()
      await bench.send(opened, intent)
      await bench.arrival(intent.frame)
      await bench.send(opened, { ...intent, attempt: 2 })
      await bench.settle(opened, intent)
      if (opened.adapter.capabilities().idempotentSend) {
        assert.equal(
          await bench.copies(intent.frame),
          1,
          'idempotentSend is declared, but the recipient got a second copy',
        )
      } else if (!bench.harness.conditional?.idempotentSend) {
        await bench.waitFor(async () => (await bench.copies(intent.frame)) === 2, {
          what: 'a second copy, since idempotentSend is declared false',
        })
      }
    },
  },
  {
    name: 'capability idempotentSend holds across a restart of the adapter',
    async run(bench) {
      const first = await bench.connect()
      if (!first.adapter.capabilities().idempotentSend) return
      const intent = bench.intent()
      await bench.send(first, intent)
      await bench.arrival(intent.frame)
      await first.stop()
      const second = await bench.connect({ storage: first.context.storage })
      await bench.send(second, { ...intent, attempt: 2 })
      await bench.settle(second, intent)
      assert.equal(await bench.copies(intent.frame), 1, 'the recipient got a second copy after a restart')
    },
  },
  {
    name: 'two transactions with one frame are two messages',
    async run(bench) {
      const opened = await bench.connect()
      const first = bench.intent()
      const other = bench.intent({ frame: first.frame, to: bench.alice, from: bench.bob })
      await bench.send(opened, first)
      await bench.send(opened, other)
      await bench.arrival(first.frame, bench.bob.address)
      await bench.arrival(first.frame, bench.alice.address)
    },
  },
  {
    name: 'a message that the network delivers again has the same remote id',
    async run(bench) {
      const { network } = bench.harness
      const opened = await bench.connect()
      const since = Date.now() - 1000
      const { frame } = bench.intent()
      await network.inject(frame, { from: bench.alice.address, to: bench.bob.address })
      const first = await bench.heard(opened, frame, since)
      const before = opened.context.heard(frame).length
      if (network.redeliver) {
        await network.redeliver(first.remoteId)
        await bench.waitFor(() => opened.context.heard(frame).length > before, {
          what: 'the second delivery',
        })
      }
      for (const again of opened.context.heard(frame)) assert.equal(again.remoteId, first.remoteId)
      for (const again of await bench.walk(opened, since)) {
        if (sameBytes(again.frame, frame))
          assert.equal(again.remoteId, first.remoteId, 'history gives another id')
      }
    },
  },
]
