/** Many readers of `GET /v1/stream` that note when an event arrives, and keep nothing of it. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { requestBytes } from './http-connection.ts'

const EVENT = Buffer.from('event: envelope')

export interface EventStreams {
  /** Called for every event of an envelope, with milliseconds of `performance.now()`. */
  onEvent: (at: number) => void
  close(): void
}

/** Opens `count` streams, and resolves when all of them are live. */
export async function openEventStreams(url: string, token: string, count: number): Promise<EventStreams> {
  const { hostname, port } = new URL(url)
  const streams: EventStreams = {
    onEvent: () => {},
    close: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
  const sockets: Socket[] = []
  const request = requestBytes(
    '/v1/stream',
    new Uint8Array(),
    { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
    'GET',
  )
  const open = async () => {
    const socket = connect({ host: hostname, port: Number(port) })
    sockets.push(socket)
    await once(socket, 'connect')
    socket.write(request)
    let head = ''
    while (!head.includes('event: ready')) {
      const [chunk] = (await once(socket, 'data')) as [Buffer]
      head += chunk.toString()
    }
    socket.on('data', (chunk: Buffer) => {
      // An event may be split anywhere but within its name line: the gateway writes each in one piece.
      for (let place = chunk.indexOf(EVENT); place !== -1; place = chunk.indexOf(EVENT, place + 1)) {
        streams.onEvent(performance.now())
      }
    })
  }
  for (let done = 0; done < count; done += 50) {
    await Promise.all(Array.from({ length: Math.min(50, count - done) }, open))
  }
  return streams
}
