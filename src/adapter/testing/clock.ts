import type { Clock } from '../context.ts'

export interface VirtualClock extends Clock {
  /**
   * Moves time on by `ms` milliseconds, waking sleepers at their times and in their order. Between two it lets promises
   * settle, so that who is woken may sleep again.
   */
  advance(ms: number): Promise<void>
  /** Sleepers now waiting. */
  readonly sleeping: number
}

/**
 * A clock that moves only when told.
 *
 * @example
 * const clock = createVirtualClock()
 * const network = createSimulatedNetwork({ clock, latencyMs: 200 })
 * await clock.advance(200)
 */
export function createVirtualClock(start = Date.UTC(2030, 0, 1)): VirtualClock {
  const sleepers = new Set<{ due: number; wake: () => void }>()
  let elapsed = 0

  function nextBefore(end: number) {
    let next: { due: number; wake: () => void } | null = null
    for (const sleeper of sleepers) {
      if (sleeper.due <= end && (next === null || sleeper.due < next.due)) next = sleeper
    }
    return next
  }

  return {
    now: () => start + Math.floor(elapsed),
    monotonic: () => elapsed,
    get sleeping() {
      return sleepers.size
    },
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason)
          return
        }
        const onAbort = () => {
          sleepers.delete(sleeper)
          reject(signal?.reason)
        }
        const sleeper = {
          due: elapsed + ms,
          wake() {
            signal?.removeEventListener('abort', onAbort)
            resolve()
          },
        }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', onAbort, { once: true })
      })
    },
    async advance(ms) {
      const end = elapsed + ms
      await settled()
      for (let next = nextBefore(end); next; next = nextBefore(end)) {
        sleepers.delete(next)
        elapsed = Math.max(elapsed, next.due)
        next.wake()
        await settled()
      }
      elapsed = end
      await settled()
    },
  }
}

/** Resolves when all promises that can settle without input, output or time have settled. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
