/** The text that a wallet signs for a key entry: CAIP-122, in the exact grammar of EIP-4361 for EVM accounts. */
import { toBase64url, toHex } from '../envelope/index.ts'
import { type Account, walletKeyOf } from './caip.ts'
import { keyLogUri, requireDomain } from './domain.ts'
import { IdentityError } from './errors.ts'
import { decodeKeyEntry, type KeyEntry, keyEntryHash } from './key-entry.ts'

const CHAIN_NAMES = { eip155: 'Ethereum', solana: 'Solana' } as const

/**
 * Composes the text from the entry's bytes. Nothing else goes into it, so gateway, client and anyone who holds the
 * certificate compose the same text, and no parser stands between a signature and what it certifies. The nonce is the first
 * half of the entry's hash and the whole hash is among the resources: the signature binds every field of the entry.
 *
 * Errors: `key-entry-malformed` and the others of {@link decodeKeyEntry}, `domain-malformed`, `key-action-unsupported`,
 * `account-malformed` when the account is not one of the entry's wallet.
 */
export function composeMessage(input: { domain: string; account: Account; entry: Uint8Array }): string {
  const { account } = input
  const domain = requireDomain(input.domain)
  const entry = decodeKeyEntry(input.entry)
  if (!isAccountOf(account, entry.wallet)) {
    throw new IdentityError('account-malformed', 'The account does not belong to the wallet of the key entry')
  }
  const hash = keyEntryHash(input.entry)
  const resources = [
    `urn:causeway:entry:${toBase64url(hash)}`,
    `urn:causeway:device:ed25519:${toBase64url(entry.device.publicKey)}`,
    ...entry.capabilities.map((name) => `urn:causeway:capability:${name}`),
  ]
  return [
    `${domain} wants you to sign in with your ${CHAIN_NAMES[account.namespace]} account:`,
    account.address,
    '',
    statement(entry),
    '',
    `URI: ${keyLogUri(domain, entry.wallet)}`,
    'Version: 1',
    `Chain ID: ${account.reference}`,
    `Nonce: ${toHex(hash.subarray(0, 16))}`,
    `Issued At: ${new Date(entry.notBefore).toISOString()}`,
    `Expiration Time: ${new Date(entry.notAfter).toISOString()}`,
    `Request ID: ${entry.seq}`,
    'Resources:',
    ...resources.map((resource) => `- ${resource}`),
  ].join('\n')
}

/** Whether the account signs for the wallet, as a plain account or as a smart account of its chain. */
export function isAccountOf(account: Account, wallet: string): boolean {
  return walletKeyOf(account) === wallet || walletKeyOf(account, { smart: true }) === wallet
}

function statement(entry: KeyEntry): string {
  const { label } = entry.device
  if (entry.action === 'add') {
    return `Allow the device [${label}] to send and read messages for this wallet. No funds move, and nothing is paid.`
  }
  if (entry.action === 'revoke') {
    return `Remove the device [${label}]: it may no longer send or read messages for this wallet. No funds move, and nothing is paid.`
  }
  throw unsupportedAction(entry.action)
}

/** The error for `recover` and `address` entries. */
export function unsupportedAction(action: string): IdentityError {
  return new IdentityError(
    'key-action-unsupported',
    `Key entries with the action ${action} are not supported yet`,
  )
}
