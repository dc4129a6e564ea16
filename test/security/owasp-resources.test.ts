/** API4 and API8 of the OWASP API Security Top 10 (2023): what a caller may cost, and how the server is set. */
import { subscribe } from 'node:diagnostics_channel'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as people from '../../src/bench/people.ts'
import { SUITE, signerFromDeviceKey } from '../../src/envelope/index.ts'
import { call, createPerson, HttpBench, type SignedIn, seal, until } from '../../src/http/testing/bench.ts'
import { signPrekey } from '../../src/identity/index.ts'
import { PLENTY, startWholeGateway, steppedClock, type WholeGateway } from '../load/gateway.ts'
import { base64url, collect, connectSocket, encodePrekey, rawRequest, speakTcp } from './clients.ts'

const PAGE_BYTES = 1_048_576

let gateway: WholeGateway
let alice: SignedIn

beforeAll(async () => {
  gateway = await startWholeGateway({ limits: PLENTY })
  alice = await gateway.signIn()
})

afterAll(() => gateway?.stop())

describe('consumption', () => {
  it('API4: bodies over their limit are refused, declared or not', async () => {
    const cases: [route: string, type: string, bytes: number][] = [
      ['/v1/envelopes', 'application/cbor', 131_073],
      ['/v1/envelopes', 'application/json', 200_000],
      ['/v1/envelopes/batch', 'application/cbor', 1_048_577],
      ['/v1/prekeys', 'application/json', 65_537],
      ['/v1/receipts', 'application/json', 65_537],
      ['/v1/auth/challenge', 'application/json', 65_537],
    ]
    for (const [route, type, bytes] of cases) {
      const headers = { authorization: `Bearer ${alice.token}`, 'content-type': type }
      for (const declared of [true, false]) {
        const options = {
          method: 'POST',
          headers: declared ? { ...headers, 'content-length': bytes } : headers,
        }
        const answer = await rawRequest(gateway.url + route, options, (body) => {
          if (!declared) for (let sent = 0; sent < bytes; sent += 65_536) body.write(Buffer.alloc(65_536))
          body.end()
        })
        expect(answer.status, `${route} ${type} ${declared}`).toBe(413)
        expect(JSON.parse(answer.text).code).toBe('body-too-large')
      }
    }
  })

  it('API4: lists over their limit are refused', async () => {
    const { bytes } = await seal(alice.person, [alice.person])
    const sealed = Array.from({ length: 33 }, () => base64url(bytes))
    expect((await alice.call('POST', '/v1/envelopes/batch', { sealed })).status).toBe(400)
    const receipts = Array.from({ length: 257 }, () => {
      return { id: 'f'.repeat(64), network: 'http', kind: 'read', at: 1 }
    })
    expect((await alice.call('POST', '/v1/receipts', { receipts })).status).toBe(400)
    const prekeys = Array.from({ length: 65 }, () => ({
      bytes: 'AA',
      signature: base64url(new Uint8Array(64)),
    }))
    expect((await alice.call('POST', '/v1/prekeys', { prekeys })).status).toBe(400)
    for (const limit of ['201', '0', '-1', '1e9', 'x']) {
      expect((await alice.call('GET', `/v1/inbox?limit=${limit}`)).status, limit).toBe(400)
    }
    const many = Array.from({ length: 65 }, createPerson)
    const crowd = await seal(alice.person, many)
    expect((await alice.call('POST', '/v1/envelopes', crowd.bytes)).status).toBeGreaterThanOrEqual(400)
  })

  it('API4: a page of large envelopes ends by bytes, and the next ones have the rest', async () => {
    const sender = people.createPerson()
    await people.signIn(gateway.url, sender)
    const headers = { authorization: `Bearer ${sender.token}` }
    const get = (route: string) => call(gateway.url, 'GET', route, undefined, headers)
    for (let index = 0; index < 40; index++) {
      const bytes = people.makeEnvelope(sender, sender.wallet, 65_536)
      expect((await call(gateway.url, 'POST', '/v1/envelopes', bytes, headers)).status).toBe(202)
    }
    const seen = new Set<string>()
    let after = ''
    for (let page = 0; page < 20; page++) {
      const { body } = await get(`/v1/inbox?limit=200${after && `&after=${after}`}`)
      if (body.items.length === 0) break
      const size = body.items.reduce((sum: number, { sealed }: { sealed: string }) => sum + sealed.length, 0)
      expect(size).toBeLessThan(2 * PAGE_BYTES)
      for (const { id } of body.items) seen.add(id)
      after = body.next
    }
    expect(seen.size).toBe(40)
    const [first] = (await get('/v1/inbox?limit=1')).body.items
    const stream = await collect(`${gateway.url}/v1/stream?after=${first.cursor}`, sender.token)
    await until(() => stream.text().split('event: envelope').length === 40, 'the stream to catch up')
    await stream.close()
  })

  it('API4: who makes too many requests is told to wait, by wallet, device and address', async () => {
    const clock = steppedClock({ standing: true })
    const limits = { ...PLENTY, walletPerSecond: 10, walletBurst: 20 }
    const tight = await startWholeGateway({ clock, limits })
    try {
      const [one, two] = [await tight.signIn(), await tight.signIn()]
      const statuses = []
      for (let index = 0; index < 40; index++) statuses.push((await one.call('GET', '/v1/inbox')).status)
      expect(statuses.filter((status) => status === 200)).toHaveLength(20)
      const refused = await one.call('GET', '/v1/inbox')
      expect(refused).toMatchObject({ status: 429, body: { code: 'rate-limited' } })
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
      // Another session, a batch and a socket of the wallet share its budget.
      const again = await tight.signIn(one.person)
      expect((await again.call('GET', '/v1/inbox')).status).toBe(429)
      const socket = await connectSocket(tight.url, null)
      socket.send(1, 1, { token: one.token, after: null })
      await socket.answer(1)
      const { bytes } = await seal(one.person, [one.person])
      socket.send(3, 2, { wallet: one.wallet, sealed: bytes })
      expect((await socket.answer(2))[2]).toMatchObject({ status: 429 })
      socket.close()
      // One device that many wallets have certified has one budget.
      const twin = await tight.signIn({ ...createPerson(), device: one.person.device })
      const answer = await twin.call('GET', '/v1/inbox')
      expect(answer).toMatchObject({ status: 429, body: { detail: expect.stringContaining('device') } })
      expect((await two.call('GET', '/v1/inbox')).status).toBe(200)
      clock.step(1_000)
      expect((await one.call('GET', '/v1/inbox')).status).toBe(200)
    } finally {
      await tight.stop()
    }
  })

  it('API4: headers are bounded, and a request that trickles is ended', async () => {
    const long = { authorization: `Bearer ${'A'.repeat(20_000)}` }
    expect((await rawRequest(`${gateway.url}/v1/inbox`, { headers: long })).status).toBe(431)
    const target = await rawRequest(`${gateway.url}/v1/inbox?after=${'A'.repeat(17_000)}`, {})
    expect(target.status).toBe(431)
    const bench = new HttpBench()
    try {
      const tight = await bench.gateway({ limits: { bodyTimeoutMs: 100, stalledMs: 400 } })
      const one = await tight.signIn()
      const headers = { authorization: `Bearer ${one.token}`, 'content-type': 'application/cbor' }
      const options = { method: 'POST', headers: { ...headers, 'content-length': 1_000 } }
      const answer = await rawRequest(`${tight.url}/v1/envelopes`, options, (body) => body.write('x'))
      expect(answer.status).toBe(408)
      // A connection on which nothing more comes is closed, whatever it stands at.
      expect(await speakTcp(tight.url, 'GET /v1/inbox HTTP/1.1\r\nHost: x\r\nX-Slow: ')).not.toContain(
        '200 OK',
      )
    } finally {
      await bench.close()
    }
  })

  it('API4: a connection that does not read its answer is closed', async () => {
    const bench = new HttpBench()
    try {
      const tight = await bench.gateway({ limits: { stalledMs: 300 } })
      const accepted = new Promise<Socket>((resolve) => {
        subscribe('http.server.request.start', (message) => {
          const { socket } = message as { socket: Socket }
          if (socket.localPort === tight.server.port) resolve(socket)
        })
      })
      const reader = connect(tight.server.port, '127.0.0.1').pause()
      reader.on('error', () => reader.destroy())
      // Answers of 1.5 MB each: more than the buffers of the system take.
      reader.write('GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(20))
      const connection = await accepted
      await until(() => connection.destroyed, 'the gateway to let go')
      expect(connection.writableLength).toBeLessThan(64 * 1024 * 1024)
      reader.destroy()
    } finally {
      await bench.close()
    }
  })

  it('API4: prekeys of a device do not pile up', async () => {
    const one = await gateway.signIn()
    const { device, wallet } = one.person
    const now = Date.now()
    let published = 0
    for (let round = 0; round < 8; round++) {
      const prekeys = []
      for (let index = 0; index < 64; index++) {
        const prekey = {
          wallet,
          device: device.publicKey,
          suite: SUITE.x25519,
          publicKey: crypto.getRandomValues(new Uint8Array(32)),
          notBefore: now - 1_000_000 + published++,
          notAfter: now + 86_400_000,
        }
        prekeys.push(encodePrekey(await signPrekey(prekey, signerFromDeviceKey(device.privateKey))))
      }
      expect((await one.call('POST', '/v1/prekeys', { prekeys })).status).toBe(200)
    }
    const route = `/v1/wallets/${encodeURIComponent(wallet)}/keys`
    const { body } = await call(gateway.url, 'GET', route)
    // Senders are offered the newest, and the store keeps a bounded number.
    expect(body.prekeys.length).toBeLessThanOrEqual(4)
    expect(body.prekeys[0].notBefore).toBe(now - 1_000_000 + published - 1)
    const database = new DatabaseSync(join(gateway.dataDirectory, 'causeway.db'), { readOnly: true })
    const { kept } = database.prepare('SELECT count(*) AS kept FROM prekeys').get() as { kept: number }
    database.close()
    expect(kept).toBeLessThanOrEqual(256)
  })
})

describe('configuration', () => {
  it('API8: every answer has the security headers, errors too', async () => {
    const routes = ['/healthz', '/v1/gateway', '/v1/inbox', '/nowhere', '/openapi.json', '/docs', '/metrics']
    for (const route of routes) {
      const { headers } = await call(gateway.url, 'GET', route)
      expect(headers.get('content-security-policy'), route).toContain("default-src 'none'")
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('x-frame-options')).toBe('DENY')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
      expect(headers.get('cross-origin-opener-policy')).toBe('same-origin')
      expect(headers.get('cache-control')).toContain('no-store')
      for (const name of ['server', 'x-powered-by', 'set-cookie']) expect(headers.get(name)).toBeNull()
    }
    expect((await call(gateway.url, 'GET', '/docs')).body).not.toMatch(/https?:\/\//)
  })

  it('API8: no other origin may read answers unless it is configured', async () => {
    for (const origin of ['https://evil.example', 'null', gateway.url]) {
      const plain = await call(gateway.url, 'GET', '/v1/gateway', undefined, { origin })
      const preflight = await call(gateway.url, 'OPTIONS', '/v1/envelopes', undefined, {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      })
      for (const { headers } of [plain, preflight]) {
        expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
      }
    }
  })

  it('API8: methods that a route does not take are refused and never run it', async () => {
    const { token } = alice
    for (const method of ['PUT', 'PATCH', 'DELETE', 'POST', 'PROPFIND', 'QUERY']) {
      const answer = await rawRequest(`${gateway.url}/v1/inbox`, {
        method,
        headers: { authorization: `Bearer ${token}` },
      })
      expect(answer.status, method).toBe(405)
      expect(answer.headers.allow).toContain('GET')
    }
    for (const method of ['TRACE', 'TRACK', 'CONNECT']) {
      const text = await speakTcp(
        gateway.url,
        `${method} /v1/gateway HTTP/1.1\r\nHost: x\r\nX-Canary: canary-value\r\nConnection: close\r\n\r\n`,
      )
      expect(text).not.toContain('canary-value')
      expect(text).not.toMatch(/^HTTP\/1\.1 2/)
    }
    const head = await rawRequest(`${gateway.url}/v1/gateway`, { method: 'HEAD' })
    expect(head).toMatchObject({ status: 200, text: '' })
    // A HEAD of the stream must not open one.
    const stream = await rawRequest(`${gateway.url}/v1/stream`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${token}` },
    })
    expect(stream.status).toBe(405)
  })

  it('API8: bodies of other media types are refused', async () => {
    for (const type of ['', 'text/plain', 'application/xml', 'multipart/form-data', 'application/jsonp']) {
      for (const route of ['/v1/envelopes', '/v1/envelopes/batch', '/v1/receipts', '/v1/prekeys']) {
        const headers = { authorization: `Bearer ${alice.token}`, ...(type ? { 'content-type': type } : {}) }
        const answer = await rawRequest(gateway.url + route, { method: 'POST', headers }, (body) => {
          body.write('{"sealed":"AA"}')
          body.end()
        })
        expect(answer.status, `${route} ${type}`).toBe(415)
      }
    }
  })

  it('API8: errors are problems with a code, without stack, path or library text', async () => {
    const json = { 'content-type': 'application/json' }
    const bodies = ['{', '[]', 'null', '"x"', '{"sealed":1}', '\u0000', '{"a":'.repeat(5_000), '1e999']
    const routes = [
      '/v1/envelopes',
      '/v1/envelopes/batch',
      '/v1/auth/challenge',
      '/v1/receipts',
      '/v1/prekeys',
    ]
    for (const route of routes) {
      for (const body of bodies) {
        const headers = { ...json, authorization: `Bearer ${alice.token}` }
        const response = await fetch(gateway.url + route, { method: 'POST', headers, body })
        const text = await response.text()
        expect(response.status, `${route} ${body.slice(0, 20)}`).toBeGreaterThanOrEqual(400)
        expect(response.status).toBeLessThan(500)
        expect(response.headers.get('content-type')).toBe('application/problem+json')
        expect(JSON.parse(text)).toMatchObject({ code: expect.stringMatching(/^[a-z-]+$/) })
        expect(text).not.toMatch(/\bat .*:\d+:\d+|node_modules|node:internal|SyntaxError|\/src\//)
      }
    }
  })

  it('API8: paths do not lead out of the documentation, and hosts decide nothing', async () => {
    const paths = [
      '/docs/../package.json',
      '/docs/..%2fpackage.json',
      '/docs/%2e%2e%2fpackage.json',
      '/docs/..\\package.json',
      '/docs/package.json',
      '/docs/constructor',
      '/docs/__proto__',
      '/docs/swagger-ui-bundle.js%00.css',
    ]
    for (const path of paths) {
      const text = await speakTcp(gateway.url, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
      expect(text, path).toMatch(/^HTTP\/1\.1 4/)
      expect(text).not.toContain('swagger-ui-dist')
    }
    for (const host of ['evil.example', '169.254.169.254', 'x:99999', '']) {
      const text = await speakTcp(
        gateway.url,
        `GET /v1/gateway HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      )
      if (host) expect(text).not.toContain(host)
      expect(text).not.toMatch(/^HTTP\/1\.1 5/)
    }
  })

  it('API8: requests that two servers would read differently are refused', async () => {
    const head = `POST /v1/envelopes HTTP/1.1\r\nHost: x\r\n`
    const smuggled = 'GET /v1/gateway HTTP/1.1\r\nHost: x\r\n\r\n'
    for (const headers of [
      'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
      'Content-Length: 5\r\nContent-Length: 6\r\n',
      'Transfer-Encoding: xchunked\r\n',
      'Transfer-Encoding : chunked\r\n',
      'Content-Length: +5\r\n',
    ]) {
      const text = await speakTcp(gateway.url, `${head}${headers}\r\n0\r\n\r\n${smuggled}`)
      expect(text, headers).toMatch(/^HTTP\/1\.1 4/)
      expect(text).not.toContain('200 OK')
    }
  })
})
