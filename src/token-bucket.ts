/** Limits of rates, in bounded memory. */
import { LRUCache } from 'lru-cache'
import type { Clock } from './adapter/index.ts'

export interface Bucket {
  /** Takes `cost` tokens. Returns 0, or the milliseconds until there are enough; then nothing is taken. */
  take(key: string, cost?: number): number
  /** Milliseconds until there is a token; nothing is taken. */
  wait(key: string): number
  /** Callers that are remembered. */
  readonly size: number
}

/**
 * A token bucket for each key: `burst` tokens at first, refilled at `perSecond`. Remembers the `tracked` callers seen last;
 * one that is forgotten starts with a full bucket again. A cost over `burst` is taken once the bucket is full.
 */
export function createBucket(
  settings: { perSecond: number; burst: number; tracked: number },
  clock: Pick<Clock, 'monotonic'>,
): Bucket {
  const { perSecond, burst } = settings
  const callers = new LRUCache<string, { tokens: number; at: number }>({ max: settings.tracked })
  function tokensOf(caller: { tokens: number; at: number }, now: number): number {
    return Math.min(burst, caller.tokens + (Math.max(0, now - caller.at) / 1000) * perSecond)
  }

  const waitFor = (missing: number) => (missing <= 0 ? 0 : Math.ceil((missing / perSecond) * 1000))

  return {
    take(key, cost = 1) {
      const now = clock.monotonic()
      let caller = callers.get(key)
      if (caller === undefined) {
        caller = { tokens: burst, at: now }
        callers.set(key, caller)
      }
      const tokens = tokensOf(caller, now)
      const waitMs = waitFor(Math.min(cost, burst) - tokens)
      caller.tokens = waitMs > 0 ? tokens : tokens - cost
      caller.at = now
      return waitMs
    },
    wait(key) {
      const caller = callers.get(key)
      return waitFor(1 - (caller === undefined ? burst : tokensOf(caller, clock.monotonic())))
    },
    get size() {
      return callers.size
    },
  }
}
