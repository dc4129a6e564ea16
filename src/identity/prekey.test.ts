import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeCanonical, generateEncryptionKeyPair, SUITE, signerFromDeviceKey } from '../envelope/index.ts'
import { IdentityError } from './errors.ts'
import { decodePrekey, encodePrekey, type Prekey, signPrekey, verifyPrekey } from './prekey.ts'
import { codeOf, DAY, START, testDevice, testWallet } from './testing/wallets.ts'

const device = testDevice()
const sign = signerFromDeviceKey(device.privateKey)
const times = { notBefore: START, notAfter: START + 2 * DAY }

async function prekey(suite: number = SUITE.x25519): Promise<Prekey> {
  const { publicKey } = await generateEncryptionKeyPair(suite)
  return { wallet: testWallet(1).wallet, device: device.publicKey, suite, publicKey, ...times }
}

describe('prekeys', () => {
  it.each([SUITE.x25519, SUITE.xwing])('of suite %i are signed by their device', async (suite) => {
    const fields = await prekey(suite)
    expect(await verifyPrekey(await signPrekey(fields, sign))).toEqual(fields)
    expect(decodePrekey(encodePrekey(fields))).toEqual(fields)
  })

  it('are refused with the signature of another device, or a bad one', async () => {
    const fields = await prekey()
    const stranger = signerFromDeviceKey(testDevice().privateKey)
    const signed = await signPrekey(fields, stranger)
    for (const signature of [signed.signature, new Uint8Array(64), new Uint8Array(63)]) {
      expect(await codeOf(() => verifyPrekey({ ...signed, signature }))).toBe('prekey-signature-invalid')
    }
  })

  it('live 30 days at most', async () => {
    const fields = await prekey()
    for (const notAfter of [START, START - 1, START + 30 * DAY + 1]) {
      expect(await codeOf(() => encodePrekey({ ...fields, notAfter }))).toBe('prekey-lifetime')
    }
  })

  it('are refused in other shapes', async () => {
    const { wallet, publicKey } = await prekey()
    const good = ['causeway/prekey/1', wallet, device.publicKey, 1, publicKey, START, START + DAY]
    expect(() => decodePrekey(encodeCanonical(good))).not.toThrow()
    const bad = [
      good.with(0, 'causeway/prekey/2'),
      good.with(1, 'nobody'),
      good.with(2, new Uint8Array(31)),
      good.with(3, 0),
      good.with(3, 9),
      good.with(3, '1'),
      good.with(4, new Uint8Array(1216)),
      good.with(5, -1),
      good.slice(0, 6),
      [...good, null],
    ]
    for (const value of bad)
      expect(await codeOf(() => decodePrekey(encodeCanonical(value)))).toBe('prekey-malformed')
    expect(await codeOf(() => decodePrekey(new Uint8Array(2000)))).toBe('prekey-malformed')
  })

  it('are refused with any bit changed', async () => {
    const signed = await signPrekey(await prekey(), sign)
    await fc.assert(
      fc.asyncProperty(fc.nat(signed.bytes.length - 1), fc.nat(7), async (at, bit) => {
        const bytes = new Uint8Array(signed.bytes)
        bytes[at]! ^= 1 << bit
        const outcome = await verifyPrekey({ ...signed, bytes }).catch((error: unknown) => error)
        expect(outcome).toBeInstanceOf(IdentityError)
      }),
      { numRuns: 200 },
    )
  })
})
