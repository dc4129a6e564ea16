import { request } from 'node:http'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { toHex } from '../envelope/index.ts'
import { call, HttpBench, type HttpGateway, type SignedIn, seal, signIn, until } from './testing/bench.ts'

const bench = new HttpBench()
afterEach(() => bench.close())

interface ServerEvent {
  id: string | null
  event: string
  // biome-ignore lint/suspicious/noExplicitAny: events of every shape
  data: any
  retry: string | null
}

interface Reading {
  status: number
  events: ServerEvent[]
  comments: number
  ended: boolean
  pause(): void
  resume(): void
  close(): void
  ids(): string[]
}

/** Opens a stream and collects what comes. */
function open(
  gateway: HttpGateway,
  who: SignedIn,
  options: { lastEventId?: string; query?: string } = {},
): Promise<Reading> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string> = { authorization: `Bearer ${who.token}` }
    if (options.lastEventId !== undefined) headers['last-event-id'] = options.lastEventId
    const call = request(`${gateway.url}/v1/stream${options.query ?? ''}`, { headers }, (response) => {
      const reading: Reading = {
        status: response.statusCode ?? 0,
        events: [],
        comments: 0,
        ended: false,
        pause: () => response.pause(),
        resume: () => response.resume(),
        close: () => call.destroy(),
        ids: () => reading.events.filter(({ event }) => event === 'envelope').map(({ data }) => data.id),
      }
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const block = text.slice(0, end)
          text = text.slice(end + 2)
          if (block.startsWith(':')) reading.comments++
          else reading.events.push(parse(block))
        }
      })
      response.on('close', () => {
        reading.ended = true
      })
      response.on('error', () => {
        reading.ended = true
      })
      resolve(reading)
    })
    call.on('error', reject)
    call.end()
  })
}

function parse(block: string): ServerEvent {
  const fields = new Map(
    block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  )
  return {
    id: fields.get('id') ?? null,
    event: fields.get('event') ?? 'message',
    data: JSON.parse(fields.get('data') ?? 'null'),
    retry: fields.get('retry') ?? null,
  }
}

async function send(from: SignedIn, to: SignedIn, text = 'hello'): Promise<string> {
  const { id, bytes } = await seal(from.person, [to.person], { text })
  const answer = await from.call('POST', '/v1/envelopes', bytes)
  if (answer.status !== 202) throw new Error(JSON.stringify(answer.body))
  return toHex(id)
}

async function pair(gateway: HttpGateway) {
  return { alice: await gateway.signIn(), bob: await gateway.signIn() }
}

describe('the stream', () => {
  it('begins now, with `ready`, and brings what comes', async () => {
    const gateway = await bench.gateway()
    const { alice, bob } = await pair(gateway)
    await send(alice, bob)
    const stream = await open(gateway, bob)
    expect(stream.status).toBe(200)
    await until(() => stream.events.length > 0, 'ready')
    expect(stream.events[0]).toMatchObject({
      event: 'ready',
      data: { recovered: true, cursor: stream.events[0]!.id },
      retry: '1000',
    })
    const id = await send(alice, bob)
    await until(() => stream.ids().length > 0, 'the envelope')
    expect(stream.ids()).toEqual([id])
    const item = stream.events[1]!
    expect(item.id).toBe(item.data.cursor)
    expect(item.data).toEqual((await bob.call('GET', '/v1/inbox')).body.items.at(-1))
  })

  it('goes on after a break without gap and without repeat, from header or query', async () => {
    const gateway = await bench.gateway({ streams: { pageItems: 2 } })
    const { alice, bob } = await pair(gateway)
    const first = await open(gateway, bob)
    const ids = [await send(alice, bob)]
    await until(() => first.ids().length === 1, 'the first envelope')
    first.close()
    for (let index = 0; index < 5; index++) ids.push(await send(alice, bob, `${index}`))
    const cursor = first.events.at(-1)!.id!
    const second = await open(gateway, bob, { lastEventId: cursor })
    const third = await open(gateway, bob, { query: `?after=${first.events[0]!.id}` })
    ids.push(await send(alice, bob))
    await until(() => second.ids().length === 6 && third.ids().length === 7, 'all envelopes')
    expect(second.events[0]!.data).toEqual({ recovered: true, cursor })
    expect(second.ids()).toEqual(ids.slice(1))
    expect(third.ids()).toEqual(ids)
  })

  it('loses and repeats nothing while many send and readers come and go', async () => {
    const gateway = await bench.gateway({ streams: { pageItems: 3 }, limits: { walletBurst: 1000 } })
    const bob = await gateway.signIn()
    const senders = await Promise.all([1, 2, 3].map(() => gateway.signIn()))
    const seen: string[] = []
    let cursor = (await bob.call('GET', '/v1/inbox')).body.next as string
    let sending = true
    const sent = Promise.all(
      senders.map(async (sender) => {
        const ids: string[] = []
        for (let index = 0; index < 15; index++) ids.push(await send(sender, bob, `${index}`))
        return ids
      }),
    ).finally(() => {
      sending = false
    })
    while (sending || seen.length < 45) {
      const stream = await open(gateway, bob, { lastEventId: cursor })
      const enough = 1 + (seen.length % 7)
      await until(() => stream.ids().length >= Math.min(enough, 45 - seen.length), 'some envelopes')
      stream.close()
      seen.push(...stream.ids())
      cursor = stream.events.at(-1)!.id!
    }
    expect(seen).toHaveLength(45)
    expect(new Set(seen)).toEqual(new Set((await sent).flat()))
    const inbox = await bob.call('GET', '/v1/inbox?limit=200')
    expect(seen).toEqual(inbox.body.items.map(({ id }: { id: string }) => id))
  })

  it('says so when it cannot go on from a cursor', async () => {
    const path = join(await bench.folder(), 'store.db')
    const gateway = await bench.gateway({ path })
    const { alice, bob } = await pair(gateway)
    const start = await open(gateway, bob)
    await until(() => start.events.length > 0, 'ready')
    await send(alice, bob)
    const latest = (await bob.call('GET', '/v1/inbox')).body.next as string
    const epoch = latest.split('.')[0]
    for (const lastEventId of ['0123456789abcdef.1', `${epoch}.999`]) {
      const stream = await open(gateway, bob, { lastEventId })
      await until(() => stream.events.length > 0, 'ready')
      expect(stream.events[0]).toMatchObject({
        event: 'ready',
        id: latest,
        data: { recovered: false, cursor: latest },
      })
    }
    const garbage = await open(gateway, bob, { lastEventId: 'garbage' })
    expect(garbage.status).toBe(400)

    // The same store after a restart knows its cursors again.
    const { person } = bob
    await gateway.stop()
    const again = await bench.gateway({ path })
    const back = await signIn(again.url, person)
    const resumed = await open(again, back, { lastEventId: start.events[0]!.id! })
    await until(() => resumed.ids().length === 1, 'the envelope from before')
    expect(resumed.events[0]!.data.recovered).toBe(true)
  })

  it('sends heartbeats', async () => {
    const gateway = await bench.gateway({ streams: { heartbeatMs: 40 } })
    const stream = await open(gateway, await gateway.signIn())
    await until(() => stream.comments >= 2, 'heartbeats')
    expect(stream.ended).toBe(false)
  })

  it('ends when its session does', async () => {
    const gateway = await bench.gateway({ streams: { heartbeatMs: 30, sessionCheckMs: 30 } })
    const { alice, bob } = await pair(gateway)
    const [first, second] = [await open(gateway, alice), await open(gateway, bob)]
    await alice.call('DELETE', '/v1/auth/session')
    await signIn(gateway.url, bob.person, 'revoke')
    await until(() => first.ended && second.ended, 'the end of both')
    for (const stream of [first, second]) {
      expect(stream.events.at(-1)).toMatchObject({ event: 'ended', data: { code: 'session-invalid' } })
    }
    expect(gateway.gateway.live.subscribers).toBe(0)
  })

  it('cuts a reader that falls behind, and lets it go on', async () => {
    const gateway = await bench.gateway({ streams: { bufferBytes: 65_536 }, limits: { walletBurst: 10_000 } })
    const { alice, bob } = await pair(gateway)
    const slow = await open(gateway, bob)
    await until(() => slow.events.length > 0, 'ready')
    slow.pause()
    const ids: string[] = []
    const text = 'x'.repeat(8_000)
    // Until the buffers of the kernel are full as well.
    await until(
      async () => {
        ids.push(await send(alice, bob, text))
        return gateway.gateway.live.subscribers === 0
      },
      'the cut',
      50_000,
    )
    slow.resume()
    await until(() => slow.ended, 'the end of the slow stream')
    const before = slow.ids()
    expect(before.length).toBeLessThan(ids.length)
    const resumed = await open(gateway, bob, { lastEventId: slow.events.at(-1)!.id! })
    await until(() => before.length + resumed.ids().length === ids.length, 'the rest')
    expect([...before, ...resumed.ids()]).toEqual(ids)
    expect((await call(gateway.url, 'GET', '/metrics')).body).toContain(
      'causeway_streams_cut_total{transport="sse",reason="slow"} 1',
    )
  })

  it('refuses more streams of a wallet than allowed', async () => {
    const gateway = await bench.gateway({ streams: { perWallet: 2, total: 3 } })
    const { alice, bob } = await pair(gateway)
    const streams = [await open(gateway, alice), await open(gateway, alice)]
    expect(await alice.call('GET', '/v1/stream')).toMatchObject({
      status: 429,
      body: { code: 'streams-exhausted' },
    })
    await open(gateway, bob)
    expect(await bob.call('GET', '/v1/stream')).toMatchObject({
      status: 429,
      body: { code: 'streams-exhausted' },
    })
    for (const stream of streams) stream.close()
    await until(() => gateway.gateway.live.subscribers === 1, 'the end of two')
    expect((await open(gateway, alice)).status).toBe(200)
  })
})

describe('shutdown', () => {
  it('says goodbye to streams, finishes what is under way, takes nothing new', async () => {
    let finish = () => {}
    const held = new Promise<void>((resolve) => {
      finish = resolve
    })
    let arrived = false
    const gateway = await bench.gateway({
      replace: ({ relay }) => ({
        relay: {
          ...relay,
          receipts: async () => {
            arrived = true
            await held
            return 1
          },
        },
      }),
    })
    const bob = await gateway.signIn()
    const stream = await open(gateway, bob)
    const receipts = [{ id: '0'.repeat(64), network: 'http', kind: 'read', at: 1 }]
    const underWay = bob.call('POST', '/v1/receipts', { receipts })
    await until(() => arrived, 'the request')
    let closed = false
    const closing = gateway.server.close(AbortSignal.timeout(10_000)).then(() => {
      closed = true
    })
    await until(() => stream.ended, 'the end of the stream')
    expect(stream.events.at(-1)).toMatchObject({ event: 'shutdown', retry: '1000' })
    await expect(fetch(`${gateway.url}/healthz`)).rejects.toThrow()
    expect(closed).toBe(false)
    finish()
    expect(await underWay).toMatchObject({ status: 200, body: { noted: 1 } })
    await closing
  })

  it('does not wait longer than its signal', async () => {
    const gateway = await bench.gateway({
      replace: ({ relay }) => ({ relay: { ...relay, receipts: () => new Promise<number>(() => {}) } }),
    })
    const bob = await gateway.signIn()
    const receipts = [{ id: '0'.repeat(64), network: 'http', kind: 'read', at: 1 }]
    const lost = bob.call('POST', '/v1/receipts', { receipts }).catch((error: unknown) => error)
    await gateway.server.close(AbortSignal.timeout(50))
    expect(await lost).toBeInstanceOf(Error)
  })

  it('is seen by readiness while it lasts', async () => {
    const gateway = await bench.gateway()
    await gateway.server.close(AbortSignal.timeout(1_000))
    const ready = await gateway.api.app.request('/readyz')
    expect(ready.status).toBe(503)
    expect(await ready.json()).toMatchObject({ ready: false, parts: { gateway: 'shutting down' } })
  })
})
