import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { waitFor } from '../../src/adapter/testing/index.ts'
import { seededRandom } from './random.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** Answers every chunk with the same bytes. */
let echo: Server
let proxy: TcpProxy
const clients: Socket[] = []
const accepted = new Set<Socket>()

beforeEach(async () => {
  echo = createServer((socket) => {
    accepted.add(socket)
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  proxy = await startTcpProxy((echo.address() as AddressInfo).port, seededRandom(7))
})

afterEach(async () => {
  for (const socket of [...clients.splice(0), ...accepted]) socket.destroy()
  accepted.clear()
  await proxy.stop()
  await new Promise((resolve) => echo.close(resolve))
})

interface Client {
  socket: Socket
  received(): Buffer
  /** How the connection ended. */
  ended: Promise<'end' | string>
}

async function dial(): Promise<Client> {
  const socket = connect(proxy.port, '127.0.0.1')
  clients.push(socket)
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = new Promise<string>((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.on('end', () => resolve('end'))
  })
  await Promise.race([once(socket, 'connect'), ended])
  return { socket, received: () => Buffer.concat(chunks), ended }
}

test('forwards both ways, and an end too', async () => {
  const client = await dial()
  const sent = Buffer.alloc(300_000, 'causeway')
  client.socket.end(sent)
  expect(await client.ended).toBe('end')
  expect(client.received().equals(sent)).toBe(true)
  await waitFor(() => proxy.connections() === 0)
})

test('refuses, and listens on the same port afterwards', async () => {
  const before = await dial()
  await proxy.apply({ kind: 'refuse' })
  expect(await before.ended).toBe('ECONNRESET')
  expect(await (await dial()).ended).toBe('ECONNREFUSED')
  await proxy.heal()
  const after = await dial()
  after.socket.write('hello')
  await waitFor(() => after.received().toString() === 'hello')
})

test('cuts present connections only', async () => {
  const before = await dial()
  before.socket.write('x')
  await waitFor(() => before.received().length === 1)
  await proxy.apply({ kind: 'cut' })
  expect(await before.ended).toBe('ECONNRESET')
  const after = await dial()
  after.socket.write('y')
  await waitFor(() => after.received().toString() === 'y')
})

test('resets in the middle of what is sent up', async () => {
  await proxy.apply({ kind: 'reset', direction: 'up', withinBytes: 50 })
  const client = await dial()
  client.socket.write(Buffer.alloc(1000, 1))
  expect(await client.ended).toBe('ECONNRESET')
})

test('truncates what comes down with an orderly end', async () => {
  await proxy.apply({ kind: 'truncate', direction: 'down', withinBytes: 50 })
  const client = await dial()
  client.socket.write(Buffer.alloc(1000, 1))
  expect(await client.ended).toBe('end')
  expect(client.received().length).toBeGreaterThan(0)
  expect(client.received().length).toBeLessThanOrEqual(50)
})

test('half-open connections stay silent and dead; new ones work after healing', async () => {
  const old = await dial()
  old.socket.write('a')
  await waitFor(() => old.received().length === 1)
  await proxy.apply({ kind: 'halfOpen' })
  const during = await dial()
  during.socket.write('b')
  old.socket.write('b')
  await proxy.heal()
  const fresh = await dial()
  fresh.socket.write('c')
  old.socket.write('c')
  await waitFor(() => fresh.received().toString() === 'c')
  expect([old.received().toString(), during.received().toString()]).toEqual(['a', ''])
  expect(old.socket.destroyed).toBe(false)
})

test('what was stalled in one direction goes on after healing', async () => {
  const client = await dial()
  await proxy.apply({ kind: 'stall', directions: ['down'] })
  client.socket.write('waits')
  await sleep(50)
  expect(client.received().length).toBe(0)
  await proxy.heal()
  await waitFor(() => client.received().toString() === 'waits')
})

test.each([
  ['trickle', { kind: 'trickle', everyMs: 5 }],
  ['throttle', { kind: 'throttle', bytesPerSecond: 2_000 }],
  ['delay', { kind: 'delay', ms: 100, jitterMs: 50 }],
] as const)('%s makes it late, and changes nothing', async (_name, fault) => {
  await proxy.apply(fault)
  const client = await dial()
  const started = performance.now()
  client.socket.end(Buffer.alloc(40, 'abc'))
  expect(await client.ended).toBe('end')
  expect(performance.now() - started).toBeGreaterThan(15)
  expect(client.received().equals(Buffer.alloc(40, 'abc'))).toBe(true)
})

test('what is left of a trickle goes at once after healing', async () => {
  await proxy.apply({ kind: 'trickle', everyMs: 50 })
  const client = await dial()
  client.socket.write(Buffer.alloc(10_000, 'z'))
  await waitFor(() => client.received().length > 0)
  await proxy.heal()
  await waitFor(() => client.received().length === 10_000)
})

test('corrupts at least a bit of each connection, the same ones for the same seed', async () => {
  const original = Buffer.alloc(2_000)
  const runs: Buffer[] = []
  for (let run = 0; run < 2; run++) {
    const own = await startTcpProxy((echo.address() as AddressInfo).port, seededRandom(3))
    await own.apply({ kind: 'corrupt', direction: 'up', everyBytes: 500 })
    const socket = connect(own.port, '127.0.0.1')
    clients.push(socket)
    socket.end(original)
    const chunks: Buffer[] = []
    for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk)
    runs.push(Buffer.concat(chunks))
    await own.stop()
  }
  expect(runs[0]?.length).toBe(original.length)
  expect(runs[0]?.equals(original)).toBe(false)
  expect(runs[0]?.equals(runs[1] as Buffer)).toBe(true)
})
