/** Hop mode: letting the gateway be one of the wallet's own clients on a network, and ending that. */
import {
  base32Lower,
  equalBytes,
  fromBase64url,
  H,
  sealSecret,
  signerFromDeviceKey,
  toBase64url,
  toHex,
} from '../envelope/index.ts'
import {
  consentHash,
  decodeConsent,
  meaningHash,
  type SignedConsent,
  signConsent,
} from '../identity/index.ts'
import type { Api } from './api.ts'
import { ClientError } from './errors.ts'
import type { Keyring } from './keyring.ts'
import type { ClientStorage } from './storage.ts'
import type { GatewayInfo, WalletSigner } from './types.ts'

const DAY = 86_400_000
/** How long a consent lasts when nothing else is said. */
const CONSENT_LIFE_MS = 365 * DAY
const KEY = 'revoked-consents'

export interface EnrolmentTermsInfo {
  /** What the wallet agrees to, for people. */
  meaning: string
  /** `key`: the wallet's own key on the network is handed over to the gateway. */
  handover: 'none' | 'key'
  groups: boolean
  /** What it means to enrol for notifications alone; null where the network has none. */
  notifications: { meaning: string } | null
}

export interface BegunEnrolment {
  id: string
  network: string
  /** What the wallet signs. */
  text: string
  terms: EnrolmentTermsInfo
  /** Unix milliseconds. */
  expiresAt: number
}

/** `GET /v1/enrolments` */
export interface EnrolmentInfo {
  id: string
  network: string
  state: 'active' | 'ended'
  address: string | null
  connection: string | null
  reason: string | null
  userAction: string | null
  meaning: string
  consent: { bytes: string; signature: string }
  createdAt: number
  expiresAt: number
  endedAt: number | null
}

export interface BeginOptions {
  /** How long the consent lasts, milliseconds. Default: a year. */
  lifeMs?: number
  /** `notifications`: nothing is handed over, and no message is read or sent. Default: `messages`. */
  covers?: 'messages' | 'notifications'
}

export interface Enrolments {
  /** What enrolling on a network means. Null: the gateway has no hop mode there. */
  terms(network: string): Promise<EnrolmentTermsInfo | null>
  /**
   * Signs the consent with this device and asks for the text that the wallet has to sign. Show `terms.meaning` (for
   * notifications alone `terms.notifications.meaning`) to the owner of the wallet before.
   */
  begin(network: string, options?: BeginOptions): Promise<BegunEnrolment>
  /**
   * Completes it, with a signature of the wallet; default: the signer's over the text. `handover`: the wallet's key on the
   * network, where the terms ask for it; it is sealed to the gateway here.
   */
  complete(
    begun: Pick<BegunEnrolment, 'id' | 'network' | 'text'>,
    options?: { signature?: string; chainId?: number; handover?: Uint8Array },
  ): Promise<EnrolmentInfo>
  /** Oldest first, ended ones too. */
  list(): Promise<EnrolmentInfo[]>
  /** Ends it. From then on this device believes nothing more of what the gateway attests by this consent. */
  revoke(enrolment: { network: string; id: string }): Promise<{ remote: string; userAction: string | null }>
}

/** Consents that this device has taken back, and when. */
export interface RevokedConsents {
  /** Whether the consent still counts for what was received at `receivedAt`. */
  stands(consent: Uint8Array, receivedAt: number): boolean
  add(consent: Uint8Array, at: number): Promise<void>
}

export const nothingRevoked: RevokedConsents = { stands: () => true, add: async () => undefined }

export async function loadRevokedConsents(storage: ClientStorage): Promise<RevokedConsents> {
  const text = await storage.get(KEY)
  const revoked = new Map<string, number>(text ? (JSON.parse(text) as [string, number][]) : [])
  return {
    stands: (consent, receivedAt) => receivedAt <= (revoked.get(toHex(consentHash(consent))) ?? receivedAt),
    async add(consent, at) {
      const key = toHex(consentHash(consent))
      if (revoked.has(key)) return
      revoked.set(key, at)
      await storage.set(KEY, JSON.stringify([...revoked]))
    },
  }
}

export interface GatewayKeys {
  id: string
  device: Uint8Array
  encryption: Uint8Array
}

/** The gateway's keys, whose id follows from them. Rejects with `gateway-answer-invalid`, `hop-unsupported`. */
export async function readGatewayKeys(api: Api): Promise<GatewayKeys> {
  const { id, publicKey, encryptionKey } = await api.get<GatewayInfo>('/v1/gateway')
  const device = fromBase64url(publicKey)
  if (id !== base32Lower(H('causeway/gateway/1', device).subarray(0, 16))) {
    throw new ClientError('gateway-answer-invalid', 'GET /v1/gateway: the id is not that of the key')
  }
  if (!encryptionKey) throw new ClientError('hop-unsupported', 'The gateway has no hop mode')
  return { id, device, encryption: fromBase64url(encryptionKey) }
}

export function createEnrolments(options: {
  api: Api
  wallet: string
  keyring: Keyring
  signer: WalletSigner
  revoked: RevokedConsents
  gatewayKeys: () => Promise<GatewayKeys>
  ensure: () => Promise<void>
  now: () => number
}): Enrolments {
  const { api, wallet, keyring, signer, revoked, gatewayKeys, now } = options
  const pathOf = (network: string, id = '') =>
    `/v1/enrolments/${encodeURIComponent(network)}${id && `/${encodeURIComponent(id)}`}`

  async function terms(network: string): Promise<EnrolmentTermsInfo | null> {
    const { networks } = await api.get<{
      networks: { network: string; enrolment: EnrolmentTermsInfo | null }[]
    }>('/v1/networks')
    return networks.find((candidate) => candidate.network === network)?.enrolment ?? null
  }

  return {
    terms,
    async begin(network, { lifeMs = CONSENT_LIFE_MS, covers = 'messages' } = {}) {
      await options.ensure()
      const [gateway, agreed] = await Promise.all([gatewayKeys(), terms(network)])
      const meaning = covers === 'messages' ? agreed?.meaning : agreed?.notifications?.meaning
      if (!agreed || meaning === undefined) {
        throw new ClientError('hop-unsupported', `The gateway takes no ${covers} for wallets on this network`)
      }
      const issuedAt = now()
      const { bytes, signature } = await signConsent(
        {
          gateway: gateway.id,
          gatewayDevice: gateway.device,
          network,
          wallet,
          device: keyring.device.publicKey,
          issuedAt,
          expiresAt: issuedAt + lifeMs,
          meaning: meaningHash(meaning),
        },
        signerFromDeviceKey(keyring.device.privateKey),
      )
      const consent = { bytes: toBase64url(bytes), signature: toBase64url(signature) }
      const begun = await api.post<Omit<BegunEnrolment, 'terms'>>(pathOf(network), { consent })
      const { id, text, expiresAt } = begun
      return { id, network, text, expiresAt, terms: agreed }
    },
    async complete({ id, network, text }, { signature, chainId, handover } = {}) {
      await options.ensure()
      const sealed =
        handover && (await sealHandover({ handover, gateway: await gatewayKeys(), network, id, wallet }))
      return api.post<EnrolmentInfo>(`${pathOf(network, id)}/signature`, {
        signature: signature ?? (await signer.signMessage(text)),
        ...(chainId === undefined ? {} : { chainId }),
        ...(sealed ? { handover: toBase64url(sealed) } : {}),
      })
    },
    async list() {
      await options.ensure()
      return (await api.get<{ enrolments: EnrolmentInfo[] }>('/v1/enrolments')).enrolments
    },
    async revoke({ network, id }) {
      await options.ensure()
      const { enrolments } = await api.get<{ enrolments: EnrolmentInfo[] }>('/v1/enrolments')
      const found = enrolments.find((enrolment) => enrolment.id === id)
      if (found) await revoked.add(fromBase64url(found.consent.bytes), now())
      return api.remove<{ remote: string; userAction: string | null }>(pathOf(network, id))
    },
  }
}

function sealHandover(input: {
  handover: Uint8Array
  gateway: GatewayKeys
  network: string
  id: string
  wallet: string
}): Promise<Uint8Array> {
  const { handover, gateway, network, id, wallet } = input
  const purpose = ['causeway/handover/1', gateway.id, network, id, wallet]
  return sealSecret({ secret: handover, publicKey: gateway.encryption, purpose })
}

/** Whether a consent is one of this wallet to this gateway's device on this network. */
export function consentMatches(
  { bytes }: SignedConsent,
  expected: { gateway: string; gatewayDevice: Uint8Array; network: string; wallet: string },
): boolean {
  const consent = decodeConsent(bytes)
  return (
    consent.gateway === expected.gateway &&
    equalBytes(consent.gatewayDevice, expected.gatewayDevice) &&
    consent.network === expected.network &&
    consent.wallet === expected.wallet
  )
}
