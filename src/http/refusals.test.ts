import { request as rawRequest } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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

  it('streams by any other way than a plain GET', async () => {
    const head = await fetch(`${gateway.url}/v1/stream`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${alice.token}` },
    })
    expect([head.status, head.headers.get('allow')]).toEqual([405, 'GET'])
    expect(gateway.gateway.live.subscribers).toBe(0)
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
