import { messageHash as sdkMessageHash } from '@waku/core'
import { proto_message } from '@waku/proto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createMessage,
  describeMessage,
  messageHash,
  readMessage,
  toMilliseconds,
  toNanoseconds,
} from './message.ts'

const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'))

describe('messageHash', () => {
  it('gives the vector of 14/WAKU2-MESSAGE', () => {
    const hash = messageHash('/waku/2/default-waku/proto', {
      payload: hex('010203045445535405060708'),
      contentTopic: '/waku/2/default-content/proto',
      meta: hex('73757065722d736563726574'),
      timestamp: 0x175789bfa23f8400n,
    })
    expect(Buffer.from(hash).toString('hex')).toBe(
      '64cce733fed134e83da02b02c6f689814872b1a0ac97ea56b76095c3c72bfe05',
    )
  })

  it('agrees with the SDK', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 })
    fc.assert(
      fc.property(
        fc.string(),
        bytes,
        fc.string(),
        bytes,
        fc.bigInt({ min: 1n, max: 2n ** 62n }),
        (topic, payload, contentTopic, meta, timestamp) => {
          const message = { payload, contentTopic, meta, timestamp }
          expect([...messageHash(topic, message)]).toEqual([...sdkMessageHash(topic, message as never)])
        },
      ),
    )
  })
})

describe('nanoseconds', () => {
  it('are exact for every millisecond, where a product of doubles rounds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_600_000_000_000, max: 2_000_000_000_000 }), (ms) => {
        expect(toNanoseconds(ms)).toBe(BigInt(ms) * 1_000_000n)
        expect(toMilliseconds(toNanoseconds(ms))).toBe(ms)
      }),
    )
    const rounded = Array.from({ length: 1000 }, (_, index) => 1_787_000_000_000 + index).filter(
      (ms) => BigInt(ms * 1_000_000) > toNanoseconds(ms),
    )
    expect(rounded.length).toBeGreaterThan(100)
  })
})

describe('readMessage', () => {
  it('reads what createMessage made', () => {
    const message = createMessage({
      pubsubTopic: '/waku/2/rs/42/5',
      contentTopic: '/causeway/1/in-0/cbor',
      payload: hex('00ff'),
      timestamp: 1_787_000_000_000_000_001n,
      ephemeral: true,
    })
    expect(readMessage(message.pubsubTopic, message.wire)).toEqual(message)
  })

  it('gives null for a time that protobuf does not write as it was read, which would change the hash', () => {
    const topic = '/waku/2/rs/42/5'
    const message = { payload: hex('00'), contentTopic: '/causeway/1/in-0/cbor', version: 0 }
    const early = proto_message.WakuMessage.encode({ ...message, timestamp: -(2n ** 62n) })
    expect(readMessage(topic, early)).toBeNull()
    expect(describeMessage(topic, { ...message, timestamp: 2n ** 64n - 1n })).toBeNull()
    for (const timestamp of [0n, 2n ** 63n - 1n]) {
      const described = describeMessage(topic, { ...message, timestamp })
      expect(described && readMessage(topic, described.wire)?.id).toBe(described?.id)
    }
  })

  it('gives null or a message for any bytes, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const message = readMessage('/waku/2/rs/42/5', bytes)
        if (message) expect(message.contentTopic.length * message.payload.length).toBeGreaterThan(0)
      }),
      { numRuns: 1000 },
    )
  })
})
