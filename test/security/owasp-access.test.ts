/** API1, API3 and API5 of the OWASP API Security Top 10 (2023): whose objects, which of their properties, whose functions. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import WebSocket from 'ws'
import { SUITE, signerFromDeviceKey, toHex } from '../../src/envelope/index.ts'
import { call, type SignedIn, seal, until } from '../../src/http/testing/bench.ts'
import { signPrekey } from '../../src/identity/index.ts'
import { PLENTY, startWholeGateway, type WholeGateway } from '../load/gateway.ts'
import { base64url, collect, connectSocket, encodePrekey } from './clients.ts'

const ADMIN_TOKEN = 'an-admin-token-of-this-test'

let gateway: WholeGateway
let alice: SignedIn
let bob: SignedIn
let carol: SignedIn
let mallory: SignedIn
/** From Alice to Bob and Carol. */
let id: string

beforeAll(async () => {
  gateway = await startWholeGateway({ limits: PLENTY, settings: { adminToken: ADMIN_TOKEN } })
  alice = await gateway.signIn()
  bob = await gateway.signIn()
  carol = await gateway.signIn()
  mallory = await gateway.signIn()
  const sealed = await seal(alice.person, [bob.person, carol.person])
  id = toHex(sealed.id)
  expect((await alice.call('POST', '/v1/envelopes', sealed.bytes)).status).toBe(202)
})

afterAll(() => gateway?.stop())

const path = (wallet: string) => `/v1/wallets/${encodeURIComponent(wallet)}`

it('API1: an envelope and its journey do not exist for a stranger', async () => {
  for (const route of [`/v1/envelopes/${id}`, `/v1/envelopes/${id}/journey`]) {
    expect((await bob.call('GET', route)).status).toBe(200)
    const refused = await mallory.call('GET', route)
    const unknown = await mallory.call('GET', route.replace(id, 'f'.repeat(64)))
    expect(refused).toMatchObject({ status: 404, body: { code: 'envelope-not-found' } })
    expect({ ...refused.body, requestId: '', instance: '' }).toEqual({
      ...unknown.body,
      requestId: '',
      instance: '',
    })
    expect((await call(gateway.url, 'GET', route)).status).toBe(401)
  }
})

it('API1: inbox and conversations are those of the token, whatever the query names', async () => {
  const { body } = await bob.call('GET', '/v1/inbox')
  expect(body.items).toHaveLength(1)
  const [{ conversation, cursor }] = body.items
  for (const query of ['', `?conversation=${conversation}`, `?after=${cursor}`]) {
    expect((await mallory.call('GET', `/v1/inbox${query}`)).body.items).toEqual([])
  }
  for (const query of [`wallet=${bob.wallet}`, `to=${bob.wallet}`]) {
    expect((await mallory.call('GET', `/v1/inbox?${query}`)).status).toBe(400)
  }
  expect((await mallory.call('GET', '/v1/conversations')).body.conversations).toEqual([])
})

it('API1: a receipt for another wallet’s envelope notes nothing', async () => {
  const before = await alice.call('GET', `/v1/envelopes/${id}/journey`)
  const receipts = [{ id, network: 'http', kind: 'read', at: Date.now() }]
  expect(await mallory.call('POST', '/v1/receipts', { receipts })).toMatchObject({
    status: 200,
    body: { noted: 0 },
  })
  const names = (answer: typeof before) => answer.body.checkpoints.map(({ name }: { name: string }) => name)
  const after = await alice.call('GET', `/v1/envelopes/${id}/journey`)
  expect(names(after).filter((name: string) => name === 'read')).toEqual([])
})

it('API1: endpoints and routes of another wallet cannot be set', async () => {
  const route = { policy: 'fallback', order: ['waku'], fallbackAfterMs: 1 }
  for (const wallet of [
    alice.wallet,
    `eip155:1:${alice.person.signer.address}`,
    alice.person.signer.address,
  ]) {
    for (const [target, body] of [
      [`${path(wallet)}/endpoints/waku`, { enabled: false }],
      [`${path(wallet)}/route`, route],
    ] as const) {
      const answer = await mallory.call('PUT', target, body)
      expect(answer, target).toMatchObject({ status: 403, body: { code: 'wallet-mismatch' } })
    }
  }
  const { body } = await call(gateway.url, 'GET', path(alice.wallet))
  expect(body.endpoints).toMatchObject([{ network: 'waku', enabled: true }])
})

it('API1: prekeys of another device or wallet are refused', async () => {
  const { person } = alice
  const forAlice = { wallet: alice.wallet, device: person.device.publicKey }
  const by = (who: SignedIn) => signerFromDeviceKey(who.person.device.privateKey)
  const notBefore = Date.now() - 1_000
  const key = {
    suite: SUITE.x25519,
    publicKey: new Uint8Array(32).fill(9),
    notBefore,
    notAfter: notBefore + 1e7,
  }
  const copied = await signPrekey({ ...forAlice, ...key }, by(alice))
  const forged = await signPrekey({ ...forAlice, ...key }, by(mallory))
  const renamed = await signPrekey(
    { wallet: alice.wallet, device: mallory.person.device.publicKey, ...key },
    by(mallory),
  )
  for (const prekey of [copied, forged, renamed]) {
    const answer = await mallory.call('POST', '/v1/prekeys', { prekeys: [encodePrekey(prekey)] })
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.body.code).toMatch(/^prekey-(foreign|signature-invalid)/)
  }
  expect((await call(gateway.url, 'GET', `${path(alice.wallet)}/keys`)).body.prekeys).toEqual([])
})

it('API1: a socket and a stream hear and send for the attached wallet alone', async () => {
  const socket = await connectSocket(gateway.url, mallory.token)
  const sealed = await seal(alice.person, [bob.person])
  await socket.answer(0)
  socket.send(3, 1, { wallet: alice.wallet, sealed: sealed.bytes })
  expect((await socket.answer(1))[2]).toMatchObject({ status: 403, code: 'wallet-mismatch' })
  socket.send(3, 2, { wallet: mallory.wallet, sealed: sealed.bytes })
  expect((await socket.answer(2))[2]).toMatchObject({ status: 403, code: 'sender-mismatch' })
  const stream = await collect(`${gateway.url}/v1/stream`, mallory.token)
  await alice.call('POST', '/v1/envelopes', sealed.bytes)
  const own = await seal(mallory.person, [mallory.person])
  expect((await mallory.call('POST', '/v1/envelopes', own.bytes)).status).toBe(202)
  await until(() => stream.text().includes(toHex(own.id)), 'the own item on the stream')
  expect(stream.text()).not.toContain(toHex(sealed.id))
  expect(socket.frames.filter(([kind]) => kind === 32)).toHaveLength(1)
  await stream.close()
  socket.close()
})

it('API3: members that a request does not have are refused, not passed over', async () => {
  const device = { publicKey: base64url(mallory.person.device.publicKey), label: 'x' }
  const wallet = mallory.person.signer.address
  const receipt = { id, network: 'http', kind: 'read', at: 1 }
  const route = { policy: 'mirror', order: ['waku'], fallbackAfterMs: 0 }
  const own = path(mallory.wallet)
  const sealed = base64url((await seal(mallory.person, [bob.person])).bytes)
  const cases: [method: string, path: string, body: object][] = [
    ['POST', '/v1/auth/challenge', { wallet, device, isAdmin: true }],
    ['POST', '/v1/auth/challenge', { wallet, device: { ...device, capabilities: ['admin'] } }],
    ['POST', '/v1/auth/verify', { challengeId: 'x', signature: '0x', wallet: alice.wallet }],
    ['PUT', `${own}/endpoints/waku`, { enabled: true, wallet: alice.wallet }],
    ['PUT', `${own}/endpoints/waku`, { enabled: true, exclusive: false, source: 'derived' }],
    ['PUT', `${own}/route`, { ...route, wallet: alice.wallet }],
    ['POST', '/v1/receipts', { receipts: [{ ...receipt, wallet: bob.wallet }] }],
    ['POST', '/v1/receipts', { receipts: [receipt], as: bob.wallet }],
    ['POST', '/v1/prekeys', { prekeys: [{ bytes: 'AA', signature: 'AA', wallet }] }],
    ['POST', '/v1/envelopes', { sealed, submitter: alice.wallet }],
    ['POST', '/v1/envelopes/batch', { sealed: [sealed], via: 'waku' }],
  ]
  for (const [method, target, body] of cases) {
    const answer = await mallory.call(method, target, body)
    expect(answer, `${target} ${JSON.stringify(body)}`).toMatchObject({
      status: 400,
      body: { code: 'request-invalid' },
    })
  }
})

it('API3: prototype members change nothing', async () => {
  const headers = { authorization: `Bearer ${mallory.token}`, 'content-type': 'application/json' }
  const bodies = ['{"__proto__":{"enabled":false},"enabled":true}', '{"constructor":{"x":1},"enabled":true}']
  for (const body of bodies) {
    const answer = await fetch(`${gateway.url}${path(mallory.wallet)}/endpoints/waku`, {
      method: 'PUT',
      headers,
      body,
    })
    expect([200, 400]).toContain(answer.status)
    if (answer.status === 200) expect(await answer.json()).toMatchObject({ enabled: true })
  }
  expect(({} as { enabled?: boolean }).enabled).toBeUndefined()
})

it('API3: a recipient sees its own deliveries, the sender all', async () => {
  const walletsOf = async (who: SignedIn) => {
    const { body } = await who.call('GET', `/v1/envelopes/${id}/journey`)
    const parts = [...body.deliveries, ...body.checkpoints] as { wallet: string | null }[]
    return new Set(parts.map(({ wallet }) => wallet).filter((wallet) => wallet !== null))
  }
  expect(await walletsOf(alice)).toEqual(new Set([bob.wallet, carol.wallet]))
  expect(await walletsOf(bob)).toEqual(new Set([bob.wallet]))
  expect(await walletsOf(carol)).toEqual(new Set([carol.wallet]))
})

it('API3: what is public of a wallet and a gateway is what is documented, no member more', async () => {
  const names = async (route: string) => Object.keys((await call(gateway.url, 'GET', route)).body).sort()
  expect(await names(path(alice.wallet))).toEqual(['account', 'devices', 'endpoints', 'served', 'wallet'])
  expect(await names(`${path(alice.wallet)}/keys`)).toEqual(['log', 'prekeys', 'wallet'])
  expect(await names('/v1/gateway')).toEqual([
    'domain',
    'encryptionKey',
    'endpoints',
    'id',
    'publicKey',
    'sandbox',
    'startedAt',
    'version',
  ])
})

it('API5: admin routes refuse everyone without the admin token', async () => {
  const routes: [string, string][] = [
    ['GET', '/v1/admin/deliveries'],
    ['POST', '/v1/admin/deliveries/1/replay'],
    ['POST', '/v1/admin/networks/waku/restart'],
  ]
  const wrong = [
    {},
    { authorization: `Bearer ${mallory.token}` },
    { authorization: `Bearer ${ADMIN_TOKEN}x` },
    { authorization: `Bearer ${ADMIN_TOKEN.slice(0, -1)}` },
    { authorization: `Basic ${Buffer.from(`admin:${ADMIN_TOKEN}`).toString('base64')}` },
    { 'x-admin-token': ADMIN_TOKEN },
    { cookie: `token=${ADMIN_TOKEN}` },
  ]
  for (const [method, route] of routes) {
    for (const headers of wrong) {
      const answer = await call(gateway.url, method, route, undefined, headers as Record<string, string>)
      expect(answer.status, `${route} ${JSON.stringify(headers)}`).toBe(401)
    }
  }
  const answer = await call(gateway.url, 'GET', '/v1/admin/deliveries', undefined, {
    authorization: `Bearer ${ADMIN_TOKEN}`,
  })
  expect(answer.status).toBe(200)
})

it('API5: the admin token is no session, and opens nothing else', async () => {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
  for (const route of ['/v1/inbox', `/v1/envelopes/${id}`, '/v1/stream', '/v1/socket']) {
    expect((await call(gateway.url, 'GET', route, undefined, headers)).status, route).toBe(401)
  }
})

it('API5: without a configured token there are no admin routes', async () => {
  const plain = await startWholeGateway()
  try {
    for (const token of ['', 'null', 'undefined', ADMIN_TOKEN]) {
      const headers = { authorization: `Bearer ${token}` }
      const answer = await call(plain.url, 'GET', '/v1/admin/deliveries', undefined, headers)
      expect([401, 404]).toContain(answer.status)
      expect(answer.body.deliveries).toBeUndefined()
    }
    expect((await call(plain.url, 'POST', '/v1/admin/networks/waku/restart')).status).toBe(404)
  } finally {
    await plain.stop()
  }
})

it('API5: another method, a header or a spelling does not reach an admin function', async () => {
  const restarts = () =>
    gateway.lines.filter((line) => line.includes('an operator restarts a network')).length
  const authorization = `Bearer ${mallory.token}`
  const tries: [string, string, Record<string, string>][] = [
    ['GET', '/v1/admin/networks/waku/restart', {}],
    ['PUT', '/v1/admin/networks/waku/restart', {}],
    ['POST', '/v1/inbox', { 'x-original-url': '/v1/admin/networks/waku/restart' }],
    ['POST', '/v1/inbox', { 'x-rewrite-url': '/v1/admin/networks/waku/restart' }],
    ['GET', '/v1/admin/networks/waku/restart', { 'x-http-method-override': 'POST' }],
    ['POST', '/v1/ADMIN/networks/waku/restart', {}],
    ['POST', '//v1/admin/networks/waku/restart', {}],
    ['POST', '/v1/inbox/../admin/networks/waku/restart', {}],
    ['POST', '/v1/%61dmin/networks/waku/restart', {}],
  ]
  for (const [method, route, headers] of tries) {
    const answer = await call(gateway.url, method, route, undefined, { authorization, ...headers })
    expect([401, 404, 405], `${method} ${route}`).toContain(answer.status)
  }
  expect(restarts()).toBe(0)
})

it('API5: a socket takes no admin token and knows no admin message', async () => {
  const refused = new WebSocket(`${gateway.url.replace('http', 'ws')}/v1/socket`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  })
  const status = await new Promise<number>((resolve) => {
    refused.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0))
    refused.on('open', () => resolve(101))
    refused.on('error', () => resolve(-1))
  })
  refused.terminate()
  expect(status).toBe(401)
  const socket = await connectSocket(gateway.url, null)
  socket.send(1, 1, { token: ADMIN_TOKEN, after: null })
  expect((await socket.answer(1))[2]).toMatchObject({ status: 401 })
  socket.send(99, 2, { network: 'waku' })
  expect((await socket.answer(2))[2]).toMatchObject({ code: 'socket-frame-invalid' })
  socket.close()
})
