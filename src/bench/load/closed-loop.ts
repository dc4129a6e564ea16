/** Load in a closed loop: a fixed number of callers, each waits for its answer before it calls again. */
import { quantile } from '../statistics.ts'

export interface LoadResult {
  /** Operations after the warm-up. */
  count: number
  /** Operations with the warm-up. */
  all: number
  /** Operations a second. */
  rate: number
  /** Milliseconds from call to answer. */
  p50: number
  p99: number
}

/** Calls `operation` with 0, 1, 2 … until `warmup + count` are done. Rejects when one rejects. */
export async function closedLoop(
  { count, inFlight, warmup }: { count: number; inFlight: number; warmup: number },
  operation: (number: number, caller: number) => Promise<void>,
): Promise<LoadResult> {
  const latencies: number[] = []
  const all = warmup + count
  let next = 0
  let startedAt = 0
  async function caller(index: number): Promise<void> {
    while (next < all) {
      const number = next++
      if (number === warmup) startedAt = performance.now()
      const calledAt = performance.now()
      await operation(number, index)
      if (number >= warmup) latencies.push(performance.now() - calledAt)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, (_, index) => caller(index)))
  const seconds = (performance.now() - startedAt) / 1000
  return {
    count,
    all,
    rate: count / seconds,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  }
}
