/**
 * Peers' keys, fetched from the gateway and believed only as far as they verify here: the key log link by link against the
 * wallet's signatures, the prekeys against the device's. The head of each log is pinned at first sight, so that a gateway
 * cannot show a shorter or another log later.
 */
import { fromBase64url, fromHex, toBase64url, toHex } from '../envelope/index.ts'
import {
  checkPinnedHead,
  decodePrekey,
  IdentityError,
  type KeyLog,
  type Prekey,
  type SignedPrekey,
  verifyKeyLog,
  verifyPrekey,
} from '../identity/index.ts'
import type { Api } from './api.ts'
import { ClientError } from './errors.ts'
import type { ClientStorage } from './storage.ts'

/** A device of a peer to which messages can be sealed. */
export interface PeerDevice {
  device: Uint8Array
  /** Newest valid prekey of each suite. */
  prekeys: { suite: number; publicKey: Uint8Array }[]
}

export interface Peer {
  wallet: string
  log: KeyLog
  /** Devices that are certified now and have prekeys. */
  devices: PeerDevice[]
}

export interface Directory {
  /** Fetches and verifies; cached for a minute unless `fresh`. Rejects with `peer-not-trusted`. */
  peer(wallet: string, options?: { fresh?: boolean; signal?: AbortSignal }): Promise<Peer>
}

interface KeysAnswer {
  log: { entry: string; signature: string; account: string; domain: string }[]
  prekeys: { bytes: string; signature: string }[]
}

const CACHE_MS = 60_000
const CACHE_SIZE = 1_000

export function createDirectory(options: {
  api: Api
  storage: ClientStorage
  trustedDomains: () => readonly string[]
  now: () => number
}): Directory {
  const { api, storage, now } = options
  const cache = new Map<string, { peer: Promise<Peer>; at: number }>()

  async function load(wallet: string, signal: AbortSignal | undefined): Promise<Peer> {
    const answer = await api.get<KeysAnswer>(
      `/v1/wallets/${encodeURIComponent(wallet)}/keys`,
      signal ? { signal } : {},
    )
    try {
      return await verify(wallet, answer)
    } catch (cause) {
      if (!(cause instanceof IdentityError)) throw cause
      throw new ClientError(
        'peer-not-trusted',
        `The keys that the gateway shows do not verify: ${cause.message}`,
        { cause },
      )
    }
  }

  async function verify(wallet: string, answer: KeysAnswer): Promise<Peer> {
    const entries = answer.log.map((item) => ({ ...item, entry: fromBase64url(item.entry) }))
    const log = await verifyKeyLog(entries, { wallet, trustedDomains: options.trustedDomains(), now: now() })
    await pin(wallet, log)
    const devices = new Map<string, PeerDevice>()
    for (const { device, suite, publicKey } of await newestPrekeys(wallet, log, answer.prekeys)) {
      const key = toHex(device)
      const known = devices.get(key) ?? { device, prekeys: [] }
      devices.set(key, known)
      known.prekeys.push({ suite, publicKey })
    }
    return { wallet, log, devices: [...devices.values()] }
  }

  /** The newest prekey of each certified device and suite: older ones are offered for a month, for senders that are behind. */
  async function newestPrekeys(
    wallet: string,
    log: KeyLog,
    published: KeysAnswer['prekeys'],
  ): Promise<Prekey[]> {
    const newest = new Map<string, { signed: SignedPrekey; notBefore: number }>()
    for (const item of published) {
      const signed = { bytes: fromBase64url(item.bytes), signature: fromBase64url(item.signature) }
      const prekey = decodePrekey(signed.bytes)
      if (prekey.wallet !== wallet || prekey.notBefore > now() + 120_000 || prekey.notAfter < now()) continue
      if (log.deviceStatus(prekey.device, now()) !== 'certified') continue
      const key = `${toHex(prekey.device)} ${prekey.suite}`
      const known = newest.get(key)
      if (!known || known.notBefore < prekey.notBefore)
        newest.set(key, { signed, notBefore: prekey.notBefore })
    }
    return Promise.all([...newest.values()].map(({ signed }) => verifyPrekey(signed)))
  }

  async function pin(wallet: string, log: KeyLog): Promise<void> {
    const key = `pin.${wallet}`
    const pinned = await storage.get(key)
    if (pinned) {
      const [seq, hash] = pinned.split(' ')
      checkPinnedHead(log, { seq: Number(seq), hash: fromHex(hash ?? '') })
    }
    const head = log.head && `${log.head.seq} ${toHex(log.head.hash)}`
    if (head && head !== pinned) await storage.set(key, head)
  }

  return {
    peer(wallet, { fresh = false, signal } = {}) {
      const cached = cache.get(wallet)
      if (cached && !fresh && now() - cached.at < CACHE_MS) return cached.peer
      const peer = load(wallet, signal)
      cache.set(wallet, { peer, at: now() })
      if (cache.size > CACHE_SIZE) for (const oldest of cache.keys()) if (cache.delete(oldest)) break
      peer.catch(() => cache.delete(wallet))
      return peer
    },
  }
}

/** The prekeys to publish, signed by the device, as `POST /v1/prekeys` takes them. */
export function encodePublished(prekeys: { bytes: Uint8Array; signature: Uint8Array }[]): unknown {
  return {
    prekeys: prekeys.map(({ bytes, signature }) => ({
      bytes: toBase64url(bytes),
      signature: toBase64url(signature),
    })),
  }
}
