/** Signatures of wallets, by kind of wallet. A new kind joins by a row in {@link VERIFIERS}. */
import { Signature } from 'ethers/crypto'
import { verifyMessage } from 'ethers/hash'
import { type Account, type WalletKind, walletKind } from './caip.ts'
import { IdentityError } from './errors.ts'

/** How a signature was found to be the wallet's. */
export interface WalletProof {
  /** `recovered`: the public key that the signature yields has the account's address. */
  kind: 'recovered'
  /** The signature in its one canonical spelling; this is what is kept and passed on. */
  signature: string
}

/**
 * Checks a wallet's signature over a text. Null: it is not the wallet's. Errors: `wallet-signature-invalid` (not a signature),
 * `identity-namespace-unsupported`.
 */
export type VerifyWallet = (input: {
  wallet: string
  account: Account
  message: string
  signature: string
}) => Promise<WalletProof | null>

type Verifier = (
  account: Account,
  message: string,
  signature: string,
) => WalletProof | null | Promise<WalletProof | null>

/** Null: wallets of this kind cannot sign in yet. Contracts need ERC-1271 and ERC-6492, Solana needs Ed25519 over the text. */
const VERIFIERS: Record<WalletKind, Verifier | null> = {
  'evm-account': verifyEvmAccount,
  'evm-contract': null,
  'solana-account': null,
}

/** The default {@link VerifyWallet}: no network access. About 2 ms for an EVM account. */
export const verifyWalletSignature: VerifyWallet = async ({ wallet, account, message, signature }) =>
  requireVerifier(wallet)(account, message, signature)

/** Refuses wallets whose signatures cannot be checked, before anyone is asked to sign. Errors: `identity-namespace-unsupported`. */
export function requireVerifiableWallet(wallet: string): void {
  requireVerifier(wallet)
}

function requireVerifier(wallet: string): Verifier {
  const kind = walletKind(wallet)
  const verifier = VERIFIERS[kind]
  if (verifier === null) {
    const name = kind === 'solana-account' ? 'Solana accounts' : 'smart accounts'
    throw new IdentityError(
      'identity-namespace-unsupported',
      `Sign-in with ${name} is not supported yet; use an EVM account that a private key controls`,
    )
  }
  return verifier
}

const SIGNATURE_65 = /^0x[0-9a-fA-F]{128}(?:00|01|1[bB]|1[cC])$/
const SIGNATURE_64 = /^0x[0-9a-fA-F]{128}$/

/** EIP-191 with public key recovery. Takes v as 27/28 or 0/1 and EIP-2098 compact signatures; refuses a high s (EIP-2). */
function verifyEvmAccount(account: Account, message: string, signature: string): WalletProof | null {
  const canonical = canonicalSignature(signature)
  return recoveredAddress(message, canonical) === account.address
    ? { kind: 'recovered', signature: canonical }
    : null
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
    'The signature is not 0x and 65 bytes (or 64 in EIP-2098 form) with a low s; send what personal_sign returned',
    cause === undefined ? undefined : { cause },
  )
}
