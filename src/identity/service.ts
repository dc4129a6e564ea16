/** The gateway's identity service: sign-in, sessions, device trust, prekeys, address map and routes. */
import { hash } from 'node:crypto'
import type { Clock, Random } from '../adapter/index.ts'
import { equalBytes, toBase64url, type VerifyEd25519, verifyEd25519 } from '../envelope/index.ts'
import type { IdentityStore, Route, StoredChallenge, StoredKeyEntry, StoredSession } from '../store/port.ts'
import { createAddressMap } from './address-map.ts'
import { accountText, parseAccount, parseWallet } from './caip.ts'
import { encodeCertificate } from './certificate.ts'
import { requireDomain } from './domain.ts'
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
import type { KeyLog } from './key-log.ts'
import { composeMessage } from './message.ts'
import { currentPrekeys, readPrekeys } from './prekey-intake.ts'
import { ReadThrough } from './read-through.ts'
import { createTrust } from './trust.ts'
import type { ChallengeRequest, Identity, NetworkAddresses, Session } from './types.ts'
import { requireVerifiableWallet, type VerifyWallet, verifyWalletSignature } from './wallet-signature.ts'

export interface IdentityOptions {
  store: IdentityStore
  /** Domain in the texts that wallets sign: a lower-case host with an optional port. */
  domain: string
  /** Domains of other gateways whose device certificates count here. This gateway's own always does. */
  trustedDomains: readonly string[]
  clock: Pick<Clock, 'now'>
  random: Pick<Random, 'bytes'>
  /** Life of a bearer token, milliseconds. It ends with the device's certificate at the latest. */
  sessionTtlMs: number
  /** How long a text waits for its signature, milliseconds. */
  challengeTtlMs: number
  networks: NetworkAddresses
  /** Route of wallets that have not chosen one. */
  defaultRoute: Route
  verifyWallet?: VerifyWallet
  /** Checks device signatures of prekeys. */
  verifyDevice?: VerifyEd25519
}

const CACHED_SESSIONS = 10_000
const TOKEN = /^[-_A-Za-z0-9]{43}$/

/** Makes the identity service over a store that is open. Errors: `domain-malformed`. */
export function createIdentity(options: IdentityOptions): Identity {
  const { store, clock, random, networks, defaultRoute } = options
  const { verifyWallet = verifyWalletSignature, verifyDevice = verifyEd25519 } = options
  const domain = requireDomain(options.domain)
  const now = () => clock.now()
  const trust = createTrust({ store, trustedDomains: [domain, ...options.trustedDomains], verifyWallet })
  const addresses = createAddressMap({ store, networks, defaultRoute, now })
  const sessions = new ReadThrough({
    max: CACHED_SESSIONS,
    load: (hash) => store.getSession(hash, now()),
    keep: (session) => session !== null,
  })

  async function challenge(request: ChallengeRequest) {
    const { wallet, account } = parseWallet(request.wallet)
    requireVerifiableWallet(wallet)
    const action = request.action ?? 'add'
    const createdAt = now()
    const expiresAt = createdAt + options.challengeTtlMs
    const log = await trust.keyLog(wallet)
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

  async function verify(input: { challengeId: string; signature: string }) {
    const pending = await store.getChallenge(input.challengeId)
    if (pending === null) throw unknownChallenge()
    const at = now()
    if (at >= pending.expiresAt) {
      throw new IdentityError('challenge-expired', 'The time to sign is over; ask for a new challenge')
    }
    const entry = await signedEntry(pending, input.signature, at)
    const token = pending.action === 'add' ? toBase64url(random.bytes(32)) : null
    const session = token === null ? null : newSession(token, entry)
    await complete({ challengeId: pending.id, entry, session, at })
    if (session !== null) await addresses.deriveEndpoints(entry.wallet)
    return {
      token,
      expiresAt: session?.expiresAt ?? null,
      wallet: entry.wallet,
      certificate: encodeCertificate(entry),
    }
  }

  async function complete(input: Parameters<IdentityStore['completeChallenge']>[0]): Promise<void> {
    const { wallet, action } = input.entry
    try {
      const outcome = await store.completeChallenge(input)
      if (outcome === 'used') throw unknownChallenge()
      if (outcome === 'conflict') {
        throw new IdentityError(
          'challenge-superseded',
          'The wallet’s key log has changed since this text was made; ask for a new challenge and sign that',
        )
      }
    } finally {
      // Whatever came out: the log may be longer than it was when it was cached.
      trust.forget(wallet)
      addresses.forget(wallet)
      if (action === 'revoke') sessions.forgetAll()
    }
  }

  /** The entry with the wallet's signature over the stored text; of what the client sends, the signature alone counts. */
  async function signedEntry(
    pending: StoredChallenge,
    signature: string,
    at: number,
  ): Promise<StoredKeyEntry> {
    const { wallet, account, message } = pending
    const proof = await verifyWallet({ wallet, account: parseAccount(account), message, signature })
    if (proof === null) {
      throw new IdentityError(
        'wallet-signature-invalid',
        'The signature is not that of the wallet over this text; sign the text as it is, with the account it names',
      )
    }
    const { seq, action, device, notBefore, notAfter } = decodeKeyEntry(pending.entry)
    return {
      wallet,
      seq,
      hash: keyEntryHash(pending.entry),
      entry: pending.entry,
      signature: proof.signature,
      account,
      domain,
      action,
      device: device.publicKey,
      notBefore,
      notAfter,
      receivedAt: at,
    }
  }

  function newSession(token: string, entry: StoredKeyEntry): StoredSession {
    const { wallet, account, device, notAfter, receivedAt } = entry
    const expiresAt = Math.min(receivedAt + options.sessionTtlMs, notAfter)
    return { tokenHash: hashToken(token), wallet, account, device, createdAt: receivedAt, expiresAt }
  }

  async function authenticate(token: string): Promise<Session | null> {
    if (!TOKEN.test(token)) return null
    const session = await sessions.get(hashToken(token))
    if (session === null || session.expiresAt <= now()) return null
    const { wallet, account, device, expiresAt } = session
    return { wallet, account, device, expiresAt }
  }

  return {
    challenge,
    verify,
    authenticate,
    async signOut(token) {
      const tokenHash = hashToken(token)
      await store.deleteSession(tokenHash)
      sessions.forget(tokenHash)
    },
    async publishPrekeys(session, prekeys) {
      const stored = await readPrekeys(prekeys, { session, now: now(), verifyDevice })
      await store.putPrekeys(stored)
      return stored.length
    },
    async keys(wallet) {
      const at = now()
      const [log, prekeys, keyLog] = await Promise.all([
        store.keyLog(wallet),
        store.prekeys(wallet, at),
        trust.keyLog(wallet),
      ])
      return { log, prekeys: currentPrekeys(prekeys, keyLog, at) }
    },
    setEndpoint: (session, input) => addresses.setEndpoint(session.wallet, input),
    setRoute: (session, route) => addresses.setRoute(session.wallet, route),
    walletKey: (text) => parseWallet(text).wallet,
    allEndpoints: addresses.allEndpoints,
    endpoints: addresses.endpoints,
    route: addresses.route,
    isServed: addresses.isServed,
    deviceStatus: trust.deviceStatus,
    certificateOf: trust.certificateOf,
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

function unknownChallenge(): IdentityError {
  return new IdentityError(
    'challenge-unknown',
    'There is no such challenge, or it was used; ask for a new one',
  )
}

function hashToken(token: string): string {
  return hash('sha256', token)
}
