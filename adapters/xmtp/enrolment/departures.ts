/**
 * Clients that were closed, or given up while they opened, by enrolment. On a connection that died silently the SDK may open
 * for ever, so nobody waits for that without a limit; and no second client opens a database that the first one still has.
 */
import type { AdapterLog, Clock } from '../../../src/adapter/index.ts'

/** Longest wait for an opening, which cannot be ended, in milliseconds. */
export const PATIENCE_MS = 5_000
/** The same for what is open and closes, which seldom takes long. */
export const CLOSING_MS = 30_000

export class Departures {
  readonly #clock: Clock
  readonly #log: AdapterLog
  readonly #underWay = new Map<string, Promise<void>>()

  constructor({ clock, log }: { clock: Clock; log: AdapterLog }) {
    this.#clock = clock
    this.#log = log
  }

  /** `departure` settles once the client has let go of its files. Its failure is logged. */
  add(id: string, departure: Promise<unknown>): void {
    const ended = departure.catch((error: unknown) => {
      this.#log.warn(
        { enrolment: id, error: String(error) },
        'a client of an enrolled wallet did not end well',
      )
    })
    const gone: Promise<void> = Promise.all([this.#underWay.get(id), ended]).then(() => {
      if (this.#underWay.get(id) === gone) this.#underWay.delete(id)
    })
    this.#underWay.set(id, gone)
  }

  /** Does the work once everybody has gone who is on the way; where nobody is, there is nothing to do. */
  afterwards(id: string, work: () => Promise<void>): void {
    const gone = this.#underWay.get(id)
    if (gone) this.add(id, gone.then(work))
  }

  /** Waits with a limit. Resolves with whether nobody has the files any more. */
  async wait(id: string, limitMs = PATIENCE_MS): Promise<boolean> {
    await this.atMost(limitMs, this.#underWay.get(id))
    return !this.#underWay.has(id)
  }

  /** Waits with a limit until it has settled, however that came out. */
  async atMost(limitMs: number, promise: Promise<unknown> | undefined): Promise<void> {
    if (!promise) return
    const over = new AbortController()
    const limit = this.#clock.sleep(limitMs, over.signal).catch((error: unknown) => {
      if (!over.signal.aborted) throw error
    })
    await Promise.race([Promise.allSettled([promise]), limit])
    over.abort()
  }
}
