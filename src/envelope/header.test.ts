import { describe, expect, it } from 'vitest'
import { decodeCanonical, encodeCanonical } from './cbor.ts'
import {
  decodeHeader,
  directConversation,
  type EnvelopeHeader,
  encodeHeader,
  groupConversation,
} from './header.ts'
import { LIMITS } from './limits.ts'
import { codeOf, createPerson, headerFor } from './testing/fixtures.ts'

const alice = await createPerson()
const bob = await createPerson()
const valid: EnvelopeHeader = { version: 1, ...headerFor(alice, bob) }

describe('the header', () => {
  it('is an array of 13 in the order of the specification', () => {
    const header = { ...valid, replyTo: new Uint8Array(32), ext: { a: [1] } }
    expect(decodeCanonical(encodeHeader(header), { maxBytes: 4096, maxDepth: 4 })).toEqual([
      1,
      header.suite,
      header.from,
      header.device,
      header.to,
      header.conversation,
      header.contentType,
      header.created,
      header.ttl,
      header.nonce,
      header.replyTo,
      header.flags,
      header.ext,
    ])
    expect(decodeHeader(encodeHeader(header))).toEqual(header)
  })

  it('holds 256 EVM recipients', () => {
    const to = Array.from({ length: 256 }, (_, index) => `eip155:*:0x${index.toString(16).padStart(40, '0')}`)
    expect(decodeHeader(encodeHeader({ ...valid, to })).to).toEqual(to)
  })

  const invalid: [string, Partial<Record<keyof EnvelopeHeader, unknown>>][] = [
    ['a negative suite', { suite: -1 }],
    ['a checksummed sender', { from: alice.wallet.replace('0x', '0xA').slice(0, -1) }],
    ['a short device key', { device: new Uint8Array(31) }],
    ['no recipient', { to: [] }],
    ['a recipient twice', { to: [bob.wallet, bob.wallet] }],
    [
      'too many recipients',
      { to: Array.from({ length: 257 }, (_, n) => `eip155:${n + 1}:${bob.wallet.slice(9)}`) },
    ],
    ['a recipient that is a number', { to: [1] }],
    ['a long conversation id', { conversation: new Uint8Array(33) }],
    ['a content type without version', { contentType: 'xmtp.org/text' }],
    ['a content type with a leading zero', { contentType: 'xmtp.org/text:01.0' }],
    ['a creation time before 1970', { created: -1 }],
    ['a ttl beyond 32 bits', { ttl: 2 ** 32 }],
    ['a short nonce', { nonce: new Uint8Array(15) }],
    ['a short replyTo', { replyTo: new Uint8Array(16) }],
    ['an undefined replyTo', { replyTo: undefined }],
    ['an unknown flag', { flags: 8 }],
    ['ext that is an array', { ext: [] }],
    ['ext that nests too deep', { ext: { a: { b: { c: { d: {} } } } } }],
    ['ext over its size', { ext: { a: 'x'.repeat(LIMITS.extBytes) } }],
    ['ext with a float', { ext: { a: 0.5 } }],
  ]
  it.each(invalid)('refuses %s when writing', async (_, change) => {
    const header = { ...valid, ...change } as EnvelopeHeader
    expect(await codeOf(() => encodeHeader(header))).toBe('envelope-header-invalid')
  })

  const encodable = invalid.filter(([name]) => !/undefined|float/.test(name))
  it.each(encodable)('refuses %s when reading', async (_, change) => {
    const bytes = encodeCanonical(Object.values({ ...valid, ...change }))
    expect(await codeOf(() => decodeHeader(bytes))).toBe('envelope-header-invalid')
  })

  it('lets a public channel (suite 0) and an unknown suite name no recipient', () => {
    for (const suite of [0, 9]) expect(decodeHeader(encodeHeader({ ...valid, suite, to: [] })).to).toEqual([])
  })

  it('refuses another version with its own code, however many fields it has', async () => {
    expect(await codeOf(() => decodeHeader(encodeCanonical([2])))).toBe('envelope-version-unsupported')
    expect(await codeOf(() => encodeHeader({ ...valid, version: 2 as 1 }))).toBe(
      'envelope-version-unsupported',
    )
  })

  it('refuses what is not a header at all', async () => {
    expect(await codeOf(() => decodeHeader(encodeCanonical([1, 2, 3])))).toBe('envelope-header-invalid')
    expect(await codeOf(() => decodeHeader(encodeCanonical({})))).toBe('envelope-header-invalid')
    expect(await codeOf(() => decodeHeader(new Uint8Array(LIMITS.headerBytes + 1)))).toBe(
      'envelope-header-invalid',
    )
    const bytes = encodeHeader(valid)
    expect(await codeOf(() => decodeHeader(Uint8Array.of(0x98, 13, ...bytes.subarray(1))))).toBe(
      'envelope-not-canonical',
    )
  })
})

describe('conversation ids', () => {
  it('are the same for both wallets of a direct conversation', () => {
    expect(directConversation(alice.wallet, bob.wallet)).toEqual(directConversation(bob.wallet, alice.wallet))
  })

  it('differ between groups and from direct conversations', () => {
    const nonce = new Uint8Array(16)
    expect(groupConversation(alice.wallet, nonce)).not.toEqual(groupConversation(bob.wallet, nonce))
    expect(groupConversation(alice.wallet, nonce)).not.toEqual(
      groupConversation(
        alice.wallet,
        nonce.map(() => 1),
      ),
    )
    expect(groupConversation(alice.wallet, nonce)).not.toEqual(directConversation(alice.wallet, alice.wallet))
  })

  it('refuse a wallet in any other spelling', async () => {
    expect(await codeOf(() => directConversation('0xabc', bob.wallet))).toBe('envelope-header-invalid')
    expect(await codeOf(() => groupConversation(bob.wallet, new Uint8Array(8)))).toBe(
      'envelope-header-invalid',
    )
  })
})
