import { decode, encode } from 'cborg'
import { afterEach, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { toHex } from '../envelope/index.ts'
import { KIND } from './socket-protocol.ts'
import { HttpBench, type HttpGateway, type SignedIn, seal, until } from './testing/bench.ts'

const bench = new HttpBench()
afterEach(() => bench.close())

interface Connection {
  socket: WebSocket
  // biome-ignore lint/suspicious/noExplicitAny: frames of every kind
  frames: [kind: number, requestId: number, payload: any][]
  closed: number | null
  send(kind: number, requestId: number, payload: unknown): void
  /** Waits for the answer to a request. */
  // biome-ignore lint/suspicious/noExplicitAny: answers of every kind
  answer(requestId: number): Promise<[kind: number, requestId: number, payload: any]>
  // biome-ignore lint/suspicious/noExplicitAny: items
  items(): any[]
}

function connect(
  gateway: HttpGateway,
  options: { token?: string; after?: string } = {},
): Promise<Connection> {
  const query = options.after ? `?after=${options.after}` : ''
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v1/socket${query}`, {
    headers: options.token ? { authorization: `Bearer ${options.token}` } : {},
  })
  const connection: Connection = {
    socket,
    frames: [],
    closed: null,
    send: (kind, requestId, payload) => socket.send(encode([kind, requestId, payload])),
    async answer(requestId) {
      const found = () => connection.frames.find((frame) => frame[1] === requestId && frame[0] !== KIND.item)
      await until(() => found() !== undefined, `an answer to ${requestId}`)
      return found()!
    },
    items: () => connection.frames.filter(([kind]) => kind === KIND.item).map(([, , payload]) => payload),
  }
  socket.on('message', (data: Buffer) => connection.frames.push(decode(data)))
  socket.on('close', (code) => {
    connection.closed = code
  })
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve(connection)).on('error', reject)
  })
}

async function three(gateway: HttpGateway): Promise<[SignedIn, SignedIn, SignedIn]> {
  return [await gateway.signIn(), await gateway.signIn(), await gateway.signIn()]
}

describe('the socket', () => {
  it('carries several wallets: submissions in, items out, receipts', async () => {
    const gateway = await bench.gateway()
    const [alice, bob, carol] = await three(gateway)
    const connection = await connect(gateway)
    for (const [index, { token }] of [alice, bob, carol].entries())
      connection.send(KIND.attach, index + 1, { token, after: null })
    expect(await connection.answer(1)).toEqual([
      KIND.attached,
      1,
      { wallet: alice.wallet, recovered: true, cursor: expect.any(String) },
    ])
    await connection.answer(3)

    const envelope = await seal(alice.person, [bob.person, carol.person])
    connection.send(KIND.submit, 4, { wallet: alice.wallet, sealed: envelope.bytes })
    const [kind, , accepted] = await connection.answer(4)
    expect(kind).toBe(KIND.accepted)
    expect(toHex(accepted.id)).toBe(toHex(envelope.id))
    expect(accepted).toMatchObject({
      duplicate: false,
      deliveries: [{ network: 'waku' }, { network: 'waku' }],
    })
    await until(() => connection.items().length === 3, 'an item for each wallet')
    const received = connection.items().find(({ wallet }) => wallet === bob.wallet)
    expect(received).toMatchObject({
      direction: 'received',
      from: alice.wallet,
      via: 'socket',
      flags: { hop: false },
    })
    expect(toHex(received.sealed)).toBe(toHex(envelope.bytes))
    expect(connection.items().find(({ wallet }) => wallet === alice.wallet)).toMatchObject({
      direction: 'sent',
    })

    const receipts = [{ id: envelope.id, network: 'http', kind: 'read', at: Date.now() }]
    connection.send(KIND.receipts, 5, { wallet: bob.wallet, receipts })
    expect(await connection.answer(5)).toEqual([KIND.noted, 5, { count: 1 }])

    connection.send(KIND.detach, 6, { wallet: bob.wallet })
    expect(await connection.answer(6)).toEqual([KIND.detached, 6, { wallet: bob.wallet }])
    expect(gateway.gateway.live.subscribers).toBe(2)
    connection.socket.close()
    await until(() => gateway.gateway.live.subscribers === 0, 'the end of the subscriptions')
  })

  it('takes the session from the header and goes on from a cursor', async () => {
    const gateway = await bench.gateway()
    const [alice, bob] = await three(gateway)
    const { next } = (await bob.call('GET', '/v1/inbox')).body
    const ids: string[] = []
    for (let index = 0; index < 3; index++) {
      const { id, bytes } = await seal(alice.person, [bob.person], { text: `${index}` })
      await alice.call('POST', '/v1/envelopes', bytes)
      ids.push(toHex(id))
    }
    const connection = await connect(gateway, { token: bob.token, after: next })
    expect(await connection.answer(0)).toMatchObject([
      KIND.attached,
      0,
      { wallet: bob.wallet, recovered: true, cursor: next },
    ])
    await until(() => connection.items().length === 3, 'the items')
    expect(connection.items().map(({ id }) => toHex(id))).toEqual(ids)
    const resumed = await connect(gateway, { token: bob.token, after: connection.items()[1].cursor })
    await until(() => resumed.items().length === 1, 'the last item')
    expect(toHex(resumed.items()[0].id)).toBe(ids[2])
  })

  it('refuses by code, and goes on', async () => {
    const gateway = await bench.gateway()
    const [alice, bob] = await three(gateway)
    const connection = await connect(gateway)
    const foreign = await seal(bob.person, [alice.person])
    connection.send(KIND.attach, 1, { token: 'A'.repeat(43), after: null })
    connection.send(KIND.submit, 2, { wallet: alice.wallet, sealed: new Uint8Array(3) })
    connection.send(KIND.attach, 3, { token: alice.token, after: 'garbage' })
    connection.send(99, 4, {})
    connection.send(KIND.submit, 5, { wallet: alice.wallet })
    connection.socket.send(new Uint8Array([0xff, 0xff]))
    connection.send(KIND.attach, 6, { token: alice.token, after: null })
    await connection.answer(6)
    connection.send(KIND.submit, 7, { wallet: alice.wallet, sealed: foreign.bytes })
    connection.send(KIND.submit, 8, { wallet: alice.wallet, sealed: new Uint8Array([0x85]) })
    connection.send(KIND.receipts, 9, { wallet: alice.wallet, receipts: [{ id: 'x' }] })
    const codes: unknown[] = []
    for (const id of [1, 2, 3, 4, 5, 0, 7, 8, 9]) {
      const [kind, , problem] = await connection.answer(id)
      expect(kind).toBe(KIND.refused)
      codes.push(problem.code)
    }
    expect(codes).toEqual([
      'session-invalid',
      'wallet-mismatch',
      'cursor-invalid',
      'socket-frame-invalid',
      'socket-frame-invalid',
      'socket-frame-invalid',
      'sender-mismatch',
      'envelope-malformed',
      'socket-frame-invalid',
    ])
    expect(connection.closed).toBeNull()
    connection.socket.send('text')
    await until(() => connection.closed === 1003, 'the close')
  })

  it('counts attempts to attach against the address', async () => {
    const gateway = await bench.gateway({ limits: { addressBurst: 20, addressPerSecond: 1 } })
    const connection = await connect(gateway)
    for (let index = 1; index <= 30; index++)
      connection.send(KIND.attach, index, { token: 'A'.repeat(43), after: null })
    expect((await connection.answer(1))[2].code).toBe('session-invalid')
    expect((await connection.answer(30))[2].code).toBe('rate-limited')
  })

  it('refuses an upgrade with a wrong token, and closes what is too large', async () => {
    const gateway = await bench.gateway()
    await expect(connect(gateway, { token: 'A'.repeat(43) })).rejects.toThrow('401')
    const connection = await connect(gateway)
    connection.socket.on('error', () => {})
    connection.socket.send(new Uint8Array(200_000))
    await until(() => connection.closed === 1009, 'the close')
  })

  it('answers every one of many submissions, whatever the limit on those under way', async () => {
    const gateway = await bench.gateway({ streams: { socketInFlight: 2 } })
    const [alice, bob] = await three(gateway)
    const connection = await connect(gateway, { token: alice.token })
    await connection.answer(0)
    for (let index = 1; index <= 40; index++) {
      const { bytes } = await seal(alice.person, [bob.person], { text: `${index}` })
      connection.send(KIND.submit, index, { wallet: alice.wallet, sealed: bytes })
    }
    for (let index = 1; index <= 40; index++) expect((await connection.answer(index))[0]).toBe(KIND.accepted)
    expect((await bob.call('GET', '/v1/inbox?limit=200')).body.items).toHaveLength(40)
  })

  it('closes when nobody attaches, tells when a session ends, says goodbye at shutdown', async () => {
    const gateway = await bench.gateway({
      streams: { heartbeatMs: 30, sessionCheckMs: 30, socketIdleMs: 60 },
    })
    const [alice, bob] = await three(gateway)
    const idle = await connect(gateway)
    await until(() => idle.closed === 4000, 'the close of the idle socket')
    const connection = await connect(gateway, { token: alice.token })
    connection.send(KIND.attach, 1, { token: bob.token, after: null })
    await connection.answer(1)
    await alice.call('DELETE', '/v1/auth/session')
    await until(() => connection.frames.some(([kind]) => kind === KIND.ended), 'the end of the session')
    expect(connection.frames.at(-1)).toEqual([
      KIND.ended,
      0,
      { wallet: alice.wallet, code: 'session-invalid' },
    ])
    expect(gateway.gateway.live.subscribers).toBe(1)
    await gateway.server.close(AbortSignal.timeout(2_000))
    await until(() => connection.closed === 1001, 'the goodbye')
  })

  it('cuts a reader that falls behind', async () => {
    const gateway = await bench.gateway({ streams: { bufferBytes: 65_536 }, limits: { walletBurst: 10_000 } })
    const [alice, bob] = await three(gateway)
    const slow = await connect(gateway, { token: bob.token })
    await slow.answer(0)
    slow.socket.pause()
    await until(
      async () => {
        const { bytes } = await seal(alice.person, [bob.person], { text: 'x'.repeat(8_000) })
        await alice.call('POST', '/v1/envelopes', bytes)
        return gateway.gateway.live.subscribers === 0
      },
      'the cut',
      50_000,
    )
    slow.socket.terminate()
  })
})
