/** Challenges and their signatures: how a wallet certifies a device, signs in with it, and takes the certificate away. */
import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Random } from '../adapter/index.ts'
import { equalBytes, toBase64url } from '../envelope/index.ts'
import type { IdentityStore, StoredChallenge, StoredKeyEntry, StoredSession } from '../store/port.ts'
import { accountText, parseAccount, parseWallet, walletKind } from './caip.ts'
import { fittingCertificate } from './certificate.ts'
import type { ContractVerifier } from './contract-signature.ts'
import { IdentityError } from './errors.ts'
import {
  DEVICE_CAPABILITIES,
  decodeKeyEntry,
  encodeKeyEntry,
  KEY_ENTRY_LIMITS,
  type KeyEntry,
  keyEntryHash,
  NO_ENTRY,
  requireDeviceKey,
  requireDeviceLabel,
} from './key-entry.ts'
import { type ContractProof, type KeyLog, verifySignedEntry } from './key-log.ts'
import { composeMessage } from './message.ts'
import type { StoredKeyLog, Trust } from './trust.ts'
import type { Challenge, ChallengeRequest, SignedIn } from './types.ts'
import { requireVerifiableWallet, type VerifyWallet, type WalletProof } from './wallet-signature.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** Most certificates that a wallet can add to its key log within a time: everybody who writes to the wallet reads that log. */
const ADDITIONS = [
  { withinMs: DAY_MS, most: 20 },
  { withinMs: 30 * DAY_MS, most: 60 },
]

/** Signatures that are looked at for one challenge: each costs a public key recovery, about 2 ms. */
const MAX_ATTEMPTS = 5
const COUNTED_CHALLENGES = 10_000

export interface SignIn {
  challenge(request: ChallengeRequest): Promise<Challenge>
  verify(input: { challengeId: string; signature: string }, signal?: AbortSignal): Promise<SignedIn>
}

export function createSignIn(options: {
  store: IdentityStore
  trust: Trust
  domain: string
  now: () => number
  random: Pick<Random, 'bytes'>
  sessionTtlMs: number
  challengeTtlMs: number
  verifyWallet: VerifyWallet
  /** Absent where smart accounts cannot sign in. */
  contracts: ContractVerifier | undefined
  /** Called when every session of a device has ended. */
  ended: () => void
}): SignIn {
  const { store, trust, domain, now, random, verifyWallet, contracts } = options
  const attempts = new LRUCache<string, number>({ max: COUNTED_CHALLENGES })

  async function challenge(request: ChallengeRequest): Promise<Challenge> {
    const { kind } = request
    const { wallet, account } = parseWallet(request.wallet, kind ? { kind } : {})
    requireVerifiableWallet({ wallet, account }, contracts)
    const action = request.action ?? 'add'
    const createdAt = now()
    const expiresAt = createdAt + options.challengeTtlMs
    const known = await trust.keyLog(wallet)
    const { log } = known
    if (log.head === null) await requireOneKind(wallet)
    const device = action === 'add' ? deviceToAdd(request) : deviceToRevoke(request, log)
    const notBefore = Math.max(createdAt, log.head?.notBefore ?? 0)
    const entry = encodeKeyEntry({
      wallet,
      seq: log.head === null ? 0 : log.head.seq + 1,
      prev: log.head?.hash ?? NO_ENTRY,
      action,
      device,
      notBefore,
      notAfter: notBefore + (action === 'add' ? KEY_ENTRY_LIMITS.lifeMs : options.challengeTtlMs),
      capabilities: action === 'add' ? [...DEVICE_CAPABILITIES] : [],
      addresses: {},
      recovery: null,
      salt: random.bytes(16),
    })
    // Before the wallet is asked to sign what would be refused.
    if (standingEntry(known, { action, device }, createdAt) === null) requireRoom(known, action, createdAt)
    const message = composeMessage({ domain, account, entry })
    const id = toBase64url(random.bytes(32))
    await store.putChallenge({
      id,
      wallet,
      account: accountText(account),
      action,
      device: device.publicKey,
      label: device.label,
      entry,
      message,
      createdAt,
      expiresAt,
    })
    return { challengeId: id, message, expiresAt, entry }
  }

  /** An address is controlled by a private key or by a contract: a wallet of the other kind must not stand here already. */
  async function requireOneKind(wallet: string): Promise<void> {
    const kind = walletKind(wallet)
    if (kind === 'solana-account') return
    const address = wallet.slice(wallet.lastIndexOf(':') + 1)
    const chains = kind === 'evm-contract' ? ['*'] : (contracts?.chainIds ?? [])
    const logs = await Promise.all(chains.map((chain) => trust.keyLog(`eip155:${chain}:${address}`)))
    if (logs.some(({ log }) => log.head !== null)) {
      throw new IdentityError(
        'account-kind-mismatch',
        kind === 'evm-contract'
          ? 'This address has signed in as an account that a private key controls; it cannot be a smart account'
          : 'This address has signed in as a smart account; ask for a challenge with kind evm-contract',
      )
    }
  }

  async function verify(
    { challengeId, signature }: { challengeId: string; signature: string },
    signal?: AbortSignal,
  ): Promise<SignedIn> {
    const pending = await store.getChallenge(challengeId)
    if (pending === null) throw unknownChallenge()
    const at = now()
    if (at >= pending.expiresAt) {
      throw new IdentityError('challenge-expired', 'The time to sign is over; ask for a new challenge')
    }
    requireOwnText(pending)
    const signed = await signedEntry(pending, { signature, at, signal })
    const known = await trust.keyLog(pending.wallet)
    const { device } = decodeKeyEntry(signed.entry)
    const latest = standingEntry(known, { action: pending.action, device }, at)
    const standing = latest !== null && (await stillSigned(latest, signal)) ? latest : null
    if (standing === null) requireRoom(known, pending.action, at)
    const entry = standing ?? signed
    const token = pending.action === 'add' ? toBase64url(random.bytes(32)) : null
    const session = token === null ? null : newSession(token, { account: signed.account, entry, at })
    await complete({ challengeId, signed, standing, session, headSeq: known.entries.length - 1 })
    attempts.delete(challengeId)
    return {
      token,
      expiresAt: session?.expiresAt ?? null,
      wallet: entry.wallet,
      certificate: fittingCertificate(entry),
    }
  }

  /**
   * The entry that already says what the challenge asks for, so that none has to be appended: the certificate of a device with
   * more than half of its life left, or the revocation of one that is revoked. The wallet signs a fresh text nevertheless, which
   * proves that it is there.
   */
  function standingEntry(
    { log, entries }: StoredKeyLog,
    { action, device }: Pick<KeyEntry, 'action' | 'device'>,
    at: number,
  ): StoredKeyEntry | null {
    const latest = entries.findLast((entry) => equalBytes(entry.device, device.publicKey))
    if (latest === undefined || latest.action !== action) return null
    if (action === 'revoke') return latest
    const lasting = latest.notAfter - at > KEY_ENTRY_LIMITS.lifeMs / 2 && latest.domain === domain
    const certified = log.deviceStatus(device.publicKey, at) === 'certified'
    return lasting && certified && decodeKeyEntry(latest.entry).device.label === device.label ? latest : null
  }

  /** A smart account may have changed its owner since: then what the owner before has signed does not stand. */
  async function stillSigned(entry: StoredKeyEntry, signal: AbortSignal | undefined): Promise<boolean> {
    if (walletKind(entry.wallet) !== 'evm-contract' || entry.action === 'revoke') return true
    const verify: VerifyWallet = (input) => verifyWallet({ ...input, ...(signal ? { signal } : {}) })
    try {
      await verifySignedEntry(entry, entry.wallet, verify)
      return true
    } catch (error) {
      if (error instanceof IdentityError && error.code === 'wallet-signature-invalid') return false
      throw error
    }
  }

  async function complete(completed: {
    challengeId: string
    signed: StoredKeyEntry
    standing: StoredKeyEntry | null
    session: StoredSession | null
    headSeq: number
  }): Promise<void> {
    const { challengeId, signed, standing, session, headSeq } = completed
    try {
      if (standing !== null) return requireDone(await store.useChallenge({ challengeId, headSeq, session }))
      requireDone(
        await store.completeChallenge({ challengeId, entry: signed, session, at: signed.receivedAt }),
      )
      trust.appended(signed)
    } catch (error) {
      // The log may be longer than it was when it was cached.
      trust.forget(signed.wallet)
      throw error
    } finally {
      if (signed.action === 'revoke') options.ended()
    }
  }

  /** The text of a challenge that another configuration made would be kept under a domain which is not the one in it. */
  function requireOwnText({ account, entry, message }: StoredChallenge): void {
    if (composeMessage({ domain, account: parseAccount(account), entry }) !== message) throw superseded()
  }

  /** The entry with the wallet's signature over the stored text; of what the client sends, the signature alone counts. */
  async function signedEntry(
    pending: StoredChallenge,
    { signature, at, signal }: { signature: string; at: number; signal: AbortSignal | undefined },
  ): Promise<StoredKeyEntry> {
    const { wallet, account, message } = pending
    const input = {
      wallet,
      account: parseAccount(account),
      message,
      signature,
      ...(signal ? { signal } : {}),
    }
    const proof = await walletProof(pending.id, input)
    const { seq, action, device, notBefore, notAfter } = decodeKeyEntry(pending.entry)
    return {
      wallet,
      seq,
      hash: keyEntryHash(pending.entry),
      entry: pending.entry,
      signature: proof.signature,
      proof: contractProof(proof),
      account,
      domain,
      action,
      device: device.publicKey,
      notBefore,
      notAfter,
      receivedAt: at,
    }
  }

  /**
   * Proves the signature. A challenge ends with its fifth failure; it is counted ahead, for those made at once. That a chain
   * gives no answer is no failure of the signature.
   */
  async function walletProof(challengeId: string, input: Parameters<VerifyWallet>[0]): Promise<WalletProof> {
    const made = (attempts.get(challengeId) ?? 0) + 1
    if (made > MAX_ATTEMPTS) throw unknownChallenge()
    attempts.set(challengeId, made)
    try {
      const proof = await verifyWallet(input)
      if (proof !== null) return proof
      throw new IdentityError(
        'wallet-signature-invalid',
        'The signature is not that of the wallet over this text; sign the text as it is, with the account it names',
      )
    } catch (error) {
      if (!(error instanceof IdentityError) || error.code === 'wallet-verification-unavailable') {
        attempts.set(challengeId, (attempts.get(challengeId) ?? 1) - 1)
      } else if (made === MAX_ATTEMPTS) {
        await store.deleteChallenge(challengeId)
      }
      throw error
    }
  }

  function newSession(
    token: string,
    { account, entry, at }: { account: string; entry: StoredKeyEntry; at: number },
  ): StoredSession {
    const { wallet, device, notAfter } = entry
    const expiresAt = Math.min(at + options.sessionTtlMs, notAfter)
    return { tokenHash: hashToken(token), wallet, account, device, createdAt: at, expiresAt }
  }

  return { challenge, verify }
}

/** SHA-256 in hexadecimal: what is kept of a bearer token. */
export function hashToken(token: string): string {
  return hash('sha256', token)
}

/** What is kept beside a smart account's signature. */
function contractProof(proof: WalletProof): ContractProof | null {
  if (proof.kind !== 'contract' && proof.kind !== 'counterfactual') return null
  const { kind, chainId, blockNumber } = proof
  return { kind, chainId, blockNumber }
}

/** A revocation is always taken: there is at most one for each certificate. Errors: `key-log-busy`. */
function requireRoom({ entries }: StoredKeyLog, action: 'add' | 'revoke', at: number): void {
  if (action === 'revoke') return
  for (const { withinMs, most } of ADDITIONS) {
    const lately = entries.filter((entry) => entry.action === 'add' && entry.receivedAt > at - withinMs)
    if (lately.length >= most) {
      throw new IdentityError(
        'key-log-busy',
        `The wallet has certified ${most} devices within ${withinMs / DAY_MS} days; sign in with one of them, or later`,
      )
    }
  }
}

function deviceToAdd({ device }: ChallengeRequest): KeyEntry['device'] {
  return { publicKey: requireDeviceKey(device.publicKey), label: requireDeviceLabel(device.label) }
}

/** The text names a device that is to go by the label under which it was certified. Errors: `device-unknown`. */
function deviceToRevoke({ device }: ChallengeRequest, log: KeyLog): KeyEntry['device'] {
  const known = log.devices().find((candidate) => equalBytes(candidate.device, device.publicKey))
  if (known === undefined) {
    throw new IdentityError(
      'device-unknown',
      'The wallet has never certified this device here; its key log lists those it has',
    )
  }
  return { publicKey: known.device, label: known.label }
}

function requireDone(outcome: 'done' | 'used' | 'conflict'): void {
  if (outcome === 'used') throw unknownChallenge()
  if (outcome === 'conflict') throw superseded()
}

function superseded(): IdentityError {
  return new IdentityError(
    'challenge-superseded',
    'The wallet’s key log or the gateway’s domain has changed since this text was made; ask for a new challenge and sign that',
  )
}

function unknownChallenge(): IdentityError {
  return new IdentityError(
    'challenge-unknown',
    'There is no such challenge, or it was used, or too many wrong signatures came for it; ask for a new one',
  )
}
