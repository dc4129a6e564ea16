/** Compares this clock with those of senders, from the messages that arrive on the live path. */
import type { Clock, Finding } from '../../src/adapter/index.ts'
import { type NetworkMessage, toMilliseconds } from './wire/message.ts'

const SAMPLES = 32
const WARN_MS = 10_000

export class ClockSkew {
  readonly #clock: Clock
  readonly #samples: number[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Notes a message that was sent just now by another. */
  observe(message: NetworkMessage): void {
    if (message.timestamp <= 0n) return
    this.#samples.push(this.#clock.now() - toMilliseconds(message.timestamp))
    if (this.#samples.length > SAMPLES) this.#samples.shift()
  }

  /** The median difference, so that one sender with a wrong clock does not accuse this one. */
  finding(): Finding {
    const sorted = this.#samples.toSorted((left, right) => left - right)
    const median = sorted[Math.floor(sorted.length / 2)]
    if (median === undefined)
      return { check: 'clock', status: 'ok', message: 'No message was heard yet to compare with' }
    if (Math.abs(median) <= WARN_MS) {
      return {
        check: 'clock',
        status: 'ok',
        message: `Within ${Math.abs(median)} ms of ${sorted.length} messages`,
      }
    }
    return {
      check: 'clock',
      status: 'warning',
      message: `This clock differs by about ${median} ms from senders; archives refuse messages 20 s away from their time`,
      fix: 'Synchronise the clock (NTP)',
    }
  }
}
