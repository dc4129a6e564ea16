/** What an embedded node refuses, and what hostile peers cannot do to it. */
import { randomBytes } from 'node:crypto'
import { proto_filter_v2, proto_lightpush, proto_store } from '@waku/proto'
import fc from 'fast-check'
import * as lengthPrefixed from 'it-length-prefixed'
import { describe, expect, it } from 'vitest'
import { waitFor } from '../../src/adapter/testing/wait.ts'
import { createNetworkBench } from './testing/bench.ts'
import { PUBSUB_TOPIC, steppingClock, testMessage } from './testing/node.ts'
import { codecs } from './wire/codecs.ts'
import { filterPing, filterSubscribe } from './wire/filter-client.ts'
import { lightPush } from './wire/lightpush-client.ts'
import { toProto } from './wire/message.ts'
import { storeHashes, storeMessages } from './wire/store-client.ts'
import { request } from './wire/streams.ts'

const TOPIC = '/causeway/1/in-7/cbor'
const { startNode, connect, connectRaw } = createNetworkBench()
const signal = new AbortController().signal
const asking = { signal, maxAnswerBytes: 4 * 1024 * 1024 }

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

  it('a node that sends more than its peer answers Store queries still learns that each message is stored', async () => {
    const peer = await startNode({ limits: { store: { burst: 3, perSecond: 5 } } })
    const node = await startNode({ peers: [peer.tcp] })
    await waitFor(() => node.node.relayPeers() === 1, { what: 'the peer joins the shard' })
    const messages = Array.from({ length: 40 }, () => testMessage())
    const lookups: Promise<boolean | null>[] = []
    for (const message of messages) {
      peer.archive.put(message)
      lookups.push(node.node.storedByPeers(message.hash, signal))
      // Each in a turn of its own, as sends are.
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(new Set(await Promise.all(lookups))).toEqual(new Set([true]))
    expect(await node.node.storedByPeers(testMessage().hash, signal)).toBe(false)
    const ended = AbortSignal.abort(new Error('ended'))
    await expect(node.node.storedByPeers(messages[0]!.hash, ended)).rejects.toThrow('ended')
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
