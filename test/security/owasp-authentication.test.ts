/** API2 and API6 of the OWASP API Security Top 10 (2023): who is it, and flows that must not be driven by machines. */
import { Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { toHex } from '../../src/envelope/index.ts'
import { call, createPerson, type SignedIn, seal, signIn } from '../../src/http/testing/bench.ts'
import { PLENTY, startWholeGateway, steppedClock, type WholeGateway } from '../load/gateway.ts'
import { base64url, connectSocket } from './clients.ts'

const SESSION_MS = 3_600_000
const CHALLENGE_MS = 300_000

const clock = steppedClock()
let gateway: WholeGateway
let other: WholeGateway
let alice: SignedIn
let bob: SignedIn

beforeAll(async () => {
  gateway = await startWholeGateway({
    clock,
    limits: PLENTY,
    sessionTtlMs: SESSION_MS,
    challengeTtlMs: CHALLENGE_MS,
  })
  other = await startWholeGateway({ limits: PLENTY })
  alice = await gateway.signIn()
  bob = await gateway.signIn()
})

afterAll(async () => {
  await gateway?.stop()
  await other?.stop()
})

const withHeader = (authorization: string, route = '/v1/inbox') =>
  call(gateway.url, 'GET', route, undefined, { authorization })

function ask(person = createPerson(), label = 'phone') {
  const device = { publicKey: base64url(person.device.publicKey), label }
  return call(gateway.url, 'POST', '/v1/auth/challenge', { wallet: person.signer.address, device })
}

const verify = (challengeId: string, signature: string) =>
  call(gateway.url, 'POST', '/v1/auth/verify', { challengeId, signature })

it('API2: every route that needs a session refuses a request without one', async () => {
  const wallet = encodeURIComponent(alice.wallet)
  const id = 'f'.repeat(64)
  const routes: [string, string][] = [
    ['DELETE', '/v1/auth/session'],
    ['POST', '/v1/networks/waku/credentials'],
    ['PUT', `/v1/wallets/${wallet}/endpoints/waku`],
    ['PUT', `/v1/wallets/${wallet}/route`],
    ['POST', '/v1/prekeys'],
    ['POST', '/v1/envelopes'],
    ['POST', '/v1/envelopes/batch'],
    ['GET', `/v1/envelopes/${id}`],
    ['GET', `/v1/envelopes/${id}/journey`],
    ['GET', '/v1/routes/explain'],
    ['GET', '/v1/inbox'],
    ['GET', '/v1/inbox/settings'],
    ['PUT', '/v1/inbox/settings'],
    ['GET', '/v1/conversations'],
    ['GET', `/v1/conversations/${id}`],
    ['PUT', `/v1/conversations/${id}`],
    ['PUT', `/v1/conversations/${id}/read`],
    ['GET', '/v1/stream'],
    ['POST', '/v1/receipts'],
    ['GET', '/v1/enrolments'],
    ['POST', '/v1/enrolments/xmtp'],
    ['POST', `/v1/enrolments/xmtp/${id.slice(32)}/signature`],
    ['DELETE', `/v1/enrolments/xmtp/${id.slice(32)}`],
    ['GET', '/v1/mirrors'],
    ['PUT', '/v1/mirrors/xmtp'],
    ['DELETE', '/v1/mirrors/xmtp'],
  ]
  const document = await (await fetch(`${gateway.url}/openapi.json`)).json()
  const documented = Object.entries(document.paths as Record<string, Record<string, { security?: object[] }>>)
    .flatMap(([path, item]) => Object.entries(item).map(([method, route]) => ({ path, method, route })))
    .filter(({ route }) => route.security?.length === 1 && 'session' in route.security[0]!)
  expect(routes).toHaveLength(documented.length)
  for (const [method, route] of routes) {
    const answer = await call(gateway.url, method, route)
    expect(answer, `${method} ${route}`).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
  }
})

it('API2: tokens that are garbage, cut, lengthened, changed or of another gateway open nothing', async () => {
  const { token } = alice
  const foreign = await other.signIn(alice.person)
  const flipped = (token[0] === 'A' ? 'B' : 'A') + token.slice(1)
  const tokens = [
    flipped,
    token.slice(1),
    `${token}A`,
    `${token}=`,
    token.toUpperCase(),
    foreign.token,
    'A'.repeat(43),
    'null',
    "' OR '1'='1",
    'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.',
    '%00',
  ]
  for (const wrong of tokens) expect((await withHeader(`Bearer ${wrong}`)).status, wrong).toBe(401)
  for (const header of [token, `Basic ${token}`, `Bearer`, `Bearer ${token} ${token}`, `Bearer "${token}"`]) {
    expect((await withHeader(header)).status).toBe(401)
  }
  expect((await withHeader(`Bearer ${token}`)).status).toBe(200)
})

it('API2: a token counts in the Authorization header alone', async () => {
  const { token } = alice
  for (const query of [`token=${token}`, `access_token=${token}`, `authorization=Bearer%20${token}`]) {
    expect((await call(gateway.url, 'GET', `/v1/stream?${query}`)).status).toBe(401)
    expect((await call(gateway.url, 'GET', `/v1/conversations?${query}`)).status).toBe(401)
  }
  const elsewhere: Record<string, string>[] = [
    { cookie: `token=${token}; session=${token}` },
    { 'x-auth-token': token },
    { 'proxy-authorization': `Bearer ${token}` },
  ]
  for (const headers of elsewhere) {
    expect((await call(gateway.url, 'GET', '/v1/inbox', undefined, headers)).status).toBe(401)
  }
  const body = { token, receipts: [{ id: 'f'.repeat(64), network: 'http', kind: 'read', at: 1 }] }
  expect((await call(gateway.url, 'POST', '/v1/receipts', body)).status).toBe(401)
})

it('API2: a challenge is used once, even by many at the same moment', async () => {
  const person = createPerson()
  const { body } = await ask(person)
  const signature = await person.signer.signMessage(body.message)
  const answers = await Promise.all(Array.from({ length: 16 }, () => verify(body.challengeId, signature)))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  const refused = answers.filter(({ status }) => status !== 200).map(({ body: { code } }) => code)
  expect(new Set(refused)).toEqual(new Set(['challenge-unknown']))
  expect((await verify(body.challengeId, signature)).body.code).toBe('challenge-unknown')
})

it('API2: a signature of another wallet, text or challenge signs nobody in', async () => {
  const [victim, thief] = [createPerson(), createPerson()]
  const [one, two] = [(await ask(victim)).body, (await ask(victim)).body]
  const signatures = [
    await thief.signer.signMessage(one.message),
    await victim.signer.signMessage(`${one.message} `),
    await victim.signer.signMessage(two.message),
    await other
      .signIn(victim)
      .then(({ person }) =>
        person.signer.signMessage(one.message.replace('gateway.example', 'evil.example')),
      ),
    `0x${'00'.repeat(65)}`,
    `0x${'ff'.repeat(65)}`,
    '0x',
    'x'.repeat(8192),
  ]
  for (const [index, signature] of signatures.entries()) {
    // The fifth wrong signature ends a challenge.
    const answer = await verify((index < 4 ? one : two).challengeId, signature)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.body.token).toBeUndefined()
  }
  // What was refused did not use the challenge up for its owner.
  const answer = await verify(one.challengeId, await victim.signer.signMessage(one.message))
  expect(answer.status).toBe(200)
})

it('API2: sessions end by signing out, by revocation and by time, on streams and sockets too', async () => {
  const [out, revoked, late] = [await gateway.signIn(), await gateway.signIn(), await gateway.signIn()]
  expect((await out.call('DELETE', '/v1/auth/session')).status).toBe(204)
  expect((await out.call('GET', '/v1/inbox')).body.code).toBe('session-invalid')
  await signIn(gateway.url, revoked.person, 'revoke')
  expect((await revoked.call('GET', '/v1/inbox')).body.code).toBe('session-invalid')

  const pending = (await ask(createPerson())).body
  clock.step(SESSION_MS - 60_000)
  expect((await late.call('GET', '/v1/inbox')).status).toBe(200)
  clock.step(120_000)
  for (const route of ['/v1/inbox', '/v1/stream']) {
    expect((await late.call('GET', route)).body.code).toBe('session-invalid')
  }
  const socket = await connectSocket(gateway.url, null)
  socket.send(1, 1, { token: late.token, after: null })
  expect((await socket.answer(1))[2]).toMatchObject({ code: 'session-invalid' })
  socket.close()
  const signature = await Wallet.createRandom().signMessage(pending.message)
  expect((await verify(pending.challengeId, signature)).body.code).toBe('challenge-expired')
  alice = await gateway.signIn(alice.person)
  bob = await gateway.signIn(bob.person)
})

it('API6: challenges are rationed by address, whatever wallet they name, and others go on', async () => {
  const tight = await startWholeGateway({
    clock: steppedClock({ standing: true }),
    limits: { ...PLENTY, signInsPerMinute: 5 },
    settings: { trustProxy: true },
  })
  try {
    const from = (address: string) =>
      call(
        tight.url,
        'POST',
        '/v1/auth/challenge',
        {
          wallet: createPerson().signer.address,
          device: { publicKey: base64url(createPerson().device.publicKey), label: 'bot' },
        },
        { 'x-forwarded-for': address },
      )
    const statuses: number[] = []
    for (let index = 0; index < 20; index++) statuses.push((await from('203.0.113.9')).status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(5)
    expect(statuses.slice(5).every((status) => status === 429)).toBe(true)
    // What stands before the last entry is the caller's own invention.
    expect((await from('198.51.100.1, 203.0.113.9')).status).toBe(429)
    expect((await from('203.0.113.10')).status).toBe(200)
    // One host has a whole /64.
    for (let index = 0; index < 5; index++) await from(`2001:db8:1:2::${index}`)
    expect((await from('2001:db8:1:2:ffff::1')).status).toBe(429)
    expect((await from('2001:db8:1:3::1')).status).toBe(200)
  } finally {
    await tight.stop()
  }
})

it('API6: an envelope that is submitted again, by anyone, in any way, is one message', async () => {
  const sealed = await seal(alice.person, [bob.person])
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => alice.call('POST', '/v1/envelopes', sealed.bytes)),
  )
  expect(answers.every(({ status }) => status === 202)).toBe(true)
  expect(answers.filter(({ body }) => !body.duplicate)).toHaveLength(1)
  const batch = Array.from({ length: 10 }, () => base64url(sealed.bytes))
  expect((await alice.call('POST', '/v1/envelopes/batch', { sealed: batch })).status).toBe(200)
  expect((await bob.call('POST', '/v1/envelopes', sealed.bytes)).body.code).toBe('sender-mismatch')
  const { body } = await bob.call('GET', '/v1/inbox')
  expect(body.items.map(({ id }: { id: string }) => id)).toEqual([toHex(sealed.id)])
})

it('API6: strangers who ask for a wallet’s challenges do not keep it from signing in', async () => {
  const victim = createPerson()
  const { body } = await ask(victim)
  for (let index = 0; index < 10; index++) {
    const thief = createPerson()
    const device = { publicKey: base64url(thief.device.publicKey), label: 'thief' }
    const asked = await call(gateway.url, 'POST', '/v1/auth/challenge', {
      wallet: victim.signer.address,
      device,
    })
    await verify(asked.body.challengeId, await thief.signer.signMessage(asked.body.message))
  }
  const answer = await verify(body.challengeId, await victim.signer.signMessage(body.message))
  expect(answer.status).toBe(200)
})

it('API6: receipts cannot be multiplied to shape a journey or the ranking', async () => {
  const sealed = await seal(alice.person, [bob.person])
  await alice.call('POST', '/v1/envelopes', sealed.bytes)
  const receipt = { id: toHex(sealed.id), network: 'waku', kind: 'delivered', at: 1 }
  const receipts = Array.from({ length: 256 }, (_, at) => ({ ...receipt, at }))
  const noted = []
  for (let index = 0; index < 3; index++)
    noted.push((await bob.call('POST', '/v1/receipts', { receipts })).body.noted)
  expect(noted).toEqual([1, 0, 0])
  const { body } = await alice.call('GET', `/v1/envelopes/${toHex(sealed.id)}/journey`)
  const delivered = body.checkpoints.filter(({ name }: { name: string }) => name === 'delivered')
  expect(delivered).toHaveLength(1)
})
