/** Request rates of peers: one token bucket per peer. */
import type { Clock } from '../../../src/adapter/index.ts'

export interface RateLimit {
  /** Requests in a row that are answered after a pause. */
  burst: number
  /** Requests a second in the long run. */
  perSecond: number
}

const MAX_PEERS = 10_000

/** Counts requests of peers by any key. Holds at most 10,000 peers; the one unseen for longest is forgotten first. */
export class PeerRateLimiter {
  readonly #limit: RateLimit
  readonly #clock: Clock
  readonly #buckets = new Map<string, { tokens: number; at: number }>()

  constructor(limit: RateLimit, clock: Clock) {
    this.#limit = limit
    this.#clock = clock
  }

  /** Takes one request of `peer`; false when it is over its rate. */
  take(peer: string): boolean {
    const now = this.#clock.monotonic()
    const bucket = this.#buckets.get(peer) ?? { tokens: this.#limit.burst, at: now }
    const refill = ((now - bucket.at) / 1000) * this.#limit.perSecond
    bucket.tokens = Math.min(this.#limit.burst, bucket.tokens + refill)
    bucket.at = now
    const allowed = bucket.tokens >= 1
    if (allowed) bucket.tokens -= 1
    this.#buckets.delete(peer)
    this.#buckets.set(peer, bucket)
    if (this.#buckets.size > MAX_PEERS) {
      const oldest = this.#buckets.keys().next()
      if (!oldest.done) this.#buckets.delete(oldest.value)
    }
    return allowed
  }
}
