/** `npm run chaos -- crash | faults | loops | soak`: the harnesses from the command line. */
import { parseArgs } from 'node:util'
import { beginCheck, type CheckReport, commandOf } from '../../src/bench/checks.ts'
import { describeLoops, runLoops } from '../property/topology.ts'
import { runCrash } from './crash.ts'
import { runFaults } from './faults.ts'
import { chaosNetworks } from './networks/index.ts'
import {
  crashFigures,
  describeCrash,
  describeFault,
  describeFaults,
  describeSoak,
  faultsFigures,
  faultsHeld,
  loopsFigures,
  soakFigures,
} from './report.ts'
import { runSoak } from './soak.ts'

const HELP = `Usage: npm run chaos -- <command> [options]

  crash    Kill the gateway with SIGKILL at random moments under load, start it again, compare promises with facts.
             --kills <n>      how often (default 50); interrupted, it compares what was promised until then
             --keep           leave databases and archives in place when a promise was broken
  faults   Put every kind of fault between gateway and network, heal it, measure until everything has arrived.
             --seeds <n>      how many runs of every kind (default 1)
             --only <words>   kinds whose name contains this, e.g. --only half-open
  loops    Join up to five gateways by up to five simulated networks in random topologies with random routes, in virtual
           time: everything arrives once, traffic dies out, no frame visits a gateway twice.
             --runs <n>       topologies (default 500)

  soak     Mixed traffic over all four networks for minutes while faults come and go on each; also \`npm run soak\`.
             --minutes <n>    how long (default 10)

  --seed <n>          first seed (default 1); the same seed gives the same faults at the same moments
  --networks <a,b>    of: ${Object.keys(chaosNetworks).join(', ')} (default: all; crash: trtc,waku; soak:
                      xmtp,push,waku,trtc)
  --out <dir>         folder for <command>.json, a report as docs/reference/figures holds it
  --json              one JSON document on standard output; progress goes to standard error
  --help

Exit codes: 0 every promise held, 1 a promise was broken, 2 wrong usage.`

class UsageError extends Error {}

const words = process.argv.slice(2)
const { values, positionals } = readWords()
const interrupted = new AbortController()
process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))

function readWords() {
  try {
    return parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        kills: { type: 'string', default: '50' },
        seeds: { type: 'string', default: '1' },
        runs: { type: 'string', default: '500' },
        minutes: { type: 'string', default: '10' },
        seed: { type: 'string', default: '1' },
        networks: { type: 'string' },
        only: { type: 'string' },
        keep: { type: 'boolean', default: false },
        out: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    note(`${(error as Error).message}\n\n${HELP}`)
    process.exit(2)
  }
}

function number(name: 'kills' | 'seeds' | 'runs' | 'seed' | 'minutes'): number {
  if (!/^\d{1,9}$/.test(values[name])) throw new UsageError(`--${name} takes a whole number`)
  return Number(values[name])
}

function networks(fallback: readonly string[]): string[] {
  const wanted = values.networks?.split(',') ?? [...fallback]
  const unknown = wanted.find((name) => !Object.hasOwn(chaosNetworks, name))
  if (unknown !== undefined) throw new UsageError(`no network "${unknown}" in the harness`)
  return wanted
}

function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

interface Result {
  report: unknown
  text: string
  check: Pick<CheckReport, 'held' | 'figures' | 'notes'>
}

async function crash(): Promise<Result> {
  const report = await runCrash({
    kills: number('kills'),
    seed: number('seed'),
    networks: networks(['trtc', 'waku']),
    signal: interrupted.signal,
    onProgress: note,
    keep: values.keep,
  })
  return { report, text: describeCrash(report), check: crashFigures(report) }
}

async function faults(): Promise<Result> {
  const first = number('seed')
  const results = await runFaults({
    seeds: Array.from({ length: number('seeds') }, (_, index) => first + index),
    networks: networks(Object.keys(chaosNetworks)),
    includes: (_network, kind) => values.only === undefined || kind.includes(values.only),
    signal: interrupted.signal,
    onResult: (result) => note(describeFault(result)),
  })
  return {
    report: results,
    text: describeFaults(results),
    check: { ...faultsFigures(results), held: faultsHeld(results) },
  }
}

async function loops(): Promise<Result> {
  const runs = number('runs')
  const report = await runLoops({
    runs,
    seed: number('seed'),
    onProgress: (done) => {
      if (done % 50 === 0) note(`${done} of ${runs}`)
    },
  })
  return { report, text: describeLoops(report), check: loopsFigures(report) }
}

async function soak(): Promise<Result> {
  const report = await runSoak({
    minutes: number('minutes'),
    seed: number('seed'),
    networks: networks(['xmtp', 'push', 'waku', 'trtc']),
    signal: interrupted.signal,
    onProgress: note,
  })
  return { report, text: describeSoak(report), check: soakFigures(report) }
}

const commands: Record<string, () => Promise<Result>> = { crash, faults, loops, soak }

try {
  const name = positionals[0]
  if (values.help || name === undefined) {
    console.log(HELP)
    process.exit(values.help ? 0 : 2)
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command || positionals.length > 1) throw new UsageError(`no command "${positionals.join(' ')}"`)
  const run = beginCheck(name, commandOf('chaos', words))
  const { report, text, check } = await command()
  console.log(values.json ? JSON.stringify(report, null, 2) : text)
  const file = await run.finish(check, values.out)
  if (file !== null) note(`written: ${file}`)
  // The Waku SDK leaves timers behind that would keep the process.
  process.exit(check.held ? 0 : 1)
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  note(`${error.message}\n\n${HELP}`)
  process.exit(2)
}
