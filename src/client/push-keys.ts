/**
 * PGP keys of those who write to a wallet on Push. The SDK takes any key that the node gives and only warns; here a key counts by
 * its wallet's signature, is pinned, and never goes back to an earlier one.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { utf8Encode } from '../envelope/index.ts'
import { parseWallet, verifyWalletSignature } from '../identity/index.ts'
import { ClientError } from './errors.ts'
import { didOf } from './push-message.ts'
import type { PushSdkProfile } from './push-types.ts'
import type { ClientStorage } from './storage.ts'

/** Replaced keys remembered for each account. */
const REMEMBERED_KEYS = 16

interface Pinned {
  /** Armored. */
  key: string
  /** SHA-256 of keys that this one replaced, oldest first. */
  replaced: string[]
}

export interface PushKeys {
  /** The pinned key of an account, armored; null when there is none. */
  pinned(did: string): Promise<string | null>
  /**
   * Takes what the node says of an account and gives its key, armored. Errors (`ClientError`): `push-refused` when the account has
   * no keys, its wallet did not sign them, or they were replaced since.
   */
  pin(did: string, profile: PushSdkProfile | null): Promise<string>
}

export function createPushKeys(storage: ClientStorage): PushKeys {
  const placeOf = (did: string) => `push-key/${did}`
  const known = new Map<string, Pinned>()

  async function read(did: string): Promise<Pinned | null> {
    const kept = known.get(did)
    if (kept) return kept
    const text = await storage.get(placeOf(did))
    const pinned = text === null ? null : (JSON.parse(text) as Pinned)
    if (pinned) known.set(did, pinned)
    return pinned
  }

  return {
    pinned: async (did) => (await read(did))?.key ?? null,
    async pin(did, profile) {
      const key = profile ? armoredKeyOf(profile.publicKey) : ''
      if (!profile || key === '') throw refused('The sender has no keys on Push')
      if (!(await isSigned(did, profile)))
        throw refused('The sender’s wallet did not sign the keys that Push gives')
      const before = await read(did)
      if (before?.key === key) return key
      if (before?.replaced.includes(fingerprint(key)))
        throw refused('The sender has replaced these keys since')
      const replaced = before ? [...before.replaced, fingerprint(before.key)].slice(-REMEMBERED_KEYS) : []
      known.set(did, { key, replaced })
      await storage.set(placeOf(did), JSON.stringify({ key, replaced } satisfies Pinned))
      return key
    },
  }
}

/** `eip191v2`: the wallet signed the SHA-256 (hexadecimal) of its DID and both keys as JSON, in this order. */
async function isSigned(did: string, profile: PushSdkProfile): Promise<boolean> {
  const { encryptedPrivateKey, wallets: caip10, verificationProof } = profile
  const [type, signature = '', ...more] = (verificationProof ?? '').split(':')
  if (type !== 'eip191v2' || more.length > 0 || caip10 !== did || (profile.did ?? did) !== did) return false
  const { wallet, account } = parseWallet(did.slice('eip155:'.length), { kind: 'evm-account' })
  for (const publicKey of formsOf(profile.publicKey)) {
    const message = fingerprint(JSON.stringify({ caip10, did, publicKey, encryptedPrivateKey }))
    const proof = await verifyWalletSignature({ wallet, account, message, signature }).catch(() => null)
    if (proof) return true
  }
  return false
}

/** The key is signed within an object, of which the SDK gives the key alone. */
function formsOf(publicKey: string): string[] {
  const key = armoredKeyOf(publicKey)
  return [...new Set([publicKey, JSON.stringify({ key, signature: 'DEPRECATED' }), key])]
}

function armoredKeyOf(publicKey: string): string {
  try {
    const { key } = JSON.parse(publicKey) as { key?: unknown }
    return typeof key === 'string' ? key : publicKey
  } catch {
    return publicKey // it is the key itself
  }
}

export function fingerprint(text: string): string {
  return bytesToHex(sha256(utf8Encode(text)))
}

function refused(message: string): ClientError {
  return new ClientError('push-refused', message)
}

/** The accounts of a list of chats that are accounts of wallets, each once. */
export function peersOf(chats: readonly { did?: string | null }[]): string[] {
  return [...new Set(chats.flatMap(({ did }) => didOf(did) ?? []))]
}
