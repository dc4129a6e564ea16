/** Seeded randomness: a run is replayed by its seed alone. */

export interface SeededRandom {
  /** Uniform in [0, 1). */
  fraction(): number
  /** Whole number in [least, most]. */
  between(least: number, most: number): number
  /** True with this probability. */
  chance(share: number): boolean
  pick<Item>(items: readonly Item[]): Item
  /** A generator of its own for a part of the run, so that more draws in one part do not change another. */
  fork(purpose: string): SeededRandom
}

/** Mulberry32, the same on every machine. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0
  function fraction(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const between = (least: number, most: number) => least + Math.floor(fraction() * (most - least + 1))
  return {
    fraction,
    between,
    chance: (share) => fraction() < share,
    pick(items) {
      const item = items[between(0, items.length - 1)]
      if (item === undefined) throw new RangeError('nothing to pick from')
      return item
    },
    fork: (purpose) => seededRandom(seed ^ hash(purpose)),
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++)
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return value >>> 0
}
