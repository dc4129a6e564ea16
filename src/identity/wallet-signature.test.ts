import { ed25519 } from '@noble/curves/ed25519.js'
import { base58 } from '@scure/base'
import { Signature } from 'ethers/crypto'
import { describe, expect, it } from 'vitest'
import { toHex, utf8Encode } from '../envelope/index.ts'
import { parseAccount, walletKeyOf } from './caip.ts'
import { codeOf, testWallet } from './testing/wallets.ts'
import { requireVerifiableWallet, verifyWalletSignature } from './wallet-signature.ts'

const SOLANA_MAINNET = 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp'
const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const owner = testWallet(1)
const message = 'A text to sign'
const canonical = await owner.signer.signMessage(message)
const parts = Signature.from(canonical)
const withoutV = canonical.slice(0, 130)
const verify = (signature: string, text = message) =>
  verifyWalletSignature({ wallet: owner.wallet, account: owner.account, message: text, signature })

describe('signatures of EVM accounts', () => {
  it('take each common spelling and give the canonical one', async () => {
    const spellings = [
      canonical,
      `${withoutV}${(parts.v - 27).toString(16).padStart(2, '0')}`,
      parts.compactSerialized,
      `0x${canonical.slice(2).toUpperCase()}`,
    ]
    for (const signature of spellings) {
      expect(await verify(signature)).toEqual({ kind: 'recovered', signature: canonical })
    }
  })

  it('are refused with a high s', async () => {
    const high = (CURVE_ORDER - BigInt(parts.s)).toString(16).padStart(64, '0')
    for (const v of ['1b', '1c', '00', '01']) {
      expect(await codeOf(() => verify(`${parts.r}${high}${v}`))).toBe('wallet-signature-invalid')
    }
  })

  it.each([
    ['nothing', ''],
    ['no prefix', canonical.slice(2)],
    ['an upper prefix', `0X${canonical.slice(2)}`],
    ['an EIP-155 v', `${withoutV}25`],
    ['v 29', `${withoutV}1d`],
    ['a short one', canonical.slice(0, -4)],
    ['a long one', `${canonical}00`],
    ['other characters', `0x${'zz'.repeat(65)}`],
    ['a trailing line break', `${canonical}\n`],
  ])('are refused as %s', async (_name, signature) => {
    expect(await codeOf(() => verify(signature))).toBe('wallet-signature-invalid')
  })

  it('are not found in values outside the curve', async () => {
    for (const signature of [
      `0x${'00'.repeat(65)}`,
      `0x${'ff'.repeat(32)}${'00'.repeat(31)}011b`,
      `0x${'00'.repeat(31)}05${'00'.repeat(31)}011b`,
    ]) {
      const outcome = await verify(signature).catch((error: { code: string }) => error.code)
      expect([null, 'wallet-signature-invalid']).toContain(outcome)
    }
  })

  it('are those of this wallet and text only', async () => {
    expect(await verify(await testWallet(2).signer.signMessage(message))).toBeNull()
    expect(await verify(canonical, `${message}.`)).toBeNull()
    const flipped = parts.v === 27 ? '1c' : '1b'
    expect(await verify(`${withoutV}${flipped}`)).toBeNull()
  })
})

describe('signatures of Solana accounts', () => {
  const seed = new Uint8Array(32).fill(7)
  const address = base58.encode(ed25519.getPublicKey(seed))
  const account = parseAccount(`${SOLANA_MAINNET}:${address}`)
  const wallet = walletKeyOf(account)
  const signed = ed25519.sign(utf8Encode(message), seed)
  const hexadecimal = `0x${toHex(signed)}`
  const verifySolana = (signature: string, text = message) =>
    verifyWalletSignature({ wallet, account, message: text, signature })

  it('are taken in hexadecimal and base58, and kept in hexadecimal', async () => {
    for (const signature of [hexadecimal, `0x${toHex(signed).toUpperCase()}`, base58.encode(signed)]) {
      expect(await verifySolana(signature)).toEqual({ kind: 'ed25519', signature: hexadecimal })
    }
  })

  it('are those of this wallet and text only', async () => {
    expect(await verifySolana(hexadecimal, `${message}.`)).toBeNull()
    const other = `0x${toHex(ed25519.sign(utf8Encode(message), new Uint8Array(32).fill(8)))}`
    expect(await verifySolana(other)).toBeNull()
  })

  it.each([
    ['nothing', ''],
    ['a short one', `0x${'11'.repeat(63)}`],
    ['that of an EVM account', canonical],
    ['base64', Buffer.from(signed).toString('base64')],
    ['base58 of other lengths', base58.encode(new Uint8Array(63).fill(255))],
  ])('are refused as %s', async (_name, signature) => {
    expect(await codeOf(() => verifySolana(signature))).toBe('wallet-signature-invalid')
  })

  it('are not expected of an address that is no public key', async () => {
    requireVerifiableWallet({ wallet, account }, undefined)
    for (const bytes of [new Uint8Array(32).fill(2), new Uint8Array(32)]) {
      const bad = parseAccount(`${SOLANA_MAINNET}:${base58.encode(bytes)}`)
      const act = () => requireVerifiableWallet({ wallet: walletKeyOf(bad), account: bad }, undefined)
      expect(await codeOf(act)).toBe('account-malformed')
    }
  })
})

describe('signatures of smart accounts', () => {
  it('are refused where no node of their chain is configured', async () => {
    const wallet = `eip155:1:${owner.signer.address.toLowerCase()}`
    expect(await codeOf(() => requireVerifiableWallet({ wallet, account: owner.account }, undefined))).toBe(
      'chain-not-configured',
    )
    const act = () => verifyWalletSignature({ wallet, account: owner.account, message, signature: canonical })
    expect(await codeOf(act)).toBe('chain-not-configured')
  })
})
