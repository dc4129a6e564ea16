import { request as rawRequest } from 'node:http'
import { encode } from 'cborg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { toBase64url, toHex } from '../envelope/index.ts'
import {
  call,
  createPerson,
  HttpBench,
  type HttpGateway,
  type SignedIn,
  seal,
  signIn,
} from './testing/bench.ts'

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

describe('what is refused, each with its own code', () => {
  const refusals: [string, number, string, () => Promise<{ status: number; body: { code: string } }>][] = [
    ['no token', 401, 'unauthenticated', () => call(gateway.url, 'GET', '/v1/inbox')],
    [
      'a token of another scheme',
      401,
      'unauthenticated',
      () => call(gateway.url, 'GET', '/v1/inbox', undefined, { authorization: 'Basic abc' }),
    ],
    [
      'an unknown token',
      401,
      'session-invalid',
      () => call(gateway.url, 'GET', '/v1/inbox', undefined, { authorization: `Bearer ${'A'.repeat(43)}` }),
    ],
    [
      'a token in the query',
      401,
      'unauthenticated',
      () => call(gateway.url, 'GET', `/v1/inbox?token=${alice.token}`),
    ],
    [
      'an envelope of another wallet',
      403,
      'sender-mismatch',
      async () => eve.call('POST', '/v1/envelopes', (await seal(alice.person, [bob.person])).bytes),
    ],
    [
      'the envelope of others',
      404,
      'envelope-not-found',
      async () => eve.call('GET', `/v1/envelopes/${(await send()).hex}`),
    ],
    [
      'the journey of others',
      404,
      'envelope-not-found',
      async () => eve.call('GET', `/v1/envelopes/${(await send()).hex}/journey`),
    ],
    [
      'an id that does not exist',
      404,
      'envelope-not-found',
      () => eve.call('GET', `/v1/envelopes/${'0'.repeat(64)}`),
    ],
    ['an id in upper case', 400, 'request-invalid', () => eve.call('GET', `/v1/envelopes/${'A'.repeat(64)}`)],
    [
      'malformed CBOR',
      400,
      'envelope-malformed',
      () => alice.call('POST', '/v1/envelopes', new Uint8Array([0x85, 0x01])),
    ],
    [
      'an empty body',
      400,
      'envelope-malformed',
      () => alice.call('POST', '/v1/envelopes', new Uint8Array(0)),
    ],
    [
      'a wrong signature',
      422,
      'envelope-signature-invalid',
      async () => {
        const { bytes } = await seal(alice.person, [bob.person])
        const altered = bytes.slice()
        altered[altered.length - 1]! ^= 1
        return alice.call('POST', '/v1/envelopes', altered)
      },
    ],
    [
      'a body over the limit',
      413,
      'body-too-large',
      () => alice.call('POST', '/v1/envelopes', new Uint8Array(131_073)),
    ],
    [
      'a JSON body over the limit',
      413,
      'body-too-large',
      () => alice.call('POST', '/v1/receipts', { padding: 'x'.repeat(70_000) }),
    ],
    [
      'another media type',
      415,
      'media-type-unsupported',
      () => alice.call('POST', '/v1/envelopes', { sealed: '' }, { 'content-type': 'text/plain' }),
    ],
    [
      'no media type',
      415,
      'media-type-unsupported',
      () => alice.call('POST', '/v1/receipts', new Uint8Array([1]), { 'content-type': '' }),
    ],
    [
      'broken JSON',
      400,
      'body-not-json',
      () =>
        alice.call('POST', '/v1/receipts', new TextEncoder().encode('{'), {
          'content-type': 'application/json',
        }),
    ],
    [
      'broken UTF-8',
      400,
      'body-not-json',
      () =>
        alice.call('POST', '/v1/receipts', new Uint8Array([0x22, 0xff, 0x22]), {
          'content-type': 'application/json',
        }),
    ],
    [
      'a field too many',
      400,
      'request-invalid',
      () => alice.call('POST', '/v1/receipts', { receipts: [], more: 1 }),
    ],
    ['an unknown route', 404, 'not-found', () => call(gateway.url, 'GET', '/v2/inbox')],
    ['an unknown method', 405, 'method-not-allowed', () => call(gateway.url, 'DELETE', '/v1/inbox')],
    [
      'a challenge used twice',
      404,
      'challenge-unknown',
      () => call(gateway.url, 'POST', '/v1/auth/verify', { challengeId: 'nope', signature: '0x' }),
    ],
    [
      'a webhook of a network without',
      404,
      'not-found',
      () => call(gateway.url, 'POST', '/hooks/waku/secret', {}),
    ],
    [
      'credentials of a network without',
      404,
      'credentials-unsupported',
      () => alice.call('POST', '/v1/networks/waku/credentials', {}),
    ],
    [
      'credentials of an unknown network',
      404,
      'network-unknown',
      () => alice.call('POST', '/v1/networks/xmtp/credentials', {}),
    ],
    [
      'admin routes without a token configured',
      404,
      'not-found',
      () => call(gateway.url, 'GET', '/v1/admin/deliveries', undefined, { authorization: 'Bearer x' }),
    ],
    ['a socket without an upgrade', 426, 'upgrade-required', () => call(gateway.url, 'GET', '/v1/socket')],
  ]
  for (const [what, status, code, act] of refusals) {
    it(`${what}: ${status} ${code}`, async () => {
      const answer = await act()
      expect([answer.status, answer.body.code]).toEqual([status, code])
      expect(answer.body).toMatchObject({
        type: `/docs/errors#${code}`,
        status,
        title: expect.any(String),
        fix: expect.any(String),
        instance: expect.stringMatching(/^urn:causeway:request:/),
      })
    })
  }

  it('a revoked device, for its sessions and its envelopes', async () => {
    const carol = await gateway.signIn()
    const { bytes } = await seal(carol.person, [bob.person])
    await signIn(gateway.url, carol.person, 'revoke')
    expect(await carol.call('GET', '/v1/inbox')).toMatchObject({
      status: 401,
      body: { code: 'session-invalid' },
    })
    const other = { ...carol.person, device: createPerson().device }
    const second = await gateway.signIn(other)
    expect(await second.call('POST', '/v1/envelopes', bytes)).toMatchObject({
      status: 403,
      body: { code: 'device-revoked' },
    })
  })

  it('a session after sign-out', async () => {
    const carol = await gateway.signIn()
    expect((await carol.call('DELETE', '/v1/auth/session')).status).toBe(204)
    expect(await carol.call('GET', '/v1/inbox')).toMatchObject({
      status: 401,
      body: { code: 'session-invalid' },
    })
  })

  it('a signature of another wallet', async () => {
    const carol = createPerson()
    const challenge = await call(gateway.url, 'POST', '/v1/auth/challenge', {
      wallet: carol.signer.address,
      device: { publicKey: toBase64url(carol.device.publicKey), label: 'x' },
    })
    const signature = await eve.person.signer.signMessage(challenge.body.message)
    const { challengeId } = challenge.body
    const answer = await call(gateway.url, 'POST', '/v1/auth/verify', { challengeId, signature })
    expect(answer).toMatchObject({ status: 401, body: { code: 'wallet-signature-invalid' } })
  })

  it('names the parts of a request that are wrong', async () => {
    const answer = await call(gateway.url, 'POST', '/v1/auth/challenge', {
      wallet: 1,
      device: { publicKey: 'AA', label: '' },
    })
    expect(answer.body.errors.map(({ path }: { path: string }) => path).sort()).toEqual([
      'body.device.label',
      'body.device.publicKey',
      'body.wallet',
    ])
  })

  it('a chunked body over the limit, while it arrives', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const request = rawRequest(`${gateway.url}/v1/envelopes`, {
        method: 'POST',
        headers: { authorization: `Bearer ${alice.token}`, 'content-type': 'application/cbor' },
      })
      request.on('response', (response) => resolve(response.statusCode)).on('error', reject)
      const piece = Buffer.alloc(65_536)
      for (let index = 0; index < 4; index++) request.write(piece)
    })
    expect(status).toBe(413)
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

describe('limits', () => {
  const small = new HttpBench()
  afterEach(() => small.close())

  it('count per wallet', async () => {
    const tight = await small.gateway({ limits: { walletBurst: 4, walletPerSecond: 1 } })
    const [one, two] = [await tight.signIn(), await tight.signIn()]
    const answers = []
    for (let index = 0; index < 6; index++) answers.push(await one.call('GET', '/v1/inbox'))
    expect(answers.slice(0, 4).map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(answers[5]).toMatchObject({ status: 429, body: { code: 'rate-limited' } })
    expect(Number(answers[5]!.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect((await two.call('GET', '/v1/inbox')).status).toBe(200)
  })

  it('count per address, and sign-ins more strictly; health is exempt', async () => {
    const tight = await small.gateway({
      limits: { addressBurst: 12, addressPerSecond: 1, signInsPerMinute: 2 },
    })
    const device = { publicKey: toBase64url(createPerson().device.publicKey), label: 'x' }
    const ask = () =>
      call(tight.url, 'POST', '/v1/auth/challenge', { wallet: createPerson().signer.address, device })
    const challenges = [await ask(), await ask(), await ask()]
    expect(challenges.map(({ status }) => status)).toEqual([200, 200, 429])
    const answers = []
    for (let index = 0; index < 12; index++) answers.push(await call(tight.url, 'GET', '/v1/gateway'))
    expect(answers.at(0)!.status).toBe(200)
    expect(answers.at(-1)).toMatchObject({ status: 429, body: { code: 'rate-limited' } })
    expect((await call(tight.url, 'GET', '/healthz')).status).toBe(200)
  })

  it('end bodies that trickle', async () => {
    const tight = await small.gateway({ limits: { bodyTimeoutMs: 80 } })
    const one = await tight.signIn()
    const answer = await new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const request = rawRequest(`${tight.url}/v1/envelopes`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${one.token}`,
          'content-type': 'application/cbor',
          'content-length': '1000',
        },
      })
      request.on('response', (response) => {
        let text = ''
        response.on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode, text }))
      })
      request.on('error', reject)
      request.write('x')
    })
    expect(answer.status).toBe(408)
    expect(JSON.parse(answer.text).code).toBe('body-timeout')
  })

  it('tell nothing of failures inside, but log them under the request id', async () => {
    const failing = await small.gateway({
      replace: ({ relay }) => ({
        relay: {
          ...relay,
          receipts: () => Promise.reject(new TypeError(`secret detail ${'ab'.repeat(32)}`)),
        },
      }),
    })
    const one = await failing.signIn()
    const receipts = [{ id: '0'.repeat(64), network: 'http', kind: 'read', at: 1 }]
    const answer = await one.call('POST', '/v1/receipts', { receipts })
    expect(answer).toMatchObject({ status: 500, body: { code: 'internal-error' } })
    expect(JSON.stringify(answer.body)).not.toContain('secret detail')
    const line = failing.lines.find((text) => text.includes('a request failed'))
    expect(line).toContain(answer.body.requestId)
    expect(line).toContain('secret detail')
    expect(line).not.toContain('ab'.repeat(32))
  })

  it('allow named web origins', async () => {
    const open = await small.gateway({ settings: { corsOrigins: ['https://app.example'] } })
    const preflight = (origin: string) =>
      call(open.url, 'OPTIONS', '/v1/envelopes', undefined, {
        origin,
        'access-control-request-method': 'POST',
      })
    const allowed = await preflight('https://app.example')
    expect(allowed.status).toBe(204)
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example')
    expect(allowed.headers.get('access-control-allow-headers')).toContain('Authorization')
    expect(allowed.headers.get('access-control-allow-credentials')).toBeNull()
    expect((await preflight('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull()
  })
})
