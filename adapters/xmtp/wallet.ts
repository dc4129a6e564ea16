/** Wallets as XMTP sees them: inbox ids, the gateway's own wallet, and the keys derived from it. */
import { createHash, hkdfSync } from 'node:crypto'
import type { Identifier, IdentifierKind } from '@xmtp/node-bindings'
import type { Signer } from '@xmtp/node-sdk'
import { SigningKey } from 'ethers/crypto'
import { hashMessage } from 'ethers/hash'
import { computeAddress } from 'ethers/transaction'
import { fromHex } from '../../src/envelope/index.ts'

/** The SDK's enums exist in its types alone; these are its values. */
const ETHEREUM = 0 as IdentifierKind

/** Nonce of a wallet's first inbox, which is what every SDK registers. */
const FIRST_INBOX = 1

/** Label of the key of the local database, derived by HKDF-SHA256 from the wallet's private key without salt. */
const DATABASE_KEY_LABEL = 'causeway/xmtp-database/1'

/** A wallet's key that stands for one account on all EVM chains. */
const ANY_CHAIN_WALLET = /^eip155:\*:(0x[0-9a-f]{40})$/

/**
 * The inbox id of an EVM address: lower-case hex of SHA-256 over the address and the nonce as text, as libxmtp's
 * `generateInboxId` has it. A wallet that was added to another inbox is reached at that one instead.
 */
export function inboxIdOf(address: string, nonce = FIRST_INBOX): string {
  return createHash('sha256').update(`${address.toLowerCase()}${nonce}`).digest('hex')
}

/** The inbox id of a walletKey; null for smart accounts and other chains, whose wallets name theirs. */
export function inboxIdOfWallet(wallet: string): string | null {
  const address = ANY_CHAIN_WALLET.exec(wallet)?.[1]
  return address === undefined ? null : inboxIdOf(address)
}

/** Whether a text has the form of an inbox id: 64 lower-case hex characters. */
export function isInboxId(address: string): boolean {
  return /^[0-9a-f]{64}$/.test(address)
}

/** How the SDK names an EVM account. */
export function identifierOf(address: string): Identifier {
  return { identifier: address.toLowerCase(), identifierKind: ETHEREUM }
}

export interface GatewayWallet {
  /** Lower-case EVM address. */
  address: string
  inboxId: string
  /** Signs for the SDK (EIP-191), which asks only when a new installation joins the inbox. */
  signer: Signer
  /** 32 bytes. */
  databaseKey: Uint8Array
}

/** The wallet of a private key, `0x` and 64 hex digits. */
export function openWallet(walletKey: string): GatewayWallet {
  const address = computeAddress(walletKey).toLowerCase()
  const secret = fromHex(walletKey.slice(2))
  return {
    address,
    inboxId: inboxIdOf(address),
    signer: {
      type: 'EOA',
      getIdentifier: () => identifierOf(address),
      signMessage: (text) => fromHex(new SigningKey(walletKey).sign(hashMessage(text)).serialized.slice(2)),
    },
    databaseKey: new Uint8Array(hkdfSync('sha256', secret, '', DATABASE_KEY_LABEL, 32)),
  }
}
