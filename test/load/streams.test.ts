/** Live streams in number, readers that do not read, and networks that do not answer. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import simulator from '../../adapters/simulator/index.ts'
import type { AdapterDefinition } from '../../src/adapter/index.ts'
import * as people from '../../src/bench/people.ts'
import { toHex } from '../../src/envelope/index.ts'
import { call, type SignedIn, seal, until } from '../../src/http/testing/bench.ts'
import { connectSocket } from '../security/clients.ts'
import { PLENTY, startWholeGateway, type WholeGateway, type WholeGatewayOptions } from './gateway.ts'
import { heldBytes } from './heap.ts'

const MEGABYTE = 1024 * 1024

let gateway: WholeGateway | null = null
const requests: ClientRequest[] = []

afterEach(async () => {
  for (const request of requests.splice(0)) request.destroy()
  await gateway?.stop()
  gateway = null
})

async function start(options: WholeGatewayOptions = {}): Promise<WholeGateway> {
  gateway = await startWholeGateway({ limits: PLENTY, ...options })
  return gateway
}

/** Opens `GET /v1/stream`. `read: false`: takes the head of the answer and nothing more. */
async function openStream(url: string, token: string, read = true): Promise<{ text(): string }> {
  const request = httpRequest(`${url}/v1/stream`, {
    agent: false,
    headers: { authorization: `Bearer ${token}` },
  })
  requests.push(request)
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.on('response', resolve).on('error', reject).end()
  })
  expect(response.statusCode).toBe(200)
  // The gateway may cut it; that is what tests look for.
  request.removeAllListeners('error').on('error', () => request.destroy())
  let text = ''
  if (read) {
    response.on('data', (chunk) => {
      text += chunk
    })
    await until(() => text.includes('event: ready'), 'the stream to be ready', 30_000)
  } else response.pause()
  return { text: () => text }
}

it('1,000 live streams of 50 wallets hear every message once', async () => {
  const { url, signIn, gateway: inside } = await start({ streams: { perWallet: 20 } })
  const sender = await signIn()
  const wallets: SignedIn[] = []
  for (let index = 0; index < 50; index++) wallets.push(await signIn())
  const streams: { text(): string }[] = []
  for (const { token } of wallets) {
    streams.push(...(await Promise.all(Array.from({ length: 20 }, () => openStream(url, token)))))
  }
  expect(streams).toHaveLength(1_000)
  expect(inside.live.subscribers).toBe(1_000)
  const persons = wallets.map(({ person }) => person)
  const ids: string[] = []
  for (let index = 0; index < 3; index++) {
    const { id, bytes } = await seal(sender.person, persons)
    expect((await sender.call('POST', '/v1/envelopes', bytes)).status).toBe(202)
    ids.push(toHex(id))
  }
  for (const { text } of streams) {
    await until(() => ids.every((id) => text().includes(id)), 'every message on every stream', 60_000)
    const heard = [...text().matchAll(/"id":"([0-9a-f]{64})"/g)].map(([, id]) => id)
    expect(heard).toEqual(ids)
  }
  // One more than a wallet may have is refused, and room comes back with a stream that ends.
  expect((await wallets[0]!.call('GET', '/v1/stream')).body.code).toBe('streams-exhausted')
  for (const request of requests.splice(0)) request.destroy()
  await until(() => inside.live.subscribers === 0, 'every subscription to end', 30_000)
  await openStream(url, wallets[0]!.token)
}, 180_000)

it('a stream that is not read is cut at its bound, and holds no memory; others go on', async () => {
  const bufferBytes = 256 * 1024
  const { url, signIn, gateway: inside } = await start({ streams: { bufferBytes, perWallet: 50 } })
  const connections = new Set<Socket>()
  const watch = (message: unknown) => connections.add((message as { socket: Socket }).socket)
  subscribe('http.server.request.start', watch)
  const sender = people.createPerson()
  await people.signIn(url, sender)
  const reader = await signIn()
  for (let index = 0; index < 20; index++) await openStream(url, reader.token, false)
  const good = await openStream(url, reader.token)
  const before = await heldBytes()
  let most = 0
  let sent = 0
  const headers = { authorization: `Bearer ${sender.token}` }
  // Until the buffers of the system are full too.
  while (inside.live.subscribers > 1 && sent < 400) {
    const bytes = people.makeEnvelope(sender, reader.wallet, 65_536)
    expect((await call(url, 'POST', '/v1/envelopes', bytes, headers)).status).toBe(202)
    sent += 1
    for (const { writableLength } of connections) most = Math.max(most, writableLength)
  }
  unsubscribe('http.server.request.start', watch)
  expect(inside.live.subscribers).toBe(1)
  // One item may cross the bound.
  expect(most).toBeLessThan(bufferBytes + 128 * 1024)
  await until(
    () => good.text().split('event: envelope').length === sent + 1,
    'the good reader to have all',
    30_000,
  )
  const held = (await heldBytes()) - before - good.text().length
  expect(held).toBeLessThan(20 * bufferBytes + 40 * MEGABYTE)
}, 120_000)

it('a socket that asks and does not read is cut at its bound', async () => {
  const bufferBytes = 128 * 1024
  const { url } = await start({ streams: { bufferBytes } })
  const client = await connectSocket(url, null)
  const { socket } = client
  socket.pause()
  const metric = async () =>
    /causeway_streams_cut_total\{transport="socket",reason="slow"\} (\d+)/.exec(await metrics())
  const metrics = async () => (await fetch(`${url}/metrics`)).text()
  const garbage = Buffer.from([0x00])
  let sent = 0
  while ((await metric()) === null && sent < 2_000_000) {
    for (let index = 0; index < 10_000; index++) socket.send(garbage)
    sent += 10_000
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect((await metric())?.[1]).toBe('1')
  client.close()
}, 120_000)

it('a network that stalls holds no memory for what waits: it is in the store, and goes out later', async () => {
  let stalled = true
  let underWay = 0
  let most = 0
  const waiting: (() => void)[] = []
  const definition: AdapterDefinition = {
    ...(simulator as unknown as AdapterDefinition),
    create(config, context) {
      const adapter = simulator.create(simulator.config.parse(config), context)
      return {
        ...adapter,
        async send(intent, signal) {
          underWay += 1
          most = Math.max(most, underWay)
          try {
            if (stalled) await new Promise<void>((resolve) => waiting.push(resolve))
            return await adapter.send(intent, signal)
          } finally {
            underWay -= 1
          }
        },
      }
    },
  }
  const config = { network: `stalled-${process.pid}` }
  const adapters = [{ name: 'trtc', definition, config }]
  const {
    url,
    signIn,
    gateway: inside,
  } = await start({
    adapters,
    relay: { sendTimeoutMs: 300_000 },
  })
  const sender = people.createPerson()
  await people.signIn(url, sender)
  const readers = [await signIn(), await signIn()]
  const submit = async (count: number) => {
    const all = Array.from({ length: count }, (_, index) => {
      const sealed = people.makeEnvelope(sender, readers[index % 2]!.wallet, 65_536)
      return inside.relay.submit({ sealed, via: 'http', submitter: sender.wallet })
    })
    for (const { duplicate } of await Promise.all(all)) expect(duplicate).toBe(false)
  }
  // Those that came last are kept for the sends that follow at once, up to 32 MB: that is filled first.
  for (let round = 0; round < 5; round++) await submit(100)
  const before = await heldBytes()
  for (let round = 0; round < 5; round++) await submit(100)
  // Another 33 MB of envelopes wait now.
  expect((await heldBytes()) - before).toBeLessThan(12 * MEGABYTE)
  expect(most).toBeLessThanOrEqual(32)
  stalled = false
  for (const release of waiting.splice(0)) release()
  const left = async () => {
    const { deliveries } = await inside.store.statistics()
    return deliveries.filter(({ network, state }) => network === 'trtc' && state !== 'acknowledged')
  }
  await until(async () => (await left()).length === 0, 'everything to go out', 90_000)
}, 180_000)
