/** A whole gateway with the settings that a test turns: clock, limits of the HTTP API, networks, log. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import simulator, { createSimulatedNetwork, type SimulatedNetwork } from '../../adapters/simulator/index.ts'
import { type AdapterDefinition, type Clock, systemClock } from '../../src/adapter/index.ts'
import { configSchema } from '../../src/config/schema.ts'
import { createGateway, type Gateway } from '../../src/gateway.ts'
import { loadGatewayKey } from '../../src/gateway-key.ts'
import { defaultHttpSettings, type HttpSettings } from '../../src/http/index.ts'
import type { HttpLimits, StreamSettings } from '../../src/http/settings.ts'
import { createPerson, type Person, type SignedIn, signIn } from '../../src/http/testing/bench.ts'
import { createLog } from '../../src/observability/log.ts'
import { createMetrics } from '../../src/observability/metrics.ts'
import type { RelaySettings } from '../../src/relay/types.ts'
import { createSqliteStore } from '../../src/store/sqlite/index.ts'
import { systemRandom } from '../../src/system.ts'

export interface WholeGatewayOptions {
  clock?: Clock
  limits?: Partial<HttpLimits>
  streams?: Partial<StreamSettings>
  settings?: Partial<Omit<HttpSettings, 'limits' | 'streams'>>
  relay?: Partial<RelaySettings>
  sessionTtlMs?: number
  challengeTtlMs?: number
  /** Beside a simulated network under the name `waku`. */
  adapters?: { name: string; definition: AdapterDefinition; config: unknown }[]
}

export interface WholeGateway {
  gateway: Gateway
  url: string
  network: SimulatedNetwork
  dataDirectory: string
  /** Finished log lines, of every level. */
  lines: string[]
  signIn(person?: Person): Promise<SignedIn>
  stop(): Promise<void>
}

let serial = 0

/** Starts one on a free port of loopback with its database in a temporary folder. Stopped by the caller. */
export async function startWholeGateway(options: WholeGatewayOptions = {}): Promise<WholeGateway> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'causeway-whole-'))
  const network = createSimulatedNetwork({
    name: `whole-${process.pid}-${++serial}`,
    // What the stand-in keeps is no memory of the gateway's.
    retainMessages: 100,
  })
  const config = configSchema.parse({})
  const key = await loadGatewayKey(dataDirectory)
  const lines: string[] = []
  const gateway = createGateway({
    gateway: { id: key.id, publicKey: key.publicKey },
    version: 'test',
    store: createSqliteStore({ path: join(dataDirectory, 'causeway.db') }),
    log: createLog({ level: 'trace', destination: { write: (line) => lines.push(line) } }),
    metrics: createMetrics(),
    clock: options.clock ?? systemClock,
    random: systemRandom,
    adapters: [
      {
        name: 'waku',
        definition: simulator as unknown as AdapterDefinition,
        config: simulator.config.parse(network.settings),
        sandbox: true,
      },
      ...(options.adapters ?? []).map((adapter) => ({ ...adapter, sandbox: true })),
    ],
    dataDirectory,
    listen: { host: '127.0.0.1', port: 0 },
    publicUrl: null,
    identity: {
      domain: 'gateway.example',
      trustedDomains: [],
      sessionTtlMs: options.sessionTtlMs ?? 3_600_000,
      challengeTtlMs: options.challengeTtlMs ?? 300_000,
      chains: {},
    },
    defaultRoute: config.route,
    relay: {
      ...config.relay,
      maxFutureMs: 120_000,
      retry: {
        scheduleMs: [5_000, 10_000],
        growth: 2,
        maxMs: 3_600_000,
        maxAttempts: config.relay.maxAttempts,
        spread: 0.2,
      },
      ...options.relay,
    },
    http: {
      ...defaultHttpSettings,
      ...options.settings,
      limits: { ...defaultHttpSettings.limits, ...options.limits },
      streams: { ...defaultHttpSettings.streams, ...options.streams },
    },
    retentionMs: 86_400_000,
  })
  await gateway.start()
  return {
    gateway,
    url: gateway.url,
    network,
    dataDirectory,
    lines,
    signIn: (person = createPerson()) => signIn(gateway.url, person),
    async stop() {
      await gateway.stop(AbortSignal.timeout(2_000))
      network.close()
      await rm(dataDirectory, { recursive: true, force: true })
    },
  }
}

/** Limits that nobody reaches. */
export const PLENTY: Partial<HttpLimits> = {
  walletPerSecond: 1e9,
  walletBurst: 1e9,
  addressPerSecond: 1e9,
  addressBurst: 1e9,
  signInsPerMinute: 1e9,
}

/** The system's clock with a step that tests make; `standing`: time moves by those steps alone. */
export function steppedClock(options: { standing?: boolean } = {}): Clock & { step(ms: number): void } {
  let offset = 0
  const start = { now: systemClock.now(), monotonic: systemClock.monotonic() }
  return {
    now: () => (options.standing ? start.now : systemClock.now()) + offset,
    monotonic: () => (options.standing ? start.monotonic : systemClock.monotonic()) + offset,
    sleep: systemClock.sleep,
    step(ms) {
      offset += ms
    },
  }
}
