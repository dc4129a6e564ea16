/** The words of `causeway bench latency` and what they mean. */
import { parseArgs } from 'node:util'
import { networkNames, sandboxNames } from '../../adapter/registry.ts'
import { PADDING_BUCKETS } from '../../envelope/padding.ts'
import { type LatencyOptions, PATHS, type Path } from './plan.ts'

/** Wrong words: exit code 2. */
export class LatencyUsageError extends Error {
  override readonly name = 'LatencyUsageError'
}

export interface LatencyRequest {
  options: LatencyOptions
  /** Folder of the report; null: one named after the time. */
  out: string | null
  /** Folder of an interrupted run that is to be completed; all other options are then its. */
  resume: string | null
  json: boolean
  help: boolean
}

const DEFAULT_SIZE = 256

export const latencyHelp = (
  call: string,
) => `How long messages take: on each network natively, through the gateway, and what the gateway adds.

Usage: ${call} latency [options]
       ${call} latency --resume <folder>

Probes go from one wallet's SDK to another's at a fixed rate, in random order over all paths, and a report is written: report.html
(one page that loads nothing), report.json, report.csv, and every sample in samples.ndjson.

Options
  --networks <list>   networks to measure (default ${sandboxNames.join(',')})
  --paths <list>      native, gateway or both (default ${PATHS.join(',')})
  --sizes <list>      padded content in bytes, of ${PADDING_BUCKETS.join(', ')} (default ${DEFAULT_SIZE})
  --samples <n>       samples of each path and size (default 200; take 1000 for a p99 worth quoting)
  --warmup <n>        probes of each before them that are not counted (default 10)
  --rate <n>          probes a second, all paths together (default 20: some three minutes)
  --delay <list>      delay before each delivery of a sandbox in ms: 40, or xmtp=60,waku=100 (default 0)
  --timeout <s>       a probe that has not arrived by then is lost (default 30)
  --seed <n>          of the order and of the sandboxes (default 1)
  --config <file>     measure live networks, with a gateway of this configuration; see docs/guides/latency.md
  --out <folder>      where the report goes (default bench-results/latency-<time>)
  --resume <folder>   complete an interrupted run
  --json              progress and result as JSON lines on standard output
  --help              this text

Ctrl-C ends the run and writes the report of what was measured.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (the report is written).

  ${call} latency --networks waku,trtc --samples 1000
  ${call} latency --delay xmtp=60,push=60,waku=50,trtc=40
`

/** Throws {@link LatencyUsageError}. */
export function parseLatencyWords(words: string[]): LatencyRequest {
  const values = parsed(words)
  const networks = list(values.networks ?? sandboxNames.join(','), 'networks', networkNames)
  const config = values.config ?? null
  if (config === null) list(networks.join(','), 'networks', sandboxNames)
  if (config !== null && values.delay !== undefined)
    throw new LatencyUsageError('--delay sets sandboxes only, not the live networks of --config')
  const foreign = Object.keys(values).filter((name) => !['resume', 'json', 'help'].includes(name))
  if (values.resume !== undefined && foreign.length > 0)
    throw new LatencyUsageError(`--resume goes on as the run began; leave out --${foreign.join(', --')}`)
  return {
    options: {
      networks,
      paths: list(values.paths ?? PATHS.join(','), 'paths', PATHS) as Path[],
      sizes: list(values.sizes ?? String(DEFAULT_SIZE), 'sizes', PADDING_BUCKETS.map(String)).map(Number),
      samples: whole(values.samples ?? '200', 'samples', 1, 1_000_000),
      warmup: whole(values.warmup ?? '10', 'warmup', 0, 10_000),
      rate: positive(values.rate ?? '20', 'rate', 10_000),
      seed: whole(values.seed ?? '1', 'seed', 0, 2 ** 32 - 1),
      timeoutMs: positive(values.timeout ?? '30', 'timeout', 3_600) * 1000,
      delays: delaysOf(values.delay ?? '0', networks),
      config,
    },
    out: values.out ?? null,
    resume: values.resume ?? null,
    json: values.json ?? false,
    help: values.help ?? false,
  }
}

function parsed(words: string[]) {
  const text = { type: 'string' } as const
  try {
    return parseArgs({
      args: words,
      options: {
        networks: text,
        paths: text,
        sizes: text,
        samples: text,
        warmup: text,
        rate: text,
        delay: text,
        timeout: text,
        seed: text,
        config: text,
        out: text,
        resume: text,
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    throw new LatencyUsageError((error as Error).message)
  }
}

function list(value: string, name: string, known: readonly string[]): string[] {
  const items = [...new Set(value.split(',').map((item) => item.trim()))]
  const unknown = items.find((item) => !known.includes(item))
  if (unknown !== undefined)
    throw new LatencyUsageError(`--${name}: "${unknown}" is none of ${known.join(', ')}`)
  return items
}

function whole(value: string, name: string, least: number, most: number): number {
  const number = Number(value)
  if (!/^\d{1,10}$/.test(value) || number < least || number > most)
    throw new LatencyUsageError(`--${name} takes a whole number from ${least} to ${most}`)
  return number
}

function positive(value: string, name: string, most: number): number {
  const number = Number(value)
  if (!/^\d+(\.\d+)?$/.test(value) || number <= 0 || number > most)
    throw new LatencyUsageError(`--${name} takes a number above 0, up to ${most}`)
  return number
}

function delaysOf(value: string, networks: readonly string[]): Record<string, number> {
  if (!value.includes('=')) {
    const milliseconds = whole(value, 'delay', 0, 60_000)
    return Object.fromEntries(networks.map((network) => [network, milliseconds]))
  }
  const delays = Object.fromEntries(networks.map((network) => [network, 0]))
  for (const entry of value.split(',')) {
    const [network = '', milliseconds = ''] = entry.split('=')
    list(network, 'delay', networks)
    delays[network] = whole(milliseconds, 'delay', 0, 60_000)
  }
  return delays
}
