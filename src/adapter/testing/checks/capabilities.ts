import assert from 'node:assert/strict'
import { type Check, neverAborted } from '../bench.ts'
import { sameBytes } from '../bytes.ts'

/** The remaining fields are tried where their behaviour is: echo, history, lookup, idempotentSend and sharedAddresses. */
export const capabilityChecks: Check[] = [
  {
    name: 'capabilities are complete, stable, and within the manifest',
    async run(bench) {
      const { adapter } = bench.open()
      const declared = adapter.capabilities()
      const flags = [
        'echo',
        'history',
        'lookup',
        'idempotentSend',
        'ephemeral',
        'reachesAnyone',
        'sharedAddresses',
      ] as const
      for (const flag of flags) assert.equal(typeof declared[flag], 'boolean', `${flag} must be declared`)
      const { limits, redeliveryWindowMs } = bench.harness.definition.manifest
      assert.ok(Number.isSafeInteger(declared.maxFrameBytes) && declared.maxFrameBytes > 0)
      assert.ok(
        declared.maxFrameBytes <= limits.maxFrameBytes,
        'maxFrameBytes is over the limit of the manifest',
      )
      assert.ok(
        Number.isSafeInteger(redeliveryWindowMs) && redeliveryWindowMs > 0,
        'redeliveryWindowMs in milliseconds',
      )
      const connected = await bench.connect()
      assert.deepEqual(connected.adapter.capabilities(), declared, 'capabilities changed by connecting')
    },
  },
  {
    name: 'capabilities and facets agree',
    async run(bench) {
      const { adapter } = bench.open()
      const { history, lookup } = adapter.capabilities()
      assert.equal(
        adapter.history !== undefined,
        history || lookup,
        'the history facet is there exactly if declared',
      )
    },
  },
  {
    name: 'capability ephemeral: an ephemeral frame is delivered, and not kept exactly if declared',
    async run(bench) {
      const opened = await bench.connect()
      const { echo, history, ephemeral } = opened.adapter.capabilities()
      const since = Date.now() - 1000
      const intent = bench.intent({ ephemeral: true })
      await bench.send(opened, intent)
      await bench.arrival(intent.frame)
      // Whether own sends are kept can be seen only where a walk yields own sends.
      if (!history || !echo) return
      const kept = async () =>
        (await bench.walk(opened, since)).some((inbound) => sameBytes(inbound.frame, intent.frame))
      const plain = bench.intent()
      await bench.send(opened, plain)
      await bench.waitFor(
        async () =>
          (await bench.walk(opened, since)).some((inbound) => sameBytes(inbound.frame, plain.frame)),
        { what: 'a frame that is not ephemeral in the history', intervalMs: 200 },
      )
      if (ephemeral)
        assert.equal(await kept(), false, 'ephemeral is declared, but the network kept the frame')
      else if (!bench.harness.conditional?.ephemeral) {
        await bench.waitFor(kept, {
          what: 'the frame in the history, since ephemeral is declared false',
          intervalMs: 200,
        })
      }
    },
  },
  {
    name: 'capability reachesAnyone: a wallet never heard of can be sent to, exactly if declared',
    async run(bench) {
      const opened = await bench.connect()
      const { identity } = opened.adapter
      const { reachesAnyone } = opened.adapter.capabilities()
      const wallet = bench.stranger()
      const address = identity?.addressOf(wallet) ?? null
      if (address === null) {
        assert.equal(reachesAnyone, false, 'reachesAnyone is declared, but a stranger has no address')
        return
      }
      const to = { wallet, address }
      if (reachesAnyone) {
        await bench.settles(identity?.provision?.(to, neverAborted()) ?? Promise.resolve(), 'provision')
        await bench.send(opened, bench.intent({ to }))
      } else if (!bench.harness.conditional?.reachesAnyone) {
        await bench.rejects(
          opened.adapter.send(bench.intent({ to }), neverAborted()),
          ['permanent', 'unsupported'],
          'send to a stranger, since reachesAnyone is declared false,',
        )
      }
    },
  },
]
