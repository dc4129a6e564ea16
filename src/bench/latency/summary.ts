/** From raw samples to the figures of a report. Pure. */
import type { Machine } from '../machine.ts'
import { measuredBy, titleOf, titleOfCell } from './paths.ts'
import type { Cell, LatencyOptions } from './plan.ts'
import { seededFractions } from './random.ts'
import {
  type CopyLine,
  countedSamples,
  type EndLine,
  type Line,
  type SampleLine,
  type SessionLine,
} from './samples.ts'
import {
  bandWidth,
  differenceInterval,
  distribution,
  type Interval,
  type Percentile,
  percentile,
  percentileWithInterval,
  shareInterval,
  sorted,
} from './statistics.ts'

export const SHARES = [0.5, 0.95, 0.99] as const

/** As {@link Percentile}, but fit for JSON: a value of null is later than the time-out. */
export interface Figure {
  share: number
  value: number | null
  low: number | null
  high: number | null
}

/** One path of one message size. All times in milliseconds. */
export interface Row {
  id: string
  path: Cell['path'] | 'journey'
  from: string
  to: string
  /** Padded content in bytes; null where messages of all sizes are together. */
  size: number | null
  title: string
  /** The path that was measured, named. */
  measured: string
  /** Of the frames, median. */
  bytes: number | null
  samples: number
  arrived: number
  lost: number
  failed: number
  /** Lost ones that arrived after the time-out. */
  late: number
  /** Copies beyond the first of each message. */
  duplicates: number
  /** What SDKs said when they refused to send, and how often. */
  errors: Record<string, number>
  lossShare: Interval
  /** From the moment at which a message is due to its arrival. Lost ones count as later than all others. */
  latency: Figure[]
  /** Of what arrived: from client to gateway, in the gateway, from gateway to client. Null on native paths. */
  legs: { in: Figure[]; gateway: Figure[]; out: Figure[] } | null
  /** How much longer than natively on the network where it starts, by percentile. Null where that was not measured. */
  overNative: { share: number; value: number; interval: Interval | null }[] | null
  /** Half the width of the 95 % band around the whole distribution, as a share. */
  band: number
  /** Points (milliseconds, share at or below). */
  distribution: [number, number][]
  /** Distribution of the gateway's own time. */
  gatewayDistribution: [number, number][] | null
  /** Slices of the run: seconds after its start, median, 95th percentile; null where everything was lost. */
  series: [seconds: number, median: number | null, high: number | null][]
}

export interface Session {
  startedAt: string
  endedAt: string | null
  interrupted: boolean
  machine: Machine
  loadAtEnd: number[] | null
}

/** Everything that a report shows. */
export interface LatencyReport {
  kind: 'causeway-latency'
  version: 1
  source: 'probes' | 'journeys'
  title: string
  command: string
  createdAt: string
  /** Every planned sample was taken. */
  complete: boolean
  /** `sandbox` is null where it is not known. */
  networks: { name: string; title: string; sandbox: boolean | null; delayMs: number }[]
  options: Pick<LatencyOptions, 'samples' | 'warmup' | 'rate' | 'seed' | 'timeoutMs' | 'sizes'> | null
  sessions: Session[]
  versions: Record<string, string>
  /** How late the tool itself called the SDKs. */
  lateness: Figure[] | null
  rows: Row[]
  /** What a reader must know before comparing. */
  warnings: string[]
  /** How it was measured. */
  notes: string[]
}

const SLICES = 60
const RESAMPLES = 2_000

type Samples = Omit<SampleLine, 'kind'>

/** One row for each cell, in the order of the cells. Warm-up, cut and repeated samples are not counted. */
export function summarise(cells: readonly Cell[], lines: readonly Line[], seed: number): Row[] {
  const starts = sessionStarts(lines)
  const samples = Map.groupBy(countedSamples(lines), ({ cell }) => cell)
  const copies = Map.groupBy(
    lines.filter((line): line is CopyLine => line.kind === 'copy' && !line.warmup),
    ({ cell }) => cell,
  )
  const natives = new Map<string, Float64Array>()
  for (const cell of cells) {
    if (cell.path === 'native')
      natives.set(`${cell.from} ${cell.size}`, latencies(samples.get(cell.id) ?? []))
  }
  return cells.map((cell) => {
    const own = samples.get(cell.id) ?? []
    const native = cell.path === 'gateway' ? natives.get(`${cell.from} ${cell.size}`) : undefined
    return rowOf(cell, own, { copies: copies.get(cell.id) ?? [], native, seed, starts })
  })
}

interface Around {
  copies: readonly CopyLine[]
  native: Float64Array | undefined
  seed: number
  starts: Map<number, number>
}

function rowOf(cell: Cell, samples: readonly Samples[], { copies, native, seed, starts }: Around): Row {
  const ordered = latencies(samples)
  const count = (outcome: SampleLine['outcome']) =>
    samples.filter((sample) => sample.outcome === outcome).length
  const lost = count('lost')
  const failed = count('failed')
  const late = lateOnes(samples, copies)
  return {
    id: cell.id,
    path: cell.path,
    from: cell.from,
    to: cell.to,
    size: cell.size,
    title: titleOfCell(cell),
    measured: measuredBy(cell),
    bytes: samples.length === 0 ? null : percentile(sorted(samples.map(({ bytes }) => bytes)), 0.5),
    samples: samples.length,
    arrived: count('arrived'),
    lost,
    failed,
    late,
    duplicates: copies.length - late,
    errors: errorsOf(samples),
    lossShare: shareInterval(lost + failed, samples.length),
    latency: figures(ordered),
    legs: cell.path === 'gateway' ? legsOf(samples) : null,
    overNative: native && native.length > 0 && ordered.length > 0 ? compared(ordered, native, seed) : null,
    band: samples.length === 0 ? 1 : bandWidth(samples.length),
    distribution: distribution(ordered),
    gatewayDistribution: cell.path === 'gateway' ? distribution(ownTimes(samples)) : null,
    series: seriesOf(
      samples.map((sample) => [
        ((starts.get(sample.session) ?? 0) + sample.dueMs) / 1000,
        sample.outcome === 'arrived' ? (sample.arrived ?? Infinity) : Infinity,
      ]),
    ),
  }
}

function errorsOf(samples: readonly Samples[]): Record<string, number> {
  const errors: Record<string, number> = {}
  for (const { outcome, error } of samples) {
    if (outcome === 'failed' && error !== undefined) errors[error] = (errors[error] ?? 0) + 1
  }
  return errors
}

/** The first copy of a message that was lost by then is no second one. */
function lateOnes(samples: readonly Samples[], copies: readonly CopyLine[]): number {
  const arrivedLate = new Set(copies.map(({ session, number }) => `${session} ${number}`))
  return samples.filter(
    ({ outcome, session, number }) => outcome !== 'arrived' && arrivedLate.has(`${session} ${number}`),
  ).length
}

function latencies(samples: readonly Samples[]): Float64Array {
  return sorted(
    samples.map(({ outcome, arrived }) => (outcome === 'arrived' ? (arrived ?? Infinity) : Infinity)),
  )
}

function ownTimes(samples: readonly Samples[]): Float64Array {
  return sorted(spans(samples, 'heard', 'sending'))
}

type Mark = 'heard' | 'sending' | 'arrived'

/** Milliseconds between two marks, of the samples that have both. */
function spans(samples: readonly Samples[], from: Mark | null, to: Mark): number[] {
  return samples.flatMap((sample) => {
    const start = from === null ? 0 : sample[from]
    const end = sample[to]
    return start === null || end === null ? [] : [end - start]
  })
}

function legsOf(samples: readonly Samples[]): Row['legs'] {
  return {
    in: figures(sorted(spans(samples, null, 'heard'))),
    gateway: figures(ownTimes(samples)),
    out: figures(sorted(spans(samples, 'sending', 'arrived'))),
  }
}

function compared(ordered: Float64Array, native: Float64Array, seed: number): Row['overNative'] {
  return SHARES.flatMap((share) => {
    const value = percentile(ordered, share) - percentile(native, share)
    if (!Number.isFinite(value)) return []
    return [
      {
        share,
        value,
        interval: differenceInterval(ordered, native, share, seededFractions(seed), RESAMPLES),
      },
    ]
  })
}

export function figures(ordered: Float64Array): Figure[] {
  return SHARES.map((share) => forJson(percentileWithInterval(ordered, share)))
}

function forJson({ share, value, low, high }: Percentile): Figure {
  const finite = (number: number | null) => (number !== null && Number.isFinite(number) ? number : null)
  return { share, value: finite(value), low: finite(low), high: finite(high) }
}

/** At most {@link SLICES} slices of equal length over the whole time. */
export function seriesOf(points: readonly [seconds: number, milliseconds: number][]): Row['series'] {
  if (points.length === 0) return []
  const first = Math.min(...points.map(([seconds]) => seconds))
  const last = Math.max(...points.map(([seconds]) => seconds))
  const count = Math.max(1, Math.min(SLICES, Math.floor(points.length / 5)))
  const width = (last - first) / count || 1
  const slices = Map.groupBy(points, ([seconds]) =>
    Math.min(count - 1, Math.floor((seconds - first) / width)),
  )
  return [...slices]
    .sort(([left], [right]) => left - right)
    .map(([slice, members]) => {
      const ordered = sorted(members.map(([, milliseconds]) => milliseconds))
      const finite = (share: number) => {
        const value = percentile(ordered, share)
        return Number.isFinite(value) ? value : null
      }
      return [first + (slice + 0.5) * width, finite(0.5), finite(0.95)]
    })
}

export function latenessOf(lines: readonly Line[]): Figure[] {
  return figures(sorted(countedSamples(lines).map(({ called }) => called)))
}

/** When each session began, milliseconds after the first one. */
function sessionStarts(lines: readonly Line[]): Map<number, number> {
  const sessions = lines.filter((line): line is SessionLine => line.kind === 'session')
  const first = sessions[0] ? Date.parse(sessions[0].startedAt) : 0
  return new Map(sessions.map(({ session, startedAt }) => [session, Date.parse(startedAt) - first]))
}

export function sessionsOf(lines: readonly Line[]): Session[] {
  const ends = new Map(
    lines.filter((line): line is EndLine => line.kind === 'end').map((line) => [line.session, line]),
  )
  return lines
    .filter((line): line is SessionLine => line.kind === 'session')
    .map(({ session, startedAt, machine }) => {
      const end = ends.get(session)
      return {
        startedAt,
        machine,
        endedAt: end?.endedAt ?? null,
        interrupted: end?.interrupted ?? true,
        loadAtEnd: end?.load ?? null,
      }
    })
}

/** What a reader must know before comparing: said in the report itself. */
export function warningsOf(
  report: Pick<LatencyReport, 'rows' | 'lateness' | 'sessions' | 'complete'>,
): string[] {
  const { rows, lateness, sessions, complete } = report
  const warnings: string[] = []
  if (!complete) warnings.push('The run was interrupted: cells have fewer samples than planned.')
  const late = lateness?.[1]?.value ?? 0
  if (late > 5)
    warnings.push(
      `The tool itself was late by ${late.toFixed(0)} ms or more in one of twenty sends: the machine was overloaded, and the figures say more of it than of the networks. Lower --rate, or use a quiet machine.`,
    )
  const busy = sessions.find(({ machine }) => (machine.load[0] ?? 0) > machine.cores)
  if (busy)
    warnings.push(
      `Other work used the machine: load ${busy.machine.load[0]} on ${busy.machine.cores} cores when a session began. Latencies are then longer than they need be; compare within this report only.`,
    )
  const unbounded = rows.filter(
    ({ latency, samples }) =>
      samples > 0 && latency.some(({ high, value }) => high === null && value !== null),
  )
  if (unbounded.length > 0)
    warnings.push(
      'Percentiles marked ≥ have too few samples for an upper bound: p99 takes 368 samples for any bound, and 1,000 for a useful one.',
    )
  const growing = rows.filter(isGrowing)
  if (growing.length > 0)
    warnings.push(
      `Latencies grew from the first quarter of the run to the last: the rate is above what an SDK or this machine manages, and the figures are of its queue. Lower --rate. Grew: ${growing.map(({ title }) => title).join('; ')}.`,
    )
  const losing = rows.filter(({ lost, failed }) => lost + failed > 0)
  if (losing.length > 0)
    warnings.push(`Messages were lost or refused on: ${losing.map(({ title }) => title).join('; ')}.`)
  for (const { title, errors } of losing) {
    const [most] = Object.entries(errors).sort(([, one], [, other]) => other - one)
    if (most) warnings.push(`${title}: refused ${most[1]} times with “${most[0]}”.`)
  }
  return warnings
}

const GROWTH = 4
const GROWTH_MS = 250

/** The last quarter of the run took several times as long as the first, or arrived no more. */
function isGrowing({ series }: Row): boolean {
  const quarter = Math.floor(series.length / 4)
  if (quarter === 0) return false
  const middle = (slices: Row['series']) =>
    percentile(sorted(slices.map(([, median]) => median ?? Number.POSITIVE_INFINITY)), 0.5)
  const [first, last] = [middle(series.slice(0, quarter)), middle(series.slice(-quarter))]
  return last > GROWTH * first && last - first > GROWTH_MS
}

export function describeNetworks(
  networks: readonly { network: string; sandbox: boolean }[],
  delays: Record<string, number>,
): LatencyReport['networks'] {
  return networks.map(({ network, sandbox }) => ({
    name: network,
    title: titleOf(network),
    sandbox,
    delayMs: delays[network] ?? 0,
  }))
}
