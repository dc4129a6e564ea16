import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isWalletKey } from '../envelope/index.ts'
import { accountText, displayWallet, parseAccount, parseWallet, walletKeyOf, walletKind } from './caip.ts'
import { IdentityError } from './errors.ts'
import { codeOf } from './testing/wallets.ts'

const VITALIK = '0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045'
const SOLANA = 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv'

describe('parseAccount', () => {
  it('gives EVM addresses their checksum', () => {
    for (const address of [VITALIK, VITALIK.toLowerCase(), `0x${VITALIK.slice(2).toUpperCase()}`]) {
      expect(accountText(parseAccount(`eip155:137:${address}`))).toBe(`eip155:137:${VITALIK}`)
    }
  })

  it('reads Solana accounts', () => {
    expect(accountText(parseAccount(SOLANA))).toBe(SOLANA)
    expect(walletKeyOf(parseAccount(SOLANA))).toBe(SOLANA)
  })

  it.each([
    ['', 'account-malformed'],
    [VITALIK, 'account-malformed'],
    [`eip155:01:${VITALIK}`, 'account-malformed'],
    [`eip155:0:${VITALIK}`, 'account-malformed'],
    [`eip155:9007199254740993:${VITALIK}`, 'account-malformed'],
    [`eip155:*:${VITALIK}`, 'account-malformed'],
    [`eip155:1:${VITALIK}\n`, 'account-malformed'],
    [` eip155:1:${VITALIK}`, 'account-malformed'],
    [`eip155:1:${VITALIK.slice(0, -1)}`, 'account-malformed'],
    [`eip155:1:0X${VITALIK.slice(2)}`, 'account-malformed'],
    [`eip155:1:${VITALIK.replace('d8dA', 'd8da')}`, 'account-checksum'],
    [`${SOLANA}1`, 'account-malformed'],
    ['solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:0OIl', 'account-malformed'],
    ['cosmos:cosmoshub-3:cosmos1t2uflqwqe0fsj0shcfkrvpukewcw40yjj6hdc0', 'identity-namespace-unsupported'],
    [`eip155:1:${'a'.repeat(10_000)}`, 'account-malformed'],
  ])('refuses %s', async (text, code) => {
    expect(await codeOf(() => parseAccount(text))).toBe(code)
  })

  it('refuses anything else with a typed error', () => {
    const near = fc
      .tuple(
        fc.constantFrom('eip155', 'solana', 'EIP155', ''),
        fc.constantFrom(':', '::', ''),
        fc.constantFrom('1', '*', '01', '-1', '5eykt'),
        fc.constantFrom(':', ''),
        fc.oneof(fc.string(), fc.constant(VITALIK)),
      )
      .map((parts) => parts.join(''))
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), near, fc.anything())
    fc.assert(
      fc.property(text, (input) => {
        for (const read of [parseAccount, parseWallet]) {
          try {
            read(input as string)
          } catch (error) {
            expect(error).toBeInstanceOf(IdentityError)
          }
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('reads back what it writes', () => {
    const address = fc
      .uint8Array({ minLength: 20, maxLength: 20 })
      .map((bytes) => `0x${Buffer.from(bytes).toString('hex')}`)
    fc.assert(
      fc.property(address, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (text, chain) => {
        const account = parseAccount(`eip155:${chain}:${text}`)
        expect(parseAccount(accountText(account))).toEqual(account)
        expect(walletKeyOf(account)).toBe(`eip155:*:${text}`)
        expect(isWalletKey(walletKeyOf(account))).toBe(true)
        expect(isWalletKey(walletKeyOf(account, { smart: true }))).toBe(true)
      }),
      { numRuns: 200 },
    )
  })
})

describe('parseWallet', () => {
  it('gives one wallet for every spelling of an account', () => {
    const wallet = `eip155:*:${VITALIK.toLowerCase()}`
    for (const text of [
      VITALIK,
      VITALIK.toLowerCase(),
      wallet,
      `eip155:1:${VITALIK}`,
      `eip155:10:${VITALIK}`,
    ]) {
      expect(parseWallet(text).wallet).toBe(wallet)
    }
    expect(accountText(parseWallet(wallet).account)).toBe(`eip155:1:${VITALIK}`)
    expect(accountText(parseWallet(`eip155:10:${VITALIK}`).account)).toBe(`eip155:10:${VITALIK}`)
  })

  it('keeps smart accounts apart by chain', () => {
    const text = `eip155:10:${VITALIK}`
    expect(parseWallet(text, { kind: 'evm-contract' }).wallet).toBe(`eip155:10:${VITALIK.toLowerCase()}`)
    expect(walletKind(`eip155:10:${VITALIK.toLowerCase()}`)).toBe('evm-contract')
    expect(walletKind(`eip155:*:${VITALIK.toLowerCase()}`)).toBe('evm-account')
    expect(walletKind(SOLANA)).toBe('solana-account')
  })

  it('refuses a wrong checksum in a bare address (article attack 34)', async () => {
    const mistyped = '0x742d35Cc6634C0532925a3b844Bc9e7595f2bD28'
    expect(await codeOf(() => parseWallet(mistyped))).toBe('account-checksum')
  })
})

describe('displayWallet', () => {
  it('shortens', () => {
    expect(displayWallet(`eip155:*:${VITALIK.toLowerCase()}`)).toBe('eip155:*:0xd8da…45')
    expect(displayWallet(SOLANA)).toBe('solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:7S3P4H…Kv')
    expect(displayWallet('x')).toBe('x')
  })
})
