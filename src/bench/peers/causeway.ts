/** Causeway: one wallet posts over a WebSocket, another hears its inbox over a WebSocket or over SSE. */
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { decode, encode } from 'cborg'
import { WebSocket } from 'ws'
import { decodeSealed, toHex } from '../../envelope/index.ts'
import { startChild } from '../child.ts'
import { openSocket, submissionOf } from '../load/socket-connection.ts'
import { makeEnvelope, type Person, signInPeople } from '../people.ts'
import type { GatewayInput, Usage } from '../processes/gateway.ts'
import { buildLink, type Later, type Link, MESSAGE_BYTES, type Peer } from './peer.ts'

/** Kinds of the socket's protocol. */
const ATTACH = 1
const ATTACHED = 17
const ITEM = 32

type Out = 'socket' | 'sse'

function peer(name: string, title: string, out: Out, signatures: boolean): Peer {
  return { name, title, needs: null, open: () => buildLink((later) => build(later, out, signatures)) }
}

export const causeway = peer('causeway', 'Causeway, WebSocket → WebSocket', 'socket', true)
export const causewaySse = peer('causeway-sse', 'Causeway, WebSocket → SSE', 'sse', true)
export const causewayUnsigned = peer(
  'causeway-unsigned',
  'Causeway, WebSocket → WebSocket, unverified',
  'socket',
  false,
)

async function build(later: Later, out: Out, signatures: boolean): Promise<Omit<Link, 'stop'>> {
  const server = await startChild('gateway', { execArgv: ['--expose-gc'] })
  later(() => server.stop())
  const input: GatewayInput = { signatures, networks: {} }
  const { url } = await server.ask<{ url: string }>('start', input)
  const [sender, recipient] = (await signInPeople(url, 2)) as [Person, Person]
  const numbers = new Map<string, number>()
  const envelopes = new Map<number, Uint8Array>()
  const submitting = await openSocket(url)
  later(() => submitting.close())
  await submitting.attach(sender.token)

  const link: Omit<Link, 'stop'> = {
    prepare(first, count) {
      envelopes.clear()
      for (let number = first; number < first + count; number++) {
        const sealed = makeEnvelope(sender, recipient.wallet, MESSAGE_BYTES)
        envelopes.set(number, submissionOf(sender.wallet, sealed))
        numbers.set(toHex(decodeSealed(sealed).id), number)
      }
    },
    async publish(number) {
      const submission = envelopes.get(number)
      if (!submission) throw new RangeError(`message ${number} was not made`)
      await submitting.submit(submission)
    },
    onDelivery: () => undefined,
    serverCpu: async () => (await server.ask<Usage>('usage')).cpu,
  }
  const hear = (id: string) => {
    const number = numbers.get(id)
    if (number === undefined) throw new Error(`${id} was never sent`)
    link.onDelivery(number)
  }
  const stopReading = await (out === 'socket' ? readSocket : readEvents)(url, recipient.token, hear)
  later(async () => stopReading())
  return link
}

async function readSocket(url: string, token: string, hear: (id: string) => void): Promise<() => void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/socket`, { perMessageDeflate: false })
  await once(socket, 'open')
  const attached = new Promise<void>((resolve, reject) => {
    socket.on('message', (data: Buffer) => {
      const [kind, , payload] = decode(data) as [number, number, { id?: Uint8Array }]
      if (kind === ITEM && payload.id) hear(toHex(payload.id))
      else if (kind === ATTACHED) resolve()
      else reject(new Error(`the gateway sent ${JSON.stringify(payload)}`))
    })
  })
  socket.send(encode([ATTACH, 1, { token, after: null }]))
  await attached
  return () => socket.terminate()
}

async function readEvents(url: string, token: string, hear: (id: string) => void): Promise<() => void> {
  const request = get(`${url}/v1/stream`, { headers: { authorization: `Bearer ${token}` }, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  if (response.statusCode !== 200) throw new Error(`GET /v1/stream answered ${response.statusCode}`)
  const ready = new Promise<void>((resolve) => {
    let rest = ''
    response.setEncoding('utf8').on('data', (chunk: string) => {
      const events = (rest + chunk).split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) {
        const name = /^event: (.*)$/m.exec(event)?.[1]
        if (name === 'ready') resolve()
        if (name !== 'envelope') continue
        hear((JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? '{}') as { id: string }).id)
      }
    })
  })
  await ready
  let ended = false
  request.on('error', (error) => {
    // What we cut off ends in an error of its own.
    if (!ended) throw error
  })
  return () => {
    ended = true
    request.destroy()
  }
}
