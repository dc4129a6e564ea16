import assert from 'node:assert/strict'
import type { Inbound, SendIntent } from '../../contract.ts'
import { type Bench, type Check, GRACE_MS, type Opened } from '../bench.ts'
import { sameBytes } from '../bytes.ts'

/** The gateway's own frame as it comes back to it, by any way. */
async function echoOf(
  bench: Bench,
  opened: Opened,
  intent: SendIntent,
  since: number,
): Promise<Inbound | undefined> {
  const live = opened.context.offered(intent.frame)[0]
  if (live) return live
  return (await bench.walk(opened, since)).find((inbound) => sameBytes(inbound.frame, intent.frame))
}

export const echoChecks: Check[] = [
  {
    name: 'capability echo: declared exactly if own sends are heard again',
    async run(bench) {
      const opened = await bench.connect()
      const since = Date.now() - 1000
      const intent = bench.intent()
      await bench.send(opened, intent)
      await bench.arrival(intent.frame)
      if (opened.adapter.capabilities().echo) {
        await bench.waitFor(() => echoOf(bench, opened, intent, since), { what: 'the echo', intervalMs: 100 })
      } else if (!bench.harness.conditional?.echo) {
        await opened.context.clock.sleep(GRACE_MS)
        assert.equal(
          await echoOf(bench, opened, intent, since),
          undefined,
          'echo is declared false, but one came',
        )
      }
    },
  },
  {
    name: 'an echo is recognisable: by a remote id of the receipt or by the transaction id',
    async run(bench) {
      const opened = await bench.connect()
      if (!opened.adapter.capabilities().echo) return
      const since = Date.now() - 1000
      const intent = bench.intent()
      const ids = await bench.send(opened, intent)
      const echo = await bench.waitFor(() => echoOf(bench, opened, intent, since), {
        what: 'the echo',
        intervalMs: 100,
      })
      const known = ids.includes(echo.remoteId) || echo.transactionId === intent.transactionId
      assert.ok(known, `neither the remote id (${echo.remoteId}) nor the transaction id of the echo is known`)
    },
  },
  {
    name: 'manifest.carriesTransactionId: the echo carries it exactly if declared',
    async run(bench) {
      const opened = await bench.connect()
      if (!opened.adapter.capabilities().echo) return
      const since = Date.now() - 1000
      const intent = bench.intent()
      await bench.send(opened, intent)
      const echo = await bench.waitFor(() => echoOf(bench, opened, intent, since), {
        what: 'the echo',
        intervalMs: 100,
      })
      const declared = bench.harness.definition.manifest.carriesTransactionId
      assert.equal(echo.transactionId, declared ? intent.transactionId : null)
    },
  },
]
