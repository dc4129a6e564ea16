/** Embedded nodes and unmodified SDK light nodes on loopback. */
import { randomBytes } from 'node:crypto'
import { proto_filter_v2, proto_lightpush, proto_store } from '@waku/proto'
import fc from 'fast-check'
import * as lengthPrefixed from 'it-length-prefixed'
import { afterEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/adapter/testing/wait.ts'
import { connectLightClient, type LightClient } from './sandbox/light-client.ts'
import {
  CLUSTER_ID,
  PUBSUB_TOPIC,
  SHARDS,
  startTestNode,
  steppingClock,
  type TestNode,
  testMessage,
} from './testing/node.ts'
import { connectRawPeer, type RawPeer } from './testing/raw-peer.ts'
import { codecs } from './wire/codecs.ts'
import { filterPing, filterSubscribe } from './wire/filter-client.ts'
import { lightPush } from './wire/lightpush-client.ts'
import { toProto } from './wire/message.ts'
import { storeHashes, storeMessages } from './wire/store-client.ts'
import { request } from './wire/streams.ts'

const TOPIC = '/causeway/1/in-7/cbor'
const cleanups: (() => Promise<void>)[] = []
const signal = new AbortController().signal
const asking = { signal, maxAnswerBytes: 4 * 1024 * 1024 }

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function startNode(options: Parameters<typeof startTestNode>[0] = {}): Promise<TestNode> {
  const node = await startTestNode(options)
  cleanups.push(() => node.stop())
  return node
}

async function connect(node: TestNode, options: { useLegacyLightPush?: boolean } = {}): Promise<LightClient> {
  const client = await connectLightClient({
    multiaddr: node.websocket,
    clusterId: CLUSTER_ID,
    shards: SHARDS,
    ...options,
  })
  cleanups.push(() => client.stop())
  return client
}

async function connectRaw(node: TestNode): Promise<RawPeer> {
  const peer = await connectRawPeer(node.tcp)
  cleanups.push(() => peer.stop())
  return peer
}

async function listen(client: LightClient, topics = [TOPIC]): Promise<string[]> {
  const heard: string[] = []
  await client.subscribe(topics, (frame) => heard.push(Buffer.from(frame).toString()))
  return heard
}

describe('a node and light clients of the SDK', () => {
  it('carries a frame from Light Push 3 and from Light Push 2 to Filter and to the Store', async () => {
    const node = await startNode()
    const [sender, legacySender, receiver] = await Promise.all([
      connect(node),
      connect(node, { useLegacyLightPush: true }),
      connect(node),
    ])
    const heard = await listen(receiver)
    const since = Date.now()
    const first = await sender.publishFrame(TOPIC, Buffer.from('three'))
    const second = await legacySender.publishFrame(TOPIC, Buffer.from('two'))
    await waitFor(() => heard.length === 2)
    expect(heard.toSorted()).toEqual(['three', 'two'])
    expect(node.heard.map(({ message, origin }) => [message.id, origin])).toEqual([
      [first, 'lightPush'],
      [second, 'lightPush'],
    ])
    const late = await connect(node)
    expect((await late.catchUp([TOPIC], since)).map(String)).toHaveLength(2)
  })

  it('delivers an ephemeral frame and does not keep it', async () => {
    const node = await startNode()
    const [sender, receiver] = await Promise.all([connect(node), connect(node)])
    const heard = await listen(receiver)
    await sender.publishFrame(TOPIC, Buffer.from('gone'), { ephemeral: true })
    await waitFor(() => heard.length === 1)
    expect(node.archive.count()).toBe(0)
  })

  it('survives more requests in a row than js-mplex forgives a server that leaves streams unread', async () => {
    const node = await startNode()
    const [sender, receiver] = await Promise.all([connect(node), connect(node)])
    const heard = await listen(receiver)
    for (let index = 0; index < 60; index++) await sender.publishFrame(TOPIC, Buffer.from(String(index)))
    await waitFor(() => heard.length === 60)
    expect(new Set(heard).size).toBe(60)
  })

  it('hears again after the node was away, from the Store and by Filter', async () => {
    let node = await startTestNode()
    const listenOn = [node.websocket.replace(/\/p2p\/.*/, '')]
    const key = await (await import('@libp2p/crypto/keys')).generateKeyPair('Ed25519')
    await node.stop()
    node = await startTestNode({ listen: listenOn, privateKey: key })
    const { archive } = node
    const client = await connect(node)
    const heard = await listen(client)
    await node.node.stop()
    archive.put(testMessage({ contentTopic: TOPIC, payload: Buffer.from('meanwhile') }))
    node = await startTestNode({ listen: listenOn, privateKey: key, archive })
    cleanups.push(() => node.stop())
    await waitFor(() => heard.includes('meanwhile'))
    await waitFor(async () => {
      await node.node.publish(testMessage({ contentTopic: TOPIC, payload: Buffer.from('afterwards') }))
      return heard.includes('afterwards')
    })
  })
})

describe('a mesh of two gateways and a stand-alone service node', () => {
  it('carries a frame from a light client on any of them to light clients on all', async () => {
    const service = await startNode()
    const gateways = await Promise.all([
      startNode({ peers: [service.tcp] }),
      startNode({ peers: [service.tcp] }),
    ])
    const nodes = [service, ...gateways]
    await waitFor(
      () => service.node.relayPeers() === 2 && gateways.every(({ node }) => node.relayPeers() >= 1),
    )
    const clients = await Promise.all(nodes.map((node) => connect(node)))
    const heard = await Promise.all(clients.map((client) => listen(client)))
    // The mesh forms with gossipsub's heartbeat; until then only direct peers hear. A frame is sent until all heard it.
    await waitFor(
      async () => {
        await clients[1]!.publishFrame(TOPIC, Buffer.from('mesh'))
        return heard.every((frames) => frames.includes('mesh'))
      },
      { intervalMs: 200 },
    )
    for (const [index, client] of clients.entries())
      await client.publishFrame(TOPIC, Buffer.from(`from ${index}`))
    for (const frames of heard) {
      await waitFor(() => [0, 1, 2].every((index) => frames.includes(`from ${index}`)), {
        what: `all frames, has ${frames}`,
      })
    }
    // What went out before the mesh had formed is fetched from the archives.
    for (const { node, archive } of gateways) {
      await node.sync(Date.now() - 60_000, signal)
      expect(archive.count()).toBe(service.archive.count())
    }
  })

  it('a gateway that was away fetches what the others archived, and gives what it took meanwhile', async () => {
    const service = await startNode({ syncWith: 'relay' })
    const away = await startNode()
    const missed = testMessage({ contentTopic: TOPIC })
    const taken = testMessage({ contentTopic: TOPIC })
    await service.node.publish(missed)
    await away.node.publish(taken)
    expect(away.archive.has(missed.hash)).toBe(false)
    // The same archive, now with a way to the others: a gateway that comes back.
    const back = await startNode({ peers: [service.tcp], archive: away.archive })
    await waitFor(() => back.archive.has(missed.hash) && service.archive.has(taken.hash))
    expect(back.heard.map(({ message, origin }) => [message.id, origin])).toEqual([[missed.id, 'sync']])
  })

  it('a message is archived, heard and relayed once, however often it is published', async () => {
    const service = await startNode()
    const gateway = await startNode({ peers: [service.tcp] })
    await waitFor(() => gateway.node.relayPeers() === 1)
    const message = testMessage()
    for (let index = 0; index < 3; index++) expect(await gateway.node.publish(message)).toBe(1)
    await waitFor(() => service.heard.length > 0)
    await gateway.node.publish(testMessage({ payload: Buffer.from('last') }))
    await waitFor(() => service.heard.length === 2)
    expect(service.archive.count()).toBe(2)
  })

  it('a message published to nobody is relayed by a retry, once there is a peer', async () => {
    const service = await startNode({ syncWith: 'configured' })
    const gateway = await startNode({ peers: [service.tcp], redial: { minMs: 500, maxMs: 500 } })
    const message = testMessage()
    const alone = await startNode()
    expect(await alone.node.publish(message)).toBe(0)
    await waitFor(() => gateway.node.relayPeers() === 1)
    expect(await gateway.node.publish(message)).toBe(1)
    await waitFor(() => service.archive.has(message.hash))
  })
})

describe('limits', () => {
  it('a Filter subscription ends without a ping, and a ping renews it', async () => {
    const clock = steppingClock()
    const node = await startNode({ clock, limits: { subscriptionTtlMs: 60_000 } })
    const { connection } = await connectRaw(node)
    await filterSubscribe(connection, PUBSUB_TOPIC, [TOPIC], signal)
    clock.step(50_000)
    expect(await filterPing(connection, signal)).toBe(true)
    clock.step(50_000)
    expect(node.node.filterPeers()).toBe(1)
    expect(await filterPing(connection, signal)).toBe(true)
    clock.step(61_000)
    expect(await filterPing(connection, signal)).toBe(false)
    expect(node.node.filterPeers()).toBe(0)
  })

  it('more than 100 content topics in one request are refused, and more than the criteria of a peer', async () => {
    const node = await startNode({ limits: { filterCriteriaPerPeer: 150 } })
    const { connection } = await connectRaw(node)
    const topics = Array.from({ length: 200 }, (_, index) => `/causeway/1/in-${index}/cbor`)
    const query = proto_filter_v2.FilterSubscribeRequest.encode({
      requestId: '1',
      filterSubscribeType: proto_filter_v2.FilterSubscribeRequest.FilterSubscribeType.SUBSCRIBE,
      pubsubTopic: PUBSUB_TOPIC,
      contentTopics: topics.slice(0, 101),
    })
    const answer = await request(connection, codecs.filterSubscribe, query, asking)
    expect(proto_filter_v2.FilterSubscribeResponse.decode(answer).statusCode).toBe(400)
    await filterSubscribe(connection, PUBSUB_TOPIC, topics.slice(0, 100), signal)
    await expect(filterSubscribe(connection, PUBSUB_TOPIC, topics, signal)).rejects.toMatchObject({
      status: 503,
    })
  })

  it('too many requests are refused with 429 and not answered otherwise', async () => {
    const node = await startNode({
      limits: {
        filter: { burst: 2, perSecond: 0.001 },
        lightPush: { burst: 1, perSecond: 0.001 },
        store: { burst: 1, perSecond: 0.001 },
      },
    })
    const { connection } = await connectRaw(node)
    await filterSubscribe(connection, PUBSUB_TOPIC, [TOPIC], signal)
    await filterSubscribe(connection, PUBSUB_TOPIC, [TOPIC], signal)
    await expect(filterSubscribe(connection, PUBSUB_TOPIC, [TOPIC], signal)).rejects.toMatchObject({
      status: 429,
    })
    await lightPush(connection, [codecs.lightPushV3], testMessage(), signal)
    await expect(lightPush(connection, [codecs.lightPushV3], testMessage(), signal)).rejects.toMatchObject({
      status: 429,
    })
    expect(await storeMessages(connection, [new Uint8Array(32)], signal)).toEqual([])
    await expect(storeMessages(connection, [new Uint8Array(32)], signal)).rejects.toMatchObject({
      status: 429,
    })
    expect(node.archive.count()).toBe(1)
  })

  it('a message over 150 KiB is refused with 413, one of another shard with 421, an empty one with 420', async () => {
    const node = await startNode()
    const { connection } = await connectRaw(node)
    const push = (message: ReturnType<typeof testMessage>) =>
      lightPush(connection, [codecs.lightPushV3], message, signal)
    await expect(push(testMessage({ payload: new Uint8Array(150 * 1024) }))).rejects.toMatchObject({
      status: 413,
    })
    await expect(push({ ...testMessage(), pubsubTopic: '/waku/2/rs/42/1' })).rejects.toMatchObject({
      status: 421,
    })
    await expect(push(testMessage({ payload: new Uint8Array(0) }))).rejects.toMatchObject({ status: 420 })
    expect(await push(testMessage({ payload: new Uint8Array(149 * 1024) }))).toEqual({ relayPeers: 0 })
  })

  it('a message of 21 seconds ago or ahead is relayed and heard, not archived', async () => {
    const node = await startNode()
    const { connection } = await connectRaw(node)
    for (const skew of [-21_000, 21_000, -15_000, 15_000]) {
      await lightPush(connection, [codecs.lightPushV3], testMessage({ at: Date.now() + skew }), signal)
    }
    expect(node.heard).toHaveLength(4)
    expect(node.archive.count()).toBe(2)
  })

  it('a Store query over more than 24 hours is refused; the client splits, and reads pages larger than an answer', async () => {
    const node = await startNode()
    const raw = await connectRaw(node)
    const query = proto_store.StoreQueryRequest.encode({
      requestId: '1',
      includeData: true,
      pubsubTopic: PUBSUB_TOPIC,
      contentTopics: [TOPIC],
      messageHashes: [],
      timeStart: 0n,
      timeEnd: 25n * 3_600_000_000_000n,
      paginationForward: true,
    })
    const answer = await request(raw.connection, codecs.store, query, asking)
    expect(proto_store.StoreQueryResponse.decode(answer).statusCode).toBe(400)

    const start = Date.now()
    const messages = Array.from({ length: 60 }, (_, index) =>
      testMessage({ contentTopic: TOPIC, payload: randomBytes(140_000), at: start - index }),
    )
    for (const message of messages) node.archive.put(message)
    const now = BigInt(Date.now()) * 1_000_000n
    const range = { from: now - 30n * 3_600_000_000_000n, to: now }
    const found: string[] = []
    for await (const hashes of storeHashes(
      raw.connection,
      { pubsubTopic: PUBSUB_TOPIC, contentTopics: [TOPIC], ...range },
      signal,
    )) {
      for (const { id } of await storeMessages(raw.connection, hashes, signal)) found.push(id)
    }
    expect(found).toEqual(messages.map(({ id }) => id).reverse())
    const client = await connect(node)
    expect(await client.catchUp([TOPIC], Date.now() - 60_000)).toHaveLength(60)
  })
})

describe('hostile peers', () => {
  it('garbage and forged lengths on every protocol neither crash the node nor keep it from answering', async () => {
    const node = await startNode({ limits: { idleStreamMs: 1_000 } })
    const raw = await connectRaw(node)
    const protocols = [
      codecs.metadata,
      codecs.lightPushV2,
      codecs.lightPushV3,
      codecs.filterSubscribe,
      codecs.store,
    ]
    const frames: Uint8Array[] = [
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
      Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x08),
      Uint8Array.of(0x05, 0x01),
      lengthPrefixed.encode.single(new Uint8Array(2 * 1024 * 1024)).subarray(),
    ]
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        frames.push(lengthPrefixed.encode.single(bytes).subarray())
      }),
      { numRuns: 40 },
    )
    for (const protocol of protocols) {
      for (const frame of frames) {
        await raw.speak(protocol, frame)
      }
    }
    const answer = await raw.speak(
      codecs.metadata,
      lengthPrefixed.encode.single(new Uint8Array(0)).subarray(),
    )
    expect(answer.length).toBeGreaterThan(0)
    const fresh = await connectRaw(node)
    expect(await lightPush(fresh.connection, [codecs.lightPushV3], testMessage(), signal)).toEqual({
      relayPeers: expect.any(Number),
    })
  })

  it('what is not a message, or too large, is not relayed', async () => {
    const node = await startNode()
    const raw = await connectRaw(node)
    raw.gossip.subscribe(PUBSUB_TOPIC)
    await waitFor(() => raw.gossip.getSubscribers(PUBSUB_TOPIC).length === 1)
    await raw.gossip.publish(PUBSUB_TOPIC, randomBytes(100))
    await raw.gossip.publish(PUBSUB_TOPIC, testMessage({ payload: new Uint8Array(151 * 1024) }).wire)
    const message = testMessage()
    await raw.gossip.publish(PUBSUB_TOPIC, message.wire)
    await waitFor(() => node.heard.length > 0)
    expect(node.heard.map(({ message: { id } }) => id)).toEqual([message.id])
  })

  it('a push that holds no message, and one without a time, are handled', async () => {
    const node = await startNode()
    const raw = await connectRaw(node)
    const empty = proto_lightpush.LightPushRequestV3.encode({ requestId: '1' })
    const answer = await request(raw.connection, codecs.lightPushV3, empty, asking)
    expect(proto_lightpush.LightPushResponseV3.decode(answer).statusCode).toBe(400)
    const { timestamp: _, ...timeless } = toProto(testMessage())
    const push = proto_lightpush.LightPushRequestV3.encode({
      requestId: '2',
      pubsubTopic: PUBSUB_TOPIC,
      message: timeless,
    })
    await request(raw.connection, codecs.lightPushV3, push, asking)
    expect(Number(node.heard[0]?.message.timestamp) / 1e6).toBeGreaterThan(Date.now() - 60_000)
    expect(node.archive.count()).toBe(1)
  })

  it('a stream that is opened and forgotten is reset', async () => {
    const node = await startNode({ limits: { idleStreamMs: 100 } })
    const raw = await connectRaw(node)
    const stream = await raw.connection.newStream(codecs.store)
    const ended = (async () => {
      try {
        for await (const _ of stream.source);
      } catch {
        return 'reset'
      }
      return 'ended'
    })()
    expect(await ended).toBe('reset')
  })
})
