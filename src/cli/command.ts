/** The shape of a command of the `causeway` command line, and what they share. */
import { type ParseArgsConfig, parseArgs, styleText } from 'node:util'
import { ClientError } from '../client/index.ts'
import { ConfigError } from '../config/index.ts'
import { plain } from './plain.ts'

/** Exit codes, documented in `causeway help`. */
export const EXIT = { done: 0, failed: 1, usage: 2, config: 3, unreachable: 4, refused: 5 } as const

export interface Command {
  /** One line for the list of commands. */
  summary: string
  /** What follows `causeway <command>`, e.g. `--to <wallet> <text>`. */
  usage: string
  /** More words, with an example. */
  description: string
  options: Record<string, OptionDefinition>
  /** How many words besides options it takes. */
  positionals: { minimum: number; maximum: number }
  /** Resolves with the exit code. */
  run(input: CommandInput): Promise<number>
}

/** A command that reads its words itself: what it takes depends on the first of them. It knows `--help` and `--json`. */
export interface WordsCommand {
  summary: string
  /** Resolves with the exit code. */
  runWords(words: string[]): Promise<number>
}

export interface OptionDefinition {
  type: 'string' | 'boolean'
  short?: string
  default?: string | boolean
  description: string
}

export interface CommandInput {
  options: Record<string, string | boolean | undefined>
  positionals: string[]
  /** `--json`: machine-readable lines on standard output, nothing else there. */
  json: boolean
  print(text: string): void
  /** Standard error: progress and warnings. */
  note(text: string): void
  signal: AbortSignal
}

export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const COMMON: Record<string, OptionDefinition> = {
  json: { type: 'boolean', description: 'Print JSON, one object a line.' },
  help: { type: 'boolean', short: 'h', description: 'Print this help.' },
}

/** Option of every command that talks to a running gateway. */
export const GATEWAY_OPTION: Record<string, OptionDefinition> = {
  gateway: {
    type: 'string',
    description: 'Base URL of the gateway. Default: $CAUSEWAY_GATEWAY, else http://127.0.0.1:8787.',
  },
}

/** Option of every command that reads the configuration. */
export const CONFIG_OPTION: Record<string, OptionDefinition> = {
  config: {
    type: 'string',
    short: 'c',
    description: 'Configuration file. Default: $CAUSEWAY_CONFIG, else causeway.yaml if it exists.',
  },
}

export function gatewayUrl(input: CommandInput): string {
  const url = text(input, 'gateway') ?? process.env.CAUSEWAY_GATEWAY ?? 'http://127.0.0.1:8787'
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    throw new UsageError('--gateway (or $CAUSEWAY_GATEWAY) takes a base URL, e.g. http://127.0.0.1:8787')
  return url
}

export function configOption(input: CommandInput): { file?: string } {
  const file = text(input, 'config')
  return file === undefined ? {} : { file }
}

/** Value of a text option, or undefined. */
export function text(input: CommandInput, name: string): string | undefined {
  const value = input.options[name]
  return typeof value === 'string' ? value : undefined
}

/** Value of a text option that must be a whole number in a range. */
export function count(
  input: CommandInput,
  name: string,
  range: { minimum: number; maximum: number },
): number | undefined {
  const value = text(input, name)
  if (value === undefined) return undefined
  const parsed = Number(value)
  if (!/^\d{1,15}$/.test(value) || parsed < range.minimum || parsed > range.maximum) {
    throw new UsageError(`--${name} takes a whole number from ${range.minimum} to ${range.maximum}`)
  }
  return parsed
}

/** Runs one command with its own words; prints help and errors. Resolves with the exit code. */
export async function runCommand(
  name: string,
  command: Command,
  words: string[],
  signal: AbortSignal,
): Promise<number> {
  const definitions = { ...command.options, ...COMMON }
  let parsed: { values: Record<string, string | boolean | undefined>; positionals: string[] }
  try {
    parsed = parseArgs({
      args: words,
      options: definitions as ParseArgsConfig['options'] & {},
      allowPositionals: true,
      strict: true,
    }) as typeof parsed
  } catch (error) {
    console.error(`causeway ${name}: ${(error as Error).message}`)
    console.error(`Try: causeway ${name} --help`)
    return EXIT.usage
  }
  if (parsed.values.help) {
    console.log(commandHelp(name, command))
    return EXIT.done
  }
  const { minimum, maximum } = command.positionals
  if (parsed.positionals.length < minimum || parsed.positionals.length > maximum) {
    console.error(`Usage: causeway ${name} ${command.usage}`)
    return EXIT.usage
  }
  try {
    return await command.run({
      options: parsed.values,
      positionals: parsed.positionals,
      json: parsed.values.json === true,
      print: (line) => console.log(line),
      note: (line) => console.error(line),
      signal,
    })
  } catch (error) {
    return report(name, error)
  }
}

export function commandHelp(name: string, command: Command): string {
  const lines = Object.entries({ ...command.options, ...COMMON }).map(([option, definition]) => {
    const flag = `${definition.short ? `-${definition.short}, ` : ''}--${option}${definition.type === 'string' ? ' <value>' : ''}`
    return `  ${flag.padEnd(24)} ${definition.description}`
  })
  return [
    `${command.summary}\n`,
    `Usage: causeway ${name} ${command.usage}\n`,
    command.description,
    '',
    'Options:',
    ...lines,
  ].join('\n')
}

/** Bold, faint and coloured text, unless NO_COLOR is set or the output is no terminal. */
export function style(format: Parameters<typeof styleText>[0], value: string): string {
  return styleText(format, value, { stream: process.stdout })
}

function report(name: string, error: unknown): number {
  if (error instanceof UsageError) {
    console.error(`causeway ${name}: ${error.message}`)
    return EXIT.usage
  }
  if (error instanceof ConfigError) {
    console.error(`causeway ${name}: ${error.message}`)
    return EXIT.config
  }
  if (error instanceof ClientError) {
    console.error(`causeway ${name}: ${plain(error.message)}${error.problem ? ` [${error.problem}]` : ''}`)
    if (error.code === 'gateway-unreachable') {
      console.error('Is the gateway running? Start one with: npm start')
      return EXIT.unreachable
    }
    return error.code === 'gateway-refused' ? EXIT.refused : EXIT.failed
  }
  const failure = error instanceof Error ? error : new Error(String(error))
  const code = 'code' in failure ? ` [${String(failure.code)}]` : ''
  console.error(`causeway ${name}: ${plain(failure.message)}${code}`)
  if (process.env.CAUSEWAY_LOG_LEVEL === 'debug') console.error(failure.stack)
  return EXIT.failed
}
