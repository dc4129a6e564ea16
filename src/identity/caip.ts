/** Accounts (CAIP-10) and wallet keys: one exact spelling for each wallet. */
import { getAddress } from 'ethers/address'
import { isWalletKey } from '../envelope/index.ts'
import { IdentityError } from './errors.ts'

export type Namespace = 'eip155' | 'solana'

/** An account on one chain, read from CAIP-10. */
export interface Account {
  namespace: Namespace
  /** CAIP-2 reference: the EVM chain id in decimal, or the first 32 characters of Solana's genesis hash. */
  reference: string
  /** EIP-55 checksummed EVM address, or a base58 Solana address. */
  address: string
}

/** How the signature of a wallet is to be checked. */
export type WalletKind = (typeof WALLET_KINDS)[number]
export const WALLET_KINDS = ['evm-account', 'evm-contract', 'solana-account'] as const

/** CAIP-10 caps an account id at 8 + 1 + 32 + 1 + 128 characters. */
const MAX_ACCOUNT_LENGTH = 170
const CAIP10 = /^([-a-z0-9]{3,8}):([-_a-zA-Z0-9]{1,32}):([-.%a-zA-Z0-9]{1,128})$/
const EVM_CHAIN = /^[1-9][0-9]{0,15}$/
const EVM_ADDRESS = /^0x[0-9a-fA-F]{40}$/
const ANY_CHAIN_WALLET = /^eip155:\*:(0x[0-9a-f]{40})$/

/**
 * Reads a CAIP-10 account. An EVM address in mixed case must carry a valid EIP-55 checksum; one in a single case carries
 * none and is taken. The chain id has no leading zeros and fits a JavaScript integer.
 *
 * Errors: `account-malformed`, `account-checksum`, `identity-namespace-unsupported`.
 *
 * @example parseAccount('eip155:1:0xd8da6bf26964af9d7eed9e03e53415d37aa96045').address // 0xd8dA6BF2…
 */
export function parseAccount(text: string): Account {
  if (typeof text !== 'string' || text.length > MAX_ACCOUNT_LENGTH)
    throw malformed('is not a CAIP-10 account')
  const parts = CAIP10.exec(text)
  if (parts === null) throw malformed('is not a CAIP-10 account such as eip155:1:0x…')
  const [namespace, reference, address] = parts.slice(1) as [string, string, string]
  if (namespace === 'eip155') {
    if (!EVM_CHAIN.test(reference) || !Number.isSafeInteger(Number(reference))) {
      throw malformed('needs a decimal chain id without leading zeros')
    }
    return { namespace, reference, address: checksummed(address) }
  }
  if (namespace === 'solana') {
    if (!isWalletKey(text)) throw malformed('needs the base58 form of a 32-byte Solana address')
    return { namespace, reference, address }
  }
  throw new IdentityError(
    'identity-namespace-unsupported',
    'Accounts of this namespace are not supported; use an eip155 or solana account',
  )
}

/** CAIP-10 text of the account, EVM addresses with their EIP-55 checksum. */
export function accountText(account: Account): string {
  return `${account.namespace}:${account.reference}:${account.address}`
}

/**
 * Key of the account's wallet. An EVM account that a private key controls is one wallet on all chains; a smart account
 * (`smart`) is a wallet of its own on each chain, because the same address may have another owner elsewhere.
 */
export function walletKeyOf(account: Account, options: { smart?: boolean } = {}): string {
  if (account.namespace === 'solana') return accountText(account)
  const chain = options.smart === true ? account.reference : '*'
  return `eip155:${chain}:${account.address.toLowerCase()}`
}

/**
 * Reads what a person or a client gives as a wallet: a CAIP-10 account, a wallet key, or a bare EVM address. A bare address
 * and `eip155:*:…` name no chain and stand for chain 1. The kind cannot be seen from the text: an account of an EVM chain is
 * taken for one that a private key controls unless `kind` says that it is a contract.
 *
 * Errors: as {@link parseAccount}; `account-kind-mismatch` when the text cannot be of the kind.
 */
export function parseWallet(
  text: string,
  options: { kind?: WalletKind } = {},
): { wallet: string; account: Account } {
  const { account, bare } = readWallet(text)
  const { kind } = options
  const smart = kind === 'evm-contract'
  const isSolana = account.namespace === 'solana'
  if (kind !== undefined && isSolana !== (kind === 'solana-account')) {
    throw mismatch(`The account is not one of kind ${kind}`)
  }
  if (smart && bare) {
    throw mismatch('A smart account is one wallet on each chain: name the chain, such as eip155:1:0x…')
  }
  return { wallet: walletKeyOf(account, { smart }), account }
}

/**
 * The wallets that the text may name: one, or for an account of an EVM chain two, of which only one can exist. The smart
 * account comes first. Errors: as {@link parseAccount}.
 */
export function walletsNamed(text: string): [string] | [smart: string, plain: string] {
  const { account, bare } = readWallet(text)
  const wallet = walletKeyOf(account)
  return bare || account.namespace === 'solana' ? [wallet] : [walletKeyOf(account, { smart: true }), wallet]
}

function readWallet(text: string): { account: Account; bare: boolean } {
  if (typeof text !== 'string') throw malformed('is not text')
  const bareAddress = EVM_ADDRESS.test(text) ? text : ANY_CHAIN_WALLET.exec(text)?.[1]
  const bare = bareAddress !== undefined
  return { account: parseAccount(bare ? `eip155:1:${bareAddress}` : text), bare }
}

/** What kind of wallet a wallet key names. Errors: `account-malformed` for text that is no wallet key. */
export function walletKind(wallet: string): WalletKind {
  if (!isWalletKey(wallet)) throw malformed('is not a wallet key')
  if (wallet.startsWith('solana:')) return 'solana-account'
  return wallet.startsWith('eip155:*:') ? 'evm-account' : 'evm-contract'
}

/** Short form for logs and error messages, e.g. `eip155:*:0x12ab…9f`: it tells wallets apart and identifies none. */
export function displayWallet(wallet: string): string {
  const address = wallet.slice(wallet.lastIndexOf(':') + 1)
  const prefix = wallet.slice(0, wallet.length - address.length)
  return address.length <= 10 ? wallet : `${prefix}${address.slice(0, 6)}…${address.slice(-2)}`
}

function checksummed(address: string): string {
  if (!EVM_ADDRESS.test(address)) throw malformed('needs an address of 0x and 40 hexadecimal characters')
  try {
    return getAddress(address)
  } catch (cause) {
    throw new IdentityError(
      'account-checksum',
      'The address has a wrong EIP-55 checksum: a character was mistyped. Copy it again, or send it in lower case',
      { cause },
    )
  }
}

function mismatch(message: string): IdentityError {
  return new IdentityError('account-kind-mismatch', message)
}

function malformed(reason: string): IdentityError {
  return new IdentityError('account-malformed', `The wallet ${reason}`)
}
