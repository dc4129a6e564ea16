import type { Input } from './target.ts'

const MOST_ATTEMPTS = 2_000
const MOST_MS = 20_000

/**
 * Removes parts, halves first and single bytes last, for as long as the input goes on to fail. Bounded in attempts and time.
 */
export async function minimise(input: Input, fails: (input: Input) => Promise<boolean>): Promise<Input> {
  let best = input
  let attempts = 0
  const until = performance.now() + MOST_MS
  for (let span = Math.ceil(best.length / 2); span >= 1; span = span === 1 ? 0 : Math.ceil(span / 2)) {
    for (let at = 0; at < best.length; ) {
      if (attempts++ >= MOST_ATTEMPTS || performance.now() > until) return best
      const shorter = without(best, at, span)
      if (shorter.length < best.length && (await fails(shorter))) best = shorter
      else at += span
    }
  }
  return best
}

function without(input: Input, at: number, span: number): Input {
  if (typeof input === 'string') return input.slice(0, at) + input.slice(at + span)
  const shorter = new Uint8Array(input.length - Math.min(span, input.length - at))
  shorter.set(input.subarray(0, at))
  shorter.set(input.subarray(at + span), at)
  return shorter
}
