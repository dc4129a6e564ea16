/** What a benchmark is, and what it reports. */
import type { Machine } from './machine.ts'
import { median } from './statistics.ts'

export interface Bench {
  name: string
  summary: string
  /** Own options, as `node:util` `parseArgs` takes them, each with a line for `--help`. */
  options: Record<string, { type: 'string'; default: string; help: string }>
  run(input: BenchInput): Promise<BenchResult>
}

export interface BenchInput {
  runs: number
  /** Own options, defaults filled in. */
  options: Record<string, string>
  /** Prints a line for people. */
  progress(line: string): void
}

export interface BenchResult {
  legs: Leg[]
  /** Figures that compare legs of the same run. */
  ratios: Ratio[]
  /** What the figures mean and what limits them, a sentence each. */
  notes: string[]
}

/** One thing that was measured, with the values of every run by metric. */
export interface Leg {
  name: string
  title: string
  metrics: Record<string, number[]>
}

export interface Ratio {
  title: string
  /** One value a run. */
  values: number[]
  /** What it should reach, as people read it: `≥ 0.30`. */
  aim: string | null
}

export interface Report extends BenchResult {
  bench: string
  command: string
  startedAt: string
  seconds: number
  runs: number
  machine: Machine
}

/** Collects values of one leg over the runs. */
export class LegValues implements Leg {
  readonly name: string
  readonly title: string
  readonly metrics: Record<string, number[]> = {}

  constructor(name: string, title: string) {
    this.name = name
    this.title = title
  }

  add(values: Record<string, number>): void {
    for (const [metric, value] of Object.entries(values)) {
      this.metrics[metric] ??= []
      this.metrics[metric].push(value)
    }
  }
}

/** Ratio of one metric of two legs, run by run. Null when either was not measured. */
export function ratioOf(
  title: string,
  [over, overMetric]: [Leg | undefined, string],
  [under, underMetric]: [Leg | undefined, string],
  aim: string | null = null,
): Ratio | null {
  const above = over?.metrics[overMetric]
  const below = under?.metrics[underMetric]
  if (!above || !below) return null
  return { title, aim, values: above.map((value, run) => value / below[run]!) }
}

/** Values without noise: three figures, as people compare them. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** A table of the medians, in Markdown, which reads well in a terminal too. */
export function medianTable(legs: readonly Leg[]): string {
  const metrics = [...new Set(legs.flatMap((leg) => Object.keys(leg.metrics)))]
  const rows = legs.map((leg) => [
    leg.title,
    ...metrics.map((metric) => (leg.metrics[metric] ? figure(median(leg.metrics[metric])) : '')),
  ])
  return table(['', ...metrics], rows)
}

export function ratioTable(ratios: readonly Ratio[]): string {
  const rows = ratios.map(({ title, values, aim }) => [
    title,
    figure(median(values)),
    `${figure(Math.min(...values))} – ${figure(Math.max(...values))}`,
    aim ?? '',
  ])
  return table(['ratio, in the same run', 'median', 'least – most', 'aim'], rows)
}

/** Markdown: the first column reads from the left, the others from the right. */
export function table(head: string[], rows: readonly string[][]): string {
  const widths = head.map((text, column) =>
    Math.max(3, text.length, ...rows.map((row) => row[column]!.length)),
  )
  const line = (cells: string[]) =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join(' | ')} |`
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  return [line(head), rule, ...rows.map(line)].join('\n')
}
