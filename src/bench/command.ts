/** Benchmarks from a command line: runs one, prints its medians, and writes them as JSON and as a plot. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Bench, medianTable, type Report, ratioTable } from './bench.ts'
import { commandOf } from './checks.ts'
import { fanout } from './fanout.ts'
import { growth } from './growth.ts'
import { ingress } from './ingress.ts'
import { describeMachine } from './machine.ts'
import { peers } from './peers.ts'
import { plotLegs } from './plot.ts'
import { relay } from './relay.ts'

const benches: Bench[] = [ingress, relay, fanout, growth, peers]

const helpText = (call: string) => `Usage: ${call} <name> [options]

Benchmarks
${benches
  .map(({ name, summary, options }) => {
    const own = Object.entries(options).map(
      ([option, { help, default: value }]) =>
        `      --${option} <value>  ${help} (default ${value.length > 40 ? 'all' : value})`,
    )
    return [`  ${name.padEnd(8)} ${summary}`, ...own].join('\n')
  })
  .join('\n')}

Latency research, with options and a report of its own
  latency  how long messages take natively and through the gateway: ${call} latency --help
  report   the same of messages that a gateway has carried: ${call} report --help

Options
  --runs <n>    interleaved runs, of which medians are reported (default 5)
  --out <dir>   folder for <name>.json and <name>.svg (default bench-results)
  --json        print the report as JSON instead of tables
  --help        this text

Environment
  CAUSEWAY_BENCH_PROFILE=<dir>  \`ingress\` writes CPU profiles of the gateway's threads there (for DevTools)

Exit codes: 0 done, 1 the benchmark failed, 2 wrong usage.
`

/**
 * Runs the benchmark that the words name. `call` is what stands before them, for help. Resolves with the exit code: 0 done, 1 the
 * benchmark failed, 2 wrong usage.
 */
export async function runBenchCommand(words: string[], call: string): Promise<number> {
  if (words[0] === 'latency') {
    const { runLatencyCommand } = await import('./latency/command.ts')
    return runLatencyCommand(words.slice(1), call)
  }
  if (words[0] === 'report') {
    const { runReportCommand } = await import('./latency/report-command.ts')
    return runReportCommand(words.slice(1), call)
  }
  try {
    return await run(words, call)
  } catch (error) {
    const isUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error)
    const failure = error instanceof Error ? error : new Error(String(error))
    process.stderr.write(
      `${isUsage ? `${failure.message}\n\n${helpText(call)}` : (failure.stack ?? failure.message)}\n`,
    )
    return isUsage ? 2 : 1
  }
}

async function run(words: string[], call: string): Promise<number> {
  const bench = benches.find(({ name }) => words.includes(name))
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: {
      runs: { type: 'string', default: '5' },
      out: { type: 'string', default: 'bench-results' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      ...bench?.options,
    },
  })
  if (values.help) {
    process.stdout.write(helpText(call))
    return 0
  }
  const runs = Number(values.runs)
  if (!bench || positionals.length !== 1)
    throw new UsageError(`name one benchmark: ${benches.map(({ name }) => name).join(', ')}`)
  if (!Number.isSafeInteger(runs) || runs < 1) throw new UsageError('--runs must be a whole number from 1')

  const say = (line: string) => void process.stderr.write(`${line}\n`)
  const machine = describeMachine()
  const { node, system, processor, cores, memoryGiB, load } = machine
  say(`Node ${node}, ${system}, ${cores} × ${processor}, ${memoryGiB} GiB; load ${load.join(' ')}`)
  const startedAt = new Date()
  const own = Object.fromEntries(
    Object.keys(bench.options).map((name) => [name, String(values[name as 'out'])]),
  )
  const result = await bench.run({ runs, options: own, progress: say })
  const report: Report = {
    bench: bench.name,
    command: commandOf('bench', words),
    startedAt: startedAt.toISOString(),
    seconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
    runs,
    machine,
    ...result,
  }
  await mkdir(values.out, { recursive: true })
  await writeFile(join(values.out, `${bench.name}.json`), `${JSON.stringify(rounded(report), null, 1)}\n`)
  await writeFile(
    join(values.out, `${bench.name}.svg`),
    plotLegs(`${bench.name}: ${bench.summary}`, report.legs),
  )
  if (values.json) process.stdout.write(`${JSON.stringify(rounded(report))}\n`)
  else
    process.stdout.write(
      `${medianTable(report.legs)}\n\n${report.ratios.length > 0 ? `${ratioTable(report.ratios)}\n\n` : ''}`,
    )
  say(`written: ${join(values.out, `${bench.name}.json`)} and .svg, after ${report.seconds} s`)
  return 0
}

class UsageError extends Error {}

/** Five significant figures are more than any of these measurements has. */
function rounded(report: Report): unknown {
  const isLong = (value: unknown): value is number => typeof value === 'number' && !Number.isInteger(value)
  return JSON.parse(
    JSON.stringify(report, (_key, value) => (isLong(value) ? Number(value.toPrecision(5)) : value)),
  )
}
