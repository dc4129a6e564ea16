import assert from 'node:assert/strict'
import { AdapterError } from '../../errors.ts'
import type { Check } from '../bench.ts'

const aborted = (): AbortSignal => AbortSignal.abort(new Error('aborted by the contract suite'))

export const abortChecks: Check[] = [
  {
    name: 'start with an aborted signal settles at once, and can be stopped and started again',
    async run(bench) {
      const opened = bench.open()
      // Resolving is allowed too: trouble is told by the state. A rejection is an AdapterError.
      await bench
        .settles(opened.adapter.start(aborted()), 'an aborted start', 15_000)
        .catch((error: unknown) => {
          assert.ok(AdapterError.is(error), `start rejects with AdapterError only: ${String(error)}`)
          assert.ok(
            ['retryable', 'uncertain'].includes(error.class),
            `an aborted start is retryable: ${error.class}`,
          )
        })
      await opened.stop()
      await opened.start()
      await opened.connected()
    },
  },
  {
    name: 'send with an aborted signal rejects at once with retryable, and nothing is sent',
    async run(bench) {
      const opened = await bench.connect()
      const intent = bench.intent()
      const error = await bench.rejects(
        bench.settles(opened.adapter.send(intent, aborted()), 'an aborted send', 15_000),
        ['retryable', 'uncertain'],
        'send with an aborted signal',
      )
      await bench.settle(opened, intent)
      if (error.class === 'retryable')
        assert.equal(await bench.copies(intent.frame), 0, 'retryable, yet it arrived')
    },
  },
  {
    name: 'a send aborted under way settles at once and does not claim more than it knows',
    async run(bench) {
      const opened = await bench.connect()
      const intent = bench.intent()
      const abort = new AbortController()
      const sending = opened.adapter.send(intent, abort.signal)
      abort.abort(new Error('aborted by the contract suite'))
      const error = await bench.settles(sending, 'a send aborted under way', 15_000).then(
        () => null,
        (caught: unknown) => caught,
      )
      if (error !== null) {
        assert.ok(AdapterError.is(error), `send rejects with AdapterError only: ${String(error)}`)
        assert.ok(
          ['retryable', 'uncertain'].includes(error.class),
          `class of an aborted send: ${error.class}`,
        )
      }
      await bench.settle(opened, intent)
      const copies = await bench.copies(intent.frame)
      if (error === null) assert.ok(copies > 0, 'it resolved with a receipt, yet nothing arrived')
      if (AdapterError.is(error) && error.class === 'retryable')
        assert.equal(copies, 0, 'retryable, yet it arrived')
    },
  },
  {
    name: 'walk and find with an aborted signal end at once with AdapterError',
    async run(bench) {
      const opened = await bench.connect()
      const { history } = opened.adapter
      if (!history) return
      await bench.harness.network.inject(bench.intent().frame, {
        from: bench.alice.address,
        to: bench.bob.address,
      })
      const walk = async () => {
        const pairs = [{ local: bench.bob.address, peer: bench.alice.address }]
        for await (const inbound of history.walk({ since: Date.now() - 60_000, pairs }, aborted())) {
          assert.fail(`an aborted walk yielded ${inbound.remoteId}`)
        }
      }
      await bench.rejects(
        bench.settles(walk(), 'an aborted walk', 15_000),
        ['retryable', 'uncertain'],
        'an aborted walk',
      )
      if (!opened.adapter.capabilities().lookup) return
      await bench.rejects(
        bench.settles(history.find(bench.intent(), aborted()), 'an aborted find', 15_000),
        ['retryable', 'uncertain'],
        'an aborted find',
      )
    },
  },
]
