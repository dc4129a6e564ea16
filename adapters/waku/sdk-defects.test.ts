/**
 * Each defect of `@waku/sdk` 0.0.36 that was measured, and that this adapter does not suffer from it. What the pure tests
 * show (exact nanoseconds, 24-hour windows) is in `wire/`.
 */

import { createRoutingInfo } from '@waku/utils'
import { afterEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/adapter/testing/wait.ts'
import { contentTopics } from './carriage.ts'
import { configSchema } from './config.ts'
import { ExactDecoder } from './light/decoder.ts'
import { neverAborted, startAdapter, type TestAdapter, testIntent } from './testing/adapter.ts'
import { PUBSUB_TOPIC, startTestNode, steppingClock, type TestNode, testMessage } from './testing/node.ts'
import { connectRawPeer } from './testing/raw-peer.ts'
import { codecs } from './wire/codecs.ts'
import { filterPing } from './wire/filter-client.ts'
import { lightPush } from './wire/lightpush-client.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function startNode(options: Parameters<typeof startTestNode>[0] = {}): Promise<TestNode> {
  const node = await startTestNode(options)
  cleanups.push(() => node.stop())
  return node
}

async function startLight(nodes: TestNode[], options: Record<string, unknown> = {}): Promise<TestAdapter> {
  const gateway = await startAdapter({
    driver: 'light',
    peers: nodes.map(({ websocket }) => websocket),
    redialMaxMs: 500,
    ...options,
  })
  cleanups.push(() => gateway.stop())
  return gateway
}

describe('the light driver', () => {
  it('autoRetry sends again after success: one send is one message, also when it is retried', async () => {
    const node = await startNode()
    const { adapter } = await startLight([node])
    const intent = testIntent()
    const receipts = [
      await adapter.send(intent, neverAborted),
      await adapter.send({ ...intent, attempt: 2 }, neverAborted),
    ]
    expect(receipts[1]).toEqual(receipts[0])
    expect(node.heard).toHaveLength(1)
    expect(node.archive.count()).toBe(1)
  })

  it('a message is encoded once per peer: two peers get the same bytes, and their mesh carries it once', async () => {
    const first = await startNode()
    const second = await startNode({ peers: [first.tcp] })
    await waitFor(() => first.node.relayPeers() === 1 && second.node.relayPeers() === 1)
    const sender = await startLight([first, second])
    const receiver = await startLight([second, first])
    const intent = testIntent()
    const receipt = await sender.adapter.send(intent, neverAborted)
    await waitFor(() => receiver.context.heard(intent.frame).length > 0 && second.archive.count() === 1)
    expect(first.archive.count()).toBe(1)
    expect(receipt).toEqual({ remoteIds: [receiver.context.deliveries[0]?.inbound.remoteId] })
    expect(new Set(receiver.context.deliveries.map(({ inbound }) => inbound.remoteId)).size).toBe(1)
  })

  it('ranges over 24 hours lose their rest, and starts are rounded up: a walk over 30 hours finds messages at its very start', async () => {
    const node = await startNode()
    const { adapter } = await startLight([node])
    const start = Date.now() - 30 * 3_600_000
    const messages = [0, 1, 2, 3].map((offset) => testMessage({ at: start + offset }))
    messages.push(testMessage({ at: Date.now() - 60_000 }))
    for (const message of messages) node.archive.put(message)
    const found: string[] = []
    for await (const { remoteId } of adapter.history!.walk({ since: start, pairs: [] }, neverAborted))
      found.push(remoteId)
    expect(found).toEqual(messages.map(({ id }) => id))
  })

  it('more than 100 content topics are resubscribed in one request: the configuration allows no more than fit', async () => {
    const peers = ['/ip4/127.0.0.1/tcp/1/ws']
    expect(configSchema.safeParse({ driver: 'light', peers, buckets: 101 }).success).toBe(false)
    expect(contentTopics(100)).toHaveLength(100)
    const node = await startNode()
    const gateway = await startLight([node], { buckets: 100 })
    expect(node.node.filterPeers()).toBe(1)
    const last = testMessage({ contentTopic: '/causeway/1/in-99/cbor' })
    await node.node.publish(last)
    await waitFor(() => gateway.context.deliveries.some(({ inbound }) => inbound.remoteId === last.id))
  })

  it('a dead subscription counts as healthy: it is noticed, renewed, and what was missed is read from the Store', async () => {
    const clock = steppingClock()
    const node = await startNode({ clock, limits: { subscriptionTtlMs: 60_000 } })
    const gateway = await startLight([node], { pingIntervalMs: 1_000 })
    clock.step(61_000)
    const missed = testMessage({ at: Date.now() })
    node.archive.put(missed)
    await waitFor(() => gateway.context.deliveries.some(({ inbound }) => inbound.remoteId === missed.id))
    const live = testMessage()
    await node.node.publish(live)
    await waitFor(() => gateway.context.deliveries.some(({ inbound }) => inbound.remoteId === live.id))
  })

  it('pages are processed in parallel: a walk yields in order', async () => {
    const node = await startNode()
    const { adapter } = await startLight([node])
    const start = Date.now() - 200_000
    const messages = Array.from({ length: 150 }, (_, index) => testMessage({ at: start + index }))
    for (const message of messages.toReversed()) node.archive.put(message)
    const found: string[] = []
    for await (const { remoteId } of adapter.history!.walk({ since: start, pairs: [] }, neverAborted))
      found.push(remoteId)
    expect(found).toEqual(messages.map(({ id }) => id))
  })

  it('there is no fallback to Light Push 2: a peer that serves only that gets the message', async () => {
    const node = await startNode()
    const raw = await connectRawPeer(node.tcp)
    cleanups.push(() => raw.stop())
    const message = testMessage()
    await lightPush(raw.connection, [codecs.lightPushV2], message, neverAborted)
    expect(node.archive.has(message.hash)).toBe(true)
    await expect(lightPush(raw.connection, [codecs.store], message, neverAborted)).rejects.toMatchObject({
      code: 'no-peer',
    })
    expect(await filterPing(raw.connection, neverAborted)).toBe(false)
  })

  it('callbacks get undefined: what does not decode is undefined, and is not delivered', async () => {
    const contentTopic = '/causeway/1/in-0/cbor'
    const decoder = new ExactDecoder(
      contentTopic,
      createRoutingInfo({ clusterId: 42, numShardsInCluster: 8 }, { contentTopic }),
    )
    expect(await decoder.fromWireToProtoObj(Uint8Array.of(255))).toBeUndefined()
    const empty = {
      payload: new Uint8Array(0),
      contentTopic,
      version: 0,
      timestamp: 1n,
      meta: undefined,
      rateLimitProof: undefined,
      ephemeral: false,
    }
    expect(await decoder.fromProtoObj(PUBSUB_TOPIC, empty)).toBeUndefined()
    const message = testMessage()
    const decoded = await decoder.fromProtoObj(PUBSUB_TOPIC, {
      ...empty,
      payload: message.payload,
      timestamp: message.timestamp,
    })
    expect(decoded?.hashStr).toBe(message.id)
  })

  it('the status of a refusal is thrown away: the relay learns that it was too fast', async () => {
    const node = await startNode({ limits: { lightPush: { burst: 1, perSecond: 0.001 } } })
    const { adapter } = await startLight([node])
    await adapter.send(testIntent(), neverAborted)
    await expect(adapter.send(testIntent(), neverAborted)).rejects.toMatchObject({
      class: 'rateLimited',
      remoteCode: 429,
    })
  })
})
