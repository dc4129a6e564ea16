import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeCanonical, generateDeviceKey, signerFromDeviceKey } from '../envelope/index.ts'
import {
  type Consent,
  consentHash,
  decodeConsent,
  decodeHopCertificate,
  encodeHopCertificate,
  MAX_CONSENT_LIFE_MS,
  meaningHash,
  signConsent,
  verifyConsent,
} from './consent.ts'

const device = generateDeviceKey()
const sign = signerFromDeviceKey(device.privateKey)

const consentOf = (changes: Partial<Consent> = {}): Consent => ({
  gateway: 'gateway-a',
  gatewayDevice: new Uint8Array(32).fill(1),
  network: 'xmtp',
  wallet: `eip155:*:0x${'ab'.repeat(20)}`,
  device: device.publicKey,
  issuedAt: 1_000,
  expiresAt: 2_000,
  meaning: meaningHash('The gateway reads and writes.'),
  ...changes,
})

describe('consents', () => {
  it('are read and verified as they were signed', async () => {
    const consent = consentOf()
    const signed = await signConsent(consent, sign)
    expect(await verifyConsent(signed)).toEqual(consent)
    expect(decodeConsent(signed.bytes)).toEqual(consent)
  })

  it('do not verify when a byte of text or signature is another', async () => {
    const signed = await signConsent(consentOf(), sign)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(signed.bytes.length + 63),
        fc.integer({ min: 1, max: 255 }),
        async (at, change) => {
          const bytes = Uint8Array.from(signed.bytes)
          const signature = Uint8Array.from(signed.signature)
          if (at < bytes.length) bytes[at]! ^= change
          else signature[at - bytes.length]! ^= change
          await expect(verifyConsent({ bytes, signature })).rejects.toMatchObject({
            code: expect.stringMatching(/^consent-(malformed|signature-invalid)$/),
          })
        },
      ),
      { numRuns: 40 },
    )
  })

  it.each<[string, Partial<Record<keyof Consent, unknown>>]>([
    ['no gateway', { gateway: '' }],
    ['a key that is short', { gatewayDevice: new Uint8Array(31) }],
    ['no network', { network: 'XMTP' }],
    ['no wallet', { wallet: '0xabc' }],
    ['no time', { issuedAt: 1.5 }],
    ['an end before its beginning', { expiresAt: 1_000 }],
    ['too long a life', { expiresAt: 1_001 + MAX_CONSENT_LIFE_MS }],
    ['a meaning in the clear', { meaning: 'everything' }],
  ])('with %s are neither made nor read', async (_, changes) => {
    const consent = { ...consentOf(), ...changes } as Consent
    await expect(signConsent(consent, sign)).rejects.toMatchObject({ code: 'consent-malformed' })
  })

  it('of another form are malformed', () => {
    for (const value of [
      null,
      [],
      ['causeway/enrol/1'],
      ['causeway/enrol/2', 1, 2, 3, 4, 5, 6, 7, 8],
      { a: 1 },
    ]) {
      expect(() => decodeConsent(encodeCanonical(value))).toThrow(/consent/)
    }
    expect(() => decodeConsent(new Uint8Array(2_000))).toThrow(/consent cannot be read/)
  })

  it('have one hash each, and so do meanings', async () => {
    const [one, two] = await Promise.all([
      signConsent(consentOf(), sign),
      signConsent(consentOf({ issuedAt: 1_001 }), sign),
    ])
    expect(consentHash(one.bytes)).not.toEqual(consentHash(two.bytes))
    expect(meaningHash('a')).not.toEqual(meaningHash('b'))
  })

  it('travel with the certificate of the device, or without', async () => {
    const consent = await signConsent(consentOf(), sign)
    for (const own of [null, new Uint8Array([1, 2, 3])]) {
      expect(decodeHopCertificate(encodeHopCertificate({ consent, device: own }))).toEqual({
        consent,
        device: own,
      })
    }
    for (const wrong of [
      [],
      ['causeway/hop-certificate/1', consent.bytes, consent.signature, 'device'],
      [1, 2, 3, 4],
    ]) {
      expect(() => decodeHopCertificate(encodeCanonical(wrong))).toThrow(/consent/)
    }
  })
})
