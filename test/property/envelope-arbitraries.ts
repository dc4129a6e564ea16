import { base58 } from '@scure/base'
import fc from 'fast-check'
import { type EnvelopeHeader, type InnerContent, isWalletKey } from '../../src/envelope/index.ts'

/** Byte strings of exactly `length` bytes. */
export const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

const lowerHex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })

/** Text of the data model: well-formed, and without a byte order mark in front. */
export const text = (maxLength: number) =>
  fc
    .string({ unit: 'grapheme', maxLength })
    .filter((value) => value.isWellFormed() && !value.startsWith('\ufeff'))

/** Wallet keys of all three forms. */
export const walletKey = fc
  .oneof(
    lowerHex(40).map((address) => `eip155:*:0x${address}`),
    fc.tuple(fc.integer({ min: 1 }), lowerHex(40)).map(([chain, address]) => `eip155:${chain}:0x${address}`),
    bytesOf(32).map((key) => `solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:${base58.encode(key)}`),
  )
  .filter(isWalletKey)

/** Content type ids as text. */
export const contentType = fc
  .tuple(
    fc.constantFrom('xmtp.org', 'coinbase.com', 'a', 'x-1.example'),
    fc.constantFrom('text', 'walletSendCalls', 'group_updated', 'a.b-c'),
    fc.nat(99999),
    fc.nat(99999),
  )
  .map(([authority, type, major, minor]) => `${authority}/${type}:${major}.${minor}`)

/** Any value of the data model of version 1, up to `maxDepth` containers deep. */
export const encodable = (maxDepth: number): fc.Arbitrary<unknown> =>
  fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth, withCrossShrink: true },
      fc.oneof(
        fc.maxSafeInteger(),
        fc.boolean(),
        fc.constant(null),
        text(40),
        fc.uint8Array({ maxLength: 300 }),
      ),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.dictionary(fc.oneof(text(30), fc.constant('__proto__')), tie('value'), {
        maxKeys: 5,
        noNullPrototype: true,
      }),
    ),
  })).value

/** Valid headers of any suite, known or not. */
export const header: fc.Arbitrary<EnvelopeHeader> = fc.record({
  version: fc.constant(1 as const),
  suite: fc.oneof(fc.constantFrom(0, 1, 2), fc.integer({ min: 3, max: 0xffff })),
  from: walletKey,
  device: bytesOf(32),
  to: fc.uniqueArray(walletKey, { minLength: 1, maxLength: 12 }),
  conversation: bytesOf(32),
  contentType,
  created: fc.maxSafeNat(),
  ttl: fc.nat(0xffffffff),
  nonce: bytesOf(16),
  replyTo: fc.option(bytesOf(32)),
  flags: fc.nat(7),
  ext: fc.dictionary(text(20), encodable(2), { maxKeys: 3, noNullPrototype: true }),
})

/** Valid inner content that sealing accepts inline. */
export const innerContent: fc.Arbitrary<InnerContent> = fc.record({
  salt: bytesOf(16),
  replaces: fc.option(bytesOf(32)),
  topicId: fc.uint8Array({ maxLength: 64 }),
  expires: fc.option(fc.maxSafeNat()),
  inReplyTo: fc.option(bytesOf(32)),
  contentType,
  parameters: fc.dictionary(text(10), text(20), { maxKeys: 4, noNullPrototype: true }),
  fallback: fc.option(text(60)),
  content: fc.uint8Array({ maxLength: 6000, size: 'max' }),
})

/** Byte strings near `seeds`: some bytes changed, a run removed, repeated or inserted. */
export const mutationOf = (seeds: Uint8Array[]): fc.Arbitrary<Uint8Array> =>
  fc
    .record({
      seed: fc.constantFrom(...seeds),
      changes: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      cut: fc.tuple(fc.nat(), fc.nat(40)),
      insert: fc.uint8Array({ maxLength: 12 }),
      kind: fc.constantFrom('change', 'remove', 'repeat', 'insert', 'truncate'),
    })
    .map(({ seed, changes, cut, insert, kind }) => {
      const bytes = [...seed]
      const start = cut[0] % seed.length
      if (kind === 'remove') bytes.splice(start, cut[1])
      if (kind === 'repeat') bytes.splice(start, 0, ...bytes.slice(start, start + cut[1]))
      if (kind === 'insert') bytes.splice(start, 0, ...insert)
      if (kind === 'truncate') bytes.length = start
      for (const [position, byte] of changes) if (bytes.length > 0) bytes[position % bytes.length] = byte
      return Uint8Array.from(bytes)
    })
