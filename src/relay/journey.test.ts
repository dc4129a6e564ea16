import { afterEach, expect, test } from 'vitest'
import { createPerson, RelayBench, seal } from './testing/bench.ts'
import { scripted } from './testing/scripted.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

test('equal receipts that come at once are noted once', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const waku = scripted()
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku: waku.definition },
    wallets: [alice, bob],
  })
  const { id, bytes } = await seal(alice, [bob])
  await gateway.submit(alice, bytes)
  const receipt = { id, network: 'http', kind: 'read' as const, at: Date.now() }
  const noted = await Promise.all(
    Array.from({ length: 5 }, () => gateway.relay.receipts(bob.wallet, [receipt])),
  )
  expect(noted.toSorted()).toEqual([0, 0, 0, 0, 1])
  const { checkpoints } = await gateway.relay.journey(id)
  expect(checkpoints.filter(({ name }) => name === 'read').length).toBe(1)
})
