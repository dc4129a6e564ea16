import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { waitFor } from '../adapter/testing/wait.ts'
import { toHex } from '../envelope/index.ts'
import { createPerson, RelayBench, SETTINGS, seal } from './testing/bench.ts'
import { scripted } from './testing/scripted.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

/** Waits longer than any test. */
const retry = { ...SETTINGS.retry, scheduleMs: [600_000], maxMs: 600_000, maxAttempts: 40 }

/**
 * A gateway that ends again and again amid the same send: each life begins with the delivery `dispatching`, as `kill -9` leaves it.
 */
async function livesOf(interruptions: number) {
  const path = join(await bench.folder(), 'relay.db')
  const [alice, bob, carol] = [createPerson(), createPerson(), createPerson()]
  const network = scripted({ send: async () => ({ remoteIds: ['r'] }) })
  const options = { name: 'gw-a', networks: { waku: network.definition }, path, settings: { retry } }
  const first = await bench.gateway({ ...options, wallets: [alice, bob, carol], idle: true })
  const { id, bytes } = await seal(alice, [bob], { text: 'in flight' })
  await first.submit(alice, bytes)
  const { id: delivery } = await first.delivery(id, 'waku')
  await first.store.moveDelivery({
    id: delivery,
    from: ['pending'],
    to: 'dispatching',
    attempt: interruptions,
    nextAt: null,
    at: Date.now(),
  })
  await first.stop()
  return { options, id, network, alice, carol }
}

test('a send that the end of the gateway cut off is made up for at once', async () => {
  const { options, id } = await livesOf(3)
  const next = await bench.gateway({ ...options, wallets: [] })
  await waitFor(async () => (await next.delivery(id, 'waku')).state === 'acknowledged')
})

test('one that was cut off again and again waits, over restarts too, and others go on', async () => {
  const { options, id, network, alice, carol } = await livesOf(12)
  for (let life = 0; life < 2; life++) {
    const next = await bench.gateway({ ...options, wallets: [] })
    const other = await seal(alice, [carol], { text: `life ${life}` })
    await next.submit(alice, other.bytes)
    await waitFor(async () => (await next.delivery(other.id, 'waku')).state === 'acknowledged')
    const held = await next.delivery(id, 'waku')
    // Its try is not used up by that.
    expect(held).toMatchObject({ state: 'uncertain', reason: 'interrupted', attempt: 12 })
    expect(network.sends.map(({ envelopeId }) => toHex(envelopeId))).not.toContain(toHex(id))
    await next.stop()
  }
})
