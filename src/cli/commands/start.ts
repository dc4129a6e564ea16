import { startGateway } from '../../main.ts'
import { CONFIG_OPTION, type Command, configOption, EXIT, style, text, UsageError } from '../command.ts'
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
    const port = text(input, 'port')
    if (port !== undefined && !/^\d{1,5}$/.test(port))
      throw new UsageError('--port takes a number from 0 to 65535')
    const environment = { ...process.env, ...(port === undefined ? {} : { CAUSEWAY_PORT: port }) }
    const running = await startGateway({ ...configOption(input), environment })
    const { gateway, url, sandboxes } = running
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
            'SANDBOX: these networks are local stand-ins on this machine; nothing leaves it and nothing is kept',
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
