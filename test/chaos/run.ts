/** `npm run chaos -- crash | faults`: the harness from the command line. */
import { parseArgs } from 'node:util'
import { type CrashReport, runCrash } from './crash.ts'
import { CONVERGENCE_MS, type FaultResult, runFaults } from './faults.ts'
import { chaosNetworks } from './networks/index.ts'

const HELP = `Usage: npm run chaos -- <command> [options]

  crash    Kill the gateway with SIGKILL at random moments under load, start it again, compare promises with facts.
             --kills <n>      how often (default 50); interrupted, it compares what was promised until then
             --keep           leave databases and archives in place when a promise was broken
  faults   Put every kind of fault between gateway and network, heal it, measure until everything has arrived.
             --seeds <n>      how many runs of every kind (default 1)
             --only <words>   kinds whose name contains this, e.g. --only half-open

  --seed <n>          first seed (default 1); the same seed gives the same faults at the same moments
  --networks <a,b>    of: ${Object.keys(chaosNetworks).join(', ')} (default: all; crash: trtc,waku)
  --json              one JSON document on standard output; progress goes to standard error
  --help

Exit codes: 0 every promise held, 1 a promise was broken, 2 wrong usage.`

class UsageError extends Error {}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kills: { type: 'string', default: '50' },
    seeds: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    networks: { type: 'string' },
    only: { type: 'string' },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const interrupted = new AbortController()
process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))

function number(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${name} takes a whole number`)
  return Number(text)
}

function networks(fallback: readonly string[]): string[] {
  const wanted = values.networks?.split(',') ?? [...fallback]
  const unknown = wanted.find((name) => !Object.hasOwn(chaosNetworks, name))
  if (unknown !== undefined) throw new UsageError(`no network "${unknown}" in the harness`)
  return wanted
}

const note = (text: string) => process.stderr.write(`${text}\n`)

async function crash(): Promise<boolean> {
  const report = await runCrash({
    kills: number(values.kills, 'kills'),
    seed: number(values.seed, 'seed'),
    networks: networks(['trtc', 'waku']),
    signal: interrupted.signal,
    onProgress: note,
    keep: values.keep,
  })
  console.log(values.json ? JSON.stringify(report, null, 2) : describeCrash(report))
  return report.violations.length === 0
}

function describeCrash(report: CrashReport): string {
  const ways = Object.entries(report.ways).map(
    ([way, { sent, acknowledged }]) => `  ${way.padEnd(8)} ${sent} sent, ${acknowledged} acknowledged`,
  )
  const { recoveryMs, broken } = report
  return [
    `${report.kills} kills (${report.killedAtStart} while it started), seed ${report.seed}, ${report.seconds} s`,
    ...ways,
    `  first answer after a start: p50 ${recoveryMs.p50} ms, p99 ${recoveryMs.p99} ms, longest ${recoveryMs.longest} ms`,
    `  all in place ${report.convergedAfterMs} ms after the last start; ${report.repeats} repeats after uncertain outcomes`,
    `  lost ${broken.lost}, in an inbox twice ${broken.inInboxTwice}, shown twice ${broken.shownTwice}, relayed twice ${broken.relayedTwice}`,
    ...verdict(report.violations),
    ...(report.folder === undefined ? [] : [`left in place: ${report.folder}`]),
  ].join('\n')
}

async function faults(): Promise<boolean> {
  const first = number(values.seed, 'seed')
  const seeds = Array.from({ length: number(values.seeds, 'seeds') }, (_, index) => first + index)
  const results = await runFaults({
    seeds,
    networks: networks(Object.keys(chaosNetworks)),
    includes: (_network, kind) => values.only === undefined || kind.includes(values.only),
    signal: interrupted.signal,
    onResult: (result) => note(describeFault(result)),
  })
  if (values.json) console.log(JSON.stringify(results, null, 2))
  const times = results.flatMap(({ convergedAfterMs }) => convergedAfterMs ?? []).sort((a, b) => a - b)
  const slow = results.filter(({ convergedAfterMs }) => (convergedAfterMs ?? Infinity) > CONVERGENCE_MS)
  const violations = results.flatMap(({ network, kind, seed, violations }) =>
    violations.map((text) => `${network}, ${kind}, seed ${seed}: ${text}`),
  )
  note(
    [
      `${results.length} faults, ${new Set(results.map(({ network, kind }) => `${network} ${kind}`)).size} kinds`,
      `in place after ${times[Math.floor(times.length / 2)] ?? '-'} ms (median), ${times.at(-1) ?? '-'} ms (longest)`,
      ...slow.map(({ network, kind, seed }) => `over 30 s: ${network}, ${kind}, seed ${seed}`),
      ...verdict(violations),
    ].join('\n'),
  )
  return violations.length === 0 && slow.length === 0
}

function describeFault({ network, kind, seed, convergedAfterMs, violations }: FaultResult): string {
  const time = convergedAfterMs === null ? 'NEVER' : `${convergedAfterMs} ms`
  return `${violations.length === 0 ? 'held  ' : 'BROKEN'} ${network.padEnd(10)} ${kind.padEnd(44)} seed ${seed}  ${time}`
}

function verdict(violations: readonly string[]): string[] {
  return violations.length === 0
    ? ['every promise held']
    : [`${violations.length} BROKEN:`, ...violations.map((text) => `  ${text}`)]
}

try {
  const command = positionals[0]
  if (values.help || command === undefined) {
    console.log(HELP)
    process.exit(values.help ? 0 : 2)
  }
  if (command !== 'crash' && command !== 'faults') throw new UsageError(`no command "${command}"`)
  const held = await (command === 'crash' ? crash() : faults())
  // The Waku SDK leaves timers behind that would keep the process.
  process.exit(held ? 0 : 1)
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  note(`${error.message}\n\n${HELP}`)
  process.exit(2)
}
