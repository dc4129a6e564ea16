/**
 * Composition root: configuration in, running gateway out. Nothing else constructs the parts that touch the machine
 * (files, clock, randomness, network stand-ins).
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import packageJson from '../package.json' with { type: 'json' }
import type { AdapterDefinition, Sandbox } from './adapter/index.ts'
import { loadSandbox } from './adapter/registry.ts'
import {
  type Config,
  type LoadedConfig,
  type LoadOptions,
  loadConfig,
  parseNetworkConfig,
} from './config/index.ts'
import { type Custody, createCustody, loadMasterKey, parseMasterKey } from './custody.ts'
import type { EnrolmentSettings } from './enrolment/index.ts'
import { createGateway, type Gateway } from './gateway.ts'
import { loadGatewayKey } from './gateway-key.ts'
import { defaultHttpSettings, type HttpSettings } from './http/index.ts'
import { createLog, type Log } from './observability/log.ts'
import { createMetrics } from './observability/metrics.ts'
import { createAdmission } from './relay/index.ts'
import type { RelaySettings } from './relay/types.ts'
import { runAll } from './run-all.ts'
import { createSqliteStore } from './store/sqlite/index.ts'
import { systemClock, systemRandom } from './system.ts'

export interface RunningGateway {
  gateway: Gateway
  config: Config
  url: string
  /** Stand-ins that were started, by network. */
  sandboxes: Map<string, Sandbox>
  dataDirectory: string
  stop(): Promise<void>
}

export interface StartOptions extends LoadOptions {
  /** Given instead of one made from `log.level`. */
  log?: Log
  /** Stands between an adapter and the relay, e.g. to note when frames pass. */
  wrapAdapter?(definition: AdapterDefinition): AdapterDefinition
}

/**
 * Loads the configuration, starts the sandboxes that it asks for and the gateway. Rejects with `ConfigError` before
 * anything is started, or with the error of what could not start, after stopping the rest.
 *
 * @example const running = await startGateway({ environment: process.env })
 */
export async function startGateway(options: StartOptions = {}): Promise<RunningGateway> {
  const loaded = await loadConfig(options)
  const { config } = loaded
  const log = options.log ?? createLog({ level: config.log.level, destination: process.stderr })
  const stopping: (() => Promise<unknown>)[] = []
  const stop = () => runAll(stopping.splice(0).reverse())
  if (isWildcard(config.server.host) && !config.server.publicUrl && !config.identity.domain) {
    log.warn(
      {},
      'listening on all addresses without server.publicUrl: wallets will sign for a loopback domain, which every such gateway shares; set server.publicUrl',
    )
  }
  try {
    const data = await dataDirectory(loaded)
    stopping.push(data.remove)
    const sandboxes = await startSandboxes(loaded)
    stopping.push(() => Promise.all([...sandboxes.values()].map((sandbox) => sandbox.stop())))
    const key = await loadGatewayKey(data.path)
    const custody = await makeCustody(loaded, data.path, log)
    const gateway = createGateway({
      gateway: { id: key.id, publicKey: key.publicKey },
      version: packageJson.version,
      store: createSqliteStore({ path: join(data.path, 'causeway.db'), clock: systemClock, log }),
      log,
      metrics: createMetrics(),
      clock: systemClock,
      random: systemRandom,
      adapters: loaded.networks.map(({ name, definition, config: own }) => {
        const sandbox = sandboxes.get(name)
        return {
          name,
          definition: options.wrapAdapter?.(definition) ?? definition,
          config: sandbox ? parseNetworkConfig(definition, sandbox.gatewayConfig, null) : own,
          sandbox: sandbox !== undefined,
        }
      }),
      dataDirectory: data.path,
      listen: { host: config.server.host, port: config.server.port },
      publicUrl: publicUrl(config),
      identity: {
        domain: config.identity.domain ?? null,
        trustedDomains: config.identity.trustedDomains,
        sessionTtlMs: config.identity.sessionHours * 3_600_000,
        challengeTtlMs: config.identity.challengeMinutes * 60_000,
        chains: config.identity.chains,
      },
      defaultRoute: config.route,
      relay: relaySettings(config),
      admission: createAdmission({ clock: systemClock, limits: config.limits }),
      enrolments: {
        privateKey: key.privateKey,
        encryption: key.encryption,
        custody,
        settings: enrolmentSettings(config),
      },
      http: httpSettings(config),
      retentionMs: config.data.retentionDays * 86_400_000,
    })
    stopping.push(() => gateway.stop(AbortSignal.timeout(config.server.shutdownMs)))
    await gateway.start()
    for (const sandbox of sandboxes.values()) sandbox.connectGateway?.({ baseUrl: gateway.url })
    return { gateway, config, url: gateway.url, sandboxes, dataDirectory: data.path, stop }
  } catch (error) {
    await stop().catch((stopError: unknown) =>
      log.error({ err: stopError }, 'cleaning up after a failed start failed'),
    )
    throw error
  }
}

/** Starts the stand-ins of the networks that are configured as `sandbox`. */
export async function startSandboxes({
  networks,
}: Pick<LoadedConfig, 'networks'>): Promise<Map<string, Sandbox>> {
  const wanted = networks.filter(({ config }) => config === 'sandbox')
  const started = await Promise.allSettled(
    wanted.map(async ({ name }) => [name, await (await loadSandbox(name)).startSandbox()] as const),
  )
  const failed = started.find((result) => result.status === 'rejected')
  const running = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  if (failed) {
    await Promise.all(running.map(([, sandbox]) => sandbox.stop()))
    throw failed.reason
  }
  return new Map(running)
}

/** The sandbox keeps nothing unless a folder is named: half-kept state would contradict stand-ins that forgot everything. */
async function dataDirectory({
  config,
  networks,
}: LoadedConfig): Promise<{ path: string; remove: () => Promise<void> }> {
  const named = config.data.directory
  const sandboxOnly = networks.every((network) => network.config === 'sandbox')
  if (named !== undefined || !sandboxOnly) return { path: named ?? 'data', remove: async () => undefined }
  const path = await mkdtemp(join(tmpdir(), 'causeway-sandbox-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

function publicUrl({ server }: Config): string | null {
  if (server.publicUrl) return server.publicUrl.replace(/\/+$/, '')
  if (server.port === 0) return null
  const host = isWildcard(server.host) ? '127.0.0.1' : server.host
  return `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`
}

/** The configured master key; else one that stands in the data folder. */
async function makeCustody(
  { config: { enrolments }, networks }: LoadedConfig,
  directory: string,
  log: Log,
): Promise<Custody> {
  // What a sandbox keeps is of no worth to anyone.
  const level = networks.every((network) => network.config === 'sandbox') ? 'debug' : 'warn'
  const read = (text: string) => parseMasterKey(text) ?? undefined
  const configured = enrolments.masterKey === undefined ? undefined : read(enrolments.masterKey)
  const key =
    configured ??
    (await loadMasterKey(directory, () =>
      log[level](
        { file: 'master.key' },
        'a master key was made in the data folder, beside the secrets that it encrypts; set CAUSEWAY_MASTER_KEY to keep it elsewhere',
      ),
    ))
  return createCustody({ key, previous: enrolments.previousMasterKeys.flatMap((text) => read(text) ?? []) })
}

function enrolmentSettings({ enrolments, relay }: Config): EnrolmentSettings {
  const { maxPerWallet, maxTotal, maxOpen, maxOpening, idleCloseMs, wakeIntervalMs, walkIntervalMs } =
    enrolments
  return {
    maxPerWallet,
    maxTotal,
    maxOpen,
    maxOpening,
    idleCloseMs,
    wakeIntervalMs,
    walkIntervalMs,
    walkOverlapMs: relay.reconcileOverlapMs,
    completeWithinMs: 15 * 60_000,
  }
}

function relaySettings({ relay, limits }: Config): RelaySettings {
  return {
    maxEnvelopeBytes: relay.maxEnvelopeBytes,
    maxRecipients: relay.maxRecipients,
    maxFutureMs: 120_000,
    retry: {
      scheduleMs: [5_000, 10_000, 30_000, 60_000, 180_000],
      growth: 2,
      maxMs: 3_600_000,
      maxAttempts: relay.maxAttempts,
      spread: 0.2,
    },
    sendTimeoutMs: relay.sendTimeoutMs,
    laneHoldMs: relay.laneHoldMs,
    mirrorTopics: limits.mirrorTopics,
    mirrorPerSecond: limits.mirrorPerSecond,
    mirrorBurst: limits.mirrorBurst,
    maxInFlightPerNetwork: relay.maxInFlightPerNetwork,
    reconcileIntervalMs: relay.reconcileIntervalMs,
    reconcileOverlapMs: relay.reconcileOverlapMs,
  }
}

function httpSettings({ server, limits, admin, relay }: Config): HttpSettings {
  return {
    corsOrigins: server.corsOrigins,
    trustProxy: server.trustProxy,
    adminToken: admin.token ?? null,
    limits: {
      ...defaultHttpSettings.limits,
      envelopeBytes: relay.maxEnvelopeBytes,
      walletPerSecond: limits.walletPerSecond,
      walletBurst: limits.walletBurst,
      addressPerSecond: limits.addressPerSecond,
      addressBurst: limits.addressBurst,
      signInsPerMinute: limits.signInsPerMinute,
    },
    streams: {
      ...defaultHttpSettings.streams,
      perWallet: limits.streamsPerWallet,
      bufferBytes: limits.streamBufferBytes,
    },
  }
}
