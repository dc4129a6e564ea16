/**
 * Peers' keys, fetched from the gateway and believed only as far as they verify here: the key log link by link against the
 * wallet's signatures, the prekeys against the device's. The head of each log is pinned at first sight, so that a gateway
 * cannot show a shorter or another log later.
 */
import { fromBase64url, fromHex, toBase64url, toHex } from '../envelope/index.ts'
import {
  type ContractProof,
  checkPinnedHead,
  decodePrekey,
  IdentityError,
  type KeyLog,
  type Prekey,
  type SignedPrekey,
  type VerifyWallet,
  verifyKeyLog,
  verifyPrekey,
  verifyWalletSignature,
  walletKind,
  walletsNamed,
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
  /** Fetches and verifies; cached for a minute unless `fresh`. Rejects with `peer-not-trusted`, `chain-unreachable`. */
  peer(wallet: string, options?: { fresh?: boolean; signal?: AbortSignal }): Promise<Peer>
  /**
   * The wallet that a text names. An account of an EVM chain may be a smart account, which the text does not show and the
   * gateway tells. It cannot mislead: a log of the wrong kind does not verify, or is marked as checked by the gateway alone,
   * and a kind that was seen once stays.
   */
  resolve(text: string): Promise<string>
}

interface KeysAnswer {
  wallet: string
  log: { entry: string; signature: string; account: string; domain: string; proof?: ContractProof | null }[]
  prekeys: { bytes: string; signature: string }[]
}

const CACHE_MS = 60_000
const CACHE_SIZE = 1_000

export function createDirectory(options: {
  api: Api
  storage: ClientStorage
  trustedDomains: () => readonly string[]
  /** Default: without smart accounts. */
  verifyWallet?: VerifyWallet
  now: () => number
}): Directory {
  const { api, storage, now, verifyWallet = verifyWalletSignature } = options
  const cache = new Map<string, { peer: Promise<Peer>; at: number }>()
  const asking = new Map<string, Promise<string>>()

  const keysOf = (text: string, signal?: AbortSignal) =>
    api.get<KeysAnswer>(`/v1/wallets/${encodeURIComponent(text)}/keys`, signal ? { signal } : {})

  async function check(wallet: string, answer: KeysAnswer): Promise<Peer> {
    try {
      return await verify(wallet, answer)
    } catch (cause) {
      if (!(cause instanceof IdentityError)) throw cause
      if (cause.code === 'wallet-verification-unavailable') throw chainUnreachable(cause)
      throw new ClientError(
        'peer-not-trusted',
        `The keys that the gateway shows do not verify: ${cause.message}`,
        { cause },
      )
    }
  }

  async function verify(wallet: string, answer: KeysAnswer): Promise<Peer> {
    await requireOneKind(wallet)
    // A gateway that does not know the wallet as a smart account answers for the other one of that address.
    const entries = answer.wallet !== wallet ? [] : answer.log
    const log = await verifyKeyLog(
      entries.map((item) => ({ ...item, entry: fromBase64url(item.entry) })),
      { wallet, trustedDomains: options.trustedDomains(), now: now(), verifyWallet },
    )
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

  /** What a private key has signed for once is no smart account, whatever the gateway shows later. */
  async function requireOneKind(wallet: string): Promise<void> {
    if (walletKind(wallet) !== 'evm-contract') return
    const [, plain] = walletsNamed(wallet)
    if (plain !== undefined && (await storage.get(`pin.${plain}`))) {
      throw new IdentityError(
        'account-kind-mismatch',
        'a private key controls this address, and the gateway shows it as a smart account',
      )
    }
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

  function keep(wallet: string, peer: Promise<Peer>): Promise<Peer> {
    cache.set(wallet, { peer, at: now() })
    if (cache.size > CACHE_SIZE) for (const oldest of cache.keys()) if (cache.delete(oldest)) break
    peer.catch(() => cache.delete(wallet))
    return peer
  }

  async function askKind(smart: string, plain: string): Promise<string> {
    const answer = await keysOf(smart)
    const wallet = answer.wallet === smart ? smart : plain
    await keep(wallet, check(wallet, answer))
    return wallet
  }

  function cachedPeer(wallet: string): Promise<Peer> | null {
    const cached = cache.get(wallet)
    return cached && now() - cached.at < CACHE_MS ? cached.peer : null
  }

  return {
    peer(wallet, { fresh = false, signal } = {}) {
      const cached = fresh ? null : cachedPeer(wallet)
      return (
        cached ??
        keep(
          wallet,
          keysOf(wallet, signal).then((answer) => check(wallet, answer)),
        )
      )
    },
    async resolve(text) {
      const [first, plain] = walletsNamed(text)
      if (plain === undefined) return first
      for (const known of [plain, first]) {
        // That nothing is known of a wallet says nothing about its kind.
        if ((await cachedPeer(known))?.log.head || (await storage.get(`pin.${known}`))) return known
      }
      const asked = asking.get(first) ?? askKind(first, plain).finally(() => asking.delete(first))
      asking.set(first, asked)
      return asked
    },
  }
}

/** For checks that a chain gave no answer to. */
export function chainUnreachable(cause: IdentityError): ClientError {
  return new ClientError('chain-unreachable', cause.message, { cause })
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
