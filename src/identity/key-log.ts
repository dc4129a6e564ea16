/** A wallet's key log: hash-linked entries, each signed by the wallet. It says which devices may sign, and when. */
import { equalBytes, toHex } from '../envelope/index.ts'
import { parseAccount } from './caip.ts'
import type { AcceptedAt } from './contract-signature.ts'
import { IdentityError } from './errors.ts'
import { decodeKeyEntry, type KeyEntry, keyEntryHash, NO_ENTRY } from './key-entry.ts'
import { composeMessage, isAccountOf, unsupportedAction } from './message.ts'
import type { DeviceStatus } from './types.ts'
import { type VerifyWallet, verifyWalletSignature } from './wallet-signature.ts'

/** A key entry as it is served and kept. */
export interface SignedKeyEntry {
  /** Canonical CBOR of the entry. */
  entry: Uint8Array
  /** The wallet's signature over the entry's text, in canonical spelling. */
  signature: string
  /** CAIP-10 account that signed. */
  account: string
  /** Domain in the text. */
  domain: string
  /** Where a smart account took the signature, as the gateway noted it. A hint for those who ask the chain; not signed. */
  proof?: ContractProof | null
}

export interface ContractProof {
  /** `counterfactual`: the account was not deployed yet (ERC-6492). */
  kind: 'contract' | 'counterfactual'
  /** Decimal. */
  chainId: string
  blockNumber: number
}

/**
 * Who found the wallet's signatures to be good. `verified`: this side did, by mathematics or by asking the chain. `gateway`:
 * they are a smart account's, no node of its chain is at hand, and the gateway says that it asked one.
 */
export type TrustLevel = 'verified' | 'gateway'

/** Names one state of a log. A client that keeps it notices when a log later shrinks or forks. */
export interface KeyLogHead {
  seq: number
  /** Hash of the entry at `seq`, 32 bytes. */
  hash: Uint8Array
}

export interface LoggedDevice {
  device: Uint8Array
  label: string
  /** Of the latest certificate, Unix milliseconds. */
  notBefore: number
  notAfter: number
  /** Null unless the device is revoked now. */
  revokedAt: number | null
}

export interface KeyLog {
  readonly wallet: string
  /** The latest entry, with its `notBefore`; null for an empty log. */
  readonly head: (KeyLogHead & { notBefore: number }) | null
  /** Who checked the signatures; `gateway` as soon as one of them was not checked here. */
  readonly trust: TrustLevel
  /** Whether the device may sign, for a message received at `receivedAt` (Unix milliseconds). */
  deviceStatus(
    device: Uint8Array,
    receivedAt: number,
  ): Exclude<DeviceStatus, 'certificateInvalid' | 'unverified'>
  /** Every device that was ever certified, in order of first certification. */
  devices(): LoggedDevice[]
  /** The signed entry of the device's latest certificate; null when it has none or it is revoked. */
  certificateEntry(device: Uint8Array): SignedKeyEntry | null
  /** Hash of the entry at `seq`, or null beyond the end. */
  hashAt(seq: number): Uint8Array | null
  /** The log with one more entry, whose signature was verified before. Errors: as {@link readKeyLog}. */
  extended(signed: SignedKeyEntry): KeyLog
}

/** How far the clock of another gateway may be ahead, milliseconds. */
export const CLOCK_SKEW_MS = 2 * 60 * 1000

interface ReadEntry {
  signed: SignedKeyEntry
  entry: KeyEntry
  hash: Uint8Array
}

/**
 * Checks a whole log, oldest entry first: links, rules, domains, and every signature over the text composed anew from the
 * entry. Trusts nobody who served it.
 *
 * Errors: `key-log-broken`, `key-log-untrusted-domain`, `key-action-unsupported`, `wallet-signature-invalid`, those of
 * `decodeKeyEntry` and `verifyWallet`.
 *
 * @example
 * const log = await verifyKeyLog(entries, { wallet, trustedDomains: ['gateway.example'], now: Date.now() })
 * log.deviceStatus(header.device, Date.now()) // 'certified'
 */
export async function verifyKeyLog(
  entries: readonly SignedKeyEntry[],
  options: { wallet: string; trustedDomains: readonly string[]; now: number; verifyWallet?: VerifyWallet },
): Promise<KeyLog> {
  const { wallet, trustedDomains, now, verifyWallet = verifyWalletSignature } = options
  const read = readEntries(entries, wallet)
  let trust: TrustLevel = 'verified'
  for (const { signed, entry } of read) {
    if (!trustedDomains.includes(signed.domain)) {
      throw new IdentityError(
        'key-log-untrusted-domain',
        'The key log holds an entry that was signed for a domain which is not trusted here',
      )
    }
    if (entry.notBefore > now + CLOCK_SKEW_MS)
      throw broken(entry.seq, 'begins in the future; check the clock')
    const { proof } = signed
    const accepted = proof ? { blockNumber: proof.blockNumber, at: entry.notBefore } : undefined
    if ((await verifySignedEntry(signed, wallet, verifyWallet, accepted)) === 'gateway') trust = 'gateway'
  }
  return linkedKeyLog(wallet, read, trust)
}

/** As {@link verifyKeyLog} without signatures and domains: for entries that were verified before they were stored. */
export function readKeyLog(entries: readonly SignedKeyEntry[], wallet: string): KeyLog {
  return linkedKeyLog(wallet, readEntries(entries, wallet), 'verified')
}

/**
 * Checks the wallet's signature over the entry's text, and says whether that was done here. The signature must be in its
 * canonical spelling. `accepted`: where the entry's signature was good, if its wallet is a contract that may have changed.
 *
 * Errors: `wallet-signature-invalid`, those of `composeMessage` and `verifyWallet`.
 */
export async function verifySignedEntry(
  signed: SignedKeyEntry,
  wallet: string,
  verifyWallet: VerifyWallet,
  accepted?: AcceptedAt,
): Promise<TrustLevel> {
  const account = parseAccount(signed.account)
  const message = composeMessage({ domain: signed.domain, account, entry: signed.entry })
  const { signature } = signed
  const proof = await verifyWallet({ wallet, account, message, signature, ...(accepted ? { accepted } : {}) })
  if (proof === null || proof.signature !== signed.signature) {
    throw new IdentityError(
      'wallet-signature-invalid',
      'The signature is not that of the wallet over this key entry',
    )
  }
  return proof.kind === 'unchecked' ? 'gateway' : 'verified'
}

/**
 * Compares a log with the head that a client saw before. A log that lost entries or differs from what was seen is refused:
 * somebody rewrote it. Errors: `key-log-forked`.
 */
export function checkPinnedHead(log: KeyLog, pinned: KeyLogHead): void {
  const hash = log.hashAt(pinned.seq)
  if (hash === null || !equalBytes(hash, pinned.hash)) {
    throw new IdentityError(
      'key-log-forked',
      'The key log does not continue the one seen before: entries were removed or exchanged. Ask the owner over another way',
    )
  }
}

class LinkedKeyLog implements KeyLog {
  readonly wallet: string
  readonly head: KeyLog['head']
  readonly trust: TrustLevel
  readonly #entries: readonly ReadEntry[]
  readonly #byDevice: ReadonlyMap<string, readonly ReadEntry[]>

  constructor(
    wallet: string,
    entries: readonly ReadEntry[],
    byDevice: ReadonlyMap<string, readonly ReadEntry[]>,
    trust: TrustLevel,
  ) {
    const last = entries.at(-1)
    this.wallet = wallet
    this.trust = trust
    this.head =
      last === undefined ? null : { seq: last.entry.seq, hash: last.hash, notBefore: last.entry.notBefore }
    this.#entries = entries
    this.#byDevice = byDevice
  }

  deviceStatus(
    device: Uint8Array,
    receivedAt: number,
  ): Exclude<DeviceStatus, 'certificateInvalid' | 'unverified'> {
    const known = this.#byDevice.get(toHex(device)) ?? []
    const current = known.findLast(({ entry }) => begins(entry) <= receivedAt)
    if (current === undefined) return 'unknown'
    if (current.entry.action === 'revoke') return 'revoked'
    if (receivedAt > current.entry.notAfter) return 'expired'
    return current.entry.capabilities.includes('message:send') ? 'certified' : 'unknown'
  }

  devices(): LoggedDevice[] {
    return [...this.#byDevice.values()].map((known) => {
      const latest = known.at(-1)!.entry
      const certificate = known.findLast(({ entry }) => entry.action === 'add')!.entry
      return {
        device: certificate.device.publicKey,
        label: certificate.device.label,
        notBefore: certificate.notBefore,
        notAfter: certificate.notAfter,
        revokedAt: latest.action === 'revoke' ? latest.notBefore : null,
      }
    })
  }

  certificateEntry(device: Uint8Array): SignedKeyEntry | null {
    const latest = this.#byDevice.get(toHex(device))?.at(-1)
    return latest?.entry.action === 'add' ? latest.signed : null
  }

  hashAt(seq: number): Uint8Array | null {
    return this.#entries[seq]?.hash ?? null
  }

  extended(signed: SignedKeyEntry): KeyLog {
    const next = readNext(signed, this.wallet, this.#entries, (device) => this.#byDevice.has(device))
    const device = toHex(next.entry.device.publicKey)
    const ofDevice = [...(this.#byDevice.get(device) ?? []), next]
    return new LinkedKeyLog(
      this.wallet,
      [...this.#entries, next],
      new Map(this.#byDevice).set(device, ofDevice),
      this.trust,
    )
  }
}

function linkedKeyLog(wallet: string, entries: readonly ReadEntry[], trust: TrustLevel): KeyLog {
  return new LinkedKeyLog(
    wallet,
    entries,
    Map.groupBy(entries, ({ entry }) => toHex(entry.device.publicKey)),
    trust,
  )
}

/** A revocation holds from the very moment that the wallet signed; a certificate allows for a clock that runs ahead. */
function begins(entry: KeyEntry): number {
  return entry.action === 'revoke' ? entry.notBefore : entry.notBefore - CLOCK_SKEW_MS
}

/** Decodes the entries and checks links and rules. Errors: `key-log-broken`, `key-action-unsupported`, those of `decodeKeyEntry`. */
function readEntries(entries: readonly SignedKeyEntry[], wallet: string): ReadEntry[] {
  const read: ReadEntry[] = []
  const known = new Set<string>()
  for (const signed of entries) {
    const next = readNext(signed, wallet, read, (device) => known.has(device))
    known.add(toHex(next.entry.device.publicKey))
    read.push(next)
  }
  return read
}

/** The entry that follows `read`. A device that the log knows was certified: no other action can be its first. */
function readNext(
  signed: SignedKeyEntry,
  wallet: string,
  read: readonly ReadEntry[],
  isKnown: (device: string) => boolean,
): ReadEntry {
  const entry = decodeKeyEntry(signed.entry)
  const last = read.at(-1)
  if (entry.wallet !== wallet) throw broken(read.length, 'belongs to another wallet')
  if (!isAccountOf(parseAccount(signed.account), wallet))
    throw broken(read.length, 'is signed by another account')
  if (entry.seq !== read.length) throw broken(read.length, 'has another place in the log')
  if (!equalBytes(entry.prev, last?.hash ?? NO_ENTRY))
    throw broken(entry.seq, 'does not link to the one before it')
  if (last !== undefined && entry.notBefore < last.entry.notBefore) {
    throw broken(entry.seq, 'begins before the one before it')
  }
  if (entry.action !== 'add' && entry.action !== 'revoke') throw unsupportedAction(entry.action)
  if (entry.action === 'revoke' && !isKnown(toHex(entry.device.publicKey))) {
    throw broken(entry.seq, 'revokes a device that was never certified')
  }
  return { signed, entry, hash: keyEntryHash(signed.entry) }
}

function broken(seq: number, reason: string): IdentityError {
  return new IdentityError('key-log-broken', `Entry ${seq} of the key log ${reason}`)
}
