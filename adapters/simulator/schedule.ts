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

  /** There is no work left. */
  get idle(): boolean {
    return this.#entries.length === 0
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
    while (!this.idle) {
      const now = this.#clock.monotonic()
      const later = this.#entries.findIndex(({ due }) => due > now)
      // All that is due in one piece: taking entries off a long list one by one costs more than running them.
      const ready = this.#entries.splice(0, later === -1 ? this.#entries.length : later)
      for (const { run } of ready) run()
      if (ready.length === 0) await this.#sleepUntil(this.#entries[0]!.due)
    }
    this.#running = false
  }

  async #sleepUntil(due: number): Promise<void> {
    const wake = new AbortController()
    this.#wake = wake
    // A wake-up means that there is earlier work, or none: look again.
    await this.#clock.sleep(due - this.#clock.monotonic(), wake.signal).catch((reason: unknown) => {
      if (!wake.signal.aborted) throw reason
    })
    this.#wake = null
  }
}
