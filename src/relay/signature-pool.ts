import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { encodeBatch, type SignatureCheck } from './signature-batch.ts'
import type { Sodium } from './sodium.ts'

/** Up to this many signatures at once are verified where they are: the way to another thread and back takes longer. */
const DIRECT = 2
/** Most signatures in one batch, so that the first of them does not wait long for the last. */
const LARGEST_BATCH = 32
/** The main thread cannot feed more than two, and on two cores it needs one of them itself. */
const THREADS = availableParallelism() > 2 ? 2 : 1

interface PendingCheck extends SignatureCheck {
  resolve(valid: boolean): void
}

/**
 * Verifies what is asked in one turn of the event loop together: a few signatures on the main thread, many on threads of their
 * own, which start when they are needed first and do not keep the process alive.
 */
export class SignaturePool {
  readonly #sodium: Sodium
  readonly #threads = Array.from({ length: THREADS }, () => new VerifierThread())
  #waiting: PendingCheck[] = []
  #scheduled = false

  constructor(sodium: Sodium) {
    this.#sodium = sodium
  }

  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting.push({ signature, message, publicKey, resolve })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#waiting.length <= DIRECT) this.#direct(this.#waiting.splice(0))
      else this.#distribute()
    })
  }

  /** What finds no idle thread waits for the next answer. */
  #distribute(): void {
    for (const thread of this.#threads) {
      if (thread.busy || this.#waiting.length === 0) continue
      const batch = this.#waiting.splice(0, LARGEST_BATCH)
      thread.verify(batch, (results) => {
        if (results === null) this.#direct(batch)
        else for (const [index, { resolve }] of batch.entries()) resolve(results[index] === 1)
        this.#distribute()
      })
    }
  }

  #direct(checks: readonly PendingCheck[]): void {
    for (const { signature, message, publicKey, resolve } of checks) {
      resolve(this.#sodium.crypto_sign_verify_detached(signature, message, publicKey))
    }
  }
}

/** A thread that works on one batch at a time. */
class VerifierThread {
  #worker: Worker | null = null
  #answer: ((results: Uint8Array | null) => void) | null = null

  get busy(): boolean {
    return this.#answer !== null
  }

  /** `answer` is given one byte a check, 1 for a good signature; null when the thread failed, and nothing was verified. */
  verify(batch: readonly SignatureCheck[], answer: (results: Uint8Array | null) => void): void {
    this.#answer = answer
    this.#worker ??= this.#start()
    this.#worker.ref()
    const bytes = encodeBatch(batch)
    this.#worker.postMessage(bytes, [bytes.buffer])
  }

  #start(): Worker {
    const worker = new Worker(new URL('./signature-thread.ts', import.meta.url), { name: 'signatures' })
    worker.on('message', (results: Uint8Array) => this.#settle(results))
    // The batch is verified on the main thread, and the next one starts a new thread.
    worker.on('error', () => this.#lost(worker))
    worker.on('exit', () => this.#lost(worker))
    return worker
  }

  #lost(worker: Worker): void {
    if (this.#worker !== worker) return
    this.#worker = null
    this.#settle(null)
  }

  #settle(results: Uint8Array | null): void {
    const answer = this.#answer
    this.#answer = null
    this.#worker?.unref()
    answer?.(results)
  }
}
