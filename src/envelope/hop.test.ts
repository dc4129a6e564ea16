import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeCanonical } from './cbor.ts'
import {
  decodeHeader,
  directConversation,
  type EnvelopeHeader,
  encodeHeader,
  FLAGS,
  SUITE,
} from './header.ts'
import {
  encodeHopOrigin,
  encodeHopRequest,
  type HopOrigin,
  MAX_NATIVE_ID,
  nativeGroupConversation,
  nativeSender,
  readHopOrigin,
  readHopRequest,
} from './hop.ts'
import { openSecret, sealSecret } from './secret.ts'
import { deriveEncryptionKeyPair } from './suites.ts'
import { isWalletKey } from './wallet.ts'

const alice = `eip155:*:0x${'a1'.repeat(20)}`
const bob = `eip155:*:0x${'b2'.repeat(20)}`

function header(changes: Partial<EnvelopeHeader>): EnvelopeHeader {
  return {
    version: 1,
    suite: SUITE.x25519,
    from: alice,
    device: new Uint8Array(32),
    to: [bob],
    conversation: directConversation(alice, bob),
    contentType: 'xmtp.org/text:1.0',
    created: 1,
    ttl: 0,
    nonce: new Uint8Array(16),
    replyTo: null,
    flags: FLAGS.hop,
    ext: {},
    ...changes,
  }
}

const nativeId = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
  .filter((text) => text.length <= MAX_NATIVE_ID && !text.startsWith('\ufeff'))
const network = fc.stringMatching(/^[a-z][a-z0-9-]{1,31}$/)
const gateway = fc.stringMatching(/^[\x21-\x7e]{1,64}$/)
const kind = fc.constantFrom('direct' as const, 'group' as const)

describe('hop headers', () => {
  it('say what they were made of, through the encoding', () => {
    const origins = fc.record({
      gateway,
      network,
      id: nativeId,
      conversation: nativeId,
      kind,
      sender: nativeId,
      known: fc.boolean(),
      own: fc.boolean(),
    })
    fc.assert(
      fc.property(origins, (origin: HopOrigin) => {
        const from = origin.known || origin.own ? alice : nativeSender(origin.network, origin.sender)
        const conversation =
          origin.kind === 'group'
            ? nativeGroupConversation(origin.network, origin.conversation)
            : directConversation(from, bob)
        const whole = header({ from, conversation, ext: encodeHopOrigin(origin) })
        expect(readHopOrigin(decodeHeader(encodeHeader(whole)))).toEqual(origin)
        // One is never read as the other.
        expect(() => readHopRequest(whole)).toThrow(/members/)
      }),
      { numRuns: 50 },
    )
  })

  it('are read in their own conversation alone', () => {
    const request = { gateway: 'g', network: 'xmtp', conversation: 'c', kind: 'group' as const }
    const group = nativeGroupConversation('xmtp', 'c')
    const ext = encodeHopRequest(request)
    expect(readHopRequest(header({ to: [alice], conversation: group, ext }))).toEqual(request)
    for (const wrong of [
      header({ to: [bob], conversation: group, ext }),
      header({ to: [alice], ext }),
      header({ to: [alice], conversation: nativeGroupConversation('push', 'c'), ext }),
      header({ to: [alice], conversation: group, ext: {} }),
      header({ to: [alice], conversation: group, ext: { hop: 'xmtp' } }),
    ]) {
      expect(() => readHopRequest(wrong)).toThrow(/header of the hop envelope/)
    }
  })

  it.each<[string, Record<string, unknown>]>([
    ['a member too many', { more: 1 }],
    ['a long id', { id: 'x'.repeat(MAX_NATIVE_ID + 1) }],
    ['an empty sender', { sender: '' }],
    ['another kind', { kind: 'channel' }],
    ['no network', { network: 'X' }],
    ['no gateway', { gateway: '' }],
    ['a number for a boolean', { own: 1 }],
  ])('with %s are refused', (_, change) => {
    const origin = {
      gateway: 'g',
      network: 'xmtp',
      id: '1',
      conversation: 'c',
      kind: 'direct',
      sender: 's',
      known: true,
      own: false,
    }
    expect(() => readHopOrigin(header({ ext: { hop: { ...origin, ...change } } }))).toThrow(
      /header of the hop envelope/,
    )
  })

  it('name a sender without a wallet by the address, on each network by another name', () => {
    const name = nativeSender('xmtp', 'inbox')
    expect(isWalletKey(name)).toBe(true)
    expect(nativeSender('push', 'inbox')).not.toBe(name)
    expect(nativeSender('xmtp', 'inbox2')).not.toBe(name)
  })
})

describe('secrets that are handed over', () => {
  it('open for the same holder and purpose, and for no other', async () => {
    const [one, two] = await Promise.all(
      [1, 2].map((byte) => deriveEncryptionKeyPair(new Uint8Array(32).fill(byte))),
    )
    const secret = crypto.getRandomValues(new Uint8Array(2_000))
    const purpose = ['causeway/handover/1', 'gateway', 'push', 'id', alice]
    const sealed = await sealSecret({ secret, publicKey: one!.publicKey, purpose })
    expect(await openSecret({ sealed, privateKey: one!.privateKey, purpose })).toEqual(secret)
    const altered = Uint8Array.from(sealed)
    altered[altered.length - 1]! ^= 1
    for (const wrong of [
      { sealed, privateKey: two!.privateKey, purpose },
      { sealed, privateKey: one!.privateKey, purpose: [...purpose.slice(0, 4), bob] },
      { sealed: altered, privateKey: one!.privateKey, purpose },
      { sealed: new Uint8Array([1, 2, 3]), privateKey: one!.privateKey, purpose },
      { sealed: encodeCanonical([0x80000000, new Uint8Array(48)]), privateKey: one!.privateKey, purpose },
      { sealed: encodeCanonical([new Uint8Array(32)]), privateKey: one!.privateKey, purpose },
    ]) {
      await expect(openSecret(wrong)).rejects.toMatchObject({ code: 'envelope-open-failed' })
    }
  })

  it('are sealed to a key that follows from its seed', async () => {
    const seed = new Uint8Array(32).fill(9)
    expect(await deriveEncryptionKeyPair(seed)).toEqual(await deriveEncryptionKeyPair(seed))
  })
})
