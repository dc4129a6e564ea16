/** A client of `GET /v1/socket` for load: many wallets and many submissions over one connection. */
import { once } from 'node:events'
import { decode, encode } from 'cborg'
import { WebSocket } from 'ws'

const ATTACH = 1
const SUBMIT = 3
const REFUSED = 31

export interface SocketConnection {
  attach(token: string): Promise<void>
  /** Sends what {@link submissionOf} made. Resolves when the envelope is durable. */
  submit(submission: Uint8Array): Promise<void>
  close(): Promise<void>
}

/** The payload of a submission: made ahead, so that it is not part of the load. */
export function submissionOf(wallet: string, sealed: Uint8Array): Uint8Array {
  return encode({ wallet, sealed })
}

export async function openSocket(url: string): Promise<SocketConnection> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/socket`, { perMessageDeflate: false })
  await once(socket, 'open')
  const waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>()
  let next = 1
  socket.on('message', (data: Buffer) => {
    const requestId = readRequestId(data)
    // Items of attached wallets come unasked.
    if (requestId === 0) return
    const call = waiting.get(requestId)
    waiting.delete(requestId)
    if (data[1] === 0x18 && data[2] === REFUSED) call?.reject(new Error(JSON.stringify(decode(data))))
    else call?.resolve()
  })
  socket.on('close', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the socket was closed with ${code}`))
  })

  function ask(kind: number, payload: Uint8Array): Promise<void> {
    const requestId = next++
    return new Promise((resolve, reject) => {
      waiting.set(requestId, { resolve, reject })
      // An array of three, of which the last is encoded already.
      const head = encode([kind, requestId, 0]).subarray(0, -1)
      socket.send(Buffer.concat([head, payload]))
    })
  }

  return {
    attach: (token) => ask(ATTACH, encode({ token, after: null })),
    submit: (submission) => ask(SUBMIT, submission),
    async close() {
      socket.close()
      await once(socket, 'close')
    },
  }
}

/** The second item of a CBOR array `[kind, requestId, payload]`, both below 2^32. */
function readRequestId(data: Buffer): number {
  const offset = data[1]! < 0x18 ? 2 : 3
  const initial = data[offset]!
  if (initial < 0x18) return initial
  if (initial === 0x18) return data[offset + 1]!
  if (initial === 0x19) return data.readUInt16BE(offset + 1)
  return data.readUInt32BE(offset + 1)
}

/** Sockets that only listen. */
export interface ItemSockets {
  /** Called for every inbox item. */
  onEvent: () => void
  close(): void
}

/** Opens `count` sockets, each with all the wallets attached. Resolves when they are. */
export async function openItemSockets(url: string, tokens: string[], count: number): Promise<ItemSockets> {
  const sockets: WebSocket[] = []
  const listening: ItemSockets = {
    onEvent: () => {},
    close: () => {
      for (const socket of sockets) socket.terminate()
    },
  }
  const open = async () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/socket`, { perMessageDeflate: false })
    sockets.push(socket)
    await once(socket, 'open')
    let attached = 0
    await new Promise<void>((resolve, reject) => {
      socket.on('message', (data: Buffer) => {
        if (readRequestId(data) === 0) listening.onEvent()
        else if (data[1] === 0x18) reject(new Error(JSON.stringify(decode(data))))
        else if (++attached === tokens.length) resolve()
      })
      for (const [index, token] of tokens.entries()) {
        socket.send(encode([ATTACH, index + 1, { token, after: null }]))
      }
    })
  }
  for (let done = 0; done < count; done += 50) {
    await Promise.all(Array.from({ length: Math.min(50, count - done) }, open))
  }
  return listening
}
