/** Randomness from a seed, so that a run and the intervals of its report can be made again. Not for secrets. */

/** Fractions, 0 (included) to 1 (excluded). */
export type Fractions = () => number

/** mulberry32. */
export function seededFractions(seed: number): Fractions {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Every order equally likely (Fisher–Yates). */
export function shuffle<Item>(items: readonly Item[], fractions: Fractions): Item[] {
  const order = [...items]
  for (let index = order.length - 1; index > 0; index--) {
    const other = Math.floor(fractions() * (index + 1))
    const item = order[index] as Item
    order[index] = order[other] as Item
    order[other] = item
  }
  return order
}

/** Standard normal (Box–Muller). */
function normal(fractions: Fractions): number {
  return Math.sqrt(-2 * Math.log(1 - fractions())) * Math.cos(2 * Math.PI * fractions())
}

/** Gamma with the given shape, from 1 on, and scale 1 (Marsaglia and Tsang 2000, doi:10.1145/358407.358414). */
function gamma(shape: number, fractions: Fractions): number {
  const offset = shape - 1 / 3
  const scale = 1 / Math.sqrt(9 * offset)
  for (;;) {
    const value = normal(fractions)
    const cube = (1 + scale * value) ** 3
    if (cube <= 0) continue
    if (Math.log(1 - fractions()) < value ** 2 / 2 + offset * (1 - cube + Math.log(cube)))
      return offset * cube
  }
}

/** Beta with both parameters from 1 on. */
export function beta(left: number, right: number, fractions: Fractions): number {
  const one = gamma(left, fractions)
  return one / (one + gamma(right, fractions))
}
