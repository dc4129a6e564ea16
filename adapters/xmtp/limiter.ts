/** Keeps calls under a limit by counting them before they are made. First come, first served. */
import type { Clock } from '../../src/adapter/index.ts'
import { XmtpError } from './errors.ts'

export interface LimiterOptions {
  /** Calls that may be made at once after a pause. */
  burst: number
  /** Calls that come back each minute. */
  perMinute: number
  clock: Clock
}

/** Longest wait in milliseconds; whoever would wait longer is told to come back. */
const PATIENCE_MS = 2_000

/** A token bucket that may be overdrawn by one taker, so that a large batch waits for no more than a small one. */
export class Limiter {
  readonly #burst: number
  readonly #perMillisecond: number
  readonly #clock: Clock
  #tokens: number
  #refilledAt: number

  constructor({ burst, perMinute, clock }: LimiterOptions) {
    this.#burst = burst
    this.#perMillisecond = perMinute / 60_000
    this.#clock = clock
    this.#tokens = burst
    this.#refilledAt = clock.monotonic()
  }

  /** Resolves when `count` calls may be made. Rejects with `rate-limited` where that is far off, `aborted` on the signal. */
  async take(count: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw aborted(signal)
    this.#refill()
    const wait = Math.ceil(-Math.min(0, this.#tokens) / this.#perMillisecond)
    if (wait > PATIENCE_MS) {
      throw new XmtpError('rate-limited', 'The limit of calls to XMTP is used up for now', {
        retryAfterMs: wait,
      })
    }
    this.#tokens -= count
    if (wait === 0) return
    try {
      await this.#clock.sleep(wait, signal)
    } catch (error) {
      this.#tokens += count
      throw signal.aborted ? aborted(signal) : error
    }
  }

  #refill(): void {
    const now = this.#clock.monotonic()
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#refilledAt) * this.#perMillisecond)
    this.#refilledAt = now
  }
}

function aborted(signal: AbortSignal): XmtpError {
  return new XmtpError('aborted', 'Given up before the call was made', { cause: signal.reason })
}
