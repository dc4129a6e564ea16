import { proto_message } from '@waku/proto'
import { createRoutingInfo } from '@waku/utils'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bucketOf,
  contentTopicOf,
  contentTopics,
  isContentTopic,
  MAX_FRAME_BYTES,
  MAX_MESSAGE_BYTES,
} from './carriage.ts'
import { pubsubTopicOf } from './wire/message.ts'

const hexAddress = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes) => Buffer.from(bytes).toString('hex'))

describe('content topics', () => {
  it('are the same on every gateway', () => {
    expect(contentTopicOf(`eip155:*:0x${'a'.repeat(40)}`, 64)).toMatchInlineSnapshot(
      `"/causeway/1/in-13/cbor"`,
    )
    expect(contentTopicOf(`eip155:*:0x${'b'.repeat(40)}`, 64)).toMatchInlineSnapshot(
      `"/causeway/1/in-30/cbor"`,
    )
  })

  it('never hold the address, and are always recognised', () => {
    fc.assert(
      fc.property(hexAddress, fc.integer({ min: 1, max: 10_000 }), (address, buckets) => {
        const topic = contentTopicOf(`eip155:*:0x${address}`, buckets)
        expect(topic).not.toContain(address.slice(0, 6))
        expect(isContentTopic(topic, buckets)).toBe(true)
        expect(contentTopics(buckets)[bucketOf(`eip155:*:0x${address}`, buckets)]).toBe(topic)
      }),
    )
  })

  it('spread wallets over all buckets', () => {
    const counts = new Array<number>(64).fill(0)
    for (let index = 0; index < 64_000; index++) counts[bucketOf(`eip155:*:0x${index}`, 64)]! += 1
    expect(Math.min(...counts)).toBeGreaterThan(800)
    expect(Math.max(...counts)).toBeLessThan(1_200)
  })

  it.each([
    '/causeway/1/in-64/cbor',
    '/causeway/1/in-01/cbor',
    '/causeway/1/in--1/cbor',
    '/causeway/2/in-1/cbor',
    '',
  ])('refuses %s', (topic) => expect(isContentTopic(topic, 64)).toBe(false))

  it('travel on the shard that the SDK derives', () => {
    for (const contentTopic of contentTopics(3)) {
      const routing = createRoutingInfo({ clusterId: 42, numShardsInCluster: 8 }, { contentTopic })
      expect(pubsubTopicOf(42, 8)).toBe(routing.pubsubTopic)
    }
  })
})

it('the largest frame fits into a message that carries a rate limit proof', () => {
  const part = new Uint8Array(32)
  const wire = proto_message.WakuMessage.encode({
    payload: new Uint8Array(MAX_FRAME_BYTES),
    contentTopic: '/causeway/1/in-9999/cbor',
    version: 0,
    timestamp: 2n ** 62n,
    ephemeral: true,
    rateLimitProof: {
      proof: new Uint8Array(128),
      merkleRoot: part,
      epoch: part,
      shareX: part,
      shareY: part,
      nullifier: part,
      rlnIdentifier: part,
    },
  })
  expect(wire.length).toBeLessThanOrEqual(MAX_MESSAGE_BYTES)
})
