import { seededFractions } from '../../adapters/simulator/random.ts'

/** Seeded choices. The same seed gives the same inputs on every machine. */
export interface Dice {
  /** An integer from 0 to `most`, both included. */
  upTo(most: number): number
  /** True with this probability. */
  chance(probability: number): boolean
  pick<Item>(items: readonly Item[]): Item
  bytes(length: number): Uint8Array
}

export function createDice(seed: number): Dice {
  const fraction = seededFractions(seed)
  const upTo = (most: number) => Math.floor(fraction() * (most + 1))
  return {
    upTo,
    chance: (probability) => fraction() < probability,
    pick(items) {
      const item = items[upTo(items.length - 1)]
      if (items.length === 0) throw new RangeError('There is nothing to pick from')
      return item as (typeof items)[number]
    },
    bytes(length) {
      const bytes = new Uint8Array(length)
      for (let index = 0; index < length; index++) bytes[index] = upTo(255)
      return bytes
    },
  }
}

/** A seed for a part of a run, so that adding a target does not change the inputs of the others. */
export function seedFor(seed: number, name: string): number {
  let mixed = seed >>> 0
  for (const character of name) mixed = Math.imul(mixed ^ character.charCodeAt(0), 0x01000193) >>> 0
  return mixed
}
