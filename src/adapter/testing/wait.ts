/** Waiting on conditions, never on the speed of the machine. */
import { systemClock } from '../clock.ts'

export const DEFAULT_TIMEOUT_MS = 20_000

export interface WaitOptions {
  /** Default 20,000. */
  timeoutMs?: number
  /** Pause between two looks, default 20. */
  intervalMs?: number
  /** Named in the error, e.g. `the frame to arrive`. */
  what?: string
}

/**
 * Resolves with the condition's first truthy value; rejects when there is none in time, or with what the condition throws.
 *
 * @example await waitFor(() => context.heard(frame).length > 0, { what: 'the frame to be delivered' })
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<T, null | undefined | false | 0 | ''>> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, intervalMs = 20, what = 'the condition' } = options
  const deadline = systemClock.monotonic() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value) return value as Exclude<T, null | undefined | false | 0 | ''>
    if (systemClock.monotonic() >= deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`)
    await systemClock.sleep(intervalMs)
  }
}

/** Passes `promise` on, and rejects when it is not settled in time. */
export async function settles<T>(
  promise: Promise<T>,
  what: string,
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<T> {
  const late = new AbortController()
  const timeout = systemClock.sleep(timeoutMs, late.signal).then(
    () => {
      throw new Error(`${what} did not settle in ${timeoutMs} ms`)
    },
    () => promise,
  )
  try {
    return await Promise.race([promise, timeout])
  } finally {
    late.abort()
  }
}
