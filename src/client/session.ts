/** Signing in: the wallet certifies this device once, and again when the certificate or the token has run out. */
import { equalBytes, fromBase64url, signerFromDeviceKey, toBase64url } from '../envelope/index.ts'
import {
  composeMessage,
  decodeKeyEntry,
  parseAccount,
  signPrekey,
  type WalletKind,
} from '../identity/index.ts'
import type { Api } from './api.ts'
import { encodePublished } from './directory.ts'
import { ClientError } from './errors.ts'
import { type Keyring, PREKEY_OFFERED_MS, type Prekey } from './keyring.ts'
import type { ClientStorage } from './storage.ts'
import type { WalletSigner } from './types.ts'

export interface Session {
  /** Makes sure that there is a valid token and that today's prekeys are published. */
  ensure(): Promise<void>
  /** Publishes today's prekeys if they are not yet. Asks nothing of the wallet. */
  rotate(): Promise<void>
  /** Ends the session at the gateway; the device stays certified. */
  end(): Promise<void>
  /** Takes a device's certificate away, this one's or another's. The wallet signs. */
  revoke(device: DeviceName): Promise<void>
  /** Certificate of this device, for frames; null before the first sign-in, and when the wallet's signature is too long for one. */
  certificate(): Uint8Array | null
}

export interface DeviceName {
  publicKey: Uint8Array
  /** As the wallet knows it; stands in the text to sign. */
  label: string
}

interface StoredSession {
  token: string
  expiresAt: number
  certificate: string | null
}

interface ChallengeAnswer {
  challengeId: string
  message: string
  entry: string
}

interface VerifyAnswer {
  /** Null after a revocation. */
  token: string | null
  expiresAt: number | null
  certificate: string | null
}

const KEY = 'session'
const RENEW_BEFORE_MS = 5 * 60_000

export function createSession(options: {
  api: Api
  storage: ClientStorage
  keyring: Keyring
  signer: WalletSigner
  /** CAIP-10 */
  account: string
  wallet: string
  kind: WalletKind
  label: string
  /** Domain that the text must name. */
  domain: string
  now: () => number
}): Session {
  const { api, storage, keyring, signer, account, wallet, kind, domain, now } = options
  let stored: StoredSession | null = null
  let ensuring: Promise<void> | null = null

  async function ensure(): Promise<void> {
    stored ??= parse(await storage.get(KEY))
    if (!stored || stored.expiresAt - RENEW_BEFORE_MS < now() || !(await resumes(stored))) await signIn()
    await rotate()
  }

  async function rotate(): Promise<void> {
    const unpublished = await keyring.rotate(now())
    if (unpublished.length > 0) await publish(unpublished)
  }

  /** A gateway that lost its data, or a revoked device, no longer knows the token. */
  async function resumes(session: StoredSession): Promise<boolean> {
    if (api.token === session.token) return true
    api.token = session.token
    try {
      await api.get('/v1/inbox?limit=1')
      return true
    } catch (error) {
      if (!(error instanceof ClientError && error.status === 401)) throw error
      api.token = null
      return false
    }
  }

  async function signIn(): Promise<void> {
    const answer = await changeKeyLog('add', { publicKey: keyring.device.publicKey, label: options.label })
    if (answer.token === null || answer.expiresAt === null) {
      throw new ClientError('gateway-answer-invalid', 'POST /v1/auth/verify: the answer holds no token')
    }
    stored = { token: answer.token, expiresAt: answer.expiresAt, certificate: answer.certificate }
    api.token = answer.token
    await storage.set(KEY, JSON.stringify(stored))
    await keyring.rotate(now())
    await publish(keyring.current())
  }

  async function changeKeyLog(action: 'add' | 'revoke', device: DeviceName): Promise<VerifyAnswer> {
    const challenge = await api.post<ChallengeAnswer>('/v1/auth/challenge', {
      wallet: account,
      kind,
      device: { publicKey: toBase64url(device.publicKey), label: device.label },
      action,
    })
    checkChallenge(challenge, action, device.publicKey)
    const signature = await signer.signMessage(challenge.message)
    return api.post<VerifyAnswer>('/v1/auth/verify', { challengeId: challenge.challengeId, signature })
  }

  /** The wallet signs only what this client composed itself, from an entry for the very device that it named. */
  function checkChallenge(challenge: ChallengeAnswer, action: 'add' | 'revoke', device: Uint8Array): void {
    const bytes = fromBase64url(challenge.entry)
    const entry = decodeKeyEntry(bytes)
    const ours =
      entry.action === action &&
      entry.wallet === wallet &&
      equalBytes(entry.device.publicKey, device) &&
      challenge.message === composeMessage({ domain, account: parseAccount(account), entry: bytes })
    if (!ours) {
      throw new ClientError(
        'challenge-not-ours',
        `The text to sign is not for this device and ${domain}; the gateway may be set up for another domain`,
      )
    }
  }

  async function publish(prekeys: Prekey[]): Promise<void> {
    const sign = signerFromDeviceKey(keyring.device.privateKey)
    const signed = await Promise.all(
      prekeys.map(({ suite, publicKey, createdAt }) =>
        signPrekey(
          {
            wallet,
            device: keyring.device.publicKey,
            suite,
            publicKey,
            notBefore: createdAt,
            notAfter: createdAt + PREKEY_OFFERED_MS,
          },
          sign,
        ),
      ),
    )
    await api.post('/v1/prekeys', encodePublished(signed))
    await keyring.markPublished(prekeys)
  }

  return {
    ensure() {
      ensuring ??= ensure().finally(() => {
        ensuring = null
      })
      return ensuring
    },
    rotate,
    async end() {
      if (api.token) await api.remove('/v1/auth/session')
      api.token = null
      stored = null
      await storage.delete(KEY)
    },
    async revoke(device) {
      await changeKeyLog('revoke', device)
      if (equalBytes(device.publicKey, keyring.device.publicKey)) {
        api.token = null
        stored = null
        await storage.delete(KEY)
      }
    },
    certificate: () => (stored?.certificate ? fromBase64url(stored.certificate) : null),
  }
}

function parse(text: string | null): StoredSession | null {
  return text ? (JSON.parse(text) as StoredSession) : null
}
