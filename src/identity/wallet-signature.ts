/** Signatures of wallets, by kind of wallet. */
import { base58 } from '@scure/base'
import { Signature } from 'ethers/crypto'
import { hashMessage, verifyMessage } from 'ethers/hash'
import { fromHex, toHex, utf8Encode, verifyEd25519 } from '../envelope/index.ts'
import { type Account, walletKind } from './caip.ts'
import { type AcceptedAt, type ContractVerifier, isWrapped } from './contract-signature.ts'
import { IdentityError } from './errors.ts'
import { isFullOrderPoint } from './key-entry.ts'

/** How a signature was found to be the wallet's, and the signature in its one canonical spelling, which is kept and passed on. */
export type WalletProof =
  /** The public key that the signature yields has the account's address. */
  | { kind: 'recovered'; signature: string }
  /** The account's address is the public key (Solana). */
  | { kind: 'ed25519'; signature: string }
  /** A contract account took it (ERC-1271), or would once it is deployed (ERC-6492, `counterfactual`). */
  | { kind: 'contract' | 'counterfactual'; chainId: string; blockNumber: number; signature: string }
  /** Nobody here checked it: a smart account's, and no node of its chain to ask. */
  | { kind: 'unchecked'; signature: string }

/**
 * Checks a wallet's signature over a text. Null: it is not the wallet's. Errors: `wallet-signature-invalid` (not a signature),
 * `chain-not-configured`, `account-kind-mismatch`, and `wallet-verification-unavailable`, after which the same call may succeed.
 */
export type VerifyWallet = (input: {
  wallet: string
  account: Account
  message: string
  signature: string
  /** Where a smart account's signature is said to have been good, should it not be now. */
  accepted?: AcceptedAt
  signal?: AbortSignal
}) => Promise<WalletProof | null>

/** Longest signature of a smart account, bytes: several signers or a passkey, within an ERC-6492 wrapper. */
export const MAX_CONTRACT_SIGNATURE_BYTES = 4_000

const SIGNATURE_65 = /^0x[0-9a-fA-F]{128}(?:00|01|1[bB]|1[cC])$/
const SIGNATURE_64 = /^0x[0-9a-fA-F]{128}$/
const BASE58_64 = /^[1-9A-HJ-NP-Za-km-z]{64,88}$/

/**
 * Makes a verifier. EVM accounts and Solana accounts need no network access (about 2 ms); smart accounts are asked through
 * `contracts`.
 */
export function createWalletVerifier(options: { contracts?: ContractVerifier } = {}): VerifyWallet {
  const { contracts } = options
  return async (input) => {
    const { wallet, account, message, signature } = input
    const kind = walletKind(wallet)
    if (kind === 'evm-account') return verifyEvmAccount(account, message, signature)
    if (kind === 'solana-account') return verifySolanaAccount(account, message, signature)
    if (contracts === undefined) throw notConfigured(account.reference)
    return verifyContractAccount(contracts, input)
  }
}

/** The default {@link VerifyWallet}: without smart accounts. */
export const verifyWalletSignature: VerifyWallet = createWalletVerifier()

/** As {@link createWalletVerifier}, for clients: takes smart accounts of chains without a node as `unchecked`. */
export function createLenientVerifier(contracts: ContractVerifier): VerifyWallet {
  const verify = createWalletVerifier({ contracts })
  return async (input) => {
    const { wallet, account, message, signature } = input
    if (walletKind(wallet) !== 'evm-contract' || contracts.knows(account.reference)) return verify(input)
    const canonical = canonicalContractSignature(signature)
    refuseOwnKey(account, message, canonical)
    return { kind: 'unchecked', signature: canonical }
  }
}

/** Refuses wallets whose signatures cannot be checked, before anyone is asked to sign. Errors: `chain-not-configured`, `account-malformed`. */
export function requireVerifiableWallet(
  { wallet, account }: { wallet: string; account: Account },
  contracts: ContractVerifier | undefined,
): void {
  const kind = walletKind(wallet)
  if (kind === 'evm-contract' && !contracts?.knows(account.reference)) throw notConfigured(account.reference)
  if (kind === 'solana-account' && !isFullOrderPoint(base58.decode(account.address))) {
    throw new IdentityError(
      'account-malformed',
      'The Solana address is no public key: no one signs for it (it may be derived from a program)',
    )
  }
}

/** EIP-191 with public key recovery. Takes v as 27/28 or 0/1 and EIP-2098 compact signatures; refuses a high s (EIP-2). */
function verifyEvmAccount(account: Account, message: string, signature: string): WalletProof | null {
  if (typeof signature === 'string' && isWrapped(signature)) {
    throw new IdentityError(
      'account-kind-mismatch',
      'The signature is that of an undeployed smart account (ERC-6492); ask for a challenge with kind evm-contract',
    )
  }
  const canonical = canonicalSignature(signature)
  return recoveredAddress(message, canonical) === account.address
    ? { kind: 'recovered', signature: canonical }
    : null
}

/** Ed25519 over the UTF-8 text. Takes `0x` and hexadecimal, or base58. */
async function verifySolanaAccount(
  account: Account,
  message: string,
  signature: string,
): Promise<WalletProof | null> {
  const bytes = ed25519Signature(signature)
  const good = await verifyEd25519(bytes, utf8Encode(message), base58.decode(account.address))
  return good ? { kind: 'ed25519', signature: `0x${toHex(bytes)}` } : null
}

function ed25519Signature(signature: string): Uint8Array {
  if (typeof signature === 'string') {
    if (SIGNATURE_64.test(signature)) return fromHex(signature.slice(2).toLowerCase())
    const bytes = BASE58_64.test(signature) ? base58.decode(signature) : null
    if (bytes?.length === 64) return bytes
  }
  throw new IdentityError(
    'wallet-signature-invalid',
    'The signature is not the 64 bytes of an Ed25519 signature, as 0x and hexadecimal or in base58',
  )
}

async function verifyContractAccount(
  contracts: ContractVerifier,
  { account, message, signature, accepted, signal }: Parameters<VerifyWallet>[0],
): Promise<WalletProof | null> {
  const canonical = canonicalContractSignature(signature)
  refuseOwnKey(account, message, canonical)
  const question = {
    chainId: account.reference,
    address: account.address,
    hash: hashMessage(message),
    signature: canonical,
    ...(signal ? { signal } : {}),
  }
  const verdict = await contracts.verify(question)
  if (verdict.outcome === 'valid') {
    const { kind, blockNumber } = verdict
    return { kind, chainId: account.reference, blockNumber, signature: canonical }
  }
  if (verdict.outcome === 'delegated') throw ownKey()
  if (accepted === undefined) return null
  const then = await contracts.verifyAt({ ...question, accepted })
  if (then === null) return { kind: 'unchecked', signature: canonical }
  const { blockNumber } = accepted
  return then ? { kind: 'contract', chainId: account.reference, blockNumber, signature: canonical } : null
}

/** An account is a private key's or a contract's, never both: what a key signs is no proof of a contract, whatever a chain says. */
function refuseOwnKey(account: Account, message: string, signature: string): void {
  if (!SIGNATURE_65.test(signature) && !SIGNATURE_64.test(signature)) return
  let own: boolean
  try {
    own = verifyMessage(message, signature) === account.address
  } catch (_noPublicKeyYieldsIt) {
    own = false
  }
  if (own) throw ownKey()
}

function ownKey(): IdentityError {
  return new IdentityError(
    'account-kind-mismatch',
    'A private key controls this account, also where it delegates to a contract (EIP-7702); ask for a challenge with kind evm-account',
  )
}

function canonicalContractSignature(signature: string): string {
  const hexadecimal = typeof signature === 'string' && /^0x(?:[0-9a-fA-F]{2})+$/.test(signature)
  if (hexadecimal && signature.length <= 2 + 2 * MAX_CONTRACT_SIGNATURE_BYTES) return signature.toLowerCase()
  throw new IdentityError(
    'wallet-signature-invalid',
    `The signature is not 0x and 1 to ${MAX_CONTRACT_SIGNATURE_BYTES} bytes in hexadecimal`,
  )
}

function canonicalSignature(signature: string): string {
  if (typeof signature === 'string' && (SIGNATURE_65.test(signature) || SIGNATURE_64.test(signature))) {
    try {
      return Signature.from(signature.toLowerCase()).serialized
    } catch (cause) {
      throw malformed(cause)
    }
  }
  throw malformed()
}

function recoveredAddress(message: string, canonical: string): string | null {
  try {
    return verifyMessage(message, canonical)
  } catch (_noPublicKeyYieldsIt) {
    // r is not the x of a curve point, or out of range: well-formed hexadecimal, and nobody's signature.
    return null
  }
}

function malformed(cause?: unknown): IdentityError {
  return new IdentityError(
    'wallet-signature-invalid',
    'The signature is not 0x and 65 bytes (or 64 in EIP-2098 form) with a low s; send what personal_sign returned. A smart account asks for a challenge with kind evm-contract',
    cause === undefined ? undefined : { cause },
  )
}

function notConfigured(chainId: string): IdentityError {
  return new IdentityError(
    'chain-not-configured',
    `Smart accounts of chain ${chainId} cannot sign in here: the operator has configured no node to ask (identity.chains)`,
  )
}
