import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Finding } from '../../adapter/index.ts'
import { createApi } from '../../client/index.ts'
import { type ConfiguredNetwork, type LoadedConfig, loadConfig } from '../../config/index.ts'
import { startGateway } from '../../main.ts'
import { createLog } from '../../observability/log.ts'
import { CONFIG_OPTION, type Command, configOption, EXIT, style } from '../command.ts'
import { examineChain } from '../examine-chains.ts'
import { examineDataDirectory, examineNode, examinePort } from '../examine-machine.ts'
import { jsonLine, plain } from '../plain.ts'
import { waitUntilConnected } from '../wait-until-connected.ts'

const MARKS = { ok: ['green', '✓'], warning: ['yellow', '!'], error: ['red', '✗'] } as const

export const command: Command = {
  summary: 'Look for what would keep the gateway from working: problem, cause, fix.',
  usage: '[--config <file>]',
  description:
    'Checks the machine, the configuration and the nodes of chains. Where the gateway runs already, it is asked for the state of its networks. Otherwise each network is joined as a gateway would, on free ports and with an empty store of its own that is removed afterwards (a network that knows the gateway by its database is joined with that one), and each adapter examines itself. Exits 1 when there is an error.',
  options: CONFIG_OPTION,
  positionals: { minimum: 0, maximum: 0 },
  async run(input) {
    const loaded = await loadConfig({ ...configOption(input), environment: process.env })
    let failed = false
    const show = (part: string, finding: Finding) => {
      failed ||= finding.status === 'error'
      if (input.json) {
        input.print(jsonLine({ part, ...finding }))
        return
      }
      const [color, mark] = MARKS[finding.status]
      input.print(`${style(color, mark)} ${part.padEnd(10)} ${finding.check}: ${plain(finding.message)}`)
      if (finding.fix && finding.status !== 'ok') input.print(`${' '.repeat(13)}fix: ${plain(finding.fix)}`)
    }
    show('gateway', examineNode())
    show('gateway', await examineDataDirectory(dataDirectory(loaded)))
    const { finding, gateway } = await examinePort(loaded.config)
    show('gateway', finding)
    for (const [id, settings] of Object.entries(loaded.config.identity.chains)) {
      show('identity', await examineChain(id, settings, input.signal))
    }
    const findings = gateway
      ? examineRunning(gateway.url, input.signal)
      : examineNetworks(loaded, input.signal)
    for await (const [network, found] of findings) show(network, found)
    return failed ? EXIT.failed : EXIT.done
  },
}

/** As the gateway chooses it: in the sandbox nothing is kept unless a folder is named. */
function dataDirectory({ config, networks }: LoadedConfig): string | null {
  const sandboxOnly = networks.every((network) => network.config === 'sandbox')
  return config.data.directory ?? (sandboxOnly ? null : 'data')
}

interface NetworkState {
  network: string
  state: string
  reason?: string | null | undefined
  userAction?: string | null | undefined
}

function connection({ state, reason, userAction }: NetworkState): Finding {
  if (state === 'connected') return { check: 'connection', status: 'ok', message: 'connected' }
  return {
    check: 'connection',
    status: 'error',
    message: `${state}${reason ? `: ${reason}` : ''}`,
    ...(userAction ? { fix: userAction } : {}),
  }
}

async function* examineRunning(url: string, signal: AbortSignal): AsyncGenerator<[string, Finding]> {
  const { networks } = await createApi(url).get<{ networks: NetworkState[] }>('/v1/networks', { signal })
  for (const state of networks) yield [state.network, connection(state)]
}

async function* examineNetworks(
  loaded: LoadedConfig,
  signal: AbortSignal,
): AsyncGenerator<[string, Finding]> {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-doctor-'))
  try {
    await lendIdentities(loaded, directory)
    const running = await startGateway({
      values: {
        ...loaded.config,
        server: { ...loaded.config.server, host: '127.0.0.1', port: 0, publicUrl: undefined },
        data: { directory },
        networks: Object.fromEntries(
          loaded.networks.map((network) => [network.name, besideOthers(network, loaded)]),
        ),
      },
      environment: variablesOfNetworks(loaded.networks),
      log: createLog({ level: 'silent' }),
    })
    try {
      await waitUntilConnected(running.gateway.networks, { signal, timeoutMs: 15_000 })
      for (const status of running.gateway.networks.list()) {
        yield [status.network, connection(status)]
        const doctor = running.gateway.networks.get(status.network)?.adapter.doctor
        const limit = AbortSignal.any([signal, AbortSignal.timeout(15_000)])
        for (const finding of (await doctor?.examine(limit)) ?? []) yield [status.network, finding]
      }
    } finally {
      await running.stop()
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Links the folders of networks that know the gateway by what stands there: a new one would be another gateway to them. */
async function lendIdentities(loaded: LoadedConfig, directory: string): Promise<void> {
  const data = dataDirectory(loaded)
  if (data === null) return
  for (const { name, definition, config } of loaded.networks) {
    if (!definition.manifest.keepsIdentity || config === 'sandbox') continue
    const folder = resolve(data, 'networks', name)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await mkdir(join(directory, 'networks'), { recursive: true, mode: 0o700 })
    await symlink(folder, join(directory, 'networks', name), 'junction')
  }
}

/** The network's settings, changed so that the node neither takes ports that are meant for the gateway nor announces itself. */
function besideOthers({ name, config }: ConfiguredNetwork, loaded: LoadedConfig): unknown {
  const settings = loaded.config.networks[name]
  if (typeof settings !== 'object' || typeof config !== 'object' || config === null) return settings
  const { listen, announce } = config as { listen?: unknown; announce?: unknown }
  return {
    ...settings,
    ...(isTexts(listen) ? { listen: listen.map(onFreePort) } : {}),
    ...(isTexts(announce) ? { announce: [] } : {}),
  }
}

/** The multiaddr with port 0, which takes any. */
function onFreePort(address: string): string {
  return address.replace(/\/(tcp|udp)\/\d+/, '/$1/0')
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/** Secrets of networks come from the environment again; the rest of it is in the loaded configuration. */
function variablesOfNetworks(networks: readonly ConfiguredNetwork[]): NodeJS.ProcessEnv {
  const names = networks.flatMap(({ definition }) =>
    definition.manifest.environment.flatMap(({ name }) => [name, `${name}_FILE`]),
  )
  return Object.fromEntries(names.map((name) => [name, process.env[name]]))
}
