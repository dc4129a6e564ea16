/** The client library: one wallet on one device. Runs in browsers and in Node. */
import { decodeFrame, fromHex, toHex } from '../envelope/index.ts'
import { accountText, createContractVerifier, createLenientVerifier, parseWallet } from '../identity/index.ts'
import { createApi } from './api.ts'
import { type Conversations, createConversations } from './conversations.ts'
import { createDirectory, type Peer } from './directory.ts'
import { createDualPiece, type DualPiece } from './dual.ts'
import {
  createEnrolments,
  type Enrolments,
  type GatewayKeys,
  loadRevokedConsents,
  readGatewayKeys,
} from './enrolments.ts'
import { ClientError } from './errors.ts'
import { createInbox, type InboxOptions, type LiveOptions } from './inbox.ts'
import { loadKeyring } from './keyring.ts'
import { createOpener } from './opening.ts'
import { createPushPiece, type PushPiece } from './push.ts'
import { didOf } from './push-message.ts'
import { createReceipts } from './receipts.ts'
import { sealMessage } from './sealing.ts'
import { loadSeenIds, nothingSeen } from './seen.ts'
import { createSession } from './session.ts'
import { SOLANA_MAINNET } from './solana.ts'
import { memoryStorage } from './storage.ts'
import type {
  ClientOptions,
  GatewayInfo,
  InboxEntry,
  Journey,
  Message,
  OutgoingMessage,
  SealedMessage,
  SentMessage,
  WalletInfo,
} from './types.ts'
import { createXmtpPiece, type XmtpPiece } from './xmtp.ts'

export interface Client {
  /** CAIP-10 account of the wallet. */
  readonly account: string
  readonly wallet: string
  /** Hop mode: the gateway as a client of this wallet on a network. */
  readonly enrolments: Enrolments
  /** The unified inbox by conversations: unread counts, read state, mute and consent. */
  readonly conversations: Conversations
  /** XMTP messages over the fast transport, opened by the wallet's own XMTP SDK; and sending over both. */
  readonly xmtp: XmtpPiece & DualPiece
  /** Push messages over the fast transport, opened by the wallet's own Push SDK. */
  readonly push: PushPiece
  /** Certifies this device and publishes its prekeys; asks the wallet for a signature only where one is needed. */
  signIn(): Promise<void>
  signOut(): Promise<void>
  /** Takes the certificate of a device away, this one's by default: what it signs from now on is refused. The wallet signs. */
  revokeDevice(device?: { publicKey: Uint8Array; label: string }): Promise<void>
  /** Seals a message and hands it to the gateway. Resolves when it is durable there. */
  send(message: OutgoingMessage): Promise<SentMessage>
  /** Seals a message and leaves the carrying to the caller: `frame` for a network, `submit` for HTTP, or both. */
  seal(message: OutgoingMessage): Promise<SealedMessage>
  submit(message: SealedMessage): Promise<SentMessage>
  /**
   * Opens a frame that came over a network, and tells the gateway so. Null when the message was seen before. Rejects with
   * `gateway-unreachable` when the sender's keys cannot be fetched now: give it the same frame again later.
   */
  receive(frame: Uint8Array, arrival: { network: string }): Promise<Message | null>
  /**
   * Messages as they arrive over HTTP, each once, with those after the cursor first. Connects again by itself, from where it
   * was, and when the gateway cannot go on from there it shows what the inbox holds that was not shown. Ends with the signal,
   * or with an error when the gateway refuses for good, e.g. because the session has ended.
   */
  messages(options: LiveOptions): AsyncGenerator<InboxEntry>
  /**
   * One page of the inbox, oldest first unless asked otherwise, read or not; empty at the end. Go on from the cursor of its
   * last entry.
   */
  inbox(options?: InboxOptions): Promise<InboxEntry[]>
  /** Tells the gateway that the message was read, soon. */
  markRead(id: string): Promise<void>
  /** Hands over at once what waits to be told to the gateway or written to the storage. For before the process ends. */
  flush(): Promise<void>
  journey(id: string): Promise<Journey>
  /** Endpoints of a wallet, this one's by default. */
  lookUp(wallet?: string): Promise<WalletInfo>
  /** Credentials with which this wallet's own client joins a network, e.g. a UserSig for `trtc`. */
  credentials(network: string): Promise<Record<string, string | number>>
  setEndpoint(network: string, endpoint: { enabled: boolean; address?: string }): Promise<void>
  setRoute(route: {
    policy: 'mirror' | 'fallback'
    order: string[] | 'ranked'
    fallbackAfterMs: number
  }): Promise<void>
}

/** What a gateway says of itself. Rejects with `gateway-unreachable` when it does not answer. */
export function readGateway(gateway: string, fetch?: typeof globalThis.fetch): Promise<GatewayInfo> {
  return createApi(gateway, fetch).get<GatewayInfo>('/v1/gateway')
}

/**
 * Makes a client. Nothing is signed and nothing sent before `signIn`.
 *
 * @example
 * const alice = await createClient({ gateway: 'http://127.0.0.1:8787', signer: new Wallet(key) })
 * await alice.signIn()
 * await alice.send({ to: 'eip155:1:0x…', text: 'hello' })
 */
export async function createClient(options: ClientOptions): Promise<Client> {
  const { signer, storage = memoryStorage(), now = Date.now, kind = 'evm-account' } = options
  const api = createApi(options.gateway, options.fetch)
  const named = parseWallet(`${chainOf(options)}:${await signer.getAddress()}`, { kind })
  const { wallet } = named
  const account = accountText(named.account)
  const verifyWallet = createLenientVerifier(createContractVerifier({ chains: options.chains ?? {} }))
  const domain = options.domain ?? (await expectedDomain(options))
  const trustedDomains = () => [domain, ...(options.trustedDomains ?? [])]
  const keyring = await loadKeyring(storage)
  const seen = await loadSeenIds(storage)
  // Apart from those of messages, which a busy network would push out.
  const seenParcels = await loadSeenIds(storage, 4_096, 'seen-parcels')
  const seenPush = await loadSeenIds(storage, 4_096, 'seen-push')
  const directory = createDirectory({ api, storage, trustedDomains, verifyWallet, now })
  const label = options.deviceLabel ?? 'Causeway client'
  const session = createSession({ api, storage, keyring, signer, account, wallet, kind, label, domain, now })
  const receipts = createReceipts(api)
  const revoked = await loadRevokedConsents(storage)
  let knownKeys: Promise<GatewayKeys> | null = null
  const gatewayKeys = () => {
    knownKeys ??= readGatewayKeys(api).catch((error: unknown) => {
      knownKeys = null
      throw error
    })
    return knownKeys
  }
  const enrolments = createEnrolments({
    api,
    wallet,
    keyring,
    signer,
    revoked,
    gatewayKeys,
    ensure: async () => {
      requireSession()
      await session.ensure()
    },
    now,
  })
  const opening = {
    wallet,
    openingKeys: () => keyring.openingKeys(),
    refreshKeys: () => keyring.refresh(),
    directory,
    revoked,
    trustedDomains,
    verifyWallet,
    now,
  }
  const opener = createOpener({ ...opening, seen })
  /** For pages of the inbox, which show a message as often as they are asked for. */
  const rereader = createOpener({ ...opening, seen: nothingSeen })
  const inbox = createInbox({
    api,
    opener,
    rereader,
    seen,
    receipts,
    rotate: () => session.rotate(),
    now,
  })

  const conversations = createConversations({ api, inbox, requireSession })

  function requireSession(): void {
    if (!api.token) throw new ClientError('not-signed-in', 'Call signIn() first')
  }

  const wallets = ({ to = [] }: OutgoingMessage) =>
    Promise.all([to].flat().map((text) => directory.resolve(text)))

  /** Who may read what is sent is a matter of keys that this client has checked. Throws `peer-not-verified`. */
  function mayRead({ log, wallet: peer }: Peer): boolean {
    if (log.trust === 'verified' || options.allowGatewayTrust) return true
    // This wallet's other devices then do without a copy: one of them could be the gateway's invention.
    if (peer === wallet) return false
    throw new ClientError(
      'peer-not-verified',
      'The recipient is a smart account whose keys the gateway alone has checked. Give the client a node of its chain (chains), or allow this (allowGatewayTrust)',
    )
  }

  async function sealHop(message: OutgoingMessage): Promise<SealedMessage> {
    const { network, native } = message
    const kind = native?.kind ?? 'direct'
    const to = kind === 'group' ? [wallet] : await wallets(message)
    if (network === undefined || to.length !== 1) {
      throw new TypeError('a message in hop mode names its network, and one wallet or a native group')
    }
    const [{ id, encryption }, own] = await Promise.all([gatewayKeys(), directory.peer(wallet)])
    return sealMessage({
      message,
      to,
      from: wallet,
      keyring,
      certificate: null,
      peers: [own],
      now: now(),
      hop: {
        request: { gateway: id, network, conversation: native?.conversation ?? null, kind },
        encryptionKey: encryption,
      },
    })
  }

  async function seal(message: OutgoingMessage): Promise<SealedMessage> {
    requireSession()
    await session.ensure()
    if (message.mode === 'hop') return sealHop(message)
    const to = await wallets(message)
    if (to.length === 0) throw new TypeError('name the wallets to send to')
    const peers = await Promise.all([...new Set([...to, wallet])].map((peer) => directory.peer(peer)))
    return sealMessage({
      message,
      to,
      from: wallet,
      keyring,
      certificate: session.certificate(),
      peers: peers.filter(mayRead),
      now: now(),
    })
  }

  async function submit(message: SealedMessage): Promise<SentMessage> {
    requireSession()
    const answer = await api.post<Pick<SentMessage, 'duplicate' | 'deliveries'>>(
      '/v1/envelopes',
      message.sealed,
    )
    return { ...message, duplicate: answer.duplicate, deliveries: answer.deliveries }
  }

  const send = async (message: OutgoingMessage) => submit(await seal(message))

  function note(id: string, network: string, kind: 'delivered' | 'read'): void {
    receipts.add({ id, network, kind, at: now() })
  }

  return {
    account,
    wallet,
    enrolments,
    conversations,
    xmtp: {
      ...createXmtpPiece({ api, receipts, seen: seenParcels, requireSession, now }),
      ...createDualPiece({ send, seen: seenParcels }),
    },
    push: createPushPiece({
      api,
      account: kind === 'evm-account' ? didOf(named.account.address) : null,
      storage,
      receipts,
      seen: seenPush,
      requireSession,
      now,
    }),
    signIn: () => session.ensure(),
    async signOut() {
      await receipts.flush()
      await session.end()
    },
    revokeDevice: (device = { publicKey: keyring.device.publicKey, label }) => session.revoke(device),
    seal,
    submit,
    send,
    async receive(frame, { network }) {
      requireSession()
      const arrival = { via: network, cursor: null, certificate: null, receivedAt: now() }
      const message = await opener.frame(frame, arrival)
      // Repeats are reported too: the journey is to tell over which networks an envelope arrived.
      if (message?.direction !== 'sent') note(toHex(decodeFrame(frame).id), network, 'delivered')
      return message
    },
    messages(options) {
      requireSession()
      return inbox.live(options)
    },
    async inbox(options = {}) {
      requireSession()
      return inbox.page(options)
    },
    async markRead(id) {
      requireSession()
      fromHex(id)
      note(id, 'http', 'read')
    },
    async flush() {
      await Promise.all([seen.save(), seenParcels.save(), seenPush.save(), receipts.flush()])
    },
    async journey(id) {
      requireSession()
      fromHex(id)
      return api.get<Journey>(`/v1/envelopes/${id}/journey`)
    },
    lookUp: (peer) => api.get<WalletInfo>(`/v1/wallets/${encodeURIComponent(peer ?? wallet)}`),
    credentials: (network) => api.post(`/v1/networks/${encodeURIComponent(network)}/credentials`, {}),
    async setEndpoint(network, endpoint) {
      await api.put(
        `/v1/wallets/${encodeURIComponent(wallet)}/endpoints/${encodeURIComponent(network)}`,
        endpoint,
      )
    },
    async setRoute(route) {
      await api.put(`/v1/wallets/${encodeURIComponent(wallet)}/route`, route)
    },
  }
}

/** CAIP-2 */
function chainOf({ kind, chainId }: ClientOptions): string {
  return kind === 'solana-account' ? `solana:${chainId ?? SOLANA_MAINNET}` : `eip155:${chainId ?? 1}`
}

/** The host that the caller named; on loopback, where one host has many names, the domain that the gateway says. */
async function expectedDomain({ gateway, fetch }: ClientOptions): Promise<string> {
  const { host, hostname } = new URL(gateway)
  const loopback = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
  return loopback ? (await readGateway(gateway, fetch)).domain : host
}
