import { access, constants, mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, resolve } from 'node:path'
import type { Finding } from '../../adapter/index.ts'
import { type LoadedConfig, loadConfig } from '../../config/index.ts'
import { startGateway } from '../../main.ts'
import { createLog } from '../../observability/log.ts'
import { CONFIG_OPTION, type Command, configOption, EXIT, style } from '../command.ts'
import { waitUntilConnected } from '../wait-until-connected.ts'

const MARKS = { ok: ['green', '✓'], warning: ['yellow', '!'], error: ['red', '✗'] } as const

export const command: Command = {
  summary: 'Look for what would keep the gateway from working: problem, cause, fix.',
  usage: '[--config <file>]',
  description:
    'Checks the machine and the configuration, then joins each network as a gateway would, on a free port and with an empty store of its own, and lets each adapter examine itself. Exits 1 when there is an error.',
  options: CONFIG_OPTION,
  positionals: { minimum: 0, maximum: 0 },
  async run(input) {
    const loaded = await loadConfig({ ...configOption(input), environment: process.env })
    let failed = false
    const show = (part: string, finding: Finding) => {
      failed ||= finding.status === 'error'
      if (input.json) {
        input.print(JSON.stringify({ part, ...finding }))
        return
      }
      const [color, mark] = MARKS[finding.status]
      input.print(`${style(color, mark)} ${part.padEnd(10)} ${finding.check}: ${finding.message}`)
      if (finding.fix && finding.status !== 'ok') input.print(`${' '.repeat(13)}fix: ${finding.fix}`)
    }
    for (const finding of [nodeVersion(), await dataDirectory(loaded), await port(loaded)])
      show('gateway', finding)
    for await (const [network, finding] of examineNetworks(loaded, input.signal)) show(network, finding)
    return failed ? EXIT.failed : EXIT.done
  },
}

function nodeVersion(): Finding {
  const major = Number(process.versions.node.split('.')[0])
  const good = major >= 24
  return {
    check: 'node',
    status: good ? 'ok' : 'error',
    message: `runs on Node ${process.versions.node}`,
    ...(good ? {} : { fix: 'run it through npm (npm start), which brings Node 24, or install Node 24' }),
  }
}

async function dataDirectory({ config }: LoadedConfig): Promise<Finding> {
  const path = config.data.directory
  if (path === undefined)
    return { check: 'data', status: 'ok', message: 'no folder named; the default is used' }
  try {
    await mkdir(dirname(resolve(path)), { recursive: true })
    await access(dirname(resolve(path)), constants.W_OK)
    return { check: 'data', status: 'ok', message: `${path} can be written` }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    return {
      check: 'data',
      status: 'error',
      message: `${path} cannot be written (${code})`,
      fix: 'give the gateway’s user write access, or set data.directory',
    }
  }
}

async function port({ config }: LoadedConfig): Promise<Finding> {
  const { host, port: wanted } = config.server
  return new Promise((done) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      done({
        check: 'port',
        status: 'warning',
        message: `${host}:${wanted} cannot be listened on (${error.code})`,
        fix:
          error.code === 'EADDRINUSE'
            ? 'a gateway may be running already; otherwise set server.port'
            : 'set server.host and server.port',
      }),
    )
    server.listen(wanted, host, () =>
      server.close(() => done({ check: 'port', status: 'ok', message: `${host}:${wanted} is free` })),
    )
  })
}

async function* examineNetworks(
  loaded: LoadedConfig,
  signal: AbortSignal,
): AsyncGenerator<[string, Finding]> {
  const networks = loaded.config.networks
  const running = await startGateway({
    values: {
      ...loaded.config,
      networks,
      server: { ...loaded.config.server, port: 0, publicUrl: undefined },
      data: {},
    },
    environment: {},
    log: createLog({ level: 'silent' }),
  })
  try {
    await waitUntilConnected(running.gateway.networks, { signal, timeoutMs: 15_000 })
    for (const { network, state, reason, userAction } of running.gateway.networks.list()) {
      yield [
        network,
        state === 'connected'
          ? { check: 'connection', status: 'ok', message: 'connected' }
          : {
              check: 'connection',
              status: 'error',
              message: `${state}${reason ? `: ${reason}` : ''}`,
              ...(userAction ? { fix: userAction } : {}),
            },
      ]
      const findings =
        (await running.gateway.networks
          .get(network)
          ?.adapter.doctor?.examine(AbortSignal.any([signal, AbortSignal.timeout(15_000)]))) ?? []
      for (const finding of findings) yield [network, finding]
    }
  } finally {
    await running.stop()
  }
}
