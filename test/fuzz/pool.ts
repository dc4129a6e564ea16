/** Runs targets in threads of their own, each watched: a decoder that hangs is ended and its input named. */
import { Worker } from 'node:worker_threads'
import { createBlackbox, recorded } from './blackbox.ts'
import type { Outcome } from './engine.ts'
import type { WorkerInput } from './worker.ts'

/** A thread that starts no new input for this long hangs, milliseconds. Minimising counts as one input. */
const HANG_MS = 60_000
const WATCH_MS = 500

export interface Job {
  target: string
  seed: number
  inputs: number
}

/** Runs the jobs, `threads` at a time, and yields each outcome as it comes. `progress` hears how far the running ones are. */
export async function* runJobs(
  jobs: readonly Job[],
  threads: number,
  progress?: (job: Job, inputs: number) => void,
): AsyncGenerator<Outcome> {
  const waiting = [...jobs]
  const running = new Map<Job, Promise<{ job: Job; outcome: Outcome }>>()
  for (;;) {
    while (running.size < threads && waiting.length > 0) {
      const job = waiting.shift() as Job
      const done = runJob(job, (inputs) => progress?.(job, inputs)).then((outcome) => ({ job, outcome }))
      running.set(job, done)
    }
    if (running.size === 0) return
    const { job, outcome } = await Promise.race(running.values())
    running.delete(job)
    yield outcome
  }
}

export async function runJob(job: Job, progress?: (inputs: number) => void): Promise<Outcome> {
  const blackbox = createBlackbox()
  const workerData: WorkerInput = { ...job, blackbox }
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData, execArgv: [] })
  const started = performance.now()
  let lastCount = 0
  let lastChange = started
  const failed = (kind: 'hang' | 'crash', detail: string): Outcome => {
    const { input, count } = recorded(blackbox)
    return {
      target: job.target,
      seed: job.seed,
      inputs: count,
      accepted: 0,
      refused: {},
      milliseconds: performance.now() - started,
      slowestMs: performance.now() - lastChange,
      grownBytes: 0,
      failure: { kind, detail, input: count === 0 ? null : input },
    }
  }
  return new Promise<Outcome>((resolve) => {
    const watch = setInterval(() => {
      const { count } = recorded(blackbox)
      if (count !== lastCount) {
        lastCount = count
        lastChange = performance.now()
        progress?.(count)
      } else if (performance.now() - lastChange > HANG_MS) {
        settle(failed('hang', `no end within ${HANG_MS / 1000} s`))
      }
    }, WATCH_MS)
    let settled = false
    const settle = (outcome: Outcome) => {
      if (settled) return
      settled = true
      clearInterval(watch)
      void worker.terminate().then(() => resolve(outcome))
    }
    worker.once('message', (outcome: Outcome) => settle(outcome))
    worker.once('error', (error) =>
      settle(failed('crash', String(error instanceof Error ? error.stack : error))),
    )
    worker.once('exit', (code) => settle(failed('crash', `the thread ended with code ${code}`)))
  })
}
