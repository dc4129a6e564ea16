/** The `causeway` command line. Commands are loaded when they are called. */
import packageJson from '../../package.json' with { type: 'json' }
import { type Command, EXIT, runCommand, type WordsCommand } from './command.ts'

const commands: Record<string, () => Promise<{ command: Command | WordsCommand }>> = {
  start: () => import('./commands/start.ts'),
  sandbox: () => import('./commands/sandbox.ts'),
  demo: () => import('./commands/demo.ts'),
  doctor: () => import('./commands/doctor.ts'),
  send: () => import('./commands/send.ts'),
  inbox: () => import('./commands/inbox.ts'),
  tail: () => import('./commands/tail.ts'),
  journey: () => import('./commands/journey.ts'),
  deliveries: () => import('./commands/deliveries.ts'),
  replay: () => import('./commands/replay.ts'),
  bench: () => import('./commands/bench.ts'),
  'config check': () => import('./commands/config-check.ts'),
  openapi: () => import('./commands/openapi.ts'),
}

async function main(words: string[]): Promise<number> {
  const two = words.slice(0, 2).join(' ')
  const name = Object.hasOwn(commands, two) ? two : (words[0] ?? 'help')
  if (name === 'help' || name === '--help' || name === '-h') {
    console.log(await help())
    return EXIT.done
  }
  if (name === '--version' || name === 'version') {
    console.log(packageJson.version)
    return EXIT.done
  }
  const group = Object.keys(commands).find((command) => command.startsWith(`${name} `))
  if (group && (words.length === 1 || ['--help', '-h'].includes(words[1] ?? '')))
    return main([...group.split(' '), '--help'])
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!load) {
    console.error(`causeway: no command "${name}"\n`)
    console.error(await help())
    return EXIT.usage
  }
  const { command } = await load()
  const own = words.slice(name.split(' ').length)
  if ('runWords' in command) return command.runWords(own)
  const interruption = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interruption.abort(new Error(`stopped by ${signal}`)))
  }
  return runCommand(name, command, own, interruption.signal)
}

async function help(): Promise<string> {
  const lines: string[] = []
  for (const [name, load] of Object.entries(commands))
    lines.push(`  ${name.padEnd(14)} ${(await load()).command.summary}`)
  return `causeway: wallet-to-wallet messages between XMTP, Push Protocol, Waku and TRTC

Usage: causeway <command> [options]

${lines.join('\n')}

"causeway <command> --help" tells more; "causeway --version" prints the version. All commands take --json. NO_COLOR is honoured.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 bad configuration, 4 gateway unreachable, 5 refused by the gateway.`
}

const exitCode = await main(process.argv.slice(2))
// Pipes are written to in the background: everything printed has to leave before the process ends.
for (const stream of [process.stdout, process.stderr])
  await new Promise<unknown>((resolve) => stream.write('', resolve))
// Some SDKs leave timers behind after they were stopped; the command is over when it says so.
process.exit(exitCode)
