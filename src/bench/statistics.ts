/** Middle value; of an even number, the mean of the two in the middle. NaN for none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Linear interpolation between the nearest ranks. NaN for none. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = Float64Array.from(values).sort()
  const place = (sorted.length - 1) * share
  const low = Math.floor(place)
  const below = sorted[low]!
  return below + (sorted[Math.ceil(place)]! - below) * (place - low)
}

/** Exponent of growth between two sizes: 0 when the cost stays, 1 when it grows in proportion. */
export function growthExponent(
  first: { size: number; cost: number },
  last: { size: number; cost: number },
): number {
  return Math.log(last.cost / first.cost) / Math.log(last.size / first.size)
}

/** The items in an order of their own for each run, the same for the same run. */
export function shuffled<Item>(items: readonly Item[], run: number): Item[] {
  const order = [...items]
  let state = (run + 1) * 0x9e3779b1
  for (let index = order.length - 1; index > 0; index--) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0
    const other = state % (index + 1)
    const item = order[index]!
    order[index] = order[other]!
    order[other] = item
  }
  return order
}
