/** `npm run fuzz`: feeds hostile inputs to every decoder. Exits 1 when one of them errs, 2 when asked something impossible. */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { beginCheck, commandOf } from '../../src/bench/checks.ts'
import { type Outcome, replay } from './engine.ts'
import { type Job, runJobs } from './pool.ts'
import { fuzzFigures, outcomeLine, showInput, summary } from './report.ts'
import { DEFAULT_INPUTS, type Input, type Target } from './target.ts'
import { targets } from './targets/index.ts'

const HELP = `Feeds mutated and hostile inputs to the decoders of everything that others may have written.

npm run fuzz -- [target…] [--inputs N] [--seed S] [--threads N] [--json] [--out DIR]
npm run fuzz -- <target> --replay <input>
npm run fuzz -- --list

  target         names from --list, or beginnings of names (trtc); all when none is given
  --inputs N     inputs for each target; default ${DEFAULT_INPUTS.toLocaleString('en')}, fewer where one costs a cipher or a request
  --seed S       the same seed gives the same inputs; default: from the clock, printed
  --threads N    targets that run at a time; default 2, or 1 on one core
  --replay I     decodes one input, as a failure printed it: base64:…, text:"…" (JSON), or @file
  --json         one JSON document instead of text
  --out DIR      folder for fuzz.json, a report as docs/reference/figures holds it
  --list         the targets, with their number of inputs
  --help         this

Exit status: 0 nothing found, 1 a failure, 2 wrong use.`

/** Wrong use of the command. */
class UsageError extends Error {}

async function main(): Promise<number> {
  const { values, positionals } = parseArguments()
  if (values.help) return print(HELP)
  if (values.list) {
    const rows = targets.map(({ name, inputs = DEFAULT_INPUTS }) => `${name.padEnd(24)} ${inputs}`)
    return print(rows.join('\n'))
  }
  const chosen = positionals.length === 0 ? targets : positionals.flatMap(choose)
  if (values.replay !== undefined) return replayOne(chosen, values.replay)
  const seed = values.seed === undefined ? Date.now() % 2 ** 31 : count('seed', values.seed, 0)
  const inputs = values.inputs === undefined ? undefined : count('inputs', values.inputs, 1)
  const threads =
    values.threads === undefined ? Math.min(2, availableParallelism()) : count('threads', values.threads, 1)
  const jobs = chosen.map(
    (target): Job => ({ target: target.name, seed, inputs: inputs ?? target.inputs ?? DEFAULT_INPUTS }),
  )
  return run(jobs, threads, values)
}

async function run(
  jobs: readonly Job[],
  threads: number,
  { json = false, out }: { json?: boolean; out?: string },
): Promise<number> {
  const check = beginCheck('fuzz', commandOf('fuzz', process.argv.slice(2)))
  const outcomes: Outcome[] = []
  const terminal = process.stderr.isTTY && !json
  const progress = new Map<string, number>()
  if (!json) console.log(`seed ${jobs[0]?.seed}, ${jobs.length} targets, ${threads} at a time`)
  const showProgress = (job: Job, inputs: number) => {
    progress.set(job.target, inputs / job.inputs)
    const running = [...progress].map(([name, share]) => `${name} ${Math.floor(share * 100)} %`)
    process.stderr.write(`\r\u001b[K${running.join('   ')}`)
  }
  for await (const outcome of runJobs(jobs, threads, terminal ? showProgress : undefined)) {
    outcomes.push(outcome)
    progress.delete(outcome.target)
    if (terminal) process.stderr.write('\r\u001b[K')
    if (!json) console.log(outcomeLine(outcome))
  }
  print(json ? JSON.stringify(outcomes.map(forJson), null, 2) : summary(outcomes))
  const figures = fuzzFigures(outcomes)
  const file = await check.finish(figures, out)
  if (file !== null) process.stderr.write(`written: ${file}\n`)
  return figures.held ? 0 : 1
}

async function replayOne(chosen: readonly Target[], text: string): Promise<number> {
  const [target] = chosen
  if (!target || chosen.length > 1) throw new UsageError('--replay takes exactly one target')
  const verdict = await replay(target, readInput(text))
  print(verdict.failure === null ? verdict.outcome : `${verdict.failure.kind}: ${verdict.failure.detail}`)
  return verdict.failure === null ? 0 : 1
}

function readInput(text: string): Input {
  if (text.startsWith('@')) return readInput(readFileSync(text.slice(1), 'utf8').trim())
  if (text.startsWith('base64:')) return Uint8Array.from(Buffer.from(text.slice('base64:'.length), 'base64'))
  if (text.startsWith('text:')) return String(JSON.parse(text.slice('text:'.length)))
  throw new UsageError('An input starts with base64:, text: or @')
}

function choose(name: string): Target[] {
  const matching = targets.filter((target) => target.name === name)
  const found = matching.length > 0 ? matching : targets.filter((target) => target.name.startsWith(name))
  if (found.length === 0) throw new UsageError(`no target ${name}; --list names them`)
  return found
}

function parseArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        list: { type: 'boolean' },
        json: { type: 'boolean' },
        out: { type: 'string' },
        inputs: { type: 'string' },
        seed: { type: 'string' },
        threads: { type: 'string' },
        replay: { type: 'string' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function count(name: string, text: string, least: number): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < least)
    throw new UsageError(`--${name} needs an integer of at least ${least}`)
  return value
}

function forJson(outcome: Outcome): unknown {
  const { failure } = outcome
  return failure === null || failure.input === null
    ? outcome
    : { ...outcome, failure: { ...failure, input: showInput(failure.input) } }
}

function print(text: string): number {
  console.log(text)
  return 0
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof UsageError) && !(error instanceof RangeError)) throw error
  console.error(`${error.message}\n\n${HELP}`)
  process.exitCode = 2
}
