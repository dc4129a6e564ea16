/** What must be refused is refused, each with its own code, by a whole gateway over real HTTP. */
import { createHash } from 'node:crypto'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, createApi, createClient, memoryStorage } from '../../src/client/index.ts'
import { decodeSealed, encodeCanonical, fromBase64url, toBase64url } from '../../src/envelope/index.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

let gateway: TestGateway
let alice: Client
let bob: Client
let aliceToken: string
let bobToken: string

beforeAll(async () => {
  gateway = await startTestGateway({ networks: { waku: 'sandbox', trtc: 'sandbox' } })
  ;[alice, aliceToken] = await signIn()
  ;[bob, bobToken] = await signIn()
}, 120_000)

afterAll(() => gateway?.stop(), 60_000)

async function signIn(): Promise<[Client, string]> {
  const storage = memoryStorage()
  const client = await createClient({ gateway: gateway.url, signer: Wallet.createRandom(), storage })
  await client.signIn()
  const session = JSON.parse((await storage.get('session')) ?? '{}') as { token: string }
  return [client, session.token]
}

async function call(
  method: string,
  path: string,
  options: { token?: string; body?: BodyInit; type?: string } = {},
): Promise<{ status: number; code: string | undefined; type: string | null }> {
  const headers: Record<string, string> = {}
  if (options.token) headers.authorization = `Bearer ${options.token}`
  if (options.type) headers['content-type'] = options.type
  const response = await fetch(gateway.url + path, { method, headers, body: options.body ?? null })
  const text = await response.text()
  const { code } = JSON.parse(text || '{}') as { code?: string }
  return { status: response.status, code, type: response.headers.get('content-type') }
}

const submit = (token: string, bytes: Uint8Array) =>
  call('POST', '/v1/envelopes', { token, body: bytes as BodyInit, type: 'application/cbor' })

describe('envelopes', () => {
  it('with a signature that is not the device’s', async () => {
    const { sealed } = await alice.seal({ to: bob.account, text: 'hello' })
    const { headerBytes, body, wraps, wrapDigests, signature } = decodeSealed(sealed)
    const forged = signature.slice()
    forged[0]! ^= 1
    const bytes = encodeCanonical([
      headerBytes,
      body,
      wraps.map((wrap) => [wrap.keyId, wrap.encapsulation, wrap.wrappedKey]),
      wrapDigests,
      forged,
    ])
    expect(await submit(aliceToken, bytes)).toMatchObject({ status: 422, code: 'envelope-signature-invalid' })
  })

  it('of a revoked device', async () => {
    const [carol, token] = await signIn()
    const sealed = await carol.seal({ to: bob.account, text: 'too late' })
    await carol.revokeDevice()
    // The session ended with the device.
    expect(await submit(token, sealed.sealed)).toMatchObject({ status: 401, code: 'session-invalid' })
    // And what it signed is refused when it comes over a network, where nobody signs in.
    const heard = await gateway.gateway.relay.hear('waku', {
      frame: sealed.frame,
      remoteId: 'f'.repeat(64),
      to: null,
      from: null,
      via: 'stream',
      remoteTime: null,
      transactionId: null,
    })
    expect(heard).toEqual({ outcome: 'refused', code: 'device-revoked' })
  })

  it('over the size limit', async () => {
    expect(await submit(aliceToken, new Uint8Array(200_000))).toMatchObject({ status: 413 })
  })

  it('that are no CBOR, or not canonical', async () => {
    expect(await submit(aliceToken, new Uint8Array([0xff, 0x00, 0x01]))).toMatchObject({
      status: 400,
      code: 'envelope-malformed',
    })
    const { sealed } = await alice.seal({ to: bob.account, text: 'hello' })
    const indefinite = new Uint8Array(sealed.length + 1)
    indefinite.set(sealed)
    indefinite[0] = 0x9f
    indefinite[sealed.length] = 0xff
    expect(await submit(aliceToken, indefinite)).toMatchObject({ status: 400 })
  })

  it('submitted with the token of another wallet', async () => {
    const { sealed } = await alice.seal({ to: bob.account, text: 'hello' })
    expect(await submit(bobToken, sealed)).toMatchObject({ status: 403, code: 'sender-mismatch' })
  })
})

describe('objects of another wallet', () => {
  it('do not exist for a stranger', async () => {
    const sent = await alice.send({ to: bob.account, text: 'between us' })
    const [, stranger] = await signIn()
    for (const path of [`/v1/envelopes/${sent.id}`, `/v1/envelopes/${sent.id}/journey`]) {
      expect(await call('GET', path, { token: stranger })).toMatchObject({ status: 404 })
    }
  })

  it('cannot be changed', async () => {
    const path = `/v1/wallets/${encodeURIComponent(alice.wallet)}/route`
    const body = JSON.stringify({ policy: 'mirror', order: ['waku'], fallbackAfterMs: 0 })
    expect(await call('PUT', path, { token: bobToken, body, type: 'application/json' })).toMatchObject({
      status: 403,
      code: 'wallet-mismatch',
    })
  })

  it('need a token at all', async () => {
    expect(await call('GET', '/v1/inbox')).toMatchObject({ status: 401, type: 'application/problem+json' })
  })
})

describe('webhooks', () => {
  const app = () => {
    const config = gateway.sandboxes.get('trtc')!.gatewayConfig as {
      sdkAppId: number
      webhookToken: string
      webhookSecret: string
    }
    return config
  }
  const event = () =>
    JSON.stringify({
      CallbackCommand: 'State.StateChange',
      Info: { Action: 'Login', To_Account: 'someone' },
      EventTime: Date.now(),
    })

  function path(options: { secret?: string; token?: string; at?: number } = {}): string {
    const { sdkAppId, webhookToken, webhookSecret } = app()
    const time = String(Math.floor((options.at ?? Date.now()) / 1000))
    const sign = createHash('sha256')
      .update((options.token ?? webhookToken) + time)
      .digest('hex')
    const query = new URLSearchParams({
      SdkAppid: String(sdkAppId),
      CallbackCommand: 'State.StateChange',
      contenttype: 'json',
      OptPlatform: 'Web',
      Sign: sign,
      RequestTime: time,
    })
    return `/hooks/trtc/${options.secret ?? webhookSecret}?${query}`
  }
  const post = (url: string, body: string) => call('POST', url, { body, type: 'application/json' })

  it('are taken when they are signed, and refused when they come again', async () => {
    const [url, body] = [path(), event()]
    expect(await post(url, body)).toMatchObject({ status: 200 })
    expect(await post(url, body)).toMatchObject({ status: 409, code: 'webhook-replayed' })
  })

  it('are refused when they are forged', async () => {
    expect(await post(path({ token: 'guessed' }), event())).toMatchObject({
      status: 401,
      code: 'webhook-signature-invalid',
    })
    expect(await post(path({ secret: 'x'.repeat(32) }), event())).toMatchObject({
      status: 404,
      code: 'webhook-secret-invalid',
    })
    expect(await post(path({ at: Date.now() - 180_000 }), event())).toMatchObject({
      status: 401,
      code: 'webhook-stale',
    })
    expect(await post(path(), 'no JSON')).toMatchObject({ status: 400, code: 'webhook-malformed' })
  })
})

it('a challenge is used once', async () => {
  const wallet = Wallet.createRandom()
  const api = createApi(gateway.url)
  const device = {
    publicKey: toBase64url(
      decodeSealed((await alice.seal({ to: bob.account, text: '' })).sealed).header.device,
    ),
    label: 'copy',
  }
  const challenge = await api.post<{ challengeId: string; message: string; entry: string }>(
    '/v1/auth/challenge',
    {
      wallet: `eip155:1:${wallet.address}`,
      device,
    },
  )
  expect(fromBase64url(challenge.entry).length).toBeGreaterThan(0)
  const signature = await wallet.signMessage(challenge.message)
  await api.post('/v1/auth/verify', { challengeId: challenge.challengeId, signature })
  await expect(
    api.post('/v1/auth/verify', { challengeId: challenge.challengeId, signature }),
  ).rejects.toMatchObject({ problem: 'challenge-unknown' })
})
