/** API9 and API10 of the OWASP API Security Top 10 (2023): what is served, and what upstream networks answer. */

import { generateKeyPair } from '@libp2p/crypto/keys'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import trtc from '../../adapters/trtc/index.ts'
import { createHost } from '../../adapters/waku/embedded/libp2p.ts'
import waku from '../../adapters/waku/index.ts'
import { testIntent } from '../../adapters/waku/testing/adapter.ts'
import { PUBSUB_TOPIC, startTestNode, testMessage } from '../../adapters/waku/testing/node.ts'
import { connectRawPeer } from '../../adapters/waku/testing/raw-peer.ts'
import { codecs } from '../../adapters/waku/wire/codecs.ts'
import { AdapterError, type SendIntent } from '../../src/adapter/index.ts'
import { createRecordingContext } from '../../src/adapter/testing/context.ts'
import { HttpBench, type HttpGateway, type SignedIn, seal, until } from '../../src/http/testing/bench.ts'
import { rawRequest } from './clients.ts'
import { type HostileServer, hostileAnswers, startHostileServer } from './hostile-upstream.ts'

const never = new AbortController().signal

describe('inventory', () => {
  const bench = new HttpBench()
  let gateway: HttpGateway
  let alice: SignedIn

  beforeAll(async () => {
    gateway = await bench.gateway()
    alice = await gateway.signIn()
  })

  afterAll(() => bench.close())

  /** Served for people who read the documentation, and the document itself. */
  const PAGES = /^\/(docs(\/.*)?|openapi\.json)$/

  async function documented(): Promise<Set<string>> {
    const { paths } = await (await fetch(`${gateway.url}/openapi.json`)).json()
    return new Set(
      Object.entries(paths as Record<string, object>).flatMap(([path, item]) =>
        Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
      ),
    )
  }

  it('API9: what is served is documented, and what is documented is served', async () => {
    const served = gateway.api.app.routes
      .filter(({ method, path }) => method !== 'ALL' && !PAGES.test(path))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:([A-Za-z]+)/g, '{$1}')}`)
    expect(new Set(served)).toEqual(await documented())
    for (const route of await documented()) {
      const [method, path] = route.split(' ') as [string, string]
      const filled = path.replaceAll(/\{[^}]+\}/g, 'waku')
      const { status, text } = await rawRequest(gateway.url + filled, { method })
      if (status === 404) expect(JSON.parse(text).code, route).not.toBe('method-not-allowed')
      expect(status, route).not.toBe(405)
    }
  })

  it('API9: the API has one version, and nothing of another answers', async () => {
    for (const version of ['/v0', '/v2', '/api', '/api/v1', '/v1beta', '/V1', '/internal', '/beta/v1']) {
      for (const route of ['/inbox', '/gateway', '/admin/deliveries', '/auth/challenge']) {
        const answer = await alice.call('GET', version + route)
        expect(answer.status, version + route).toBe(404)
      }
    }
  })

  it('API9: there are no debug, backup or configuration routes', async () => {
    const paths = [
      '/debug',
      '/debug/pprof',
      '/.env',
      '/.git/config',
      '/config',
      '/causeway.yaml',
      '/causeway.db',
    ]
    paths.push(
      '/gateway.key',
      '/data/gateway.key',
      '/server-status',
      '/actuator',
      '/graphql',
      '/console',
      '/',
    )
    paths.push(
      '/swagger.json',
      '/v1',
      '/v1/',
      '/v1/admin',
      '/v1/wallets',
      '/v1/users',
      '/status',
      '/package.json',
    )
    for (const path of paths) {
      const answer = await alice.call('GET', path)
      expect(answer.status, path).toBe(404)
    }
  })

  it('API9: documented securities are those that routes ask for', async () => {
    const { paths } = await (await fetch(`${gateway.url}/openapi.json`)).json()
    for (const [path, item] of Object.entries(
      paths as Record<string, Record<string, { security?: object[] }>>,
    )) {
      for (const [method, { security }] of Object.entries(item)) {
        const needsToken = security?.length === 1
        const { status } = await rawRequest(gateway.url + path.replaceAll(/\{[^}]+\}/g, 'waku'), {
          method: method.toUpperCase(),
        })
        if (needsToken && !path.includes('/admin/')) expect(status, `${method} ${path}`).toBe(401)
        else if (!needsToken) expect(status, `${method} ${path}`).not.toBe(401)
      }
    }
  })
})

describe('upstream answers', () => {
  let elsewhere: HostileServer

  beforeAll(async () => {
    elsewhere = await startHostileServer((_request, response) => response.end('{"ErrorCode":0}'))
  })

  afterAll(() => elsewhere?.stop())

  /** Runs `use` against a server for each hostile answer. Memory is looked at over all of them. */
  async function againstEach(use: (url: string, name: string) => Promise<void>): Promise<void> {
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    for (const [name, listener] of Object.entries(hostileAnswers(elsewhere.url))) {
      const server = await startHostileServer(listener)
      try {
        await use(server.url, name)
        expect(server.requests.length, name).toBeGreaterThan(0)
      } finally {
        await server.stop()
      }
    }
    expect(elsewhere.requests).toEqual([])
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(150 * 1024 * 1024)
  }

  async function failureOf(call: Promise<unknown>, name: string): Promise<AdapterError> {
    const error: unknown = await call.then(
      () => expect.unreachable(`${name}: the answer must not count as one`),
      (caught: unknown) => caught,
    )
    if (!AdapterError.is(error)) throw error
    return error
  }

  it('API10: hostile answers of the TRTC REST API are typed failures, and redirects lead nowhere', async () => {
    const secretKey = 'canary-secret-key-of-the-application'
    await againstEach(async (url, name) => {
      const context = createRecordingContext()
      const config = {
        sdkAppId: 1_400_000_000,
        secretKey,
        webhookToken: 'token-of-it',
        webhookSecret: 's'.repeat(16),
      }
      const adapter = trtc.create(
        trtc.config.parse({ ...config, restUrl: url, requestTimeoutMs: 5_000 }),
        context,
      )
      const to = { wallet: `eip155:*:0x${'c'.repeat(40)}`, address: 'c'.repeat(32) }
      const from = { wallet: `eip155:*:0x${'d'.repeat(40)}`, address: 'd'.repeat(32) }
      const intent: SendIntent = testIntent({ to, from })
      await adapter.start(never)
      const failure = await failureOf(adapter.send(intent, never), name)
      await adapter.stop(never)
      expect(failure.message, name).not.toMatch(/canary|usersig|x{20}/)
      const states = context.states.map((state) => JSON.stringify(state)).join()
      expect(states).not.toMatch(/canary|usersig|x{20}/)
      await context.dispose()
    })
  })

  it('API10: hostile answers of an nwaku are typed failures, and redirects lead nowhere', async () => {
    await againstEach(async (url, name) => {
      const context = createRecordingContext()
      const adapter = waku.create(
        waku.config.parse({ driver: 'nwaku-rest', url, pollIntervalMs: 60_000, requestTimeoutMs: 5_000 }),
        context,
      )
      await adapter.start(never)
      // A publish needs no body in its answer, so status 200 is one; a Store query does.
      await adapter.send(testIntent(), AbortSignal.timeout(1_500)).catch((error: unknown) => {
        if (!AdapterError.is(error)) throw error
      })
      const walk = async () => {
        for await (const inbound of adapter.history!.walk({ since: Date.now() - 1_000, pairs: [] }, never)) {
          expect.unreachable(`${name}: ${inbound.remoteId}`)
        }
      }
      const error: unknown = await walk().then(
        () => expect.unreachable(`${name}: the answer must not count as one`),
        (caught: unknown) => caught,
      )
      expect(error, name).toMatchObject({ name: expect.stringMatching(/^(WakuError|AdapterError)$/) })
      await adapter.stop(never)
      expect(context.deliveries).toEqual([])
      await context.dispose()
    })
  })

  it('API10: a peer that answers Store queries with garbage is not believed and stops nothing', async () => {
    const liar = await connectLiar()
    const node = await startTestNode({ peers: [liar.address], redial: { minMs: 20, maxMs: 50 } })
    try {
      await until(() => liar.asked() > 0, 'the node to ask for what it missed', 20_000)
      const peer = await connectRawPeer(node.tcp)
      const message = testMessage()
      peer.gossip.subscribe(message.pubsubTopic)
      await until(() => peer.gossip.getSubscribers(message.pubsubTopic).length > 0, 'a subscriber', 20_000)
      await peer.gossip.publish(message.pubsubTopic, message.wire)
      await until(() => node.heard.some((heard) => heard.message.id === message.id), 'the message', 20_000)
      expect(node.heard.filter(({ origin }) => origin === 'sync')).toEqual([])
      await peer.stop()
    } finally {
      await node.stop()
      await liar.stop()
    }
  })

  it('API10: what comes from a network counts only with the sender’s own signature', async () => {
    const bench = new HttpBench()
    try {
      const gateway = await bench.gateway()
      const [alice, bob] = [await gateway.signIn(), await gateway.signIn()]
      const { bytes } = await seal(alice.person, [bob.person])
      for (const at of [0, 10, bytes.length >> 1, bytes.length - 1]) {
        const forged = bytes.slice()
        forged[at]! ^= 1
        const frame = forged
        const heard = await gateway.gateway.relay.hear('waku', {
          frame,
          remoteId: `${at}`.padStart(64, '0'),
          to: null,
          from: null,
          via: 'stream',
          remoteTime: null,
          transactionId: null,
        })
        expect(heard.outcome).not.toBe('accepted')
      }
      expect((await bob.call('GET', '/v1/inbox')).body.items).toEqual([])
    } finally {
      await bench.close()
    }
  })
})

/** A peer that serves Relay and Store, and answers every query with bytes that are none of its answers. */
async function connectLiar(): Promise<{ address: string; asked(): number; stop(): Promise<void> }> {
  const { libp2p } = await createHost({
    privateKey: await generateKeyPair('Ed25519'),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    announce: [],
    peers: [],
    pubsubTopic: PUBSUB_TOPIC,
    maxConnections: 10,
  })
  let asked = 0
  await libp2p.handle(codecs.store, ({ stream }) => {
    asked += 1
    const garbage = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3])
    stream.sink([garbage]).catch((error: unknown) => stream.abort(error as Error))
  })
  await libp2p.start()
  const address = String(libp2p.getMultiaddrs()[0])
  return { address, asked: () => asked, stop: async () => libp2p.stop() }
}
