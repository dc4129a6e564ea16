/** Gateways for tests: the real relay, store and identity over simulated networks, and wallets that seal envelopes. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers/wallet'
import simulator, {
  createSimulatedNetwork,
  type SimulatedNetwork,
} from '../../../adapters/simulator/index.ts'
import { type AdapterDefinition, type AdapterLog, systemClock } from '../../adapter/index.ts'
import {
  directConversation,
  encodeFrame,
  frameForEnvelope,
  generateDeviceKey,
  generateEncryptionKeyPair,
  groupConversation,
  SUITE,
  sealEnvelope,
  signerFromDeviceKey,
  utf8Encode,
} from '../../envelope/index.ts'
import { signPrekey } from '../../identity/index.ts'
import { createIdentity } from '../../identity/service.ts'
import type { Identity } from '../../identity/types.ts'
import type { VerifyWallet } from '../../identity/wallet-signature.ts'
import { createLiveHub, type LiveHub } from '../../live/hub.ts'
import type { Delivery, InboxItem, Route, Store } from '../../store/port.ts'
import { createSqliteStore } from '../../store/sqlite/index.ts'
import { createNetworks } from '../networks.ts'
import type { RelayParts } from '../parts.ts'
import { createRelay } from '../relay.ts'
import type { Networks, Relay, RelaySettings } from '../types.ts'

export const testRandom = {
  bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)),
  fraction: () => Math.random(),
}

/** Short waits, so that tests see retries, and a lane hold that covers the first two. */
export const SETTINGS: RelaySettings = {
  maxEnvelopeBytes: 131_072,
  maxRecipients: 8,
  maxFutureMs: 120_000,
  retry: { scheduleMs: [20, 40, 80], growth: 1.5, maxMs: 400, maxAttempts: 12, spread: 0.2 },
  sendTimeoutMs: 5_000,
  laneHoldMs: 70,
  maxInFlightPerNetwork: 8,
  reconcileIntervalMs: 150,
  reconcileOverlapMs: 60_000,
}

export const MIRROR: Route = { policy: 'mirror', order: ['trtc', 'waku'], fallbackAfterMs: 200 }
export const FALLBACK: Route = { policy: 'fallback', order: ['trtc', 'waku'], fallbackAfterMs: 200 }

export interface Person {
  /** walletKey. */
  wallet: string
  signer: Wallet
  device: { publicKey: Uint8Array; privateKey: Uint8Array; label: string }
  /** Of the last gateway that the person signed in to. */
  certificate: Uint8Array | null
}

export function createPerson(): Person {
  const signer = new Wallet(`0x${Buffer.from(testRandom.bytes(32)).toString('hex')}`)
  return {
    wallet: `eip155:*:${signer.address.toLowerCase()}`,
    signer,
    device: { ...generateDeviceKey(), label: 'Test device' },
    certificate: null,
  }
}

export interface SealOptions {
  text?: string
  created?: number
  ttl?: number
  /** X25519 public keys; with them the envelope is encrypted, else it is signed only. */
  keys?: Uint8Array[]
  flags?: number
  /** Default: that of the pair, or of a group. */
  conversation?: Uint8Array
}

/** An envelope of `from`, ready to be submitted. */
export async function seal(
  from: Person,
  to: { wallet: string }[],
  options: SealOptions = {},
): Promise<{ id: Uint8Array; bytes: Uint8Array }> {
  const { text = 'hello', created = Date.now(), ttl = 0, keys = [], flags = 0 } = options
  const usual =
    to.length === 1
      ? directConversation(from.wallet, to[0]!.wallet)
      : groupConversation(from.wallet, new Uint8Array(16))
  return sealEnvelope({
    header: {
      suite: keys.length > 0 ? SUITE.x25519 : SUITE.none,
      from: from.wallet,
      device: from.device.publicKey,
      to: to.map(({ wallet }) => wallet),
      conversation: options.conversation ?? usual,
      contentType: 'xmtp.org/text:1.0',
      created,
      ttl,
      nonce: testRandom.bytes(16),
      replyTo: null,
      flags,
      ext: {},
    },
    content: {
      salt: testRandom.bytes(16),
      replaces: null,
      topicId: new Uint8Array(),
      expires: null,
      inReplyTo: null,
      contentType: 'xmtp.org/text:1.0',
      parameters: {},
      fallback: null,
      content: utf8Encode(text),
    },
    recipients: keys.map((publicKey) => ({ publicKey })),
    sign: signerFromDeviceKey(from.device.privateKey),
  })
}

/** The frame with which a native client of `from` puts the envelope on a network. */
export function nativeFrame(from: Person, bytes: Uint8Array): Uint8Array {
  return encodeFrame(frameForEnvelope(bytes, from.certificate))
}

export interface GatewayOptions {
  name: string
  /** Networks by the name that they have at this gateway. */
  networks: Record<string, SimulatedNetwork | AdapterDefinition>
  wallets: Person[]
  route?: Route
  settings?: Partial<RelaySettings>
  /** Database file; in memory when absent. */
  path?: string
  parts?: Partial<
    Pick<RelayParts, 'verify' | 'admission' | 'observer' | 'clock' | 'random' | 'vault' | 'hop'>
  >
  /** Default: the one of `path`. */
  store?: Store
  /** Default: the identity part's own. */
  verifyWallet?: VerifyWallet
  /** The networks are started by the test. */
  idle?: boolean
}

export interface TestGateway {
  name: string
  relay: Relay
  networks: Networks
  store: Store
  identity: Identity
  live: LiveHub
  /** Warnings and errors of relay and adapters. */
  problems: { text: string; details: Record<string, unknown> }[]
  signIn(person: Person): Promise<void>
  /** Publishes a new X25519 prekey of the person and returns its public half. */
  publishPrekey(person: Person): Promise<Uint8Array>
  /** Takes the certificate of the person's device away. */
  revoke(person: Person): Promise<void>
  submit(person: Person, bytes: Uint8Array): ReturnType<Relay['submit']>
  inbox(person: Person): Promise<InboxItem[]>
  deliveries(id: Uint8Array): Promise<Delivery[]>
  /** Delivery of the envelope on a network, the only one there. */
  delivery(id: Uint8Array, network: string): Promise<Delivery>
  stop(): Promise<void>
}

let serial = 0

export class RelayBench {
  #networks: SimulatedNetwork[] = []
  #gateways = new Set<TestGateway>()
  #folders: string[] = []

  network(options: Parameters<typeof createSimulatedNetwork>[0] = {}): SimulatedNetwork {
    const network = createSimulatedNetwork({ ...options, name: `relay-bench-${process.pid}-${++serial}` })
    this.#networks.push(network)
    return network
  }

  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'causeway-relay-'))
    this.#folders.push(folder)
    return folder
  }

  async gateway(options: GatewayOptions): Promise<TestGateway> {
    const gateway = await startGateway(options, await this.folder(), () => this.#gateways.delete(gateway))
    this.#gateways.add(gateway)
    return gateway
  }

  async close(): Promise<void> {
    await Promise.all([...this.#gateways].map((gateway) => gateway.stop()))
    for (const network of this.#networks.splice(0)) network.close()
    for (const folder of this.#folders.splice(0)) await rm(folder, { recursive: true, force: true })
  }
}

async function startGateway(
  options: GatewayOptions,
  folder: string,
  onStop: () => void,
): Promise<TestGateway> {
  const problems: TestGateway['problems'] = []
  const note = (details: Record<string, unknown>, text: string) => void problems.push({ text, details })
  const log: AdapterLog = { debug() {}, info() {}, warn: note, error: note }
  const clock = options.parts?.clock ?? systemClock
  const random = options.parts?.random ?? testRandom
  const store = options.store ?? createSqliteStore({ path: options.path ?? ':memory:' })
  await store.open()
  const networks = createNetworks({
    adapters: Object.entries(options.networks).map(([name, network]) =>
      'create' in network
        ? { name, definition: network, config: {}, sandbox: true }
        : {
            name,
            definition: simulator as unknown as AdapterDefinition,
            config: simulator.config.parse(network.settings),
            sandbox: true,
          },
    ),
    gateway: options.name,
    clock,
    random,
    log: () => log,
    store,
    dataDirectory: folder,
    deliver: (network, inbound) => relay.hear(network, inbound),
    mirrors: { deliver: (network, inbound) => relay.hearOpaque(network, inbound) },
  })
  const identity = createIdentity({
    store,
    domain: 'gateway.example',
    trustedDomains: [],
    clock,
    random,
    verifyWallet: options.verifyWallet,
    sessionTtlMs: 3_600_000,
    challengeTtlMs: 300_000,
    networks: {
      derived: (wallet) =>
        Object.keys(options.networks).flatMap((network) => {
          const address = networks.get(network)?.adapter.identity?.addressOf(wallet)
          return address ? [{ network, address, exclusive: false }] : []
        }),
      isAddress: (network, address) => networks.get(network)?.adapter.identity?.isAddress(address) ?? false,
      isEnabled: (network) => networks.get(network) !== undefined,
    },
    defaultRoute: options.route ?? MIRROR,
  })
  const live = createLiveHub()
  const relay = createRelay({
    gateway: options.name,
    store,
    trust: identity,
    directory: identity,
    networks,
    live,
    clock,
    random,
    log,
    settings: { ...SETTINGS, ...options.settings },
    ...options.parts,
  })

  async function prove(person: Person, action: 'add' | 'revoke') {
    const { challengeId, message } = await identity.challenge({
      wallet: `eip155:1:${person.signer.address}`,
      device: person.device,
      action,
    })
    return identity.verify({ challengeId, signature: await person.signer.signMessage(message) })
  }

  let stopped = false
  const gateway: TestGateway = {
    name: options.name,
    relay,
    networks,
    store,
    identity,
    live,
    problems,
    async signIn(person) {
      person.certificate = (await prove(person, 'add')).certificate
    },
    async publishPrekey(person) {
      const { publicKey } = await generateEncryptionKeyPair(SUITE.x25519)
      const { token } = await prove(person, 'add')
      const session = await identity.authenticate(token!)
      const [wallet, device, notBefore] = [person.wallet, person.device.publicKey, clock.now() - 1_000]
      const prekey = {
        wallet,
        device,
        suite: SUITE.x25519,
        publicKey,
        notBefore,
        notAfter: notBefore + 86_400_000,
      }
      const signed = await signPrekey(prekey, signerFromDeviceKey(person.device.privateKey))
      await identity.publishPrekeys(session!, [signed])
      return publicKey
    },
    async revoke(person) {
      await prove(person, 'revoke')
    },
    submit: (person, sealed) => relay.submit({ sealed, via: 'http', submitter: person.wallet }),
    inbox: async ({ wallet }) =>
      (await store.inbox({ wallet, after: 0, limit: 10_000, conversation: null })).items,
    deliveries: (id) => store.deliveriesOf(id),
    async delivery(id, network) {
      const found = (await store.deliveriesOf(id)).filter((delivery) => delivery.network === network)
      if (found.length !== 1) throw new Error(`${found.length} deliveries on ${network}`)
      return found[0]!
    },
    async stop() {
      if (stopped) return
      stopped = true
      onStop()
      const signal = AbortSignal.timeout(2_000)
      await relay.stop(signal)
      await networks.stop(signal)
      await store.close()
    },
  }
  for (const person of options.wallets) await gateway.signIn(person)
  await relay.start()
  if (!options.idle) await networks.start()
  return gateway
}
