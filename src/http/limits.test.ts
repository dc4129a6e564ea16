import { request as rawRequest } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { toBase64url } from '../envelope/index.ts'
import { call, createPerson, HttpBench } from './testing/bench.ts'

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
