/** `causeway bench latency`: sends probes and writes the report. */
import { loadavg } from 'node:os'
import { commandOf } from '../checks.ts'
import { describeMachine } from '../machine.ts'
import {
  createFolder,
  type RunFile,
  readFolder,
  reportFolder,
  reportOf,
  samplesPath,
  writeReport,
} from './folder.ts'
import { measure } from './measure.ts'
import { LatencyUsageError, latencyHelp, parseLatencyWords } from './options.ts'
import { tell } from './outcome.ts'
import { factsOf } from './paths.ts'
import { cellsOf, type LatencyOptions, scheduleOf } from './plan.ts'
import { frameBytes } from './probes.ts'
import { createReporter, type Reporter } from './progress.ts'
import { doneIn, openSamples } from './samples.ts'
import { openScene, type Scene } from './scene.ts'

const INTERRUPTED = 130

/** Resolves with the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted with a report. */
export async function runLatencyCommand(words: string[], call: string): Promise<number> {
  const interruption = new AbortController()
  const interrupt = () => {
    // The second time whoever asks wants it ended at once.
    if (interruption.signal.aborted) process.exit(INTERRUPTED)
    interruption.abort(new Error('interrupted'))
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt)
  try {
    return await run(words, call, interruption.signal)
  } catch (error) {
    if (interruption.signal.aborted) {
      process.stderr.write('\ninterrupted before the first sample; nothing was written\n')
      return INTERRUPTED
    }
    const failure = error instanceof Error ? error : new Error(String(error))
    process.stderr.write(`\n${call} latency: ${failure.message}\n`)
    if (process.env.CAUSEWAY_LOG_LEVEL === 'debug') process.stderr.write(`${failure.stack}\n`)
    if (!(failure instanceof LatencyUsageError)) return 1
    process.stderr.write(`Try: ${call} latency --help\n`)
    return 2
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt)
  }
}

async function run(words: string[], call: string, signal: AbortSignal): Promise<number> {
  const request = parseLatencyWords(words)
  if (request.help) {
    process.stdout.write(latencyHelp(call))
    return 0
  }
  const resumed = request.resume === null ? null : await readFolder(request.resume)
  const options = resumed?.run.options ?? request.options
  const cells = { list: resumed?.run.cells ?? [] }
  const reporter = createReporter({
    json: request.json,
    cells: () => cells.list,
    out: process.stdout,
    error: process.stderr,
    now: () => performance.now(),
  })
  const folder = request.resume ?? request.out ?? reportFolder('latency')
  const isDone = doneIn(resumed?.lines ?? [])
  let failure: Error | null = null
  if (resumed && scheduleOf(options, cells.list, isDone).length === 0)
    reporter.say('every sample is there already')
  else {
    const scene = await openScene({ options, say: reporter.say, signal })
    try {
      if (!resumed) {
        const made = runFileFor(options, scene, commandOf('bench', ['latency', ...words]))
        cells.list = made.cells
        await createFolder(folder, made)
      }
      // What was measured until then is worth a report.
      await session({ folder, options, scene, cells: cells.list, reporter, signal }).catch(
        (error: unknown) => {
          failure = error instanceof Error ? error : new Error(String(error))
        },
      )
    } finally {
      reporter.end()
      await closed(scene, reporter)
    }
  }
  const { run: kept, lines } = await readFolder(folder)
  const report = reportOf(kept, lines)
  await writeReport(folder, report)
  tell(report, folder, request.json)
  if (!report.complete) process.stderr.write(`interrupted; go on with: ${call} latency --resume ${folder}\n`)
  if (failure !== null && !signal.aborted) throw failure
  return report.complete ? 0 : INTERRUPTED
}

/** A client or child that does not end well takes nothing from what was measured. */
async function closed(scene: Scene, reporter: Reporter): Promise<void> {
  await scene.close().catch((error: unknown) => {
    reporter.say(`some parts did not stop well: ${error instanceof Error ? error.message : String(error)}`)
  })
}

function runFileFor(options: LatencyOptions, scene: Scene, command: string): RunFile {
  const facts = scene.networks.map(({ network, maxFrameBytes }) => factsOf(network, maxFrameBytes))
  const cells = cellsOf(options, facts, frameBytes)
  if (cells.length === 0) throw new LatencyUsageError('no path has room for these sizes')
  return {
    kind: 'causeway-latency-run',
    version: 1,
    command,
    options,
    cells,
    networks: scene.networks.map(({ network, sandbox }) => ({ network, sandbox })),
  }
}

interface SessionInput {
  folder: string
  options: LatencyOptions
  scene: Scene
  cells: RunFile['cells']
  reporter: Reporter
  signal: AbortSignal
}

/** One stretch of measuring, until every sample is there or it is interrupted. Its samples are kept whatever ends it. */
async function session({ folder, options, scene, cells, reporter, signal }: SessionInput): Promise<void> {
  const { lines } = await readFolder(folder)
  const number = 1 + lines.filter(({ kind }) => kind === 'session').length
  const schedule = scheduleOf(options, cells, doneIn(lines))
  const samples = await openSamples(samplesPath(folder))
  const seconds = Math.ceil(schedule.length / options.rate)
  reporter.say(
    `${schedule.length} probes on ${cells.length} paths at ${options.rate}/s, seed ${options.seed}: about ${seconds} s; samples go to ${samplesPath(folder)}`,
  )
  try {
    await samples.write({
      kind: 'session',
      session: number,
      startedAt: new Date().toISOString(),
      machine: describeMachine(),
    })
    let finished = false
    try {
      const { timeoutMs } = options
      await measure({
        scene,
        schedule,
        samples,
        session: number,
        timeoutMs,
        signal,
        progress: reporter.progress,
      })
      finished = true
    } finally {
      await samples.write({
        kind: 'end',
        session: number,
        endedAt: new Date().toISOString(),
        interrupted: signal.aborted || !finished,
        load: loadavg().map((value) => Math.round(value * 10) / 10),
      })
    }
  } finally {
    await samples.close()
  }
}
