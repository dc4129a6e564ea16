/** Waiting for a condition on the adapter's clock. */
import type { Clock } from '../../src/adapter/index.ts'

export interface UntilOptions {
  clock: Clock
  signal: AbortSignal
  /** Longest wait in milliseconds. */
  withinMs: number
}

const LOOK_EVERY_MS = 50

/** Resolves with the condition's first truthy value, or null when there was none in time or the signal aborted. */
export async function until<Value>(
  condition: () => Promise<Value>,
  options: UntilOptions,
): Promise<Value | null> {
  const { clock, signal, withinMs } = options
  const deadline = clock.monotonic() + withinMs
  for (;;) {
    const value = await condition()
    if (value) return value
    if (signal.aborted || clock.monotonic() >= deadline) return null
    try {
      await clock.sleep(LOOK_EVERY_MS, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}
