/** Assembles the parts of a gateway and starts and stops them in order. Used by `main.ts`, the tests and the demo alike. */
import type { AdapterDefinition, Clock, Random } from './adapter/index.ts'
import type { Custody } from './custody.ts'
import { devicesOf } from './enrolment/devices.ts'
import { createEnrolments, type EnrolmentSettings, type Enrolments } from './enrolment/index.ts'
import { keyIdentifier, signerFromDeviceKey, useSha256, type VerifyEd25519 } from './envelope/index.ts'
import { createHttpApi, type HttpSettings } from './http/index.ts'
import { type ChainSettings, createContractVerifier } from './identity/index.ts'
import { createIdentity } from './identity/service.ts'
import type { Identity, NetworkAddresses } from './identity/types.ts'
import { createLiveHub, type LiveHub } from './live/hub.ts'
import type { Log } from './observability/log.ts'
import type { Metrics } from './observability/metrics.ts'
import {
  createNetworks,
  createRelay,
  createSignatureVerifier,
  createWaker,
  IDS_KEPT_MS,
} from './relay/index.ts'
import type { Admission } from './relay/parts.ts'
import type { Networks, Relay, RelaySettings } from './relay/types.ts'
import { runAll } from './run-all.ts'
import type { Route, Store } from './store/port.ts'
import { systemSha256 } from './system.ts'

export interface GatewayParts {
  /** Id in hop traces, and the public key that it follows from. */
  gateway: { id: string; publicKey: Uint8Array }
  version: string
  store: Store
  log: Log
  metrics: Metrics
  clock: Clock
  random: Random
  adapters: { name: string; definition: AdapterDefinition; config: unknown; sandbox: boolean }[]
  /** Folder for the databases of adapters. */
  dataDirectory: string
  listen: { host: string; port: number }
  /** Where clients reach the gateway. Known before it listens, or built from the listening address. */
  publicUrl: string | null
  identity: {
    domain: string | null
    trustedDomains: string[]
    sessionTtlMs: number
    challengeTtlMs: number
    /** Nodes that are asked about smart accounts, by EVM chain id in decimal. */
    chains?: Readonly<Record<string, ChainSettings>>
  }
  defaultRoute: Route
  relay: RelaySettings
  /** Consent and rate. Default: everyone is admitted. */
  admission?: Admission
  http: HttpSettings
  retentionMs: number
  /** Hop mode. Default: none, and no mirrors. */
  enrolments?: {
    /** Private half of `gateway.publicKey`. */
    privateKey: Uint8Array
    encryption: { publicKey: Uint8Array; privateKey: Uint8Array }
    custody: Custody
    settings: EnrolmentSettings
  }
  /** Checks envelope and prekey signatures. Default: {@link createSignatureVerifier}. */
  verifySignature?: VerifyEd25519
}

export interface Gateway {
  readonly identity: Identity
  readonly relay: Relay
  readonly enrolments: Enrolments | null
  readonly networks: Networks
  readonly live: LiveHub
  readonly store: Store
  /** Base URL, once started. */
  readonly url: string
  /** Opens the store, listens, starts relay and networks. Networks connect on their own time. */
  start(): Promise<void>
  /** Stops in the opposite order. Everything acknowledged is in the store. */
  stop(signal?: AbortSignal): Promise<void>
}

const PRUNE_INTERVAL_MS = 10 * 60_000

/**
 * Makes a gateway of its parts. Nothing is opened before `start`.
 *
 * @example
 * const gateway = createGateway(parts)
 * await gateway.start()
 */
export function createGateway(parts: GatewayParts): Gateway {
  const { store, log, metrics, clock, random } = parts
  useSha256(systemSha256)
  const live = createLiveHub()
  const verify = parts.verifySignature ?? createSignatureVerifier()
  const domain = parts.identity.domain ?? (parts.publicUrl ? new URL(parts.publicUrl).host : 'localhost')

  const networks = createNetworks({
    adapters: parts.adapters,
    gateway: parts.gateway.id,
    store,
    clock,
    random,
    log: (network) => log.child({ network }),
    dataDirectory: parts.dataDirectory,
    deliver: (network, inbound) => relay.hear(network, inbound),
    enrolments: {
      deliver: (network, inbound) => relay.hearNative(network, inbound),
      report: (network, id, report) => enrolments?.report(network, id, report),
    },
    mirrors: { deliver: (network, inbound) => relay.hearOpaque(network, inbound) },
  })
  const chains = parts.identity.chains ?? {}
  const report = (chain: string, err: Error) =>
    log.warn({ chain, err }, 'the node of a chain could not tell about a signature')
  const identity = createIdentity({
    store,
    domain,
    contracts: createContractVerifier({ chains, report }),
    strangersContracts: createContractVerifier({ chains, report }),
    trustedDomains: parts.identity.trustedDomains,
    clock,
    random,
    sessionTtlMs: parts.identity.sessionTtlMs,
    challengeTtlMs: parts.identity.challengeTtlMs,
    networks: networkAddresses(networks),
    verifyDevice: verify,
    defaultRoute: parts.defaultRoute,
  })
  const enrolments = parts.enrolments
    ? createEnrolments({
        gateway: {
          id: parts.gateway.id,
          device: parts.gateway.publicKey,
          encryptionKey: parts.enrolments.encryption.privateKey,
        },
        store,
        networks,
        trust: identity,
        custody: parts.enrolments.custody,
        verify,
        clock,
        random,
        log,
        settings: parts.enrolments.settings,
        deliver: (network, inbound) => relay.hearNative(network, inbound),
      })
    : null
  const waker = createWaker({ networks, directory: identity, live, clock, log })
  const relay: Relay = createRelay({
    gateway: parts.gateway.id,
    store,
    trust: identity,
    directory: identity,
    verify,
    networks,
    live: waker,
    observer: metrics,
    ...(parts.admission ? { admission: parts.admission } : {}),
    ...(parts.enrolments && enrolments
      ? {
          vault: parts.enrolments.custody,
          hop: {
            device: {
              publicKey: parts.gateway.publicKey,
              sign: signerFromDeviceKey(parts.enrolments.privateKey),
            },
            openingKey: {
              keyId: keyIdentifier(parts.enrolments.encryption.publicKey),
              privateKey: parts.enrolments.encryption.privateKey,
            },
            enrolments,
            devicesOf: async (wallet) => devicesOf((await identity.keys(wallet)).prekeys),
          },
        }
      : {}),
    clock,
    random,
    log,
    settings: parts.relay,
  })
  const http = createHttpApi({
    gateway: {
      ...parts.gateway,
      encryptionKey: parts.enrolments?.encryption.publicKey ?? null,
      version: parts.version,
      domain,
      sandbox: parts.adapters.some(({ sandbox }) => sandbox),
    },
    identity,
    relay,
    enrolments,
    networks,
    store,
    live,
    seen: (wallet) => waker.seen(wallet),
    metrics,
    log,
    clock,
    settings: parts.http,
  })

  let server: Awaited<ReturnType<typeof http.serve>> | null = null
  let pruning: NodeJS.Timeout | null = null

  return {
    identity,
    relay,
    enrolments,
    networks,
    live,
    store,
    get url() {
      return parts.publicUrl ?? server?.url ?? ''
    },
    async start() {
      await store.open()
      waker.start()
      await relay.start()
      await enrolments?.start()
      server = await http.serve(parts.listen)
      await networks.start()
      pruning = setInterval(() => {
        const now = clock.now()
        store
          .prune({
            envelopesBefore: now - parts.retentionMs,
            aliasesBefore: now - parts.retentionMs,
            idsBefore: now - IDS_KEPT_MS,
            now,
          })
          .catch((error: unknown) => log.error({ err: error }, 'removing what is over its time failed'))
      }, PRUNE_INTERVAL_MS)
      pruning.unref()
    },
    async stop(signal = AbortSignal.timeout(10_000)) {
      if (pruning) clearInterval(pruning)
      await runAll([
        async () => server?.close(signal),
        async () => live.close(),
        // A relay that is stopping turns away what its networks hear, so that they keep it; the other way round it would
        // wait for answers of networks that are gone.
        () => relay.stop(signal),
        async () => enrolments?.stop(),
        () => waker.stop(),
        () => networks.stop(signal),
        () => store.close(),
      ])
    },
  }
}

/** The address map's view of the running networks. */
function networkAddresses(networks: Networks): NetworkAddresses {
  return {
    derived: (wallet) =>
      networks.names().flatMap((network) => {
        const running = networks.get(network)
        const address = running?.adapter.identity?.addressOf(wallet)
        return running && address
          ? [{ network, address, exclusive: !running.adapter.capabilities().sharedAddresses }]
          : []
      }),
    isAddress: (network, address) => networks.get(network)?.adapter.identity?.isAddress(address) ?? false,
    isEnabled: (network) => networks.get(network) !== undefined,
  }
}
