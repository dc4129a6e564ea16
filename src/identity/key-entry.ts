/** One entry of a wallet's key log: what the wallet's signature certifies. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { decodeCanonical, EnvelopeError, encodeCanonical, H, isWalletKey } from '../envelope/index.ts'
import { IdentityError } from './errors.ts'

/**
 * `add` certifies a device, `revoke` takes its certificate away. `recover` (by a recovery account that an earlier entry
 * names) and `address` (the wallet's address map) are known names without rules yet: entries with them decode, and everything
 * that would act on them refuses with `key-action-unsupported`.
 */
export const KEY_ACTIONS = ['add', 'revoke', 'recover', 'address'] as const
export type KeyAction = (typeof KEY_ACTIONS)[number]

export interface KeyEntry {
  wallet: string
  /** Place in the wallet's log, from 0. */
  seq: number
  /** Hash of the entry before it, 32 bytes; zeros for the first. */
  prev: Uint8Array
  action: KeyAction
  device: { publicKey: Uint8Array; label: string }
  /** Unix milliseconds. */
  notBefore: number
  notAfter: number
  /** What the device may do: {@link DEVICE_CAPABILITIES}, or names of later versions. */
  capabilities: string[]
  /** Network to address, for `address` entries. */
  addresses: Record<string, string>
  /** Wallet key of the account that may recover this wallet, or null. */
  recovery: string | null
  /** 16 random bytes: two entries, and so two nonces, are never the same. */
  salt: Uint8Array
}

/** What a signed-in device may do. A device without `message:send` is not trusted as a sender. */
export const DEVICE_CAPABILITIES = ['message:send', 'message:read', 'address:write'] as const

export const KEY_ENTRY_LIMITS = {
  /** Longest life of a certificate, milliseconds: 30 days. */
  lifeMs: 30 * 24 * 60 * 60 * 1000,
  /** Longest encoded entry, bytes. Leaves room for signature, account and domain in a certificate of 1 KB. */
  bytes: 704,
  labelCharacters: 64,
  capabilities: 8,
  addresses: 8,
} as const

/** `prev` of the first entry of a log. */
export const NO_ENTRY = new Uint8Array(32)

/** 9999-12-31T23:59:59.999Z, the last time that RFC 3339 can write. */
const LAST_TIME = 253_402_300_799_999
const TAG = 'causeway/key/1'
const CAPABILITY = /^[a-z][-a-z0-9]{0,23}(?::[a-z0-9][-a-z0-9]{0,23})?$/
const NETWORK = /^[a-z][-a-z0-9]{0,31}$/
const ADDRESS = /^[!-~]{1,128}$/
/** What an EIP-4361 statement may hold (RFC 3986 reserved and unreserved, and space), less the brackets that stand around it. */
const LABEL = /^[-A-Za-z0-9._~:/?#@!$&'()*+,;= ]+$/

/** Encodes an entry to canonical CBOR. Errors: `key-entry-malformed`, `key-entry-lifetime`, `device-label-malformed`. */
export function encodeKeyEntry(entry: KeyEntry): Uint8Array {
  checkKeyEntry(entry)
  const bytes = encodeCanonical([
    TAG,
    entry.wallet,
    entry.seq,
    entry.prev,
    entry.action,
    [entry.device.publicKey, entry.device.label],
    entry.notBefore,
    entry.notAfter,
    entry.capabilities,
    entry.addresses,
    entry.recovery,
    entry.salt,
  ])
  if (bytes.length > KEY_ENTRY_LIMITS.bytes)
    throw malformed(`takes more than ${KEY_ENTRY_LIMITS.bytes} bytes`)
  return bytes
}

/** Decodes an entry and checks every field. Errors: as {@link encodeKeyEntry}. */
export function decodeKeyEntry(bytes: Uint8Array): KeyEntry {
  const value = decodeEntryBytes(bytes)
  if (!Array.isArray(value) || value[0] !== TAG || value.length !== 12)
    throw malformed(`is not a ${TAG} array`)
  const [, wallet, seq, prev, action, device, notBefore, notAfter, capabilities, addresses, recovery, salt] =
    value
  if (!Array.isArray(device) || device.length !== 2) throw malformed('needs a device key and its label')
  const entry = {
    wallet,
    seq,
    prev,
    action,
    device: { publicKey: device[0], label: device[1] },
    notBefore,
    notAfter,
    capabilities,
    addresses,
    recovery,
    salt,
  }
  checkKeyEntry(entry)
  return entry
}

/** Hash of an encoded entry, 32 bytes: what the next entry links to and what the wallet's text names. */
export function keyEntryHash(bytes: Uint8Array): Uint8Array {
  return H('causeway/key-entry/1', bytes)
}

/**
 * Returns the key if it is an Ed25519 public key of full order. Anyone could sign for a key of small order.
 * Errors: `device-key-malformed`.
 */
export function requireDeviceKey(publicKey: Uint8Array): Uint8Array {
  if (!isBytes(publicKey, 32) || !isFullOrderPoint(publicKey)) {
    throw new IdentityError('device-key-malformed', 'The device key is not an Ed25519 public key of 32 bytes')
  }
  return publicKey
}

/** Returns the label if the text to sign can show it. Errors: `device-label-malformed`. */
export function requireDeviceLabel(label: string): string {
  if (
    typeof label !== 'string' ||
    label.length > KEY_ENTRY_LIMITS.labelCharacters ||
    !LABEL.test(label) ||
    label.trim() !== label
  ) {
    throw new IdentityError(
      'device-label-malformed',
      `A device label has 1 to ${KEY_ENTRY_LIMITS.labelCharacters} letters, digits, spaces or -._~:/?#@!$&'()*+,;= characters and no space at its ends`,
    )
  }
  return label
}

type Unchecked<T> = { [Key in keyof T]: unknown }

function checkKeyEntry(
  entry: Unchecked<KeyEntry> & { device: Unchecked<KeyEntry['device']> },
): asserts entry is KeyEntry {
  if (typeof entry.wallet !== 'string' || !isWalletKey(entry.wallet))
    throw malformed('needs an exact wallet key')
  if (!isCount(entry.seq, 0xffffffff)) throw malformed('needs a place in the log')
  if (!isBytes(entry.prev, 32)) throw malformed('needs the 32-byte hash of the entry before it')
  if (!KEY_ACTIONS.includes(entry.action as KeyAction)) throw malformed('has an unknown action')
  if (!isBytes(entry.device.publicKey, 32)) throw malformed('needs a device key of 32 bytes')
  requireDeviceLabel(entry.device.label as string)
  checkNames(entry.capabilities)
  checkAddresses(entry.addresses)
  if (entry.recovery !== null && !(typeof entry.recovery === 'string' && isWalletKey(entry.recovery))) {
    throw malformed('names a recovery account that is no exact wallet key')
  }
  if (!isBytes(entry.salt, 16)) throw malformed('needs a salt of 16 bytes')
  if (!isCount(entry.notBefore, LAST_TIME) || !isCount(entry.notAfter, LAST_TIME)) {
    throw malformed('needs its times in milliseconds since 1970')
  }
  const life = entry.notAfter - entry.notBefore
  if (life <= 0 || life > KEY_ENTRY_LIMITS.lifeMs) {
    throw new IdentityError('key-entry-lifetime', 'A key entry must end after it begins, and within 30 days')
  }
}

function checkNames(capabilities: unknown): void {
  if (!Array.isArray(capabilities) || capabilities.length > KEY_ENTRY_LIMITS.capabilities) {
    throw malformed(`needs a list of up to ${KEY_ENTRY_LIMITS.capabilities} capabilities`)
  }
  const wellFormed = capabilities.every((name) => typeof name === 'string' && CAPABILITY.test(name))
  if (!wellFormed || new Set(capabilities).size !== capabilities.length) {
    throw malformed('needs capabilities of the form area:right, each once')
  }
}

function checkAddresses(addresses: unknown): void {
  if (typeof addresses !== 'object' || addresses === null || Array.isArray(addresses)) {
    throw malformed('needs a map of addresses')
  }
  const pairs = Object.entries(addresses)
  if (pairs.length > KEY_ENTRY_LIMITS.addresses) throw malformed('holds too many addresses')
  for (const [network, address] of pairs) {
    if (!NETWORK.test(network) || typeof address !== 'string' || !ADDRESS.test(address)) {
      throw malformed('holds an address that is not printable or whose network has no valid name')
    }
  }
}

function decodeEntryBytes(bytes: Uint8Array): unknown {
  try {
    return decodeCanonical(bytes, { maxBytes: KEY_ENTRY_LIMITS.bytes, maxDepth: 2 })
  } catch (cause) {
    if (!(cause instanceof EnvelopeError)) throw cause
    throw new IdentityError('key-entry-malformed', `The key entry cannot be read: ${cause.message}`, {
      cause,
    })
  }
}

/** Whether the bytes are an Ed25519 public key of full order. */
export function isFullOrderPoint(publicKey: Uint8Array): boolean {
  try {
    const point = ed25519.Point.fromBytes(publicKey)
    return point.isTorsionFree() && !point.isSmallOrder()
  } catch (_notOnTheCurve) {
    return false
  }
}

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length
}

function isCount(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most
}

function malformed(reason: string): IdentityError {
  return new IdentityError('key-entry-malformed', `The key entry ${reason}`)
}
