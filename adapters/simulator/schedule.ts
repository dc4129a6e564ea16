import type { Clock } from '../../src/adapter/index.ts'

interface Entry {
  due: number
  run: () => void
}

/**
 * Runs work at its time, in the order of the times and, within one, of the calls: so that a run with one seed is
 * always the same run, whatever the machine does in between.
 */
export class Schedule {
  readonly #clock: Clock
  readonly #entries: Entry[] = []
  #wake: AbortController | null = null
  #running = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Runs `run` after `delayMs` milliseconds, never within this call. */
  after(delayMs: number, run: () => void): void {
    const due = this.#clock.monotonic() + delayMs
    let place = this.#entries.length
    while (place > 0 && this.#entries[place - 1]!.due > due) place -= 1
    this.#entries.splice(place, 0, { due, run })
    if (place === 0) this.#wake?.abort()
    if (!this.#running) {
      this.#running = true
      queueMicrotask(() => this.#pump())
    }
  }

  /** Forgets all work. */
  clear(): void {
    this.#entries.length = 0
    this.#wake?.abort()
  }

  async #pump(): Promise<void> {
    for (let next = this.#entries[0]; next; next = this.#entries[0]) {
      const wait = next.due - this.#clock.monotonic()
      if (wait > 0) {
        const wake = new AbortController()
        this.#wake = wake
        // A wake-up means that there is earlier work, or none: look again.
        await this.#clock.sleep(wait, wake.signal).catch((reason: unknown) => {
          if (!wake.signal.aborted) throw reason
        })
        this.#wake = null
      } else {
        this.#entries.shift()
        next.run()
      }
    }
    this.#running = false
  }
}
