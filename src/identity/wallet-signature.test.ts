import { Signature } from 'ethers/crypto'
import { describe, expect, it } from 'vitest'
import { codeOf, testWallet } from './testing/wallets.ts'
import { requireVerifiableWallet, verifyWalletSignature } from './wallet-signature.ts'

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

describe('other kinds of wallet', () => {
  it('answer that they are not supported yet', async () => {
    const smart = `eip155:1:${owner.signer.address.toLowerCase()}`
    const solana = 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv'
    for (const wallet of [smart, solana]) {
      expect(await codeOf(() => requireVerifiableWallet(wallet))).toBe('identity-namespace-unsupported')
    }
    const act = () =>
      verifyWalletSignature({ wallet: smart, account: owner.account, message, signature: canonical })
    expect(await codeOf(act)).toBe('identity-namespace-unsupported')
  })
})
