import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex } from '../envelope/index.ts'
import { IdentityError } from './errors.ts'
import { encodeKeyEntry, type KeyEntry } from './key-entry.ts'
import { CLOCK_SKEW_MS, checkPinnedHead, readKeyLog, type SignedKeyEntry, verifyKeyLog } from './key-log.ts'
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
const laptop = testDevice('Laptop')
const options = { wallet: owner.wallet, trustedDomains: [DOMAIN], now: START + 60_000 }
const steps = [
  ['add', phone],
  ['add', laptop],
  ['revoke', phone],
] as const
const log = await signedLog(owner, steps)

describe('verifyKeyLog', () => {
  it('says which devices may sign, and when', async () => {
    const keyLog = await verifyKeyLog(log, options)
    expect(keyLog.head?.seq).toBe(2)
    expect(keyLog.deviceStatus(phone.publicKey, START - CLOCK_SKEW_MS - 1)).toBe('unknown')
    expect(keyLog.deviceStatus(phone.publicKey, START)).toBe('certified')
    expect(keyLog.deviceStatus(phone.publicKey, START + 1999)).toBe('certified')
    expect(keyLog.deviceStatus(phone.publicKey, START + 2000)).toBe('revoked')
    expect(keyLog.deviceStatus(phone.publicKey, START + 60 * DAY)).toBe('revoked')
    expect(keyLog.deviceStatus(laptop.publicKey, START + 1000 + 30 * DAY)).toBe('certified')
    expect(keyLog.deviceStatus(laptop.publicKey, START + 1001 + 30 * DAY)).toBe('expired')
    expect(keyLog.deviceStatus(testDevice().publicKey, START)).toBe('unknown')
    expect(keyLog.devices()).toEqual([
      {
        device: phone.publicKey,
        label: 'Phone',
        notBefore: START,
        notAfter: START + 30 * DAY,
        revokedAt: START + 2000,
      },
      {
        device: laptop.publicKey,
        label: 'Laptop',
        notBefore: START + 1000,
        notAfter: START + 1000 + 30 * DAY,
        revokedAt: null,
      },
    ])
    expect(keyLog.certificateEntry(phone.publicKey)).toBeNull()
    expect(keyLog.certificateEntry(laptop.publicKey)).toBe(log[1])
  })

  it('takes a renewed and a re-certified device', async () => {
    const renewed = await verifyKeyLog(await signedLog(owner, [...steps, ['add', phone]]), options)
    expect(renewed.deviceStatus(phone.publicKey, START + 60_000 + CLOCK_SKEW_MS)).toBe('certified')
    expect(renewed.devices()[0]).toMatchObject({ label: 'Phone', revokedAt: null })
  })

  it('trusts no sender without message:send', async () => {
    const reader = [await signEntry(owner, nextEntry(owner, [], phone, { capabilities: ['message:read'] }))]
    expect((await verifyKeyLog(reader, options)).deviceStatus(phone.publicKey, START)).toBe('unknown')
  })

  it('is empty for a wallet never seen', async () => {
    const empty = await verifyKeyLog([], options)
    expect(empty.head).toBeNull()
    expect(empty.devices()).toEqual([])
  })

  it.each([
    ['a missing first entry', log.slice(1), 'key-log-broken'],
    ['a missing middle entry', [log[0]!, log[2]!], 'key-log-broken'],
    ['another order', [log[1]!, log[0]!, log[2]!], 'key-log-broken'],
    ['a repeated entry', [log[0]!, log[0]!], 'key-log-broken'],
    ['another account', [{ ...log[0]!, account: testWallet(2).accountText }], 'key-log-broken'],
    [
      'another chain in the text',
      [{ ...log[0]!, account: testWallet(1, 10).accountText }],
      'wallet-signature-invalid',
    ],
    ['another domain in the text', [{ ...log[0]!, domain: 'other.example' }], 'key-log-untrusted-domain'],
    ['a bad account', [{ ...log[0]!, account: 'nobody' }], 'account-malformed'],
    [
      'the signature of another entry',
      [{ ...log[0]!, signature: log[1]!.signature }],
      'wallet-signature-invalid',
    ],
    [
      'a second spelling of the signature',
      [{ ...log[0]!, signature: upperCase(log[0]!.signature) }],
      'wallet-signature-invalid',
    ],
  ])('refuses %s', async (_name, entries, code) => {
    expect(await codeOf(() => verifyKeyLog(entries, options))).toBe(code)
  })

  it('refuses entries that break a rule, though the wallet signed them', async () => {
    const refused = async (changes: Partial<KeyEntry>, before = log) => {
      const entry = await signEntry(owner, nextEntry(owner, before, laptop, changes))
      return codeOf(() => verifyKeyLog([...before, entry], options))
    }
    expect(await refused({ prev: new Uint8Array(32) })).toBe('key-log-broken')
    expect(await refused({ seq: 7 })).toBe('key-log-broken')
    expect(await refused({ notBefore: START, notAfter: START + 1 })).toBe('key-log-broken')
    expect(await refused({ notBefore: START + 10 * DAY, notAfter: START + 11 * DAY })).toBe('key-log-broken')
    expect(await refused({ action: 'revoke' }, log.slice(0, 1))).toBe('key-log-broken')
    expect(await refused({ prev: new Uint8Array(32).fill(1) }, [])).toBe('key-log-broken')
  })

  it('refuses actions that have no rules yet', async () => {
    for (const action of ['recover', 'address'] as const) {
      const entry = encodeKeyEntry(nextEntry(owner, log, laptop, { action }))
      const signed = { ...log[0]!, entry }
      expect(await codeOf(() => verifyKeyLog([...log, signed], options))).toBe('key-action-unsupported')
    }
  })

  it('refuses a log of another wallet', async () => {
    expect(await codeOf(() => verifyKeyLog(log, { ...options, wallet: testWallet(2).wallet }))).toBe(
      'key-log-broken',
    )
  })

  it('refuses every changed bit of an entry or a signature', async () => {
    const place = fc.record({
      index: fc.nat(log.length - 1),
      part: fc.constantFrom('entry' as const, 'signature' as const),
      at: fc.nat(100_000),
      bit: fc.nat(7),
    })
    await fc.assert(
      fc.asyncProperty(place, async ({ index, part, at, bit }) => {
        const mutant = log.map((signed, position) =>
          position === index ? flip(signed, part, at, bit) : signed,
        )
        const refusal = await verifyKeyLog(mutant, options).catch((error: unknown) => error)
        expect(refusal).toBeInstanceOf(IdentityError)
      }),
      { numRuns: 300 },
    )
  })
})

describe('readKeyLog', () => {
  it('checks links but not signatures', async () => {
    const unsigned = log.map((signed) => ({ ...signed, signature: '0x' }))
    expect(readKeyLog(unsigned, owner.wallet).head).toEqual((await verifyKeyLog(log, options)).head)
    expect(await codeOf(() => readKeyLog(log.slice(1), owner.wallet))).toBe('key-log-broken')
  })
})

describe('checkPinnedHead', () => {
  it('lets a log grow and refuses one that shrinks or forks', async () => {
    const seen = readKeyLog(log.slice(0, 2), owner.wallet).head!
    checkPinnedHead(readKeyLog(log, owner.wallet), seen)
    checkPinnedHead(readKeyLog(log.slice(0, 2), owner.wallet), seen)
    expect(await codeOf(() => checkPinnedHead(readKeyLog(log.slice(0, 1), owner.wallet), seen))).toBe(
      'key-log-forked',
    )
    const fork = await signedLog(owner, steps)
    expect(await codeOf(() => checkPinnedHead(readKeyLog(fork, owner.wallet), seen))).toBe('key-log-forked')
  })
})

function upperCase(signature: string): string {
  return `0x${signature.slice(2).toUpperCase()}`
}

function flip(signed: SignedKeyEntry, part: 'entry' | 'signature', at: number, bit: number): SignedKeyEntry {
  const bytes =
    part === 'entry'
      ? new Uint8Array(signed.entry)
      : new Uint8Array(Buffer.from(signed.signature.slice(2), 'hex'))
  bytes[at % bytes.length]! ^= 1 << bit
  return part === 'entry' ? { ...signed, entry: bytes } : { ...signed, signature: `0x${toHex(bytes)}` }
}
