/**
 * Wallets' PGP keys, as the service gives them and their wallets have signed them. The SDK encrypts to whatever key it is
 * given and only warns; here a key counts by the wallet's signature, is pinned, and never goes back to an earlier one.
 */
import { createHash } from 'node:crypto'
import { verifyMessage } from 'ethers/hash'
import { z } from 'zod'
import type { AdapterLog, AdapterStorage, Clock } from '../../src/adapter/index.ts'
import { abridged, addressOfDid } from './did.ts'
import { PushError } from './errors.ts'
import type { RestClient } from './rest.ts'

const REMEMBERED_PROFILES = 10_000
/** Replaced keys remembered for each wallet. */
const REMEMBERED_KEYS = 16

const profileSchema = z
  .looseObject({
    did: z.string(),
    wallets: z.string(),
    publicKey: z.string().nullish(),
    encryptedPrivateKey: z.string().nullish(),
    verificationProof: z.string().nullish(),
  })
  .nullable()

const pinSchema = z.object({ current: z.string(), replaced: z.array(z.string()) })

/** A profile whose keys the wallet has signed, as the service gave it. */
export type Profile = Readonly<Record<string, unknown>>

export interface Profiles {
  /**
   * The wallet's profile. Rejects with `PushError`: `wallet-without-keys`, `key-unverified`, `key-reverted`, or what the
   * call fails with. Only verified profiles with keys are remembered, so that new keys are seen at once.
   */
  lookUp(did: string, signal: AbortSignal): Promise<Profile>
  /** Whether this wallet's keys were seen before, by this gateway at any time. */
  isPinned(did: string): Promise<boolean>
  forget(did: string): void
  /** Profiles refused since the start, by code. */
  refusals(): Readonly<Record<string, number>>
}

export interface ProfilesOptions {
  rest: RestClient
  storage: AdapterStorage
  clock: Clock
  log: AdapterLog
  cacheMs: number
}

export function createProfiles({ rest, storage, clock, log, cacheMs }: ProfilesOptions): Profiles {
  const cache = new Map<string, { profile: Profile; until: number }>()
  const refusals: Record<string, number> = {}
  const pinKey = (did: string) => `pin/${did}`

  function refuse(did: string, code: 'key-unverified' | 'key-reverted', message: string): never {
    refusals[code] = (refusals[code] ?? 0) + 1
    log.warn({ code, account: abridged(did) }, 'the Push service gave keys that are not trusted')
    throw new PushError(code, message)
  }

  async function pin(did: string, publicKey: string): Promise<void> {
    const fingerprint = createHash('sha256').update(publicKey).digest('hex')
    const stored = await storage.get(pinKey(did))
    const pinned = stored === null ? null : pinSchema.parse(JSON.parse(stored))
    if (pinned?.current === fingerprint) return
    if (pinned?.replaced.includes(fingerprint)) {
      refuse(did, 'key-reverted', 'The Push service gives keys of this wallet that it has replaced since')
    }
    const replaced = pinned ? [...pinned.replaced, pinned.current].slice(-REMEMBERED_KEYS) : []
    if (pinned) log.info({ account: abridged(did) }, 'a wallet has new Push keys, signed by it')
    await storage.set(pinKey(did), JSON.stringify({ current: fingerprint, replaced }))
  }

  return {
    async lookUp(did, signal) {
      const cached = cache.get(did)
      if (cached && clock.monotonic() < cached.until) return structuredClone(cached.profile)
      const profile = await rest.get(`/v2/users/?caip10=${did}`, profileSchema, signal)
      if (!profile?.publicKey || !profile.encryptedPrivateKey) {
        throw new PushError(
          'wallet-without-keys',
          'The wallet has no Push keys; nothing is sent in plaintext',
        )
      }
      if (!isSigned(did, profile)) {
        refuse(did, 'key-unverified', 'The keys that the Push service gives are not signed by the wallet')
      }
      await pin(did, profile.publicKey)
      cache.delete(did)
      cache.set(did, { profile, until: clock.monotonic() + cacheMs })
      if (cache.size > REMEMBERED_PROFILES) {
        const [oldest] = cache.keys()
        if (oldest !== undefined) cache.delete(oldest)
      }
      // The SDK changes what it is given.
      return structuredClone(profile)
    },
    isPinned: async (did) => (await storage.get(pinKey(did))) !== null,
    forget: (did) => {
      cache.delete(did)
    },
    refusals: () => refusals,
  }
}

/** `eip191v2`: the wallet signed the SHA-256 (hexadecimal) of its DID and both keys as JSON, in this order. */
export function isSigned(did: string, profile: NonNullable<z.output<typeof profileSchema>>): boolean {
  const { publicKey, encryptedPrivateKey, wallets: caip10 } = profile
  const [type, signature, ...rest] = (profile.verificationProof ?? '').split(':')
  if (type !== 'eip191v2' || !signature || rest.length > 0) return false
  if (profile.did !== did || caip10 !== did) return false
  const claim = JSON.stringify({ caip10, did, publicKey, encryptedPrivateKey })
  try {
    const hash = createHash('sha256').update(claim).digest('hex')
    return verifyMessage(hash, signature) === addressOfDid(did)
  } catch {
    return false // no signature at all
  }
}
