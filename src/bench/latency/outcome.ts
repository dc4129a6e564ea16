/** What a command prints when its report is written. */
import { join } from 'node:path'
import { table } from '../bench.ts'
import { time } from './charts.ts'
import type { Figure, LatencyReport } from './summary.ts'

/** A table for people, or one JSON line with the figures, without what only plots need. */
export function tell(report: LatencyReport, folder: string, json: boolean): void {
  if (json) {
    const { rows, warnings, complete } = report
    const figures = rows.map(({ distribution: _, gatewayDistribution: __, series: ___, ...row }) => row)
    process.stdout.write(
      `${JSON.stringify({ event: 'report', folder, complete, warnings, rows: figures })}\n`,
    )
    return
  }
  process.stdout.write(`${figureTable(report)}\n\n`)
  for (const warning of report.warnings) process.stderr.write(`! ${warning}\n`)
  process.stderr.write(`report: ${join(folder, 'report.html')}\n`)
}

/** The percentiles of every path, in Markdown. */
export function figureTable({ rows, source }: Pick<LatencyReport, 'rows' | 'source'>): string {
  const hasSizes = new Set(rows.map(({ size }) => size)).size > 1
  const own = source === 'probes' ? 'gateway adds p50' : 'in gateway ≥ p50'
  const head = ['path', 'samples', 'lost', 'p50', 'p95', 'p99', own, 'p95', 'p99']
  return table(
    head,
    rows.map(({ title, size, samples, lost, failed, latency, legs }) => [
      hasSizes ? `${title}, ${size} B` : title,
      samples.toLocaleString('en'),
      String(lost + failed),
      ...latency.map(cell),
      ...(legs?.gateway ?? [null, null, null]).map(cell),
    ]),
  )
}

function cell(figure: Figure | null): string {
  if (figure === null) return ''
  return figure.value === null ? 'not in time' : time(figure.value)
}
