import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeCanonical } from '../envelope/index.ts'
import {
  certificateStatus,
  decodeCertificate,
  encodeCertificate,
  MAX_CERTIFICATE_BYTES,
  verifyCertificate,
} from './certificate.ts'
import { IdentityError } from './errors.ts'
import { KEY_ENTRY_LIMITS } from './key-entry.ts'
import { CLOCK_SKEW_MS } from './key-log.ts'
import {
  codeOf,
  DAY,
  DOMAIN,
  nextEntry,
  START,
  signEntry,
  signedLog,
  testDevice,
  testWallet,
} from './testing/wallets.ts'

const owner = testWallet(1)
const phone = testDevice('Phone')
const signed = await signEntry(owner, nextEntry(owner, [], phone))
const certificate = encodeCertificate(signed)
const options = { wallet: owner.wallet, device: phone.publicKey, trustedDomains: [DOMAIN] }

describe('certificates', () => {
  it('decode to what was encoded', () => {
    expect(decodeCertificate(certificate)).toEqual(signed)
    expect(certificate.length).toBeLessThan(512)
  })

  it('certify a device for a wallet and a time', async () => {
    const certified = await verifyCertificate(certificate, options)
    expect(certified).toMatchObject({
      wallet: owner.wallet,
      device: phone.publicKey,
      label: 'Phone',
      notBefore: START,
    })
    expect(certificateStatus(certified, START - CLOCK_SKEW_MS - 1)).toBe('unknown')
    expect(certificateStatus(certified, START - CLOCK_SKEW_MS)).toBe('certified')
    expect(certificateStatus(certified, START + 30 * DAY)).toBe('certified')
    expect(certificateStatus(certified, START + 30 * DAY + 1)).toBe('expired')
    expect(certificateStatus({ ...certified, capabilities: [] }, START)).toBe('unknown')
  })

  it('stay under 1 KB for the largest entry and domain', async () => {
    const largest = nextEntry(owner, [], testDevice('x'.repeat(64)), {
      capabilities: Array.from({ length: 8 }, (_, index) => `message:${index}${'x'.repeat(10)}`),
      addresses: { waku: 'x'.repeat(128), trtc: 'x'.repeat(90) },
      recovery: testWallet(2).wallet,
      seq: 0xffffffff,
    })
    const bytes = encodeCertificate(await signEntry(owner, largest, { domain: 'x'.repeat(128) }))
    expect(decodeCertificate(bytes).entry.length).toBeGreaterThan(KEY_ENTRY_LIMITS.bytes - 50)
    expect(bytes.length).toBeLessThanOrEqual(MAX_CERTIFICATE_BYTES)
  })

  it.each([
    ['another wallet', { ...options, wallet: testWallet(2).wallet }, 'certificate-malformed'],
    ['another device', { ...options, device: testDevice().publicKey }, 'certificate-malformed'],
    ['an untrusted domain', { ...options, trustedDomains: [] }, 'certificate-untrusted-domain'],
  ])('are refused for %s', async (_name, other, code) => {
    expect(await codeOf(() => verifyCertificate(certificate, other))).toBe(code)
  })

  it('are refused with an exchanged domain, account or signature', async () => {
    const other = { ...options, trustedDomains: [DOMAIN, 'other.example'] }
    const changes = [
      { domain: 'other.example' },
      { account: testWallet(1, 137).accountText },
      { signature: (await signEntry(owner, nextEntry(owner, [], phone))).signature },
      {
        signature: (await signEntry(owner, nextEntry(owner, [], phone), { signer: testWallet(2).signer }))
          .signature,
      },
    ]
    for (const change of changes) {
      const bytes = encodeCertificate({ ...signed, ...change })
      expect(await codeOf(() => verifyCertificate(bytes, other))).toBe('wallet-signature-invalid')
    }
  })

  it('are no certificates when they revoke', async () => {
    const [, revocation] = await signedLog(owner, [
      ['add', phone],
      ['revoke', phone],
    ])
    expect(await codeOf(() => verifyCertificate(encodeCertificate(revocation!), options))).toBe(
      'certificate-malformed',
    )
  })

  it('are refused in other shapes', async () => {
    const { entry, account, domain } = signed
    const bad = [
      new Uint8Array(),
      certificate.subarray(1),
      new Uint8Array([...certificate, 0]),
      new Uint8Array(MAX_CERTIFICATE_BYTES + 1),
      encodeCanonical([entry, new Uint8Array(65), account]),
      encodeCanonical([entry, new Uint8Array(0), account, domain]),
      encodeCanonical(['entry', new Uint8Array(65), account, domain]),
      encodeCanonical([entry, '0x', account, domain]),
      encodeCanonical([entry, new Uint8Array(65), null, domain]),
    ]
    for (const bytes of bad)
      expect(await codeOf(() => decodeCertificate(bytes))).toBe('certificate-malformed')
    expect(await codeOf(() => encodeCertificate({ ...signed, signature: '0xABC' }))).toBe(
      'certificate-malformed',
    )
  })

  it('are refused with any bit changed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(certificate.length - 1), fc.nat(7), async (at, bit) => {
        const mutant = new Uint8Array(certificate)
        mutant[at]! ^= 1 << bit
        const outcome = await verifyCertificate(mutant, options).catch((error: unknown) => error)
        expect(outcome).toBeInstanceOf(IdentityError)
      }),
      { numRuns: 300 },
    )
  })
})
