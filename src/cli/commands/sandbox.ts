import { sandboxNames } from '../../adapter/registry.ts'
import { loadConfig } from '../../config/index.ts'
import { startSandboxes } from '../../main.ts'
import { type Command, EXIT, style, UsageError } from '../command.ts'

export const command: Command = {
  summary: 'Run the local stand-ins of the networks alone.',
  usage: '[network …]',
  description:
    'Prints where each listens and the configuration that joins a gateway to it. Nothing leaves this machine and nothing is kept.\n\n  causeway sandbox waku trtc',
  options: {},
  positionals: { minimum: 0, maximum: sandboxNames.length },
  async run(input) {
    const wanted = input.positionals.length > 0 ? input.positionals : sandboxNames
    const unknown = wanted.find((name) => !sandboxNames.includes(name))
    if (unknown)
      throw new UsageError(`no sandbox for "${unknown}"; there is one for: ${sandboxNames.join(', ')}`)
    const values = { networks: Object.fromEntries(wanted.map((name) => [name, 'sandbox'])) }
    const sandboxes = await startSandboxes(await loadConfig({ values }))
    if (!input.json) input.print(style(['bold', 'yellow'], 'SANDBOX: local stand-ins, for development'))
    for (const [network, { addresses, gatewayConfig }] of sandboxes) {
      if (input.json) input.print(JSON.stringify({ network, addresses, gatewayConfig }))
      else {
        input.print(`\n${style('bold', network)}`)
        for (const [purpose, address] of Object.entries(addresses))
          input.print(`  ${purpose.padEnd(10)} ${address}`)
        input.print(`  networks.${network} of a gateway: ${JSON.stringify(gatewayConfig)}`)
      }
    }
    await new Promise<void>((resolve) => {
      if (input.signal.aborted) resolve()
      input.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await Promise.all([...sandboxes.values()].map((sandbox) => sandbox.stop()))
    return EXIT.done
  },
}
