/** Runs targets in threads, each watched: a decoder that hangs is ended and its input named. */
import { Worker } from 'node:worker_threads'
import { createBlackbox, recorded, reset } from './blackbox.ts'
import type { Outcome } from './engine.ts'
import type { Job } from './worker.ts'

export type { Job } from './worker.ts'

/** A thread that starts no new input for this long hangs, milliseconds. Minimising counts as one input. */
const HANG_MS = 60_000
/** Likewise before the first input: a new thread loads every decoder, which takes long on a busy machine. */
const OPENING_MS = 300_000
const WATCH_MS = 500

/** Hears how many inputs of a running job are done. */
export type Progress = (job: Job, inputs: number) => void

/** Runs the jobs in so many threads and yields each outcome as it comes. */
export async function* runJobs(
  jobs: readonly Job[],
  threads: number,
  progress: Progress = () => undefined,
): AsyncGenerator<Outcome> {
  const waiting = [...jobs]
  const finished: Outcome[] = []
  let news = Promise.withResolvers<void>()
  const lines = Array.from({ length: Math.min(threads, jobs.length) }, async () => {
    let thread = new FuzzThread()
    for (let job = waiting.shift(); job; job = waiting.shift()) {
      const outcome = await thread.run(job, progress)
      if (thread.ended) thread = new FuzzThread()
      finished.push(outcome)
      news.resolve()
    }
    await thread.close()
  })
  const all = Promise.all(lines)
  for (let yielded = 0; yielded < jobs.length; yielded++) {
    while (finished.length === 0) {
      await Promise.race([news.promise, all])
      news = Promise.withResolvers<void>()
    }
    yield finished.shift() as Outcome
  }
  await all
}

class FuzzThread {
  readonly #blackbox = createBlackbox()
  readonly #worker: Worker
  #ended = false

  constructor() {
    const url = new URL('./worker.ts', import.meta.url)
    this.#worker = new Worker(url, { workerData: this.#blackbox, execArgv: ['--no-warnings'] })
  }

  /** The thread hung or crashed. */
  get ended(): boolean {
    return this.#ended
  }

  async close(): Promise<void> {
    this.#ended = true
    await this.#worker.terminate()
  }

  async run(job: Job, progress: Progress): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    const started = performance.now()
    let lastCount = 0
    let lastChange = started
    const end = (kind: 'hang' | 'crash', detail: string) => {
      const { input, count } = recorded(this.#blackbox)
      const failure = { kind, detail, input: count === 0 ? null : input }
      const now = performance.now()
      this.#ended = true
      resolve({
        target: job.target,
        seed: job.seed,
        inputs: count,
        accepted: 0,
        refused: {},
        milliseconds: now - started,
        slowestMs: now - lastChange,
        grownBytes: 0,
        failure,
      })
    }
    const watch = setInterval(() => {
      const { count } = recorded(this.#blackbox)
      if (count !== lastCount) {
        lastCount = count
        lastChange = performance.now()
        progress(job, count)
        return
      }
      const limit = count === 0 ? OPENING_MS : HANG_MS
      if (performance.now() - lastChange > limit) end('hang', `no end within ${limit / 1000} s`)
    }, WATCH_MS)
    const onError = (error: unknown) => end('crash', String(error instanceof Error ? error.stack : error))
    const onExit = (code: number) => end('crash', `the thread ended with code ${code}`)
    this.#worker.once('message', resolve).once('error', onError).once('exit', onExit)
    reset(this.#blackbox)
    this.#worker.postMessage(job)
    const outcome = await promise
    clearInterval(watch)
    this.#worker.off('message', resolve).off('error', onError).off('exit', onExit)
    if (this.#ended) await this.#worker.terminate()
    return outcome
  }
}
