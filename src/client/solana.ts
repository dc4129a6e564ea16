/** Wallets of Solana, which sign bytes and answer bytes. */
import { toHex, utf8Encode } from '../envelope/index.ts'
import type { WalletSigner } from './types.ts'

/** CAIP-2 reference of Solana's mainnet: the first 32 characters of its genesis hash. */
export const SOLANA_MAINNET = '5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp'

/**
 * Makes a signer of what Solana wallets offer, for a client of kind `solana-account`.
 *
 * @example solanaSigner({ address: publicKey.toBase58(), signMessage: (bytes) => wallet.signMessage(bytes) })
 */
export function solanaSigner(wallet: {
  /** base58 */
  address: string
  /** Ed25519 over the bytes as they are; 64 bytes. */
  signMessage(message: Uint8Array): Promise<Uint8Array>
}): WalletSigner {
  return {
    getAddress: async () => wallet.address,
    signMessage: async (message) => `0x${toHex(await wallet.signMessage(utf8Encode(message)))}`,
  }
}
