/** Keeps calls below a rate and below a number in flight. First come, first served. */
import { AdapterError, type Clock } from '../../src/adapter/index.ts'

export interface Limiter {
  /**
   * Resolves when one call may be made; call the returned function when it has ended. Rejects with a `retryable`
   * error when `signal` aborts first: nothing was sent.
   */
  acquire(signal: AbortSignal): Promise<() => void>
}

/**
 * A token bucket. It refills with 95 % of the rate and holds the other 5 %, so that no window of one second sees more
 * calls than `perSecond`, not even the first.
 */
export function createLimiter(options: { perSecond: number; maxInFlight: number; clock: Clock }): Limiter {
  const { clock, maxInFlight } = options
  const capacity = Math.max(1, options.perSecond * 0.05)
  const perMillisecond = (options.perSecond * 0.95) / 1000
  const waiting = new Set<{ grant(): void }>()
  let tokens = capacity
  let refilledAt = clock.monotonic()
  let inFlight = 0
  let sleeping = false

  function refill(): void {
    const now = clock.monotonic()
    tokens = Math.min(capacity, tokens + (now - refilledAt) * perMillisecond)
    refilledAt = now
  }

  function release(): void {
    inFlight--
    grantNext()
  }

  function grantNext(): void {
    refill()
    for (const waiter of waiting) {
      if (inFlight >= maxInFlight) return // the next release comes back here
      if (tokens < 1) {
        sleepForToken()
        return
      }
      tokens--
      inFlight++
      waiting.delete(waiter)
      waiter.grant()
    }
  }

  function sleepForToken(): void {
    if (sleeping) return
    sleeping = true
    void clock.sleep(Math.ceil((1 - tokens) / perMillisecond)).then(() => {
      sleeping = false
      grantNext()
    })
  }

  return {
    acquire(signal) {
      return new Promise((resolve, reject) => {
        const refuse = () => {
          waiting.delete(waiter)
          reject(
            new AdapterError('retryable', 'The call was given up before it was sent', {
              remoteCode: 'aborted',
            }),
          )
        }
        const waiter = {
          grant() {
            signal.removeEventListener('abort', refuse)
            resolve(once(release))
          },
        }
        if (signal.aborted) {
          refuse()
          return
        }
        signal.addEventListener('abort', refuse, { once: true })
        waiting.add(waiter)
        grantNext()
      })
    },
  }
}

function once(action: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    action()
  }
}
