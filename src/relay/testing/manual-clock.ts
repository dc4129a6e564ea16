import type { Clock } from '../../adapter/index.ts'

/** A clock that stands until the test moves it. Sleepers wake in the order of their times. */
export interface ManualClock extends Clock {
  /** Moves on, waking sleepers on the way and letting what they do happen. */
  pass(milliseconds: number): Promise<void>
  /** Sleeps under way: timers that are left. */
  readonly sleepers: number
}

export function createManualClock(start = 1_000_000): ManualClock {
  let now = start
  const sleeping = new Set<{ until: number; wake: () => void }>()
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

  return {
    now: () => now,
    monotonic: () => now - start,
    sleep(milliseconds, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const sleeper = { until: now + milliseconds, wake: resolve }
        sleeping.add(sleeper)
        signal?.addEventListener('abort', () => {
          sleeping.delete(sleeper)
          reject(signal.reason)
        })
      })
    },
    async pass(milliseconds) {
      const end = now + milliseconds
      for (;;) {
        await settle()
        const next = [...sleeping].toSorted((left, right) => left.until - right.until)[0]
        if (!next || next.until > end) break
        now = Math.max(now, next.until)
        sleeping.delete(next)
        next.wake()
      }
      now = end
      await settle()
    },
    get sleepers() {
      return sleeping.size
    },
  }
}
