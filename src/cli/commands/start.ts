import { startGateway } from '../../main.ts'
import { CONFIG_OPTION, type Command, configOption, count, EXIT, style } from '../command.ts'
import { findGateway } from '../find-gateway.ts'
import { waitUntilConnected } from '../wait-until-connected.ts'

export const command: Command = {
  summary: 'Run the gateway. With no network configured, on local stand-ins (SANDBOX).',
  usage: '[--config <file>] [--port <n>]',
  description:
    'Runs until interrupted. Logs go to standard error as JSON lines; what is running is printed on standard output.',
  options: {
    ...CONFIG_OPTION,
    port: { type: 'string', description: 'Port to listen on, instead of the configured one.' },
  },
  positionals: { minimum: 0, maximum: 0 },
  async run(input) {
    const port = count(input, 'port', { minimum: 0, maximum: 65_535 })
    const environment = { ...process.env, ...(port === undefined ? {} : { CAUSEWAY_PORT: String(port) }) }
    const running = await startGateway({ ...configOption(input), environment }).catch(explainBusyPort)
    const { gateway, url, sandboxes, config } = running
    await waitUntilConnected(gateway.networks, { signal: input.signal, timeoutMs: 20_000 })
    const networks = gateway.networks.list()
    if (input.json) {
      input.print(
        JSON.stringify({
          url,
          networks: networks.map(({ network, state, sandbox }) => ({ network, state, sandbox })),
        }),
      )
    } else {
      if (sandboxes.size > 0) {
        input.print(
          style(
            ['bold', 'yellow'],
            `SANDBOX: networks marked so are local stand-ins on this machine; ${sandboxMeaning(networks, config.data.directory)}`,
          ),
        )
      }
      input.print(`Causeway listens on ${style('bold', url)}\n`)
      for (const { network, title, state, sandbox } of networks) {
        const mark = state === 'connected' ? style('green', '●') : style('yellow', '○')
        input.print(
          `  ${mark} ${network.padEnd(10)} ${state.padEnd(20)} ${title}${sandbox ? ' (SANDBOX)' : ''}`,
        )
      }
      input.print(
        `\n  API docs   ${url}/docs\n  inbox      ${url}/v1/inbox (live: ${url}/v1/stream)\n  metrics    ${url}/metrics`,
      )
      if (sandboxes.size > 0) {
        const flag = url === 'http://127.0.0.1:8787' ? '' : ` --gateway ${url}`
        input.print(
          `\nTry, in another terminal:\n  npm run causeway -- tail --as bob${flag}\n  npm run causeway -- send --as alice --to bob "hello"${flag}\n  npm run demo`,
        )
      }
    }
    await new Promise<void>((resolve) => {
      if (input.signal.aborted) resolve()
      input.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    input.note('stopping')
    await running.stop()
    return EXIT.done
  },
}

function sandboxMeaning(networks: readonly { sandbox: boolean }[], directory: string | undefined): string {
  if (!networks.every(({ sandbox }) => sandbox)) return 'the others are real'
  return directory === undefined
    ? 'nothing leaves it and nothing is kept'
    : `nothing leaves it; what the gateway took is kept in ${directory}`
}

async function explainBusyPort(
  error: NodeJS.ErrnoException & { address?: string; port?: number },
): Promise<never> {
  if (error.code !== 'EADDRINUSE' || error.port === undefined) throw error
  const host = error.address ?? '127.0.0.1'
  const who = (await findGateway(host, error.port))
    ? 'another gateway runs there'
    : 'another program listens there'
  throw new Error(
    `port ${error.port} of ${host} is taken: ${who}; use --port <n>, or --port 0 for any free one`,
    {
      cause: error,
    },
  )
}
