import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { AdapterError } from '../adapter/index.ts'
import { waitFor } from '../adapter/testing/wait.ts'
import { createPerson, FALLBACK, RelayBench, SETTINGS, seal, type TestGateway } from './testing/bench.ts'
import { failure, type Script, scripted } from './testing/scripted.ts'
import type { RelaySettings } from './types.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

const LATE = { ...FALLBACK, fallbackAfterMs: 60_000 }

async function setUp(
  scripts: { trtc?: Script; waku?: Script; xmtp?: Script },
  options: { route?: typeof FALLBACK; path?: string; settings?: Partial<RelaySettings> } = {},
) {
  const [alice, bob] = [createPerson(), createPerson()]
  const networks = Object.fromEntries(
    Object.entries(scripts).map(([name, script]) => [name, scripted(script)]),
  )
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: Object.fromEntries(
      Object.entries(networks).map(([name, { definition }]) => [name, definition]),
    ),
    wallets: [alice, bob],
    route: options.route ?? LATE,
    path: options.path,
    settings: options.settings,
  })
  const { id, bytes } = await seal(alice, [bob])
  await gateway.submit(alice, bytes)
  return { gateway, id, networks, alice, bob }
}

const reach = (gateway: TestGateway, id: Uint8Array, states: Record<string, string>) =>
  waitFor(
    async () => {
      const deliveries = await gateway.deliveries(id)
      return deliveries.every(
        ({ network, state }) => states[network] === undefined || states[network] === state,
      )
    },
    { what: JSON.stringify(states) },
  )

test('an acknowledgement in time leaves the next network out', async () => {
  const { gateway, id, networks } = await setUp({ trtc: {}, waku: {} })
  await reach(gateway, id, { trtc: 'acknowledged', waku: 'superseded' })
  expect(networks.waku!.sends).toEqual([])
  expect((await gateway.delivery(id, 'waku')).reason).toBe('carried-by:trtc')
})

test.each(['retryable', 'permanent', 'auth'] as const)('%s moves on at once', async (errorClass) => {
  const { gateway, id, networks } = await setUp({ trtc: { send: failure(errorClass, 'no') }, waku: {} })
  const trtc = errorClass === 'permanent' ? 'dead' : 'superseded'
  await reach(gateway, id, { trtc, waku: 'acknowledged' })
  expect(networks.waku!.sends.length).toBe(1)
})

test('a frame that is too large for the first network moves on at once', async () => {
  const { gateway, id } = await setUp({ trtc: { capabilities: { maxFrameBytes: 100 } }, waku: {} })
  await reach(gateway, id, { trtc: 'dead', waku: 'acknowledged' })
  expect((await gateway.delivery(id, 'trtc')).reason).toBe('tooLarge')
})

test('certain failures go down the order one network at a time', async () => {
  const { gateway, id, networks } = await setUp(
    { trtc: { send: failure('retryable', 'no') }, waku: { send: failure('permanent', 'no') }, xmtp: {} },
    { route: { ...LATE, order: ['trtc', 'waku', 'xmtp'] } },
  )
  await reach(gateway, id, { trtc: 'superseded', waku: 'dead', xmtp: 'acknowledged' })
  expect(networks.waku!.sends.length).toBe(1)
})

test('a network that keeps failing activates one further network, not one for each of its tries', async () => {
  const { gateway, id, networks } = await setUp(
    { trtc: { send: failure('retryable', 'no') }, waku: { send: () => new Promise(() => {}) }, xmtp: {} },
    { route: { ...LATE, order: ['trtc', 'waku', 'xmtp'] } },
  )
  await waitFor(() => networks.trtc!.sends.length >= 4, { what: 'four tries' })
  await reach(gateway, id, { waku: 'dispatching', xmtp: 'standby' })
  expect(networks.xmtp!.sends).toEqual([])
})

test('no answer in time moves on; what is in flight is let go on, and not sent again', async () => {
  let answer = () => {}
  const { gateway, id, networks } = await setUp(
    {
      trtc: {
        send: () =>
          new Promise((_resolve, reject) => {
            answer = () => reject(new AdapterError('retryable', 'failed after all'))
          }),
      },
      waku: {},
    },
    { route: FALLBACK },
  )
  await reach(gateway, id, { trtc: 'dispatching', waku: 'acknowledged' })
  answer()
  await reach(gateway, id, { trtc: 'superseded' })
  expect(networks.trtc!.sends.length).toBe(1)
})

test('an uncertain send does not move on before its time', async () => {
  const { gateway, id, networks } = await setUp({
    trtc: {
      send: failure('uncertain', 'lost the answer'),
      history: { async *walk() {}, find: async () => ({ remoteIds: ['it was there'] }) },
    },
    waku: {},
  })
  await reach(gateway, id, { trtc: 'acknowledged', waku: 'superseded' })
  expect(networks.waku!.sends).toEqual([])
})

test('an answer that comes after its time ends the route', async () => {
  const answers: (() => void)[] = []
  const { gateway, id, networks } = await setUp(
    {
      trtc: {
        send: () => new Promise((resolve) => answers.push(() => resolve({ remoteIds: ['late'] }))),
        capabilities: { echo: true },
      },
      waku: { start: async (context) => context.state({ state: 'connecting' }) },
    },
    {
      route: FALLBACK,
      settings: { sendTimeoutMs: 100, retry: { ...SETTINGS.retry, scheduleMs: [60_000], maxMs: 60_000 } },
    },
  )
  await reach(gateway, id, { trtc: 'uncertain', waku: 'pending' })
  answers[0]!()
  await reach(gateway, id, { trtc: 'acknowledged', waku: 'superseded' })
  networks.waku!.context().state({ state: 'connected' })
  expect(networks.waku!.sends).toEqual([])
})

test('an uncertain send that another network made up for is not looked at again', async () => {
  let lookups = 0
  const { gateway, id, networks } = await setUp(
    {
      trtc: {
        send: failure('uncertain', 'lost the answer'),
        history: {
          async *walk() {},
          async find() {
            lookups++
            throw new AdapterError('retryable', 'no answer')
          },
        },
      },
      waku: {},
    },
    { route: FALLBACK },
  )
  await reach(gateway, id, { trtc: 'superseded', waku: 'acknowledged' })
  const before = lookups
  networks.trtc!.context().state({ state: 'transientDisconnect' })
  networks.trtc!.context().state({ state: 'connected' })
  await waitFor(async () => (await gateway.delivery(id, 'trtc')).state === 'superseded')
  expect(lookups - before).toBeLessThanOrEqual(1)
  expect(networks.trtc!.sends.length).toBe(1)
})

test('a crash between the acknowledgement and its consequences does not send twice', async () => {
  const path = join(await bench.folder(), 'relay.db')
  const { gateway, id } = await setUp({ trtc: { send: failure('retryable', 'no') }, waku: {} }, { path })
  await reach(gateway, id, { trtc: 'superseded', waku: 'acknowledged' })
  // As if the process had died before the first network was superseded.
  const { id: deliveryId } = await gateway.delivery(id, 'trtc')
  await gateway.store.moveDelivery({ id: deliveryId, from: ['superseded'], to: 'pending', at: Date.now() })
  await gateway.stop()

  const [trtc, waku] = [scripted(), scripted()]
  const again = await bench.gateway({
    name: 'gw-a',
    networks: { trtc: trtc.definition, waku: waku.definition },
    wallets: [],
    route: LATE,
    path,
  })
  await reach(again, id, { trtc: 'superseded', waku: 'acknowledged' })
  expect(trtc.sends).toEqual([])
  expect(waku.sends).toEqual([])
})

test('a standby that waits is found again after a restart', async () => {
  const path = join(await bench.folder(), 'relay.db')
  const never: Script = { send: () => new Promise(() => {}) }
  const { gateway, id } = await setUp(
    { trtc: never, waku: {} },
    { path, route: { ...FALLBACK, fallbackAfterMs: 1_500 } },
  )
  await reach(gateway, id, { trtc: 'dispatching', waku: 'standby' })
  await gateway.store.close()

  const [trtc, waku] = [scripted(never), scripted()]
  const again = await bench.gateway({
    name: 'gw-a',
    networks: { trtc: trtc.definition, waku: waku.definition },
    wallets: [],
    route: LATE,
    path,
  })
  await reach(again, id, { waku: 'acknowledged' })
})

test('a standby whose time comes behind a backlog is sent, though it is older than all that waits in the store', async () => {
  const [alice, bob, carol] = [createPerson(), createPerson(), createPerson()]
  const trtc = scripted({ send: () => new Promise(() => {}) })
  const waku = scripted({ start: async (context) => context.state({ state: 'connecting' }) })
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { trtc: trtc.definition, waku: waku.definition },
    wallets: [alice, bob, carol],
    settings: { maxQueuedPerNetwork: 4 },
  })
  const trtcThenWaku = { policy: 'fallback' as const, order: ['trtc', 'waku'], fallbackAfterMs: 1_500 }
  await gateway.store.putRoute(bob.wallet, trtcThenWaku)
  const older = await seal(alice, [bob])
  await gateway.submit(alice, older.bytes)
  for (let index = 0; index < 12; index++) {
    await gateway.submit(alice, (await seal(alice, [carol], { text: `number ${index}` })).bytes)
  }
  await waitFor(async () => (await gateway.delivery(older.id, 'waku')).state === 'pending')
  waku.context().state({ state: 'connected' })
  await waitFor(async () => (await gateway.delivery(older.id, 'waku')).state === 'acknowledged')
  await waitFor(() => waku.sends.length === 13, { what: 'the others' })
})
