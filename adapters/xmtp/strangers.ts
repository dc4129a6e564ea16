/** Inboxes that the network did not know a moment ago, so that a gateway does not ask for each of many messages. */
import type { Clock } from '../../src/adapter/index.ts'
import { XmtpError } from './errors.ts'

/** Whoever joins XMTP is reached this much later at most, in milliseconds. */
const REMEMBERED_MS = 60_000
const MOST_REMEMBERED = 10_000

export class Strangers {
  readonly #clock: Clock
  readonly #until = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Throws `recipient-not-registered` for an inbox that was not registered a moment ago. */
  refuse(inboxId: string): void {
    const until = this.#until.get(inboxId)
    if (until === undefined) return
    if (this.#clock.monotonic() < until) {
      throw new XmtpError('recipient-not-registered', 'The recipient is not registered on XMTP')
    }
    this.#until.delete(inboxId)
  }

  learn(inboxId: string, failure: XmtpError): void {
    if (failure.code !== 'recipient-not-registered') return
    this.#until.set(inboxId, this.#clock.monotonic() + REMEMBERED_MS)
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= MOST_REMEMBERED) return
      this.#until.delete(oldest)
    }
  }
}
