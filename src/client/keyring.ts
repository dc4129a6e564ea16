/**
 * The private keys of one device: its Ed25519 signing key and its HPKE prekeys. Prekeys are made anew each day and their
 * private halves deleted after 30 days, so that what was sealed to them stays secret when the device is taken later.
 * No key is derived from a wallet signature.
 */
import {
  fromBase64url,
  generateDeviceKey,
  generateEncryptionKeyPair,
  keyIdentifier,
  type OpeningKey,
  SUITE,
  toBase64url,
} from '../envelope/index.ts'
import type { ClientStorage } from './storage.ts'

const DAY = 86_400_000
/** A prekey is offered to senders for this long; two days, so that a missed rotation loses nothing. */
export const PREKEY_OFFERED_MS = 2 * DAY
const ROTATE_AFTER_MS = DAY
const KEEP_PRIVATE_MS = 30 * DAY
const KEY = 'keyring'

export interface Prekey {
  suite: number
  publicKey: Uint8Array
  privateKey: Uint8Array
  /** Unix milliseconds. */
  createdAt: number
  /** The gateway has it. */
  published: boolean
}

export interface Keyring {
  readonly device: { publicKey: Uint8Array; privateKey: Uint8Array }
  /** Newest prekey of each suite. */
  current(): Prekey[]
  /** Private halves to open messages with. */
  openingKeys(): OpeningKey[]
  /** Makes today's prekeys if there are none and deletes those over 30 days. Returns the ones not yet published. */
  rotate(now: number): Promise<Prekey[]>
  markPublished(prekeys: Prekey[]): Promise<void>
}

interface Stored {
  device: { publicKey: string; privateKey: string }
  prekeys: { suite: number; publicKey: string; privateKey: string; createdAt: number; published: boolean }[]
}

/** Loads the device of this storage, or makes a new one. */
export async function loadKeyring(storage: ClientStorage): Promise<Keyring> {
  const text = await storage.get(KEY)
  const stored = text ? (JSON.parse(text) as Stored) : null
  const device = stored ? decodePair(stored.device) : generateDeviceKey()
  let prekeys: Prekey[] = stored ? stored.prekeys.map((prekey) => ({ ...prekey, ...decodePair(prekey) })) : []

  async function save(): Promise<void> {
    const value: Stored = {
      device: encodePair(device),
      prekeys: prekeys.map((prekey) => ({ ...prekey, ...encodePair(prekey) })),
    }
    await storage.set(KEY, JSON.stringify(value))
  }

  if (!stored) await save()

  return {
    device,
    current: () =>
      [SUITE.xwing, SUITE.x25519].flatMap((suite) => {
        const newest = prekeys.findLast((prekey) => prekey.suite === suite)
        return newest ? [newest] : []
      }),
    openingKeys: () =>
      prekeys.map(({ publicKey, privateKey }) => ({ keyId: keyIdentifier(publicKey), privateKey })),
    async rotate(now) {
      const kept = prekeys.filter((prekey) => now - prekey.createdAt < KEEP_PRIVATE_MS)
      for (const suite of [SUITE.x25519, SUITE.xwing]) {
        const newest = kept.findLast((prekey) => prekey.suite === suite)
        if (newest && now - newest.createdAt < ROTATE_AFTER_MS) continue
        kept.push({ suite, ...(await generateEncryptionKeyPair(suite)), createdAt: now, published: false })
      }
      prekeys = kept
      await save()
      return prekeys.filter((prekey) => !prekey.published)
    },
    async markPublished(published) {
      for (const prekey of published) prekey.published = true
      await save()
    },
  }
}

function encodePair(pair: { publicKey: Uint8Array; privateKey: Uint8Array }): {
  publicKey: string
  privateKey: string
} {
  return { publicKey: toBase64url(pair.publicKey), privateKey: toBase64url(pair.privateKey) }
}

function decodePair(pair: { publicKey: string; privateKey: string }): {
  publicKey: Uint8Array
  privateKey: Uint8Array
} {
  return { publicKey: fromBase64url(pair.publicKey), privateKey: fromBase64url(pair.privateKey) }
}
