/**
 * Percentiles and how far to trust them. Pure. Samples are milliseconds; a lost one is `Infinity`, later than all others, so
 * that what did not arrive is not left out of a percentile.
 */
import { beta, type Fractions } from './random.ts'

/** Two-sided, of every interval here. */
export const CONFIDENCE = 0.95

/** Share of samples at a percentile, with the interval that holds the true one with at least {@link CONFIDENCE}. */
export interface Percentile {
  share: number
  /** The smallest sample that at least `share` of the samples do not exceed (nearest rank). NaN without samples. */
  value: number
  /** Null: the samples are too few for a lower bound. */
  low: number | null
  /** Null: the samples are too few for an upper bound. */
  high: number | null
}

export interface Interval {
  low: number
  high: number
}

export function sorted(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort()
}

/** Rank, from 1, of a percentile among `count` samples. The small term takes back what multiplying in binary adds. */
export function rankOf(share: number, count: number): number {
  return Math.min(count, Math.max(1, Math.ceil(share * count - 1e-9)))
}

/** Nearest rank: never a value between two samples. NaN for none. */
export function percentile(ordered: ArrayLike<number>, share: number): number {
  return ordered.length === 0 ? Number.NaN : (ordered[rankOf(share, ordered.length) - 1] as number)
}

/**
 * Ranks of the two samples between which the true percentile lies with at least {@link CONFIDENCE}, whatever the
 * distribution: the number of samples below it is binomial. 0 or `count + 1` where no sample is low or high enough.
 */
export function intervalRanks(share: number, count: number, confidence = CONFIDENCE): [number, number] {
  const tail = (1 - confidence) / 2
  let low = 0
  let high = count + 1
  let logMass = count * Math.log1p(-share)
  const odds = Math.log(share) - Math.log1p(-share)
  let below = 0
  for (let number = 0; number <= count; number++) {
    const upTo = below + Math.exp(logMass)
    // At most `number` samples below the percentile: it lies beyond the sample of rank number + 1.
    if (upTo <= tail) low = number + 1
    // At least `number` samples below it: it lies beyond none of a higher rank.
    if (high > count && 1 - below <= tail) high = number
    below = upTo
    logMass += Math.log(count - number) - Math.log(number + 1) + odds
  }
  return [Math.min(low, count), high]
}

export function percentileWithInterval(ordered: ArrayLike<number>, share: number): Percentile {
  const value = percentile(ordered, share)
  if (ordered.length === 0) return { share, value, low: null, high: null }
  const [low, high] = intervalRanks(share, ordered.length)
  return {
    share,
    value,
    low: low === 0 ? null : (ordered[low - 1] as number),
    high: high > ordered.length ? null : (ordered[high - 1] as number),
  }
}

/**
 * Interval of the difference of one percentile between two independent sets of samples, by the bootstrap. The sample of one
 * rank in a resample is the sample at a Beta-distributed place in the original, which saves drawing the resample. Null when a
 * set is empty or a resample ended among the lost ones.
 */
export function differenceInterval(
  minuend: ArrayLike<number>,
  subtrahend: ArrayLike<number>,
  share: number,
  fractions: Fractions,
  resamples = 2_000,
): Interval | null {
  if (minuend.length === 0 || subtrahend.length === 0) return null
  const differences = new Float64Array(resamples)
  for (let place = 0; place < resamples; place++)
    differences[place] = resampled(minuend, share, fractions) - resampled(subtrahend, share, fractions)
  if (!differences.every(Number.isFinite)) return null
  differences.sort()
  const tail = (1 - CONFIDENCE) / 2
  return { low: percentile(differences, tail), high: percentile(differences, 1 - tail) }
}

function resampled(ordered: ArrayLike<number>, share: number, fractions: Fractions): number {
  const count = ordered.length
  const rank = rankOf(share, count)
  const place = Math.ceil(count * beta(rank, count + 1 - rank, fractions))
  return ordered[Math.min(count, Math.max(1, place)) - 1] as number
}

/** Interval of a share of `count` trials (Wilson 1927). 0 to 1 for none. */
export function shareInterval(hits: number, count: number): Interval {
  if (count === 0) return { low: 0, high: 1 }
  const z = 1.959964
  const share = hits / count
  const scale = 1 + z ** 2 / count
  const middle = (share + z ** 2 / (2 * count)) / scale
  const half = (z / scale) * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2))
  return {
    low: hits === 0 ? 0 : Math.max(0, middle - half),
    high: hits === count ? 1 : Math.min(1, middle + half),
  }
}

/** Half the width of the band that holds the whole true distribution with {@link CONFIDENCE} (Dvoretzky, Kiefer, Wolfowitz; Massart 1990). */
export function bandWidth(count: number): number {
  return Math.min(1, Math.sqrt(Math.log(2 / (1 - CONFIDENCE)) / (2 * count)))
}

/** Points (value, share at or below) of the distribution, at most `most` and with both ends; lost samples have none. */
export function distribution(ordered: ArrayLike<number>, most = 240): [number, number][] {
  const count = ordered.length
  const finite = Array.from(ordered).findLastIndex(Number.isFinite) + 1
  if (finite === 0) return []
  const points = Math.min(most, finite)
  return Array.from({ length: points }, (_, place) => {
    const rank = points === 1 ? finite : 1 + Math.round((place * (finite - 1)) / (points - 1))
    return [ordered[rank - 1] as number, rank / count]
  })
}
