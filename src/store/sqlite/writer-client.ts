/** The main thread's half of the store: a queue in front of the writer's thread. */
import { Worker } from 'node:worker_threads'
import { type AcceptRecord, StoreError } from '../port.ts'
import { toStoreError } from './errors.ts'
import type { Input, OperationName, Output } from './operations/index.ts'
import type { Moment } from './operations/operation.ts'
import { acceptedWith, assertPackable, packAccepts } from './packed.ts'
import {
  type CheckpointerSettings,
  type FromWriter,
  type LogLine,
  type PostedAnswer,
  PROGRESS_BYTES,
  Progress,
  type ToWriter,
  type WriterSettings,
} from './protocol.ts'

/** Most calls in one group: more would not be faster and would let the first of them wait. */
const LARGEST_GROUP = 256

interface PendingCall {
  name: OperationName
  input: unknown
  resolve: (value: never) => void
  reject: (error: StoreError) => void
}

export interface WriterClientOptions {
  path: string
  /** Milliseconds between background checkpoints under load; null for a database in memory, which has no log. */
  checkpointInterval: number | null
  /** See `recent.ts`; undefined for its default. */
  indexBatch: number | undefined
  moment: () => Moment
  log: (line: LogLine) => void
}

/** How much was done since the store was opened. */
export interface StoreActivity {
  /** Calls that went to the writer. */
  calls: number
  /** Groups, of one transaction each, in which they went. */
  groups: number
  /** Calls in the largest group. */
  largestGroup: number
}

export class WriterClient {
  readonly activity: StoreActivity = { calls: 0, groups: 0, largestGroup: 0 }
  readonly #options: WriterClientOptions
  readonly #progress: SharedArrayBuffer | null
  #writer: Worker | null = null
  #checkpointer: Worker | null = null
  #waiting: PendingCall[] = []
  #inFlight: PendingCall[] = []
  #scheduled = false
  /** Why calls are refused; null while they are taken. */
  #refusal: StoreError | null = new StoreError('store-closed', 'The store is not open; open it first')
  #idle: (() => void) | null = null

  constructor(options: WriterClientOptions) {
    this.#options = options
    this.#progress = options.checkpointInterval === null ? null : new SharedArrayBuffer(PROGRESS_BYTES)
  }

  /** Starts the threads. Rejects with the `StoreError` for which the database cannot be opened. */
  async open(): Promise<void> {
    const { path, indexBatch } = this.#options
    const settings: WriterSettings = { path, progress: this.#progress, indexBatch }
    const writer = new Worker(new URL('./writer.ts', import.meta.url), {
      workerData: settings,
      name: 'store-writer',
    })
    this.#writer = writer
    await new Promise<void>((resolve, reject) => {
      writer.on('message', (message: FromWriter) => {
        if (message.type === 'ready') resolve()
        else if (message.type === 'refused') reject(toStoreError(message.failure))
        else if (message.type === 'answers') this.#settle(message.answers)
        else if (message.type === 'log') this.#options.log(message)
      })
      writer.on('error', (cause) => {
        const error = new StoreError('store-failed', 'The thread of the store failed; restart the gateway', {
          cause,
        })
        this.#fail(error)
        reject(error)
      })
      writer.on('exit', () => {
        const error = new StoreError('store-failed', 'The thread of the store has ended; restart the gateway')
        this.#fail(error)
        reject(error)
      })
    })
    this.#startCheckpointer()
    this.#refusal = null
  }

  /** Queues a call. It takes effect after all calls before it; its promise settles when its group is on the disk. */
  call<Name extends OperationName>(name: Name, input: Input<Name>): Promise<Output<Name>> {
    if (this.#refusal !== null) return Promise.reject(this.#refusal)
    return new Promise((resolve, reject) => {
      if (name === 'accept') assertPackable(input as AcceptRecord)
      const copy = name === 'accept' ? input : compact(input)
      this.#waiting.push({ name, input: copy, resolve, reject })
      this.#schedule()
    })
  }

  /** Lets what was called come to its end, then ends the threads. */
  async close(): Promise<void> {
    if (this.#writer === null) return
    const refusedBefore = this.#refusal
    this.#refusal ??= new StoreError('store-closed', 'The store is closed')
    if (refusedBefore === null && this.#inFlight.length + this.#waiting.length > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    await this.#stopCheckpointer()
    const exit = exitOf(this.#writer)
    this.#writer.postMessage({ type: 'close' } satisfies ToWriter)
    await exit
  }

  /** After all the input of this turn of the event loop has been read, so that what arrived together commits together. */
  #schedule(): void {
    if (this.#scheduled || this.#inFlight.length > 0) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#inFlight.length === 0) this.#dispatch()
    })
  }

  #dispatch(): void {
    if (this.#waiting.length === 0) {
      this.#idle?.()
      return
    }
    const group = this.#waiting.splice(0, LARGEST_GROUP)
    const calls = group.map(({ name, input }) => ({ name, input: name === 'accept' ? null : input }))
    const accepts = packAccepts(group.filter(({ name }) => name === 'accept').map(recordOf))
    const message: ToWriter = { type: 'group', calls, accepts, moment: this.#options.moment() }
    this.#writer?.postMessage(message, [accepts.bytes.buffer])
    this.#inFlight = group
    this.activity.calls += group.length
    this.activity.groups += 1
    this.activity.largestGroup = Math.max(this.activity.largestGroup, group.length)
  }

  #settle(answers: PostedAnswer[]): void {
    const group = this.#inFlight
    this.#inFlight = []
    this.#dispatch()
    for (const [index, call] of group.entries()) {
      const answer = answers[index]
      if (typeof answer === 'number') call.resolve(acceptedWith(recordOf(call), answer) as never)
      else if (answer !== undefined && 'value' in answer) call.resolve(answer.value as never)
      else call.reject(toStoreError(answer?.failure ?? { code: 'store-failed', message: 'No answer' }))
    }
  }

  /** Nothing that was under way is known to be durable, so all of it is rejected, and so is everything after it. */
  #fail(error: StoreError): void {
    this.#refusal ??= error
    const lost = [...this.#inFlight, ...this.#waiting]
    this.#inFlight = []
    this.#waiting = []
    for (const call of lost) call.reject(error)
    this.#idle?.()
    this.#signalStop()
  }

  #startCheckpointer(): void {
    const { path, checkpointInterval, log } = this.#options
    if (this.#progress === null || checkpointInterval === null) return
    const settings: CheckpointerSettings = { path, progress: this.#progress, interval: checkpointInterval }
    const checkpointer = new Worker(new URL('./checkpointer.ts', import.meta.url), {
      workerData: settings,
      name: 'store-checkpointer',
    })
    checkpointer.on('message', log)
    checkpointer.on('error', (error) => {
      const text = 'The checkpointer of the store has ended; the log of the store grows until the next start'
      log({ type: 'log', level: 'warn', details: { error: error.message }, text })
    })
    this.#checkpointer = checkpointer
  }

  #signalStop(): void {
    if (this.#progress === null) return
    const progress = new Int32Array(this.#progress)
    Atomics.store(progress, Progress.stop, 1)
    Atomics.add(progress, Progress.commits, 1)
    Atomics.notify(progress, Progress.stop)
    Atomics.notify(progress, Progress.commits)
  }

  async #stopCheckpointer(): Promise<void> {
    if (this.#checkpointer === null) return
    const exit = exitOf(this.#checkpointer)
    this.#signalStop()
    await exit
  }
}

/** The input of an accept. */
function recordOf({ input }: PendingCall): AcceptRecord {
  return input as AcceptRecord
}

/** Resolves when the thread has ended, at once when it has ended before. */
function exitOf(worker: Worker): Promise<void> {
  if (worker.threadId === -1) return Promise.resolve()
  return new Promise((resolve) => worker.once('exit', () => resolve()))
}

/**
 * Copies byte arrays that are views of larger buffers: posting a view sends the whole buffer under it, and Node's small
 * buffers all lie in one shared pool.
 */
function compact(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return value.byteLength === value.buffer.byteLength ? value : new Uint8Array(value)
  }
  if (Array.isArray(value)) return value.map(compact)
  if (typeof value === 'function' || typeof value === 'symbol') {
    throw new StoreError('store-failed', `A ${typeof value} cannot be stored`)
  }
  if (typeof value !== 'object' || value === null) return value
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(value)) copy[key] = compact((value as Record<string, unknown>)[key])
  return copy
}
