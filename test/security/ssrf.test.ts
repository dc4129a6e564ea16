/**
 * API7 of the OWASP API Security Top 10 (2023). The gateway dials what its configuration names: the REST API of TRTC, the REST
 * interface of an nwaku, the Waku peers. Everything else is text to it, whoever sends it.
 */
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSandbox as startTrtc, type TrtcSandbox } from '../../adapters/trtc/sandbox/index.ts'
import { createHost } from '../../adapters/waku/embedded/libp2p.ts'
import { startSandbox as startWaku } from '../../adapters/waku/sandbox/index.ts'
import { createMessage, pubsubTopicOf, toNanoseconds } from '../../adapters/waku/wire/message.ts'
import type { Sandbox } from '../../src/adapter/index.ts'
import { encodeCanonical, toHex } from '../../src/envelope/index.ts'
import {
  call,
  createPerson,
  nativeFrame,
  type SignedIn,
  signIn,
  until,
} from '../../src/http/testing/bench.ts'
import { createGatewayProcess, freePort, type GatewayProcess } from '../chaos/gateway-process.ts'
import { base64url, connectSocket, speakTcp } from './clients.ts'
import type { Attempt } from './egress-watch.ts'
import { sealWith } from './sealing.ts'
import { multiaddrs, urls } from './ssrf-corpus.ts'

const PRELOAD = fileURLToPath(new URL('./egress-preload.ts', import.meta.url))
const PUBSUB_TOPIC = pubsubTopicOf(42, 8)

let directory: string
let file: string
let trtc: TrtcSandbox
let waku: Sandbox
let gateway: GatewayProcess
let alice: SignedIn
let bob: SignedIn
let allowed: Set<string>

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-egress-'))
  file = join(directory, 'egress.jsonl')
  trtc = await startTrtc()
  waku = await startWaku()
  const plenty = { walletPerSecond: 1e6, walletBurst: 1e6, addressPerSecond: 1e6, addressBurst: 1e6 }
  gateway = await createGatewayProcess({
    directory,
    port: await freePort(),
    before: `export EGRESS_FILE='${file}' NODE_OPTIONS='--import=${PRELOAD}'`,
    values: {
      networks: { trtc: trtc.gatewayConfig, waku: waku.gatewayConfig },
      limits: { ...plenty, signInsPerMinute: 1_000_000 },
    },
  })
  gateway.spawn()
  await gateway.ready()
  trtc.connectGateway({ baseUrl: gateway.url })
  await until(async () => await connected(), 'both networks to be connected', 60_000)
  alice = await signIn(gateway.url, createPerson())
  bob = await signIn(gateway.url, createPerson())
  const wakuPort = /\/tcp\/(\d+)/.exec(String(waku.addresses.tcp))?.[1]
  const restUrl = new URL(String(trtc.addresses.rest))
  allowed = new Set([`127.0.0.1:${wakuPort}`, restUrl.host])
}, 120_000)

afterAll(async () => {
  await gateway?.stop()
  await waku?.stop()
  await trtc?.stop()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

async function connected(): Promise<boolean> {
  const { body } = await call(gateway.url, 'GET', '/v1/networks')
  return body.networks.every(({ state }: { state: string }) => state === 'connected')
}

async function attempts(): Promise<Attempt[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line) as Attempt)
}

/** Ways out that the configuration does not name. Its own listening addresses are looked up as the literals that they are. */
async function strayAttempts(): Promise<Attempt[]> {
  const all = await attempts()
  return all.filter(({ kind, target }) => {
    return kind === 'lookup' ? target !== '127.0.0.1' : !allowed.has(target)
  })
}

/** Everything that was sent before is worked on by now: a message sent after it has made its way over both networks. */
async function settled(): Promise<void> {
  const { id, bytes } = await sealWith(alice.person, [bob.person])
  expect((await alice.call('POST', '/v1/envelopes', bytes)).status).toBe(202)
  await until(
    async () => {
      const { body } = await alice.call('GET', `/v1/envelopes/${toHex(id)}/journey`)
      return body.deliveries.every(({ state }: { state: string }) => state === 'acknowledged')
    },
    'a message to make its way',
    30_000,
  )
  await trtc.idle()
  await new Promise((resolve) => setTimeout(resolve, 300))
}

describe('what users say', () => {
  it('API7: the corpus has its size, and the watch sees what is dialed', async () => {
    expect(new Set(urls).size).toBeGreaterThanOrEqual(60)
    await settled()
    const dialed = (await attempts()).filter(({ kind }) => kind === 'connect').map(({ target }) => target)
    for (const target of allowed) expect(dialed).toContain(target)
    expect(await strayAttempts()).toEqual([])
  })

  it('API7: no wallet, endpoint, route, label, query or header makes the gateway dial', async () => {
    const own = `/v1/wallets/${encodeURIComponent(alice.wallet)}`
    const publicKey = base64url(alice.person.device.publicKey)
    for (const url of urls) {
      const name = encodeURIComponent(url)
      const answers = await Promise.all([
        alice.call('PUT', `${own}/endpoints/trtc`, { address: url, enabled: true }),
        alice.call('PUT', `${own}/endpoints/waku`, { address: url, enabled: true }),
        alice.call('PUT', `${own}/endpoints/${name}`, { enabled: true }),
        alice.call('PUT', `${own}/route`, { policy: 'mirror', order: [url], fallbackAfterMs: 0 }),
        alice.call('GET', `/v1/wallets/${name}`),
        alice.call('GET', `/v1/wallets/${name}/keys`),
        alice.call('GET', `/v1/inbox?after=${name}`),
        alice.call('POST', `/v1/networks/${name}/credentials`),
        alice.call('POST', '/v1/receipts', {
          receipts: [{ id: '0'.repeat(64), network: url, kind: 'read', at: 1 }],
        }),
        alice.call('POST', '/v1/auth/challenge', { wallet: url, device: { publicKey, label: 'x' } }),
        alice.call('POST', '/v1/auth/challenge', {
          wallet: `eip155:1:${url}`,
          device: { publicKey, label: 'x' },
        }),
        alice.call('POST', '/v1/auth/verify', { challengeId: url.slice(0, 128), signature: url }),
        alice.call('POST', '/v1/envelopes', { sealed: url }),
      ])
      for (const { status } of answers) expect(status, url).toBeGreaterThanOrEqual(400)
      for (const { status } of answers) expect(status, url).toBeLessThan(500)
      // Labels are free text, within their length.
      const wallet = alice.person.signer.address
      const device = { publicKey, label: url.slice(0, 64) }
      expect((await alice.call('POST', '/v1/auth/challenge', { wallet, device })).status).toBeLessThan(500)
    }
    await settled()
    expect(await strayAttempts()).toEqual([])
  })

  it('API7: no request line or header makes the gateway dial', async () => {
    for (const url of urls.filter((text) => !/[\r\n]/.test(text))) {
      const host = url.replace(/^[a-z]+:\/*/, '').split('/')[0]
      const names = [
        'Forwarded',
        'X-Forwarded-For',
        'X-Forwarded-Host',
        'Referer',
        'Origin',
        'Via',
        'X-Wap-Profile',
      ]
      names.push(
        'True-Client-IP',
        'X-Callback-Url',
        'Last-Event-ID',
        'From',
        'Link',
        'SOAPAction',
        'Destination',
      )
      const headers = names.map((name) => `${name}: ${url}\r\n`).join('')
      const rest = `Connection: close\r\nAuthorization: Bearer ${alice.token}\r\n${headers}\r\n`
      await Promise.all([
        speakTcp(gateway.url, `GET ${url.replaceAll(' ', '%20')} HTTP/1.1\r\nHost: x\r\n${rest}`),
        speakTcp(gateway.url, `GET /v1/inbox HTTP/1.1\r\nHost: ${host}\r\n${rest}`),
      ])
    }
    await settled()
    expect(await strayAttempts()).toEqual([])
  })

  it('API7: no envelope and no message on a socket makes the gateway dial', async () => {
    const socket = await connectSocket(gateway.url, alice.token)
    await socket.answer(0)
    let requestId = 10
    for (const url of urls) {
      const ext = { url, attachment: { url }, avatar: url, callback: url, '@context': url }
      const { bytes } = await sealWith(alice.person, [bob.person], {
        ext,
        text: url,
        parameters: { url, filename: url, scheme: 'https://' },
        fallback: url,
        contentType: 'xmtp.org/remoteStaticAttachment:1.0',
      })
      const answer = await alice.call('POST', '/v1/envelopes', bytes)
      expect(answer.status, url).toBe(202)
      socket.send(1, requestId++, { token: url, after: url })
      socket.send(3, requestId++, { wallet: url, sealed: bytes })
      socket.send(4, requestId++, { wallet: alice.wallet, receipts: [{ network: url }] })
      await socket.answer(requestId - 1)
    }
    socket.close()
    await settled()
    expect(await strayAttempts()).toEqual([])
  })
})

describe('what networks say', () => {
  function webhook(body: Record<string, unknown>) {
    const { sdkAppId, webhookToken, webhookSecret } = trtc.app
    const time = String(Math.floor(Date.now() / 1000))
    const query = new URLSearchParams({
      SdkAppid: String(sdkAppId),
      CallbackCommand: String(body.CallbackCommand),
      contenttype: 'json',
      OptPlatform: 'Web',
      ClientIP: '169.254.169.254',
      Sign: createHash('sha256')
        .update(webhookToken + time)
        .digest('hex'),
      RequestTime: time,
    })
    return call(gateway.url, 'POST', `/hooks/trtc/${webhookSecret}?${query}`, body)
  }

  it('API7: no signed webhook makes the gateway dial', async () => {
    for (const [index, url] of urls.entries()) {
      const { bytes } = await sealWith(alice.person, [bob.person], { ext: { url }, text: url })
      const custom = {
        Data: base64url(nativeFrame(alice.person, bytes)),
        Desc: url,
        Ext: 'causeway/1',
        Sound: url,
      }
      const answer = await webhook({
        CallbackCommand: 'C2C.CallbackAfterSendMsg',
        CallbackUrl: url,
        From_Account: url,
        To_Account: url,
        MsgKey: url + index,
        MsgSeq: index,
        MsgRandom: index,
        MsgTime: Math.floor(Date.now() / 1000),
        CloudCustomData: JSON.stringify({ id: url, url }),
        MsgBody: [
          { MsgType: 'TIMCustomElem', MsgContent: custom },
          { MsgType: 'TIMImageElem', MsgContent: { UUID: url, ImageInfoArray: [{ URL: url }] } },
          { MsgType: 'TIMFileElem', MsgContent: { Url: url, FileName: url, Download_Flag: 2 } },
        ],
      })
      expect(answer.status, url).toBeLessThan(500)
      const state = { Action: 'Login', To_Account: url, Reason: url }
      await webhook({ CallbackCommand: 'State.StateChange', Info: state, EventTime: Date.now() })
    }
    await settled()
    expect(await strayAttempts()).toEqual([])
  })

  it('API7: no address that a Waku peer announces or offers, and no frame, makes the gateway dial', async () => {
    const description = (await call(gateway.url, 'GET', '/v1/networks')).body.networks.find(
      ({ network }: { network: string }) => network === 'waku',
    ).description
    const address = String(description.multiaddrs.find((text: string) => !text.includes('/ws')))
    const peer = await createHost({
      privateKey: await generateKeyPair('Ed25519'),
      listen: [],
      announce: [...multiaddrs],
      peers: [address],
      pubsubTopic: PUBSUB_TOPIC,
      maxConnections: 10,
    })
    await peer.libp2p.start()
    const connection = await peer.libp2p.dial(multiaddr(address))
    const gossip = peer.gossip as unknown as { sendRpc(id: string, rpc: unknown): boolean }
    // The peer itself is offered, with the addresses that Identify told of it, and peers without addresses.
    const offered = [{ peerID: peer.libp2p.peerId.toMultihash().bytes }]
    const prune = [{ topicID: PUBSUB_TOPIC, peers: offered, backoff: 1 }]
    const control = { ihave: [], iwant: [], graft: [], prune }
    await until(
      () => gossip.sendRpc(connection.remotePeer.toString(), { subscriptions: [], messages: [], control }),
      'gossip to be open',
    )
    peer.gossip.subscribe(PUBSUB_TOPIC)
    await until(() => peer.gossip.getSubscribers(PUBSUB_TOPIC).length > 0, 'a subscriber', 20_000)
    for (const text of [...urls, ...multiaddrs]) {
      const { bytes } = await sealWith(alice.person, [bob.person], { ext: { text }, text })
      const hop = encodeCanonical([1, 1, new Uint8Array(32), bytes, [[text, text, 1]], 'sealed', null])
      for (const payload of [new TextEncoder().encode(text), hop, nativeFrame(alice.person, bytes)]) {
        const message = createMessage({
          pubsubTopic: PUBSUB_TOPIC,
          contentTopic: '/causeway/1/in-0/cbor',
          payload,
          timestamp: toNanoseconds(Date.now()),
          ephemeral: false,
        })
        await peer.gossip.publish(PUBSUB_TOPIC, message.wire)
      }
    }
    await peer.libp2p.stop()
    // The peer has gone: a gateway that kept its addresses would look for it now.
    await settled()
    expect(await strayAttempts()).toEqual([])
  })
})
