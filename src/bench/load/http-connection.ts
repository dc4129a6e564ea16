/** One HTTP/1.1 connection with as little of its own as possible, so that a measurement is of the server. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const HEADERS_END = Buffer.from('\r\n\r\n')

export interface HttpAnswer {
  status: number
  body: Buffer
}

export interface HttpConnection {
  /** Sends one request and resolves with its answer. One at a time. */
  request(bytes: Buffer): Promise<HttpAnswer>
  close(): void
}

/** The bytes of a request. */
export function requestBytes(
  path: string,
  body: Uint8Array,
  headers: Record<string, string>,
  method = 'POST',
): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: ${body.length}\r\n${lines.join('')}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), body])
}

export async function openConnection(url: string): Promise<HttpConnection> {
  const { hostname, port } = new URL(url)
  const socket: Socket = connect({ host: hostname, port: Number(port), noDelay: true })
  await once(socket, 'connect')
  let waiting: { resolve: (answer: HttpAnswer) => void; reject: (error: Error) => void } | null = null
  let received: Buffer = Buffer.alloc(0)
  let needed = 0

  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    if (received.length < needed) return
    const end = received.indexOf(HEADERS_END)
    if (end === -1) return
    const head = received.toString('latin1', 0, end)
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN)
    if (Number.isNaN(length)) return fail(new Error(`an answer without a length: ${head.slice(0, 200)}`))
    needed = end + 4 + length
    if (received.length < needed) return
    const answer = { status: Number(head.slice(9, 12)), body: received.subarray(end + 4, needed) }
    received = received.subarray(needed)
    needed = 0
    const { resolve } = waiting ?? {}
    waiting = null
    resolve?.(answer)
  })
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the server closed the connection')))

  function fail(error: Error): void {
    waiting?.reject(error)
    waiting = null
  }

  return {
    request(bytes) {
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject }
        socket.write(bytes)
      })
    },
    close: () => socket.destroy(),
  }
}
