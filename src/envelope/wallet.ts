import { base58 } from '@scure/base'

const EVM = /^eip155:(?:\*|[1-9][0-9]{0,31}):0x[0-9a-f]{40}$/
const SOLANA = /^solana:[-_a-zA-Z0-9]{1,32}:([1-9A-HJ-NP-Za-km-z]{32,44})$/

/**
 * Whether the text is a wallet key in its one exact form: `eip155:*:0x<40 lower hex>` for an account that is one wallet on all
 * EVM chains, `eip155:<chain>:0x<40 lower hex>` for a smart account (chain without leading zeros), or
 * `solana:<reference>:<base58 of 32 bytes>`. Every other spelling of the same account is false, so that a wallet key can be
 * compared and hashed as text.
 */
export function isWalletKey(text: string): boolean {
  if (EVM.test(text)) return true
  const address = SOLANA.exec(text)?.[1]
  return address !== undefined && base58.decode(address).length === 32
}
