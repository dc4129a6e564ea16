import type { IncomingMessage } from 'node:http'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBucket } from '../token-bucket.ts'
import { clientAddress } from './client-address.ts'
import { cursorsOf } from './cursor.ts'
import { decodeBase64url } from './schemas.ts'
import { defaultHttpSettings } from './settings.ts'
import { createStreamRegistry } from './stream-registry.ts'

describe('cursors', () => {
  const cursors = cursorsOf('0123456789abcdef')
  it('come back as they were', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (seq) => {
        expect(cursors.decode(cursors.encode(seq))).toBe(seq)
      }),
    )
  })
  it('of another store are told apart', () => {
    expect(cursorsOf('fedcba9876543210').decode(cursors.encode(7))).toBeNull()
  })
  it('have one spelling', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        try {
          expect(cursors.encode(cursors.decode(text)!)).toBe(text)
        } catch (error) {
          expect(error).toMatchObject({ code: 'cursor-invalid' })
        }
      }),
    )
    for (const text of [
      '0123456789abcdef.007',
      ' 0123456789abcdef.7',
      '0123456789abcdef.7\n',
      '0123456789abcdef.-1',
      '0123456789abcdef.1e3',
    ]) {
      expect(() => cursors.decode(text)).toThrow(expect.objectContaining({ code: 'cursor-invalid' }))
    }
  })
})

describe('token buckets', () => {
  function bucketAt(settings: { perSecond: number; burst: number; tracked: number }) {
    const time = { now: 0 }
    return { time, bucket: createBucket(settings, { monotonic: () => time.now }) }
  }
  it('let the burst through, then the rate, and tell how long to wait', () => {
    const { time, bucket } = bucketAt({ perSecond: 2, burst: 3, tracked: 10 })
    expect([1, 2, 3].map(() => bucket.take('a'))).toEqual([0, 0, 0])
    expect(bucket.take('a')).toBe(500)
    expect(bucket.take('b')).toBe(0)
    time.now = 499
    expect(bucket.take('a')).toBeGreaterThan(0)
    time.now = 500
    expect(bucket.take('a')).toBe(0)
    time.now = 1_000_000
    expect([1, 2, 3].map(() => bucket.take('a'))).toEqual([0, 0, 0])
    expect(bucket.take('a')).toBe(500)
  })
  it('never let more through than burst and rate allow', () => {
    const arrivals = fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 1, max: 3 })), { maxLength: 80 })
    fc.assert(
      fc.property(arrivals, (plan) => {
        const { time, bucket } = bucketAt({ perSecond: 5, burst: 10, tracked: 10 })
        let taken = 0
        for (const [wait, cost] of plan) {
          time.now += wait
          if (bucket.take('a', cost) === 0) taken += cost
          expect(taken).toBeLessThanOrEqual(10 + (time.now / 1000) * 5 + 1e-6)
        }
      }),
    )
  })
  it('remember no more callers than they may', () => {
    const { bucket } = bucketAt({ perSecond: 1, burst: 1, tracked: 100 })
    for (let index = 0; index < 10_000; index++) bucket.take(`caller-${index}`)
    expect(bucket.size).toBe(100)
  })
  it('take a cost over the burst as a debt', () => {
    const { time, bucket } = bucketAt({ perSecond: 1, burst: 4, tracked: 10 })
    expect(bucket.take('a', 10)).toBe(0)
    expect(bucket.take('a')).toBe(7_000)
    time.now = 7_000
    expect(bucket.take('a')).toBe(0)
  })
})

describe('client addresses', () => {
  const from = (remoteAddress: string, forwarded?: string) =>
    ({
      headers: forwarded ? { 'x-forwarded-for': forwarded } : {},
      socket: { remoteAddress },
    }) as unknown as IncomingMessage
  it('are those of the connection', () => {
    expect(clientAddress(from('203.0.113.9'), false)).toBe('203.0.113.9')
    expect(clientAddress(from('::ffff:203.0.113.9'), false)).toBe('203.0.113.9')
    expect(clientAddress(from('203.0.113.9', '1.1.1.1'), false)).toBe('203.0.113.9')
    expect(clientAddress(undefined, true)).toBe('unknown')
  })
  it('are what the trusted proxy itself saw, never what the client claims', () => {
    expect(clientAddress(from('10.0.0.1', '6.6.6.6, 198.51.100.7'), true)).toBe('198.51.100.7')
    expect(clientAddress(from('10.0.0.1'), true)).toBe('10.0.0.1')
    expect(clientAddress(from('10.0.0.1', 'not an address'), true)).toBe('unknown')
  })
  it('of IPv6 count by network', () => {
    expect(clientAddress(from('2001:db8:1:2:3:4:5:6'), false)).toBe('2001:db8:1:2::/64')
    expect(clientAddress(from('2001:0db8:1:2::9'), false)).toBe('2001:db8:1:2::/64')
    expect(clientAddress(from('2001:db8::1'), false)).toBe('2001:db8:0:0::/64')
    expect(clientAddress(from('fe80::1%eth0'), false)).toBe('fe80:0:0:0::/64')
    expect(clientAddress(from('::1'), false)).toBe('0:0:0:0::/64')
  })
})

describe('base64url', () => {
  it('has one spelling for each byte string', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(decodeBase64url(Buffer.from(bytes).toString('base64url'))).toEqual(bytes)
      }),
    )
    for (const text of ['A', 'AB', 'AA==', 'A A', '+/', 'AA\n', 'é']) expect(decodeBase64url(text)).toBeNull()
  })
})

describe('the registry of streams', () => {
  it('counts wallets and connections, and lets each go once', () => {
    const registry = createStreamRegistry({ ...defaultHttpSettings.streams, perWallet: 1, total: 2 })
    const stream = () => ({ tick() {}, shutdown() {} })
    const release = registry.claim('a')
    expect(() => registry.claim('a')).toThrow(expect.objectContaining({ code: 'streams-exhausted' }))
    release()
    release()
    registry.claim('a')
    expect(() => registry.claim('a')).toThrow()
    const leave = registry.add(stream())
    registry.add(stream())
    expect(() => registry.add(stream())).toThrow(expect.objectContaining({ code: 'streams-exhausted' }))
    leave()
    leave()
    expect(registry.size).toBe(1)
    registry.shutdown()
    expect(() => registry.add(stream())).toThrow(expect.objectContaining({ code: 'shutting-down' }))
  })
})
