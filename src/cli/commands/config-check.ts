import { loadConfig } from '../../config/index.ts'
import { CONFIG_OPTION, type Command, configOption, EXIT } from '../command.ts'

export const command: Command = {
  summary: 'Check the configuration and say what it means.',
  usage: '[--config <file>]',
  description:
    'Exits 0 when the gateway would start with it, 3 with the reasons when not. Secrets are not printed.',
  options: CONFIG_OPTION,
  positionals: { minimum: 0, maximum: 0 },
  async run(input) {
    const loaded = await loadConfig({ ...configOption(input), environment: process.env })
    const networks = loaded.networks.map(({ name, config }) => ({
      network: name,
      sandbox: config === 'sandbox',
    }))
    const { host, port, publicUrl } = loaded.config.server
    if (input.json) {
      input.print(
        JSON.stringify({ file: loaded.file, server: { host, port, publicUrl: publicUrl ?? null }, networks }),
      )
      return EXIT.done
    }
    input.print(`configuration is good: ${loaded.file ?? 'no file, defaults'}`)
    input.print(`  listens on ${host}:${port}`)
    for (const { network, sandbox } of networks)
      input.print(`  ${network.padEnd(10)} ${sandbox ? 'SANDBOX (local stand-in)' : 'configured'}`)
    return EXIT.done
  },
}
