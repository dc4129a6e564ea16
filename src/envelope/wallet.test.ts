import { describe, expect, it } from 'vitest'
import { isWalletKey } from './wallet.ts'

const ADDRESS = '0xd8da6bf26964af9d7eed9e03e53415d37aa96045'
const SOLANA = 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv'

describe('isWalletKey', () => {
  it.each([`eip155:*:${ADDRESS}`, `eip155:1:${ADDRESS}`, `eip155:137:${ADDRESS}`, SOLANA])(
    'accepts %s',
    (text) => {
      expect(isWalletKey(text)).toBe(true)
    },
  )

  it.each([
    ['a checksummed address', 'eip155:*:0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045'],
    ['a leading zero in the chain', `eip155:01:${ADDRESS}`],
    ['chain 0', `eip155:0:${ADDRESS}`],
    ['no chain', `eip155::${ADDRESS}`],
    ['no prefix', 'eip155:1:d8da6bf26964af9d7eed9e03e53415d37aa96045'],
    ['39 digits', `eip155:1:${ADDRESS.slice(0, -1)}`],
    ['a bare address', ADDRESS],
    ['an upper-case namespace', `EIP155:1:${ADDRESS}`],
    ['a line feed at the end', `eip155:1:${ADDRESS}\n`],
    ['another namespace', 'bip122:000000000019d6689c085ae165831e93:128Lkh3S7CkDTBZ8W7BbpsN3YYizJMp8p6'],
    [
      'a Solana address of 31 bytes',
      'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:11111111111111111111111111111112'.slice(0, -1),
    ],
    ['a Solana address with a character outside base58', SOLANA.replace('7S3P', '0S3P')],
    ['nothing', ''],
  ])('refuses %s', (_, text) => {
    expect(isWalletKey(text)).toBe(false)
  })
})
