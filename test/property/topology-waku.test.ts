/** Three gateways in a ring: one edge is Waku between two real embedded nodes, the others are simulated networks. */
import { afterAll, expect, test } from 'vitest'
import simulator, { simulatorAddress } from '../../adapters/simulator/index.ts'
import waku from '../../adapters/waku/index.ts'
import { startSandbox } from '../../adapters/waku/sandbox/index.ts'
import type { AdapterDefinition } from '../../src/adapter/index.ts'
import { waitFor } from '../../src/adapter/testing/wait.ts'
import { toHex } from '../../src/envelope/index.ts'
import { createPerson, nativeFrame, RelayBench, seal } from '../../src/relay/testing/bench.ts'
import { repeatFaults, traceFaults } from './topology-rules.ts'
import { type Traffic, tapped } from './topology-world.ts'

const bench = new RelayBench()
const ends: (() => Promise<unknown>)[] = []
afterAll(async () => {
  await bench.close()
  for (const end of ends) await end()
}, 60_000)

test('a ring with Waku in it carries every envelope once to every gateway, and falls silent', async () => {
  const sandbox = await startSandbox({ seed: 11 })
  ends.push(() => sandbox.stop())
  const faults = { loss: 0.1, duplication: 0.2, reordering: 0.2 }
  const [left, right] = [bench.network({ ...faults, seed: 1 }), bench.network({ ...faults, seed: 2 })]
  const [alice, bob] = [createPerson(), createPerson()]
  const traffic: Traffic = { sendings: [], hearings: [] }
  const tap = (gateway: string, network: string, definition: unknown, config: unknown) =>
    tapped(
      definition as AdapterDefinition,
      config,
      { gateway, network, now: () => performance.now() },
      traffic,
    )
  const simulated = (gateway: string, name: string, network: typeof left) =>
    tap(gateway, name, simulator, simulator.config.parse(network.settings))
  const embedded = (gateway: string) =>
    tap(gateway, 'waku', waku, waku.config.parse({ ...sandbox.gatewayConfig }))
  // What three Waku nodes on a busy machine need: the waits of the bench are for networks that answer at once.
  const settings = { reconcileIntervalMs: 1_000, sendTimeoutMs: 20_000 }
  const wallets = [alice, bob]
  const gateways = [
    await bench.gateway({
      name: 'one',
      networks: { waku: embedded('one'), trtc: simulated('one', 'trtc', left) },
      wallets,
      settings,
    }),
    await bench.gateway({
      name: 'two',
      networks: { waku: embedded('two'), xmtp: simulated('two', 'xmtp', right) },
      wallets,
      settings,
    }),
    await bench.gateway({
      name: 'three',
      networks: { xmtp: simulated('three', 'xmtp', right), trtc: simulated('three', 'trtc', left) },
      wallets,
      settings,
    }),
  ]
  const states = () =>
    gateways.map(({ networks }) =>
      networks.list().map(({ network, state, reason }) => [network, state, reason]),
    )
  await waitFor(
    () => gateways.every(({ networks }) => networks.list().every((one) => one.state === 'connected')),
    {
      timeoutMs: 60_000,
      what: `every network to be connected: ${JSON.stringify(states())}`,
    },
  )

  const ids: string[] = []
  for (let index = 0; index < 9; index++) {
    const { id, bytes } = await seal(alice, [bob], { text: `round and round ${index}` })
    ids.push(toHex(id))
    const frame = nativeFrame(alice, bytes)
    if (index % 3 !== 0) await gateways[index % 2]!.submit(alice, bytes)
    if (index % 3 !== 1) left.inject({ frame, to: simulatorAddress(bob.wallet) })
    // Again, over the other network.
    if (index % 4 === 0) right.inject({ frame, to: simulatorAddress(bob.wallet) })
  }

  await waitFor(
    async () => {
      const inboxes = await Promise.all(gateways.map((gateway) => gateway.inbox(bob)))
      return inboxes.every((items) => ids.every((id) => items.some((item) => toHex(item.id) === id)))
    },
    { timeoutMs: 90_000, what: 'every envelope at every gateway' },
  )
  let before = -1
  await waitFor(
    async () => {
      const open = await Promise.all(
        gateways.map(({ store }) => store.openDeliveries({ afterId: 0, limit: 1 })),
      )
      const still = before === traffic.sendings.length && open.flat().length === 0
      before = traffic.sendings.length
      return still
    },
    { timeoutMs: 90_000, intervalMs: 2_000, what: 'traffic to die out' },
  )
  for (const gateway of gateways) {
    for (const person of [alice, bob]) {
      const found = (await gateway.inbox(person)).map(({ id }) => toHex(id))
      expect(found.toSorted(), `${gateway.name} holds each id once`).toEqual(ids.toSorted())
    }
  }
  expect(traffic.sendings.some(({ network }) => network === 'waku')).toBe(true)
  expect(traceFaults(traffic)).toEqual([])
  expect(repeatFaults(traffic.sendings, new Set())).toEqual([])
}, 300_000)
