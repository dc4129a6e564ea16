/** Connecting to a service whose transport opens, and which then does not let the account in. */
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { systemClock } from '../../src/adapter/index.ts'
import { connectChatSocket } from './socket.ts'
import { neverAborted } from './testing.ts'

const OPEN = `0${JSON.stringify({ sid: 'one', upgrades: [], pingInterval: 300_000, pingTimeout: 300_000, maxPayload: 1_000_000 })}`
/** Asks for the namespace. */
const CONNECT = '40'

let server: WebSocketServer

beforeEach(async () => {
  server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await new Promise((resolve) => server.once('listening', resolve))
})

afterEach(async () => {
  for (const client of server.clients) client.terminate()
  await new Promise((resolve) => server.close(resolve))
})

/** Opens each transport, and answers the request for the namespace as it is told. Resolves when a transport is gone. */
function answering(answer: (socket: WebSocket) => void): Promise<void> {
  return new Promise((resolve) => {
    server.on('connection', (socket) => {
      socket.once('close', () => resolve())
      socket.on('message', (data) => {
        if (String(data).startsWith(CONNECT)) answer(socket)
      })
      socket.send(OPEN)
    })
  })
}

function connect(timeoutMs: number) {
  const { port } = server.address() as AddressInfo
  const did = `eip155:0x${'a'.repeat(40)}`
  const baseUrl = `http://127.0.0.1:${port}/apis`
  return connectChatSocket(
    { baseUrl, did, timeoutMs, clock: systemClock, onChat: () => undefined },
    neverAborted,
  )
}

it('is told when the connection is lost before the account is let in', async () => {
  const gone = answering((socket) => socket.terminate())
  await expect(connect(300_000)).rejects.toMatchObject({ code: 'unreachable' })
  await gone
}, 60_000)

it('gives up a service that opens the transport and then says nothing, and closes it', async () => {
  const gone = answering(() => undefined)
  await expect(connect(2_000)).rejects.toMatchObject({ code: 'unreachable' })
  await gone
}, 60_000)

it('is connected when the account is let in, and stays so', async () => {
  const gone = answering((socket) => socket.send('40{"sid":"two"}'))
  const socket = await connect(300_000)
  expect(socket.connected).toBe(true)
  socket.disconnect()
  await gone
}, 60_000)
