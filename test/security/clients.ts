/** Clients that tests of the API drive by hand. */
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { connect } from 'node:net'
import { decode, encode } from 'cborg'
import WebSocket from 'ws'
import { until } from '../../src/http/testing/bench.ts'
import type { SignedPrekey } from '../../src/identity/prekey.ts'

export const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')

export const encodePrekey = ({ bytes, signature }: SignedPrekey) => {
  return { bytes: base64url(bytes), signature: base64url(signature) }
}

// biome-ignore lint/suspicious/noExplicitAny: answers of every shape
export type Frame = [kind: number, requestId: number, payload: any]

export interface SocketClient {
  socket: WebSocket
  frames: Frame[]
  /** Close code; null while it is open. */
  closed(): number | null
  send(kind: number, requestId: number, payload: unknown): void
  /** The answer to a request. */
  answer(requestId: number): Promise<Frame>
  close(): void
}

/** Opens `GET /v1/socket`, with a token in its header unless that is null. */
export async function connectSocket(url: string, token: string | null): Promise<SocketClient> {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` }
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/socket`, { headers })
  const frames: Frame[] = []
  let closed: number | null = null
  socket.on('message', (data: Buffer) => frames.push(decode(data) as Frame))
  socket.on('close', (code) => {
    closed = code
  })
  await once(socket, 'open')
  // A socket that the gateway cuts is an event of the tests, seen by `closed`.
  socket.on('error', () => {
    closed ??= 1006
  })
  return {
    socket,
    frames,
    closed: () => closed,
    send: (kind, requestId, payload) => socket.send(encode([kind, requestId, payload])),
    async answer(requestId) {
      const found = () => frames.find(([kind, id]) => id === requestId && kind !== 32)
      await until(() => found() !== undefined, `an answer to ${requestId}`)
      return found()!
    },
    close: () => socket.terminate(),
  }
}

export interface Collected {
  status: number
  text(): string
  close(): Promise<void>
}

/** Reads a streaming answer into memory until it is closed. */
export async function collect(url: string, token: string): Promise<Collected> {
  const closing = new AbortController()
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${token}` },
    signal: closing.signal,
  })
  let text = ''
  const reading = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true })
  })().catch((error: unknown) => {
    if (!closing.signal.aborted) throw error
  })
  return {
    status: response.status,
    text: () => text,
    async close() {
      closing.abort()
      await reading
    },
  }
}

/** One request through node:http, which sends what `fetch` would not: `write` sends the body by hand. */
export async function rawRequest(
  url: string,
  options: RequestOptions,
  write: (body: { write(chunk: Uint8Array | string): void; end(): void }) => void = (body) => body.end(),
): Promise<{ status: number; headers: IncomingMessage['headers']; text: string }> {
  const request = httpRequest(url, options)
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.on('response', resolve).on('error', reject)
  })
  write(request)
  const incoming = await response
  let text = ''
  for await (const chunk of incoming) text += String(chunk)
  request.on('error', () => request.destroy()).destroy()
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, text }
}

/** Writes bytes on a TCP connection and resolves with everything that came back until the gateway closed it. */
export async function speakTcp(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => resolve()).on('error', () => resolve())
  })
  socket.write(bytes)
  socket.setTimeout(5_000, () => socket.destroy())
  await closed
  return text
}
