import assert from 'node:assert/strict'
import { AdapterError } from '../../errors.ts'
import { type Bench, type Check, neverAborted, type Opened } from '../bench.ts'
import { sameBytes } from '../bytes.ts'

/** Sends a native frame while the adapter is stopped; resolves with it and an adapter started afterwards. */
async function missed(bench: Bench): Promise<{ opened: Opened; frame: Uint8Array; since: number }> {
  const first = await bench.connect()
  await first.stop()
  const since = Date.now() - 1000
  const { frame } = bench.intent()
  await bench.harness.network.inject(frame, { from: bench.alice.address, to: bench.bob.address })
  await bench.arrival(frame)
  const opened = await bench.connect({ storage: first.context.storage })
  return { opened, frame, since }
}

async function yields(bench: Bench, opened: Opened, frame: Uint8Array, since: number): Promise<boolean> {
  return (await bench.walk(opened, since)).some((inbound) => sameBytes(inbound.frame, frame))
}

export const historyChecks: Check[] = [
  {
    name: 'capability history: a walk yields what was sent while the adapter was down, exactly if declared',
    async run(bench) {
      const { opened, frame, since } = await missed(bench)
      if (opened.adapter.capabilities().history) {
        await bench.waitFor(() => yields(bench, opened, frame, since), {
          what: 'history.walk to yield the frame that was missed',
          intervalMs: 200,
        })
      } else if (!bench.harness.conditional?.history) {
        assert.equal(
          await yields(bench, opened, frame, since),
          false,
          'history is declared false, but a walk yields',
        )
      }
    },
  },
  {
    name: 'a walk may be repeated and gives the same ids, times and addresses',
    async run(bench) {
      const { opened, frame, since } = await missed(bench)
      if (!opened.adapter.capabilities().history) return
      const find = async () =>
        (await bench.walk(opened, since)).find((inbound) => sameBytes(inbound.frame, frame))
      const first = await bench.waitFor(find, { what: 'the frame in the history', intervalMs: 200 })
      const second = await bench.waitFor(find, { what: 'the frame in a second walk', intervalMs: 200 })
      assert.deepEqual(second, first)
      const heardAt = bench.addressHeard(opened, bench.bob.address)
      assert.equal(first.to, heardAt, 'history knows the address that a frame was sent to')
    },
  },
  {
    name: 'a walk yields every one of many frames',
    async run(bench) {
      const opened = await bench.connect()
      if (!opened.adapter.capabilities().history) return
      const since = Date.now() - 1000
      const frames = Array.from({ length: 30 }, () => bench.intent().frame)
      for (const frame of frames) {
        await bench.harness.network.inject(frame, { from: bench.bob.address, to: bench.alice.address })
      }
      await bench.waitFor(
        async () => {
          const found = await bench.walk(opened, since)
          return frames.every((frame) => found.some((inbound) => sameBytes(inbound.frame, frame)))
        },
        { what: 'all frames in one walk', intervalMs: 200 },
      )
    },
  },
  {
    name: 'capability lookup: find gives the receipt of a send and null for what was never sent, exactly if declared',
    async run(bench) {
      const opened = await bench.connect()
      const { history } = opened.adapter
      const { lookup } = opened.adapter.capabilities()
      if (!history) {
        assert.equal(lookup, false, 'lookup is declared, but there is no history facet')
        return
      }
      const sent = bench.intent()
      const ids = await bench.send(opened, sent)
      await bench.arrival(sent.frame)
      if (!lookup) {
        if (bench.harness.conditional?.lookup) return
        const found = await bench
          .settles(history.find(sent, neverAborted()), 'find')
          .catch((error: unknown) => {
            assert.ok(
              AdapterError.is(error) && error.class === 'unsupported',
              'find without lookup is unsupported',
            )
            return null
          })
        assert.equal(found, null, 'lookup is declared false, but find found the send')
        return
      }
      const receipt = await bench.waitFor(() => history.find(sent, neverAborted()), {
        what: 'history.find to know the send',
        intervalMs: 200,
      })
      const found = 'remoteIds' in receipt ? receipt.remoteIds : []
      assert.ok(found.length > 0 || 'pending' in receipt, 'a receipt that was found names a remote id')
      if (ids.length > 0)
        assert.ok(
          found.some((id) => ids.includes(id)),
          'find and send name different remote ids',
        )
      const never = await bench.settles(history.find(bench.intent(), neverAborted()), 'find')
      assert.equal(never, null, 'find must give null for an intent that was never sent')
    },
  },
  {
    name: 'find knows a send of before a restart',
    async run(bench) {
      const first = await bench.connect()
      if (!first.adapter.capabilities().lookup) return
      const intent = bench.intent()
      await bench.send(first, intent)
      await bench.arrival(intent.frame)
      await first.stop()
      const second = await bench.connect({ storage: first.context.storage })
      await bench.waitFor(() => second.adapter.history?.find({ ...intent, attempt: 2 }, neverAborted()), {
        what: 'history.find to know the send of before the restart',
        intervalMs: 200,
      })
    },
  },
  {
    name: 'find never answers null for a send that it cannot ask about',
    async run(bench) {
      const opened = await bench.connect()
      const { history } = opened.adapter
      if (!history || !opened.adapter.capabilities().lookup) return
      const intent = bench.intent()
      await bench.send(opened, intent)
      await bench.arrival(intent.frame)
      await bench.waitFor(() => history.find(intent, neverAborted()), {
        what: 'find before the outage',
        intervalMs: 200,
      })
      await bench.duringOutage(async () => {
        const outcome = await bench
          .settles(history.find(intent, neverAborted()), 'find while cut off')
          .catch((error: unknown) => error)
        assert.notEqual(
          outcome,
          null,
          'null says that the network certainly does not have it: it was not asked',
        )
        if (outcome instanceof Error)
          assert.ok(AdapterError.is(outcome), `find rejects with AdapterError: ${outcome}`)
      })
    },
  },
  {
    name: 'after an outage a walk yields what was sent meanwhile',
    async run(bench) {
      const opened = await bench.connect()
      const since = Date.now() - 1000
      const { frame } = bench.intent()
      const ran = await bench.duringOutage(async () => {
        await bench.harness.network.inject(frame, { from: bench.alice.address, to: bench.bob.address })
        await bench.arrival(frame)
      })
      if (!ran) return
      await opened.connected()
      if (!opened.adapter.capabilities().history) return
      await bench.waitFor(() => yields(bench, opened, frame, since), {
        timeoutMs: 60_000,
        what: 'history.walk to yield what was sent during the outage',
        intervalMs: 200,
      })
    },
  },
]
