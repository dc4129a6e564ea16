import { afterEach, expect, test } from 'vitest'
import { waitFor } from '../adapter/testing/wait.ts'
import type { Store } from '../store/port.ts'
import { createSqliteStore } from '../store/sqlite/index.ts'
import { createPerson, RelayBench, seal } from './testing/bench.ts'
import { type Script, scripted } from './testing/scripted.ts'

const SENDERS = 12

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

/** A store of which acceptances are answered as the test wants, and whether each claimed its delivery. */
function createGatedStore(answering: () => Promise<void>): { store: Store; claimed: boolean[] } {
  const store = createSqliteStore({ path: ':memory:' })
  const claimed: boolean[] = []
  const { accept } = store
  store.accept = async (record) => {
    claimed.push(record.deliveries.some(({ state }) => state === 'dispatching'))
    const result = await accept(record)
    await answering()
    return result
  }
  return { store, claimed }
}

async function setUp(script: Script, answering: () => Promise<void> = async () => {}, maxInFlight = 3) {
  const bob = createPerson()
  const senders = Array.from({ length: SENDERS }, createPerson)
  const network = scripted(script)
  const { store, claimed } = createGatedStore(answering)
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku: network.definition },
    wallets: [...senders, bob],
    settings: { maxInFlightPerNetwork: maxInFlight, sendTimeoutMs: 600_000 },
    store,
  })
  /** Of another sender each, so that none waits for another in a lane. */
  const envelope = async (number: number) => {
    const from = senders[number]!
    return { from, ...(await seal(from, [bob], { text: `number ${number}` })) }
  }
  const submit = ({ from, bytes }: Awaited<ReturnType<typeof envelope>>) => gateway.submit(from, bytes)
  const details = async (id: Uint8Array) => {
    const { checkpoints } = await gateway.relay.journey(id)
    return checkpoints
      .filter(({ name }) => name === 'dispatched')
      .map(({ status, detail }) => [status, detail])
  }
  return { network, gateway, claimed, envelope, submit, details }
}

test('no more are claimed than can be sent at once, however many are on their way into the store', async () => {
  let answer = () => {}
  const answered = new Promise<void>((resolve) => (answer = resolve))
  const gate = Promise.withResolvers<void>()
  const { network, gateway, claimed, envelope, submit, details } = await setUp(
    {
      async send({ transactionId }) {
        await answered
        return { remoteIds: [transactionId] }
      },
    },
    () => gate.promise,
  )
  const envelopes = await Promise.all(Array.from({ length: SENDERS }, (_, number) => envelope(number)))
  const submitted = envelopes.map(submit)
  await waitFor(() => claimed.length === SENDERS, { what: 'all to be on their way', timeoutMs: 30_000 })
  expect(claimed.filter(Boolean)).toHaveLength(3)
  gate.resolve()
  await Promise.all(submitted)
  answer()
  for (const { id } of envelopes) {
    await waitFor(async () => (await gateway.delivery(id, 'waku')).state === 'acknowledged', {
      what: 'all to be sent',
      timeoutMs: 30_000,
    })
    expect(await details(id)).toEqual([['success', null]])
  }
  expect(network.sends).toHaveLength(SENDERS)
})

test('what could not be stored keeps no place', async () => {
  let failing = true
  const { claimed, envelope, submit } = await setUp(
    {},
    async () => {
      if (failing) throw new Error('no answer of the store')
    },
    1,
  )
  await expect(submit(await envelope(1))).rejects.toThrow('no answer of the store')
  failing = false
  await submit(await envelope(2))
  expect(claimed).toEqual([true, true])
})

test('a network that closes before a claimed delivery is offered leaves it pending', async () => {
  const gate = Promise.withResolvers<void>()
  const { network, gateway, claimed, envelope, submit, details } = await setUp({}, () => gate.promise)
  const sealed = await envelope(1)
  const { id } = sealed
  const submitted = submit(sealed)
  await waitFor(() => claimed.length === 1, { what: 'the acceptance', timeoutMs: 30_000 })
  network.context().state({ state: 'connecting' })
  gate.resolve()
  await submitted
  await waitFor(async () => (await gateway.delivery(id, 'waku')).state === 'pending', {
    what: 'the claim to be given back',
    timeoutMs: 30_000,
  })
  expect(network.sends).toEqual([])
  network.context().state({ state: 'connected' })
  await waitFor(async () => (await gateway.delivery(id, 'waku')).state === 'acknowledged', {
    what: 'the delivery',
    timeoutMs: 30_000,
  })
  expect(claimed).toEqual([true])
  expect(await gateway.delivery(id, 'waku')).toMatchObject({ attempt: 1 })
  expect(await details(id)).toEqual([
    ['success', null],
    ['willRetry', 'queued'],
    ['success', null],
  ])
})

test('a relay that stops before a claimed delivery is offered leaves it pending', async () => {
  const gate = Promise.withResolvers<void>()
  const { network, gateway, claimed, envelope, submit } = await setUp({}, () => gate.promise)
  const sealed = await envelope(1)
  const { id } = sealed
  const submitted = submit(sealed)
  await waitFor(() => claimed.length === 1, { what: 'the acceptance', timeoutMs: 30_000 })
  const stopping = gateway.relay.stop(AbortSignal.timeout(60_000))
  gate.resolve()
  await Promise.all([submitted, stopping])
  expect(claimed).toEqual([true])
  expect(await gateway.delivery(id, 'waku')).toMatchObject({ state: 'pending', attempt: 0, nextAt: null })
  expect(network.sends).toEqual([])
})
