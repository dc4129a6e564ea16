import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { AdapterError } from '../adapter/index.ts'
import { waitFor } from '../adapter/testing/wait.ts'
import { toHex } from '../envelope/index.ts'
import { createSqliteStore } from '../store/sqlite/index.ts'
import { transactionIdOf } from './route.ts'
import { createPerson, type GatewayOptions, RelayBench, SETTINGS, seal } from './testing/bench.ts'
import { failure, heard, type Script, scripted, scriptedAddress } from './testing/scripted.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

/** A gateway on one scripted network, and one envelope submitted to it. */
async function setUp(script: Script, options: Partial<GatewayOptions> & { ttl?: number } = {}) {
  const [alice, bob] = [createPerson(), createPerson()]
  const network = scripted(script)
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku: network.definition },
    wallets: [alice, bob],
    ...options,
  })
  const send = async (text = 'hello', ttl = options.ttl ?? 0) => {
    const sealed = await seal(alice, [bob], { text, ttl })
    await gateway.submit(alice, sealed.bytes)
    return sealed.id
  }
  const reaches = (id: Uint8Array, state: string) =>
    waitFor(
      async () => {
        const delivery = await gateway.delivery(id, 'waku')
        return delivery.state === state && delivery
      },
      { what: `a delivery to be ${state}` },
    )
  return { alice, bob, network, gateway, send, reaches }
}

test('the intent row exists before the adapter is called, and every retry has the same transaction id', async () => {
  const states: (string | undefined)[] = []
  const { send, reaches, network, bob, gateway } = await setUp({})
  network.script.send = async (intent) => {
    const all = await gateway.store.deliveriesOf(intent.envelopeId)
    states.push(all.find(({ transactionId }) => transactionId === intent.transactionId)?.state)
    if (states.length < 3) throw new AdapterError('retryable', 'busy', { remoteCode: 503 })
    return { remoteIds: ['r'] }
  }
  const id = await send()
  const delivery = await reaches(id, 'acknowledged')
  expect(states).toEqual(['dispatching', 'dispatching', 'dispatching'])
  const expected = transactionIdOf(id, 'waku', scriptedAddress(bob.wallet))
  expect(network.sends.map(({ transactionId, attempt }) => [transactionId, attempt])).toEqual([
    [expected, 1],
    [expected, 2],
    [expected, 3],
  ])
  expect(delivery).toMatchObject({ attempt: 3, remoteIds: ['r'], reason: null })
  const { checkpoints } = await gateway.relay.journey(id)
  expect(checkpoints.map(({ name, status, detail }) => `${name} ${status} ${detail}`)).toEqual([
    'accepted success null',
    'persisted success null',
    'dispatched success null',
    'dispatched willRetry retryable:503',
    'dispatched success null',
    'dispatched willRetry retryable:503',
    'dispatched success null',
    'remoteAcknowledged success null',
  ])
})

test.each(['permanent', 'unsupported', 'tooLarge'] as const)(
  '%s ends as dead, and a replay sends again',
  async (errorClass) => {
    const { send, reaches, network, gateway } = await setUp({ send: failure(errorClass, 'no') })
    const id = await send()
    const dead = await reaches(id, 'dead')
    expect(dead).toMatchObject({ reason: errorClass, attempt: 1 })
    expect(network.sends.length).toBe(1)
    network.script.send = undefined
    await expect(gateway.relay.replay(dead.id + 1)).rejects.toMatchObject({ code: 'delivery-unknown' })
    expect(await gateway.relay.replay(dead.id)).toMatchObject({ state: 'pending', attempt: 0 })
    await reaches(id, 'acknowledged')
    await expect(gateway.relay.replay(dead.id)).rejects.toMatchObject({ code: 'delivery-not-replayable' })
    expect(new Set(network.sends.map(({ transactionId }) => transactionId)).size).toBe(1)
  },
)

test('tries that are used up end as dead with the reason', async () => {
  const retry = { scheduleMs: [1], growth: 1, maxMs: 1, maxAttempts: 3, spread: 0 }
  const { send, reaches, network } = await setUp(
    { send: failure('retryable', 'no') },
    { settings: { retry } },
  )
  expect(await reaches(await send(), 'dead')).toMatchObject({
    reason: 'attempts-exhausted:retryable',
    attempt: 3,
  })
  expect(network.sends.length).toBe(3)
})

test('a rate limit waits without counting', async () => {
  let calls = 0
  const { send, reaches } = await setUp({
    async send() {
      if (++calls < 6) throw new AdapterError('rateLimited', 'slow down', { retryAfterMs: 5 })
      return { remoteIds: ['r'] }
    },
  })
  expect(await reaches(await send(), 'acknowledged')).toMatchObject({ attempt: 1 })
  expect(calls).toBe(6)
})

test('an uncertain send is looked up, and not sent again when it had arrived', async () => {
  const found: string[] = []
  const { send, reaches, network, gateway } = await setUp({
    send: failure('uncertain', 'lost the answer'),
    history: {
      async *walk() {},
      async find(intent) {
        found.push(intent.transactionId)
        return { remoteIds: ['found-1'] }
      },
    },
  })
  const id = await send()
  expect(await reaches(id, 'acknowledged')).toMatchObject({ remoteIds: ['found-1'] })
  expect(network.sends.length).toBe(1)
  expect(found).toEqual([network.sends[0]!.transactionId])
  expect(toHex((await gateway.store.envelopeOfRemote('waku', 'found-1'))!)).toBe(toHex(id))
})

test('an uncertain send that the network certainly lacks is sent again under the same transaction id', async () => {
  let calls = 0
  const { send, reaches, network } = await setUp({
    async send() {
      if (++calls === 1) throw new AdapterError('uncertain', 'lost the answer')
      return { remoteIds: ['r'] }
    },
    history: { async *walk() {}, find: async () => null },
  })
  await reaches(await send(), 'acknowledged')
  expect(network.sends.length).toBe(2)
  expect(new Set(network.sends.map(({ transactionId }) => transactionId)).size).toBe(1)
})

test('while the look-up fails nothing is sent', async () => {
  let lookups = 0
  const { send, reaches, network } = await setUp({
    send: failure('uncertain', 'lost the answer'),
    history: {
      async *walk() {},
      async find() {
        if (++lookups < 4) throw new AdapterError('retryable', 'no answer')
        return { remoteIds: ['r'] }
      },
    },
  })
  await reaches(await send(), 'acknowledged')
  expect(network.sends.length).toBe(1)
})

test('a receipt that is pending stays uncertain until its echo, which settles it', async () => {
  const { send, reaches, network, gateway } = await setUp(
    {
      send: async (intent) => ({ pending: intent.transactionId }),
      capabilities: { echo: true },
    },
    {
      settings: {
        laneHoldMs: 120_000,
        retry: { scheduleMs: [60_000], growth: 1, maxMs: 60_000, maxAttempts: 3, spread: 0 },
      },
    },
  )
  const id = await send()
  expect(await reaches(id, 'uncertain')).toMatchObject({ reason: 'awaiting-echo' })
  const second = await send('behind it in the lane')
  const intent = network.sends[0]!
  expect(
    await network.context().deliver({
      frame: intent.frame,
      remoteId: 'echo-1',
      to: null,
      from: null,
      via: 'stream',
      remoteTime: null,
      transactionId: intent.transactionId,
    }),
  ).toEqual({ outcome: 'echo', id: toHex(id) })
  expect(await gateway.delivery(id, 'waku')).toMatchObject({ state: 'acknowledged', remoteIds: ['echo-1'] })
  // The echo frees the lane that the first would have held for a minute.
  await reaches(second, 'uncertain')
  expect(network.sends.length).toBe(2)
})

test('an adapter that ignores its signal loses its slot; its late answer still counts', async () => {
  let answer = () => {}
  const { send, reaches, network } = await setUp(
    {
      send: () => new Promise((resolve) => (answer = () => resolve({ remoteIds: ['late'] }))),
      capabilities: { echo: true },
    },
    {
      settings: {
        sendTimeoutMs: 30,
        retry: { scheduleMs: [60_000], growth: 1, maxMs: 60_000, maxAttempts: 3, spread: 0 },
      },
    },
  )
  const id = await send()
  await reaches(id, 'uncertain')
  answer()
  expect(await reaches(id, 'acknowledged')).toMatchObject({ remoteIds: ['late'] })
  expect(network.sends.length).toBe(1)
})

test('an answer that comes while the timeout is being written counts', async () => {
  let answer = () => {}
  const store = createSqliteStore({ path: ':memory:' })
  const moveDelivery = store.moveDelivery
  store.moveDelivery = async (move) => {
    if (move.to === 'uncertain') {
      answer()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return moveDelivery(move)
  }
  const { send, reaches, network } = await setUp(
    { send: () => new Promise((resolve) => (answer = () => resolve({ remoteIds: ['late'] }))) },
    { settings: { sendTimeoutMs: 30 }, store },
  )
  expect(await reaches(await send(), 'acknowledged')).toMatchObject({ remoteIds: ['late'], attempt: 1 })
  expect(network.sends.length).toBe(1)
})

test('the last try is looked for before it is given up, and a later answer still counts', async () => {
  let answer = () => {}
  let lookups = 0
  const { send, reaches } = await setUp(
    {
      send: () => new Promise((resolve) => (answer = () => resolve({ remoteIds: ['late'] }))),
      history: { async *walk() {}, find: async () => (++lookups === 1 ? { remoteIds: ['found'] } : null) },
    },
    { settings: { sendTimeoutMs: 30, retry: { ...SETTINGS.retry, maxAttempts: 1 } } },
  )
  expect(await reaches(await send(), 'acknowledged')).toMatchObject({ remoteIds: ['found'], attempt: 1 })
  const second = await send()
  expect(await reaches(second, 'dead')).toMatchObject({ reason: 'attempts-exhausted:uncertain', attempt: 1 })
  answer()
  await reaches(second, 'acknowledged')
  expect(lookups).toBe(2)
})

test('an echo that comes after all tries were given up settles the delivery', async () => {
  const { send, reaches, network } = await setUp(
    { send: failure('uncertain', 'lost the answer'), capabilities: { echo: true } },
    { settings: { retry: { ...SETTINGS.retry, maxAttempts: 1 } } },
  )
  const id = await send()
  await reaches(id, 'dead')
  const { frame, transactionId } = network.sends[0]!
  const echo = heard(frame, 'echo-1', { transactionId })
  expect((await network.context().deliver(echo)).outcome).toBe('echo')
  expect(await reaches(id, 'acknowledged')).toMatchObject({ remoteIds: ['echo-1'], reason: null })
})

test('a provision that fails has sent nothing; it is made once for an address', async () => {
  const provisioned: string[] = []
  const { send, reaches, network, bob, gateway } = await setUp({
    async provision(address) {
      provisioned.push(address)
      if (provisioned.length === 1) throw new AdapterError('uncertain', 'no answer')
    },
  })
  const id = await send()
  await reaches(id, 'acknowledged')
  await reaches(await send(), 'acknowledged')
  const { checkpoints } = await gateway.relay.journey(id)
  expect(checkpoints.map(({ detail }) => detail)).toContain('retryable')
  const address = scriptedAddress(bob.wallet)
  expect(provisioned).toEqual([address, address])
  expect(network.sends.length).toBe(2)
})

test('while the network is down nothing is tried but a probe, and no try counts', async () => {
  const { send, reaches, network } = await setUp({ send: failure('retryable', 'down') })
  network.context().state({ state: 'transientDisconnect' })
  const id = await send()
  await waitFor(() => network.sends.length >= 3, { what: 'three probes' })
  expect((await reaches(id, 'pending')).attempt).toBe(0)
  network.script.send = undefined
  network.context().state({ state: 'connected' })
  expect(await reaches(id, 'acknowledged')).toMatchObject({ attempt: 1 })
})

test('an envelope whose time is over is not sent, nor replayed', async () => {
  const { send, reaches, network, gateway } = await setUp({ send: failure('retryable', 'no') })
  const delivery = await reaches(await send('soon gone', 1), 'superseded')
  expect(delivery.reason).toBe('expired')
  const tries = network.sends.length
  await expect(gateway.relay.replay(delivery.id)).rejects.toMatchObject({ code: 'delivery-not-replayable' })
  expect(network.sends.length).toBe(tries)
})

test('stopping gives sends in flight until the signal, leaves the rest in the store, and starts nothing more', async () => {
  const { send, reaches, network, gateway } = await setUp({ send: () => new Promise(() => {}) })
  const [inFlight, behind] = [await send('in flight'), await send('behind it')]
  await reaches(inFlight, 'dispatching')
  await gateway.relay.stop(AbortSignal.timeout(50))
  expect((await gateway.delivery(inFlight, 'waku')).state).toBe('uncertain')
  expect((await gateway.delivery(behind, 'waku')).state).toBe('pending')
  expect(network.sends.length).toBe(1)
})

test('a send that ends before the signal is kept as it ended', async () => {
  let answer = () => {}
  const { send, network, gateway } = await setUp({
    send: () =>
      new Promise((resolve) => {
        answer = () => resolve({ remoteIds: ['in time'] })
      }),
  })
  const id = await send()
  await waitFor(() => network.sends.length === 1)
  const stopping = gateway.relay.stop(AbortSignal.timeout(10_000))
  answer()
  await stopping
  expect(await gateway.delivery(id, 'waku')).toMatchObject({ state: 'acknowledged', remoteIds: ['in time'] })
})

test('more than fits into memory waits in the store and is sent in order', async () => {
  const { send, network, gateway } = await setUp({}, { settings: { maxQueuedPerNetwork: 10 }, idle: true })
  const ids: string[] = []
  for (let index = 0; index < 60; index++) ids.push(toHex(await send(`number ${index}`)))
  await gateway.networks.start()
  // More come in while the store is being emptied; they must not overtake.
  for (let index = 60; index < 90; index++) ids.push(toHex(await send(`number ${index}`)))
  await waitFor(() => network.sends.length >= 90, { what: 'all sends' })
  expect(network.sends.map(({ envelopeId }) => toHex(envelopeId))).toEqual(ids)
})

test('a restart takes up what was left: pending is sent, what was in flight is uncertain first', async () => {
  const path = join(await bench.folder(), 'relay.db')
  let release = () => {}
  const lookups: string[] = []
  const first = await setUp(
    { send: () => new Promise((resolve) => (release = () => resolve({ remoteIds: ['never seen'] }))) },
    { path },
  )
  const [inFlight, waiting] = [await first.send('in flight'), await first.send('waiting')]
  await first.reaches(inFlight, 'dispatching')
  // As after `kill -9`: the store is closed under the relay, so that nothing of the end of the send is written.
  await first.gateway.store.close()
  release()

  const network = scripted({
    history: {
      async *walk() {},
      async find(intent) {
        lookups.push(toHex(intent.envelopeId))
        return null
      },
    },
  })
  const second = await bench.gateway({
    name: 'gw-a',
    networks: { waku: network.definition },
    wallets: [],
    path,
  })
  await waitFor(async () => (await second.delivery(waiting, 'waku')).state === 'acknowledged')
  expect((await second.delivery(inFlight, 'waku')).state).toBe('acknowledged')
  expect(lookups).toEqual([toHex(inFlight)])
  expect(network.sends.map(({ envelopeId }) => toHex(envelopeId))).toEqual([toHex(inFlight), toHex(waiting)])
  const { checkpoints } = await second.relay.journey(inFlight)
  expect(checkpoints.map(({ detail }) => detail)).toContain('interrupted')
})
