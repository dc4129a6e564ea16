import { afterEach, expect, test, vi } from 'vitest'
import { simulatorAddress } from '../../adapters/simulator/index.ts'
import { AdapterError, type HistoryQuery, type Inbound } from '../adapter/index.ts'
import { waitFor } from '../adapter/testing/wait.ts'
import { toHex } from '../envelope/index.ts'
import { acceptRecord, newDelivery } from '../store/testing/records.ts'
import { createPerson, nativeFrame, RelayBench, SETTINGS, seal } from './testing/bench.ts'
import { scripted } from './testing/scripted.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

const HOUR = 3_600_000

test('what a lossy stream drops is found in the history', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const waku = bench.network({ loss: 0.5, seed: 5 })
  const gateway = await bench.gateway({ name: 'gw-a', networks: { waku }, wallets: [alice, bob] })
  const ids: string[] = []
  for (let index = 0; index < 40; index++) {
    const { id, bytes } = await seal(alice, [bob])
    ids.push(toHex(id))
    waku.inject({ frame: nativeFrame(alice, bytes), to: simulatorAddress(bob.wallet) })
  }
  await waitFor(async () => (await gateway.inbox(bob)).length === ids.length, {
    what: 'the inbox to be complete',
  })
  expect((await gateway.inbox(bob)).map(({ id }) => toHex(id)).toSorted()).toEqual(ids.toSorted())
})

test('what came during an outage is fetched on the new connection, without waiting for the timer', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const waku = bench.network()
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku },
    wallets: [alice, bob],
    settings: { reconcileIntervalMs: HOUR },
  })
  await waku.faults.outage(true)
  const { bytes } = await seal(alice, [bob])
  waku.inject({ frame: nativeFrame(alice, bytes), to: simulatorAddress(bob.wallet) })
  await waku.faults.outage(false)
  await waitFor(async () => (await gateway.inbox(bob)).length === 1)
})

/** A gateway on a network whose history is what the test yields. */
async function withHistory(walk: (query: HistoryQuery, signal: AbortSignal) => AsyncIterable<Inbound>) {
  const [alice, bob] = [createPerson(), createPerson()]
  const network = scripted({ history: { walk, find: async () => null } })
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku: network.definition },
    wallets: [alice, bob],
    settings: { reconcileIntervalMs: HOUR },
    idle: true,
  })
  const { bytes } = await seal(alice, [bob])
  const message = (remoteId: string): Inbound => ({
    frame: nativeFrame(alice, bytes),
    remoteId,
    to: null,
    from: null,
    via: 'history',
    remoteTime: Date.now() + HOUR,
    transactionId: null,
  })
  return {
    gateway,
    network,
    message,
    cursor: async () => Number(await gateway.store.getAdapterValue('waku', 'relay/last-walk')),
  }
}

test('the cursor is the start of the last completed walk, never the time of a message', async () => {
  const queries: HistoryQuery[] = []
  const starts: number[] = []
  const made = await withHistory(async function* (query) {
    queries.push(query)
    starts.push(Date.now())
    yield made.message(`r-${queries.length}`)
  })
  const first = await made.cursor()
  expect(await made.gateway.relay.reconcile('waku', AbortSignal.timeout(5_000))).toEqual({
    heard: 1,
    accepted: 1,
  })
  expect(await made.cursor()).toBeGreaterThanOrEqual(first)
  expect(await made.cursor()).toBeLessThanOrEqual(starts[0]!)
  const second = await made.cursor()
  expect(await made.gateway.relay.reconcile('waku', AbortSignal.timeout(5_000))).toEqual({
    heard: 1,
    accepted: 0,
  })
  expect(queries.map(({ since }) => since)).toEqual([
    first - SETTINGS.reconcileOverlapMs,
    second - SETTINGS.reconcileOverlapMs,
  ])
})

test('a pair that was quiet for days is asked for too: its next message may be the one that was lost', async () => {
  const asked: string[] = []
  // biome-ignore lint/correctness/useYield: this network kept nothing
  const made = await withHistory(async function* (query) {
    for await (const { local, peer } of query.pairs) asked.push(local, peer)
  })
  const [alice, bob] = [createPerson(), createPerson()]
  for (const person of [alice, bob]) await made.gateway.signIn(person)
  const address = simulatorAddress(bob.wallet)
  await made.gateway.store.accept(
    acceptRecord('days ago', {
      from: alice.wallet,
      receivedAt: Date.now() - 3 * 24 * HOUR,
      inbox: [{ wallet: bob.wallet, direction: 'received' }],
      deliveries: [newDelivery('days ago', 'waku', { wallet: bob.wallet, address })],
    }),
  )
  await made.gateway.relay.reconcile('waku', AbortSignal.timeout(5_000))
  expect(asked).toContain(address)
})

test('every pair is asked for, however many there are; nothing is read for a network that does not ask', async () => {
  const asked: string[] = []
  let asks = false
  // biome-ignore lint/correctness/useYield: this network kept nothing
  const { gateway } = await withHistory(async function* (query) {
    if (asks) for await (const { local, peer } of query.pairs) asked.push(`${local} ${peer}`)
  })
  const updatedAt = Date.now()
  const place = { network: 'waku', enabled: true, source: 'derived' as const, exclusive: false, updatedAt }
  const sender = createPerson().wallet
  await gateway.store.putEndpoint({ ...place, wallet: sender, address: 'sender' })
  const peers = Array.from({ length: 1_200 }, (_, index) => `peer-${index}`)
  await Promise.all(
    peers.map((address) =>
      gateway.store.accept(
        acceptRecord(address, {
          from: sender,
          receivedAt: updatedAt,
          deliveries: [newDelivery(address, 'waku', { address })],
        }),
      ),
    ),
  )
  const recentPairs = vi.spyOn(gateway.store, 'recentPairs')
  await gateway.relay.reconcile('waku', AbortSignal.timeout(20_000))
  expect(recentPairs).not.toHaveBeenCalled()
  asks = true
  await gateway.relay.reconcile('waku', AbortSignal.timeout(20_000))
  expect(asked.toSorted()).toEqual(peers.map((peer) => `${peer} sender`).toSorted())
})

test('a walk that fails, or whose frames could not be kept, leaves the cursor where it was', async () => {
  const made = await withHistory(async function* () {
    yield made.message('r-1')
    throw new AdapterError('retryable', 'the network went away')
  })
  const before = await made.cursor()
  await expect(made.gateway.relay.reconcile('waku', AbortSignal.timeout(5_000))).rejects.toThrow('went away')
  expect(await made.cursor()).toBe(before)
})

test('one walk at a time, and a walk that hangs ends with its signal', async () => {
  let walking = 0
  let most = 0
  const made = await withHistory(async function* (_query, signal) {
    most = Math.max(most, ++walking)
    try {
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      yield made.message('never')
    } finally {
      walking--
    }
  })
  const walks = [1, 2, 3].map(() => made.gateway.relay.reconcile('waku', AbortSignal.timeout(50)))
  for (const walk of walks) await expect(walk).rejects.toMatchObject({ name: 'TimeoutError' })
  expect(most).toBe(1)
})

test('an adapter that fails to tell what it can does not end the walks of the others', async () => {
  let walks = 0
  const waku = scripted({
    history: {
      // biome-ignore lint/correctness/useYield: this network kept nothing
      async *walk() {
        walks++
      },
      find: async () => null,
    },
  })
  const trtc = scripted()
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku: waku.definition, trtc: trtc.definition },
    wallets: [],
    settings: { reconcileIntervalMs: 20 },
  })
  gateway.networks.get('trtc')!.adapter.capabilities = () => {
    throw new Error('cannot tell')
  }
  const before = walks
  await waitFor(() => walks >= before + 3, { what: 'three more walks' })
})

test('a network without history is walked in no time; an unknown one is an error', async () => {
  const network = scripted()
  const gateway = await bench.gateway({ name: 'gw-a', networks: { waku: network.definition }, wallets: [] })
  const signal = AbortSignal.timeout(5_000)
  expect(await gateway.relay.reconcile('waku', signal)).toEqual({ heard: 0, accepted: 0 })
  await expect(gateway.relay.reconcile('xmtp', signal)).rejects.toMatchObject({ code: 'network-unknown' })
})
