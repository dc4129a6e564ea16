import { encode } from 'cborg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toBase64url, toHex } from '../envelope/index.ts'
import { call, createPerson, HttpBench, type HttpGateway, type SignedIn, seal } from './testing/bench.ts'

const bench = new HttpBench()
let gateway: HttpGateway
let alice: SignedIn
let bob: SignedIn
let eve: SignedIn

beforeAll(async () => {
  gateway = await bench.gateway()
  alice = await gateway.signIn()
  bob = await gateway.signIn()
  eve = await gateway.signIn()
})
afterAll(() => bench.close())

async function send(from = alice, to = bob, text = 'hello') {
  const envelope = await seal(from.person, [to.person], { text })
  return {
    ...envelope,
    hex: toHex(envelope.id),
    answer: await from.call('POST', '/v1/envelopes', envelope.bytes),
  }
}

describe('the way of a message', () => {
  it('goes from sign-in to the inbox', async () => {
    const { answer, hex, bytes } = await send()
    expect(answer.status).toBe(202)
    expect(answer.body).toMatchObject({ id: hex, duplicate: false })
    expect(answer.body.deliveries).toEqual([
      { network: 'waku', wallet: bob.wallet, state: expect.any(String) },
    ])

    const inbox = await bob.call('GET', '/v1/inbox')
    expect(inbox.status).toBe(200)
    const item = inbox.body.items.at(-1)
    expect(item).toMatchObject({
      id: hex,
      direction: 'received',
      mode: 'sealed',
      from: alice.wallet,
      contentType: 'xmtp.org/text:1.0',
      flags: { ephemeral: false, silent: false, hop: false },
      via: 'http',
      sealed: toBase64url(bytes),
    })
    expect(item.conversation).toMatch(/^[0-9a-f]{64}$/)
    expect((await alice.call('GET', '/v1/inbox')).body.items.at(-1)).toMatchObject({
      id: hex,
      direction: 'sent',
    })
    expect((await eve.call('GET', '/v1/inbox')).body.items).toEqual([])

    const again = await alice.call('POST', '/v1/envelopes', { sealed: toBase64url(bytes) })
    expect(again).toMatchObject({ status: 202, body: { id: hex, duplicate: true } })
    expect(
      (await bob.call('GET', '/v1/inbox')).body.items.filter((one: { id: string }) => one.id === hex),
    ).toHaveLength(1)
  })

  it('takes receipts and shows the journey to sender and recipient alone', async () => {
    const { hex } = await send()
    const receipts = [{ id: hex, network: 'http', kind: 'read', at: Date.now() }]
    expect(await bob.call('POST', '/v1/receipts', { receipts })).toMatchObject({
      status: 200,
      body: { noted: 1 },
    })
    expect(await eve.call('POST', '/v1/receipts', { receipts })).toMatchObject({
      status: 200,
      body: { noted: 0 },
    })
    for (const who of [alice, bob]) {
      const journey = await who.call('GET', `/v1/envelopes/${hex}/journey`)
      expect(journey.status).toBe(200)
      const names = journey.body.checkpoints.map(({ name }: { name: string }) => name)
      expect(names).toEqual(expect.arrayContaining(['accepted', 'persisted', 'read']))
      expect(journey.body.deliveries[0]).toMatchObject({ network: 'waku', wallet: bob.wallet })
      expect(await who.call('GET', `/v1/envelopes/${hex}`)).toMatchObject({ status: 200, body: { id: hex } })
    }
  })

  it('takes batches, with a result for each', async () => {
    const envelopes = await Promise.all([1, 2, 3].map(() => seal(alice.person, [bob.person])))
    const foreign = await seal(eve.person, [bob.person])
    const asCbor = await alice.call(
      'POST',
      '/v1/envelopes/batch',
      encode([...envelopes, foreign].map(({ bytes }) => bytes)),
    )
    expect(asCbor.status).toBe(200)
    expect(asCbor.body.results.map(({ status }: { status: number }) => status)).toEqual([202, 202, 202, 403])
    expect(asCbor.body.results.slice(0, 3).map(({ id }: { id: string }) => id)).toEqual(
      envelopes.map(({ id }) => toHex(id)),
    )
    expect(asCbor.body.results[3].problem.code).toBe('sender-mismatch')
    const sealed = envelopes.map(({ bytes }) => toBase64url(bytes))
    const asJson = await alice.call('POST', '/v1/envelopes/batch', { sealed })
    expect(asJson.body.results.map(({ duplicate }: { duplicate: boolean }) => duplicate)).toEqual([
      true,
      true,
      true,
    ])
    for (const body of [{ sealed: [] }, { sealed: Array(33).fill('AA') }, { sealed: ['not base64!'] }, {}]) {
      expect(await alice.call('POST', '/v1/envelopes/batch', body)).toMatchObject({
        status: 400,
        body: { code: 'request-invalid' },
      })
    }
    for (const body of [encode({}), encode([1]), new Uint8Array([0xff])]) {
      expect(await alice.call('POST', '/v1/envelopes/batch', body)).toMatchObject({
        status: 400,
        body: { code: 'request-invalid' },
      })
    }
  })

  it('pages the inbox by cursor, without gap and without repeat', async () => {
    const carol = await gateway.signIn()
    const ids: string[] = []
    for (let index = 0; index < 7; index++) ids.push((await send(alice, carol, `${index}`)).hex)
    const seen: string[] = []
    let after = ''
    for (;;) {
      const page = await carol.call('GET', `/v1/inbox?limit=3${after}`)
      if (page.body.items.length === 0) break
      expect(page.body.items.length).toBeLessThanOrEqual(3)
      seen.push(...page.body.items.map(({ id }: { id: string }) => id))
      after = `&after=${page.body.next}`
    }
    expect(seen).toEqual(ids)
    const later = await send(alice, carol)
    expect((await carol.call('GET', `/v1/inbox?limit=3${after}`)).body.items).toMatchObject([
      { id: later.hex },
    ])
    const { conversation } = (await carol.call('GET', '/v1/inbox?limit=1')).body.items[0]
    expect((await carol.call('GET', `/v1/inbox?conversation=${conversation}`)).body.items).toHaveLength(8)
    expect((await carol.call('GET', `/v1/inbox?conversation=${'0'.repeat(64)}`)).body.items).toEqual([])
    const conversations = await carol.call('GET', '/v1/conversations')
    expect(conversations.body).toMatchObject({
      conversations: [{ conversation, items: 8, lastId: later.hex }],
      next: null,
    })
  })

  it('refuses cursors that it did not give out', async () => {
    for (const after of [
      '',
      'x',
      '12',
      '0123456789abcdef.',
      '0123456789abcdef.01',
      '0123456789ABCDEF.1',
      '../..',
      '0123456789abcdef.99999999999999999',
    ]) {
      const answer = await bob.call('GET', `/v1/inbox?after=${encodeURIComponent(after)}`)
      expect([after, answer.status, answer.body.code]).toEqual([after, 400, 'cursor-invalid'])
    }
    expect(await bob.call('GET', '/v1/inbox?after=0123456789abcdef.1')).toMatchObject({
      status: 410,
      body: { code: 'cursor-expired' },
    })
  })
})

describe('wallets', () => {
  it('are found under each of their spellings, by anyone', async () => {
    const { address } = alice.person.signer
    for (const name of [alice.wallet, `eip155:1:${address}`, address, address.toLowerCase()]) {
      const answer = await call(gateway.url, 'GET', `/v1/wallets/${encodeURIComponent(name)}`)
      expect(answer).toMatchObject({
        status: 200,
        body: { wallet: alice.wallet, served: true, account: `eip155:1:${address}` },
      })
      expect(answer.body.endpoints).toMatchObject([{ network: 'waku', enabled: true }])
    }
    const keys = await call(gateway.url, 'GET', `/v1/wallets/${encodeURIComponent(alice.wallet)}/keys`)
    expect(keys.body.log).toMatchObject([
      { seq: 0, action: 'add', device: toBase64url(alice.person.device.publicKey) },
    ])
    expect(await call(gateway.url, 'GET', '/v1/wallets/nobody')).toMatchObject({
      status: 400,
      body: { code: 'account-malformed' },
    })
    const stranger = await call(gateway.url, 'GET', `/v1/wallets/${createPerson().wallet}`)
    expect(stranger).toMatchObject({ status: 200, body: { served: false, account: null, devices: [] } })
  })

  it('change their own endpoints and route, and no others', async () => {
    const own = `/v1/wallets/${encodeURIComponent(bob.wallet)}`
    expect(await bob.call('PUT', `${own}/endpoints/waku`, { enabled: false })).toMatchObject({
      status: 200,
      body: { network: 'waku', enabled: false },
    })
    expect(await bob.call('PUT', `${own}/endpoints/waku`, { enabled: true })).toMatchObject({
      status: 200,
      body: { enabled: true },
    })
    expect(await bob.call('PUT', `${own}/endpoints/nowhere`, { enabled: true })).toMatchObject({
      status: 404,
      body: { code: 'network-not-enabled' },
    })
    const route = { policy: 'fallback', order: ['waku'], fallbackAfterMs: 100 }
    expect(await bob.call('PUT', `${own}/route`, route)).toMatchObject({ status: 200, body: route })
    expect(await bob.call('PUT', `${own}/route`, { ...route, order: [] })).toMatchObject({
      status: 400,
      body: { code: 'request-invalid' },
    })
    for (const path of [`${own}/endpoints/waku`, `${own}/route`]) {
      const body = path.endsWith('route') ? route : { enabled: false }
      expect(await eve.call('PUT', path, body)).toMatchObject({
        status: 403,
        body: { code: 'wallet-mismatch' },
      })
      expect(await call(gateway.url, 'PUT', path, body)).toMatchObject({
        status: 401,
        body: { code: 'unauthenticated' },
      })
    }
  })
})

describe('every answer', () => {
  it('has a request id, taken over where it is sane', async () => {
    const ids = async (id: string) =>
      (await call(gateway.url, 'GET', '/healthz', undefined, { 'x-request-id': id })).headers.get(
        'x-request-id',
      )
    expect(await ids('client-id-0001')).toBe('client-id-0001')
    expect(await ids('short')).not.toBe('short')
    expect(await ids('a'.repeat(65))).toMatch(/^[0-9a-f-]{36}$/)
    const problem = await call(gateway.url, 'GET', '/nowhere', undefined, {
      'x-request-id': 'client-id-0002',
    })
    expect(problem.body).toMatchObject({
      requestId: 'client-id-0002',
      instance: 'urn:causeway:request:client-id-0002',
    })
  })

  it('has security headers and no cross-origin permission', async () => {
    for (const path of ['/healthz', '/v1/inbox', '/nowhere', '/v1/gateway']) {
      const { headers } = await call(gateway.url, 'GET', path, undefined, { origin: 'https://evil.example' })
      expect(headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('access-control-allow-origin')).toBeNull()
    }
  })

  it('tells what the gateway and its networks are', async () => {
    const about = await call(gateway.url, 'GET', '/v1/gateway')
    expect(about.body).toMatchObject({
      id: 'gateway-a',
      version: '1.2.3',
      sandbox: true,
      domain: 'gateway.example',
    })
    const networks = await call(gateway.url, 'GET', '/v1/networks')
    expect(networks.body.networks).toMatchObject([
      { network: 'waku', state: 'connected', sandbox: true, limits: { maxFrameBytes: expect.any(Number) } },
    ])
    expect(await call(gateway.url, 'GET', '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } })
    expect(await call(gateway.url, 'GET', '/readyz')).toMatchObject({
      status: 200,
      body: { ready: true, parts: { store: 'ok', 'network:waku': 'connected' } },
    })
  })

  it('is counted by route, and never by path', async () => {
    await call(gateway.url, 'GET', `/v1/wallets/${encodeURIComponent(alice.wallet)}`)
    await call(gateway.url, 'GET', '/some/made-up/path')
    await call(gateway.url, 'POST', '/hooks/waku/very-secret', {})
    const { body } = await call(gateway.url, 'GET', '/metrics')
    expect(body).toMatch(
      /causeway_http_requests_total\{route="\/v1\/wallets\/\{wallet\}",method="GET",status="200"\} \d+/,
    )
    expect(body).toMatch(/causeway_http_requests_total\{route="unmatched",method="GET",status="404"\} \d+/)
    expect(body).not.toContain('made-up')
    const everything = gateway.lines.join('')
    expect(everything).not.toContain('very-secret')
    expect(everything).not.toContain(alice.token)
    expect(everything).not.toContain(alice.person.signer.address)
    expect(everything).not.toContain(alice.person.signer.address.toLowerCase())
  })
})
