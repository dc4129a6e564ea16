/** Pauses between tries, ended early by a signal. */

/** Resolves after the time, or when the signal aborts: never rejects. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
  })
}

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 15_000

/** Pause before the try with this number, from 0: doubling from 250 ms to 15 s, or as long as the gateway asks for. */
export function pauseBefore(attempt: number, askedMs = 0): number {
  return Math.max(askedMs, Math.min(FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS))
}
