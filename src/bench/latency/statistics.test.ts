import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { beta, seededFractions, shuffle } from './random.ts'
import {
  bandWidth,
  differenceInterval,
  distribution,
  intervalRanks,
  percentile,
  percentileWithInterval,
  shareInterval,
  sorted,
} from './statistics.ts'

/** Distributions of which every percentile is known: by share, and drawn by its inverse. */
const known: [name: string, inverse: (share: number) => number][] = [
  ['uniform', (share) => share],
  ['exponential', (share) => -Math.log1p(-share)],
  ['heavy tail (Pareto)', (share) => (1 - share) ** -0.7],
  ['two humps', (share) => (share < 0.6 ? share : 100 + share)],
]
const TRIALS = 400

describe('percentiles', () => {
  test('nearest rank: the smallest sample that enough samples do not exceed', () => {
    const hundred = sorted(Array.from({ length: 100 }, (_, number) => number + 1))
    expect([0.5, 0.95, 0.99, 1].map((share) => percentile(hundred, share))).toEqual([50, 95, 99, 100])
    expect(percentile(sorted([7, 3, 5]), 0.5)).toBe(5)
    // 0.07 × 100 is 7.000000000000001 in binary.
    expect(percentile(hundred, 0.07)).toBe(7)
    expect(percentile([], 0.5)).toBeNaN()
  })

  test('of any samples, at least the share does not exceed it and less than the share is below it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 200 }),
        fc.constantFrom(0.01, 0.25, 0.5, 0.9, 0.95, 0.99),
        (values, share) => {
          const value = percentile(sorted(values), share)
          const enough = share * values.length - 1e-6
          expect(values).toContain(value)
          expect(values.filter((other) => other <= value).length).toBeGreaterThanOrEqual(enough)
          expect(values.filter((other) => other < value).length).toBeLessThan(enough + 1)
        },
      ),
    )
  })

  test('lost samples are the latest of all', () => {
    const ordered = sorted([1, 2, 3, 4, 5, 6, 7, 8, Infinity, Infinity])
    expect(percentile(ordered, 0.8)).toBe(8)
    expect(percentile(ordered, 0.9)).toBe(Infinity)
    expect(distribution(ordered).at(-1)).toEqual([8, 0.8])
  })
})

describe('intervals of percentiles', () => {
  test.each(known)('hold the true one often enough: %s', (_, inverse) => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.constantFrom(20, 75, 200),
        fc.constantFrom(0.5, 0.9, 0.99),
        (seed, count, share) => {
          const fractions = seededFractions(seed)
          let held = 0
          for (let trial = 0; trial < TRIALS; trial++) {
            const ordered = sorted(Array.from({ length: count }, () => inverse(fractions())))
            const { low, high } = percentileWithInterval(ordered, share)
            const truth = inverse(share)
            if ((low === null || low <= truth) && (high === null || truth <= high)) held++
          }
          // 0.95 or more by construction; 400 trials are off by more than four standard errors once in 30,000.
          expect(held / TRIALS).toBeGreaterThan(0.95 - 4 * Math.sqrt((0.95 * 0.05) / TRIALS))
        },
      ),
      { numRuns: 12 },
    )
  })

  test('ranks agree with tables of the binomial distribution', () => {
    // Conover, Practical Nonparametric Statistics: the median of 10 lies between the 2nd and the 9th.
    expect(intervalRanks(0.5, 10)).toEqual([2, 9])
    expect(intervalRanks(0.5, 100)).toEqual([40, 61])
  })

  test('too few samples have no upper bound of a high percentile, and enough have', () => {
    expect(intervalRanks(0.99, 200)[1]).toBe(201)
    expect(intervalRanks(0.99, 1_000)).toEqual([983, 997])
    expect(percentileWithInterval(sorted([1, 2, 3]), 0.99)).toMatchObject({ value: 3, high: null })
    expect(percentileWithInterval([], 0.5)).toMatchObject({ low: null, high: null })
  })

  test('they stay exact for many samples', () => {
    const [low, high] = intervalRanks(0.99, 100_000)
    expect(low).toBeGreaterThan(98_900)
    expect(high).toBeLessThan(99_100)
  })
})

describe('differences of percentiles', () => {
  test('the bootstrap holds the true difference often enough', () => {
    const fractions = seededFractions(5)
    const draw = (mean: number) => sorted(Array.from({ length: 200 }, () => -mean * Math.log1p(-fractions())))
    let held = 0
    for (let trial = 0; trial < 200; trial++) {
      const interval = differenceInterval(draw(10), draw(4), 0.5, fractions, 400)!
      const truth = 6 * Math.LN2
      if (interval.low <= truth && truth <= interval.high) held++
    }
    expect(held / 200).toBeGreaterThan(0.88)
  })

  test('it is the same for the same seed, and none where samples were lost or missing', () => {
    const values = sorted([1, 2, 3, 4, 5])
    const once = differenceInterval(values, [1, 2], 0.5, seededFractions(1))
    expect(differenceInterval(values, [1, 2], 0.5, seededFractions(1))).toEqual(once)
    expect(differenceInterval([], values, 0.5, seededFractions(1))).toBeNull()
    expect(differenceInterval(values, [Infinity], 0.5, seededFractions(1))).toBeNull()
  })

  test('Beta draws have the mean and variance of the distribution', () => {
    const fractions = seededFractions(3)
    const draws = Array.from({ length: 20_000 }, () => beta(3, 8, fractions))
    const mean = draws.reduce((sum, value) => sum + value, 0) / draws.length
    const variance = draws.reduce((sum, value) => sum + (value - mean) ** 2, 0) / draws.length
    expect(mean).toBeCloseTo(3 / 11, 2)
    expect(variance).toBeCloseTo(24 / (121 * 12), 3)
  })
})

test('shares have Wilson intervals', () => {
  const { low, high } = shareInterval(5, 100)
  expect(low).toBeCloseTo(0.0215, 3)
  expect(high).toBeCloseTo(0.1118, 3)
  expect(shareInterval(0, 1_000)).toMatchObject({ low: 0 })
  expect(shareInterval(0, 1_000).high).toBeLessThan(0.004)
  expect(shareInterval(3, 3).high).toBe(1)
  expect(shareInterval(0, 0)).toEqual({ low: 0, high: 1 })
})

test('a distribution rises, keeps both ends and is thinned', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1e5, noNaN: true }), { minLength: 1, maxLength: 900 }),
      (values) => {
        const points = distribution(sorted(values), 100)
        expect(points.length).toBeLessThanOrEqual(100)
        expect(points.at(-1)).toEqual([Math.max(...values), 1])
        for (const [place, [value, share]] of points.entries()) {
          const [before, less] = points[place - 1] ?? [0, 0]
          expect(value).toBeGreaterThanOrEqual(before)
          expect(share).toBeGreaterThan(less)
        }
      },
    ),
  )
  expect(bandWidth(1_000)).toBeCloseTo(0.043, 3)
})

test('shuffling gives every order its turn, the same for the same seed', () => {
  const seen = new Map<string, number>()
  const fractions = seededFractions(9)
  for (let turn = 0; turn < 6_000; turn++) {
    const order = shuffle(['a', 'b', 'c'], fractions).join('')
    seen.set(order, (seen.get(order) ?? 0) + 1)
  }
  expect(seen.size).toBe(6)
  for (const times of seen.values()) expect(Math.abs(times - 1_000)).toBeLessThan(150)
  expect(shuffle([1, 2, 3, 4], seededFractions(4))).toEqual(shuffle([1, 2, 3, 4], seededFractions(4)))
})
