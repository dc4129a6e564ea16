import { stat } from 'node:fs/promises'
import { afterEach, expect, test } from 'vitest'
import { waitFor } from '../adapter/testing/wait.ts'
import { RelayBench } from './testing/bench.ts'
import { scripted } from './testing/scripted.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

const open = (networks: Record<string, ReturnType<typeof scripted>>, idle = false) =>
  bench.gateway({
    name: 'gw-a',
    networks: Object.fromEntries(
      Object.entries(networks).map(([name, { definition }]) => [name, definition]),
    ),
    wallets: [],
    idle,
  })

const states = (gateway: Awaited<ReturnType<typeof open>>) =>
  Object.fromEntries(gateway.networks.list().map(({ network, state }) => [network, state]))

test('an adapter that hangs or fails holds no other', async () => {
  const hangs = scripted({ start: () => new Promise(() => {}) })
  const fails = scripted({ start: async () => Promise.reject(new Error('cannot')) })
  const works = scripted()
  const gateway = await open({ hangs, fails, works }, true)
  expect(states(gateway)).toEqual({ hangs: 'starting', fails: 'starting', works: 'starting' })
  const starting = gateway.networks.start()
  await waitFor(() => states(gateway).works === 'connected' && states(gateway).fails === 'stopped')
  expect(gateway.networks.list()[1]).toMatchObject({ userAction: expect.stringContaining('restart') })
  await gateway.networks.stop(AbortSignal.timeout(100))
  expect(states(gateway)).toEqual({ hangs: 'stopped', fails: 'stopped', works: 'stopped' })
  await starting
})

test('states carry the time since when they hold, and reach every listener though one throws', async () => {
  const network = scripted()
  const gateway = await open({ waku: network })
  const heard: string[] = []
  gateway.networks.onState(() => {
    throw new Error('a bad listener')
  })
  const unsubscribe = gateway.networks.onState((name, { state }) => heard.push(`${name} ${state}`))
  const before = gateway.networks.list()[0]!.since
  network.context().state({ state: 'connected', reason: 'still' })
  expect(gateway.networks.list()[0]).toMatchObject({ since: before, reason: 'still' })
  network.context().state({ state: 'badCredentials', userAction: 'renew the key' })
  expect(gateway.networks.list()[0]).toMatchObject({ state: 'badCredentials', userAction: 'renew the key' })
  unsubscribe()
  network.context().state({ state: 'connected' })
  expect(heard).toEqual(['waku connected', 'waku badCredentials'])
})

test('a restart makes a new instance; the old one is not listened to any more', async () => {
  const network = scripted()
  const gateway = await open({ waku: network })
  const old = network.context()
  await gateway.networks.restart('waku')
  expect(network.instances).toBe(2)
  expect(states(gateway)).toEqual({ waku: 'connected' })
  old.state({ state: 'loggedOut' })
  expect(states(gateway)).toEqual({ waku: 'connected' })
  const frame = {
    frame: new Uint8Array(),
    remoteId: 'r',
    to: null,
    from: null,
    via: 'stream' as const,
    remoteTime: null,
    transactionId: null,
  }
  await expect(old.deliver(frame)).rejects.toMatchObject({ code: 'relay-stopping' })
  expect((await network.context().deliver(frame)).outcome).toBe('refused')
  await expect(gateway.networks.restart('xmtp')).rejects.toMatchObject({ code: 'network-unknown' })
})

test('restarts that come at once follow each other: every instance is started once, and the last one runs', async () => {
  const started: unknown[] = []
  const stopped: unknown[] = []
  const network = scripted({
    start: async (context) => {
      started.push(context)
      context.state({ state: 'connected' })
    },
    stop: async () => {
      const instance = started.at(-1)
      await new Promise((resolve) => setTimeout(resolve, 50))
      stopped.push(instance)
    },
  })
  const gateway = await open({ waku: network })
  await Promise.all([gateway.networks.restart('waku'), gateway.networks.restart('waku')])
  expect(network.instances).toBe(3)
  expect(new Set(started).size).toBe(3)
  expect(stopped).toEqual(started.slice(0, 2))
  expect(started.at(-1)).toBe(network.context())
  expect(states(gateway)).toEqual({ waku: 'connected' })
})

test('a restart ends a start that hangs', async () => {
  const network = scripted({ start: () => new Promise(() => {}) })
  const gateway = await open({ waku: network }, true)
  void gateway.networks.restart('waku')
  void gateway.networks.restart('waku')
  await waitFor(() => network.instances === 3)
  network.script.start = undefined
  await gateway.networks.restart('waku')
  expect(states(gateway)).toEqual({ waku: 'connected' })
})

test('an adapter that fails to describe itself takes neither the list nor the others with it', async () => {
  const [waku, trtc] = [scripted(), scripted()]
  const gateway = await open({ waku, trtc })
  const { adapter } = gateway.networks.get('waku')!
  const fail = () => {
    throw new Error('cannot tell')
  }
  Object.assign(adapter, { capabilities: fail, describe: fail, identity: { ownAddress: fail } })
  expect(gateway.networks.names()).toEqual(['waku', 'trtc'])
  gateway.networks.list()
  expect(gateway.networks.list()).toMatchObject([
    { network: 'waku', state: 'connected', address: null, description: {}, capabilities: { history: false } },
    { network: 'trtc', state: 'connected', capabilities: { maxFrameBytes: 100_000 } },
  ])
  expect(gateway.problems.length).toBe(3)
})

test('each adapter has storage and a folder of its own', async () => {
  const [waku, trtc] = [scripted(), scripted()]
  const gateway = await open({ waku, trtc })
  await waku.context().storage.set('relay/last-walk', 'mine')
  expect(await waku.context().storage.get('relay/last-walk')).toBe('mine')
  expect(await trtc.context().storage.get('relay/last-walk')).toBeNull()
  expect(await gateway.store.getAdapterValue('waku', 'relay/last-walk')).not.toBe('mine')
  const [one, other] = await Promise.all([waku.context().directory(), trtc.context().directory()])
  expect(one).not.toBe(other)
  expect((await stat(one)).isDirectory()).toBe(true)
})
