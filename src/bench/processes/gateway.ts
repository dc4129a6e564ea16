/** A gateway as a benchmark needs it: durable in a temporary folder, limits out of the way, nothing else changed. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadAdapter } from '../../adapter/registry.ts'
import { type Config, configSchema, parseNetworkConfig } from '../../config/index.ts'
import { createGateway, type Gateway } from '../../gateway.ts'
import { loadGatewayKey } from '../../gateway-key.ts'
import { defaultHttpSettings } from '../../http/index.ts'
import { createLog } from '../../observability/log.ts'
import { createMetrics } from '../../observability/metrics.ts'
import { createSqliteStore } from '../../store/sqlite/index.ts'
import { systemClock, systemRandom } from '../../system.ts'
import { serveParent } from '../child.ts'
import { cpuMicroseconds } from '../machine.ts'
import { type Crossing, observeNetworks } from '../observed-networks.ts'

export interface GatewayInput {
  /** Whether signatures of envelopes are verified. */
  signatures: boolean
  /** Configurations by network, as in the configuration file. None: a gateway of HTTP alone. */
  networks: Record<string, Record<string, unknown>>
}

export interface Usage {
  /** CPU time of all threads so far, microseconds. */
  cpu: number
  /** Resident memory after a collection, bytes. */
  rss: number
}

const PLENTY = 1e9
const crossings: Crossing[] = []
let running: { gateway: Gateway; directory: string } | null = null

async function start({ signatures, networks }: GatewayInput): Promise<{ url: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-bench-'))
  const config = configSchema.parse({})
  const key = await loadGatewayKey(directory)
  const adapters = await Promise.all(
    Object.entries(networks).map(async ([name, values]) => {
      const definition = await loadAdapter(name)
      return {
        name,
        definition: observeNetworks(definition, crossings),
        config: parseNetworkConfig(definition, values, null),
        sandbox: true,
      }
    }),
  )
  const gateway = createGateway({
    gateway: { id: key.id, publicKey: key.publicKey },
    version: 'bench',
    store: createSqliteStore({ path: join(directory, 'causeway.db') }),
    log: createLog({ level: 'error', destination: process.stderr }),
    metrics: createMetrics(),
    clock: systemClock,
    random: systemRandom,
    adapters,
    dataDirectory: directory,
    listen: { host: '127.0.0.1', port: 0 },
    publicUrl: null,
    identity: {
      domain: 'localhost',
      trustedDomains: [],
      sessionTtlMs: 3_600_000,
      challengeTtlMs: 60_000,
      chains: {},
    },
    defaultRoute: config.route,
    relay: relaySettings(config),
    http: {
      ...defaultHttpSettings,
      limits: {
        ...defaultHttpSettings.limits,
        walletPerSecond: PLENTY,
        walletBurst: PLENTY,
        addressPerSecond: PLENTY,
        addressBurst: PLENTY,
        signInsPerMinute: PLENTY,
      },
      streams: { ...defaultHttpSettings.streams, perWallet: PLENTY, total: PLENTY },
    },
    retentionMs: 86_400_000,
    ...(signatures ? {} : { verifySignature: () => true }),
  })
  running = { gateway, directory }
  await gateway.start()
  return { url: gateway.url }
}

function relaySettings({ relay }: Config) {
  return {
    ...relay,
    maxFutureMs: 120_000,
    retry: {
      scheduleMs: [5_000, 10_000, 30_000],
      growth: 2,
      maxMs: 3_600_000,
      maxAttempts: relay.maxAttempts,
      spread: 0.2,
    },
  }
}

async function stop(): Promise<void> {
  if (running === null) return
  await running.gateway.stop(AbortSignal.timeout(5_000))
  await rm(running.directory, { recursive: true, force: true })
}

serveParent(
  {
    start,
    usage: (): Usage => {
      globalThis.gc?.()
      return { cpu: cpuMicroseconds(), rss: process.memoryUsage.rss() }
    },
    networks: () =>
      running?.gateway.networks
        .list()
        .map(({ network, state, description }) => ({ network, state, description })),
    crossings: () => crossings.splice(0),
  },
  stop,
)
