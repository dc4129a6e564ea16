/**
 * The private keys of one device: its Ed25519 signing key and its HPKE prekeys. Prekeys are made anew each day and their
 * private halves deleted after 30 days, so that what was sealed to them stays secret when the device is taken later.
 * No key is derived from a wallet signature.
 *
 * Several processes or tabs may share one storage: every change reads what the others wrote and adds to it, so that no
 * private half is lost.
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
const KEEP_PRIVATE_MS = 30 * DAY
/**
 * A prekey is offered to senders for this long, so that a device that is away stays within reach; senders take the newest.
 * Two days less than its private half is kept, for what was sealed at the last moment and is still on its way.
 */
export const PREKEY_OFFERED_MS = KEEP_PRIVATE_MS - 2 * DAY
const ROTATE_AFTER_MS = DAY
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
  /** Makes today's prekeys if there are none and deletes those over 30 days. Returns the current ones not yet published. */
  rotate(now: number): Promise<Prekey[]>
  markPublished(prekeys: Prekey[]): Promise<void>
  /** Takes over what another process or tab has made. True when there is a key that was not known here. */
  refresh(): Promise<boolean>
}

interface Stored {
  device: { publicKey: string; privateKey: string }
  prekeys: { suite: number; publicKey: string; privateKey: string; createdAt: number; published: boolean }[]
}

/** Loads the device of this storage, or makes a new one. */
export async function loadKeyring(storage: ClientStorage): Promise<Keyring> {
  const exclusive = <Result>(work: () => Promise<Result>): Promise<Result> =>
    storage.exclusive ? storage.exclusive(KEY, work) : work()
  let prekeys: Prekey[] = []
  let changing: Promise<unknown> = Promise.resolve()

  async function read(): Promise<Stored | null> {
    const text = await storage.get(KEY)
    return text ? (JSON.parse(text) as Stored) : null
  }

  /** Adds the prekeys of the storage to those in memory. True when there was one that was not known. */
  function merge(stored: Stored): boolean {
    const known = new Map(prekeys.map((prekey) => [toBase64url(prekey.publicKey), prekey]))
    let grown = false
    for (const other of stored.prekeys) {
      const own = known.get(other.publicKey)
      if (own) own.published ||= other.published
      else {
        prekeys.push({ ...other, ...decodePair(other) })
        grown = true
      }
    }
    prekeys.sort((a, b) => a.createdAt - b.createdAt)
    return grown
  }

  async function write(device: Keyring['device']): Promise<void> {
    const value: Stored = {
      device: encodePair(device),
      prekeys: prekeys.map((prekey) => ({ ...prekey, ...encodePair(prekey) })),
    }
    await storage.set(KEY, JSON.stringify(value))
  }

  /** Reads, changes and writes as one step, for this client and for all others on the storage. */
  function change(make: () => Promise<boolean>): Promise<void> {
    const step = async () => {
      const stored = await read()
      if (stored) merge(stored)
      if ((await make()) || !stored) await write(device)
    }
    const done = changing.then(() => exclusive(step))
    // A step that fails is its caller's matter; the next one starts from the storage again.
    changing = done.catch(() => null)
    return done
  }

  const device = await exclusive(async () => {
    const stored = await read()
    if (stored) {
      merge(stored)
      return decodePair(stored.device)
    }
    const made = generateDeviceKey()
    await write(made)
    return made
  })

  const newest = (suite: number) => prekeys.findLast((prekey) => prekey.suite === suite)
  const isStale = (prekey: Prekey | undefined, now: number) =>
    prekey === undefined || now - prekey.createdAt >= ROTATE_AFTER_MS
  const isKept = (prekey: Prekey, now: number) => now - prekey.createdAt < KEEP_PRIVATE_MS
  const isDue = (now: number) =>
    [SUITE.x25519, SUITE.xwing].some((suite) => isStale(newest(suite), now)) ||
    !prekeys.every((prekey) => isKept(prekey, now))
  const current = () =>
    [SUITE.xwing, SUITE.x25519].flatMap((suite) => {
      const prekey = newest(suite)
      return prekey ? [prekey] : []
    })

  return {
    device,
    current,
    openingKeys: () =>
      prekeys.map(({ publicKey, privateKey }) => ({ keyId: keyIdentifier(publicKey), privateKey })),
    async rotate(now) {
      if (isDue(now))
        await change(async () => {
          const before = prekeys.length
          prekeys = prekeys.filter((prekey) => isKept(prekey, now))
          let changed = prekeys.length < before
          for (const suite of [SUITE.x25519, SUITE.xwing]) {
            if (!isStale(newest(suite), now)) continue
            prekeys.push({
              suite,
              ...(await generateEncryptionKeyPair(suite)),
              createdAt: now,
              published: false,
            })
            changed = true
          }
          return changed
        })
      return current().filter((prekey) => !prekey.published)
    },
    markPublished: (published) =>
      change(async () => {
        for (const prekey of published) prekey.published = true
        return true
      }),
    async refresh() {
      const stored = await read()
      return stored !== null && merge(stored)
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
