import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCanonical, encodeCanonical } from '../envelope/index.ts'
import { IdentityError } from './errors.ts'
import {
  decodeKeyEntry,
  encodeKeyEntry,
  keyEntryHash,
  requireDeviceKey,
  requireDeviceLabel,
} from './key-entry.ts'
import { codeOf, nextEntry, testDevice, testWallet } from './testing/wallets.ts'

const owner = testWallet(1)
const device = testDevice()
const entry = nextEntry(owner, [], device, {
  addresses: { waku: '/causeway/1/in-a/cbor' },
  recovery: testWallet(2).wallet,
})
const fields = () => decodeCanonical(encodeKeyEntry(entry), { maxBytes: 2048, maxDepth: 4 }) as unknown[]

describe('key entries', () => {
  it('decode to what was encoded', () => {
    expect(decodeKeyEntry(encodeKeyEntry(entry))).toEqual(entry)
    expect(keyEntryHash(encodeKeyEntry(entry))).toHaveLength(32)
  })

  it.each([
    ['tag', 0, 'causeway/key/2'],
    ['wallet', 1, `eip155:*:0x${'A'.repeat(40)}`],
    ['negative seq', 2, -1],
    ['short prev', 3, new Uint8Array(31)],
    ['action', 4, 'transfer'],
    ['device shape', 5, [new Uint8Array(32)]],
    ['device key', 5, [new Uint8Array(33), 'Phone']],
    ['device key type', 5, ['x'.repeat(32), 'Phone']],
    ['notBefore', 6, -1],
    ['notAfter', 7, Number.MAX_SAFE_INTEGER],
    ['capabilities', 8, ['message:send', 'message:send']],
    ['capability name', 8, ['Message send']],
    ['capability count', 8, Array.from({ length: 9 }, (_, index) => `a:b${index}`)],
    ['addresses', 9, []],
    ['address text', 9, { waku: 'a b' }],
    ['network name', 9, { 'Wa ku': 'a' }],
    ['recovery', 10, 'nobody'],
    ['salt', 11, new Uint8Array(15)],
  ])('refuse a bad %s', async (_name, index, value) => {
    const bytes = encodeCanonical(fields().with(index, value))
    expect(await codeOf(() => decodeKeyEntry(bytes))).toBe('key-entry-malformed')
  })

  it('refuse missing and additional elements, and other encodings', async () => {
    const bytes = encodeKeyEntry(entry)
    const bad = [
      encodeCanonical(fields().slice(0, 11)),
      encodeCanonical([...fields(), null]),
      encodeCanonical('causeway/key/1'),
      bytes.subarray(0, -1),
      new Uint8Array([...bytes, 0]),
      new Uint8Array(),
      new Uint8Array(705),
    ]
    for (const candidate of bad)
      expect(await codeOf(() => decodeKeyEntry(candidate))).toBe('key-entry-malformed')
  })

  it('live 30 days at most', async () => {
    const life = (notAfter: number) => codeOf(() => encodeKeyEntry({ ...entry, notAfter }))
    expect(await life(entry.notBefore + 30 * 86_400_000 + 1)).toBe('key-entry-lifetime')
    expect(await life(entry.notBefore)).toBe('key-entry-lifetime')
    expect(() => encodeKeyEntry({ ...entry, notAfter: entry.notBefore + 30 * 86_400_000 })).not.toThrow()
  })

  it('survive any change of bytes with a typed error or as another entry', () => {
    const bytes = encodeKeyEntry(entry)
    const mutation = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(mutation, (changes) => {
        const mutant = new Uint8Array(bytes)
        for (const [index, value] of changes) mutant[index] = value
        try {
          expect(encodeKeyEntry(decodeKeyEntry(mutant))).toEqual(mutant)
        } catch (error) {
          expect(error).toBeInstanceOf(IdentityError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('device keys and labels', () => {
  it('takes Ed25519 keys of full order only', async () => {
    expect(requireDeviceKey(device.publicKey)).toBe(device.publicKey)
    const identity = new Uint8Array(32)
    identity[0] = 1
    const notOnCurve = new Uint8Array(32)
    notOnCurve[0] = 2
    for (const key of [
      new Uint8Array(32),
      identity,
      notOnCurve,
      new Uint8Array(31),
      new Uint8Array(32).fill(255),
    ]) {
      expect(await codeOf(() => requireDeviceKey(key))).toBe('device-key-malformed')
    }
  })

  it.each([
    '',
    ' ',
    ' phone',
    'phone ',
    'a\nb',
    'a\tb',
    'x'.repeat(65),
    'a]b',
    '[a',
    'say "hi"',
    'Zoë',
    '📱',
    'a\u202eb',
  ])('refuses the label %j', async (label) => {
    expect(await codeOf(() => requireDeviceLabel(label))).toBe('device-label-malformed')
  })

  it('takes ordinary labels', () => {
    for (const label of ['a', "Alice's laptop (work), #2", 'Firefox 140 on Linux', 'x'.repeat(64)]) {
      expect(requireDeviceLabel(label)).toBe(label)
    }
  })
})
