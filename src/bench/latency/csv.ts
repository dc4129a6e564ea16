/** The figures of a report as a table for other programs (RFC 4180). Empty: not measured, or later than the time-out. */
import type { Figure, LatencyReport, Row } from './summary.ts'

export function renderCsv({ rows }: LatencyReport): string {
  const lines = [head(), ...rows.map(line)]
  return lines.map((cells) => `${cells.map(quoted).join(',')}\r\n`).join('')
}

type Value = string | number | null

const NAMES = ['p50', 'p95', 'p99']
const FIELDS = [
  'id',
  'path',
  'from',
  'to',
  'size',
  'bytes',
  'samples',
  'arrived',
  'lost',
  'failed',
  'late',
  'duplicates',
] as const

function head(): string[] {
  const group = (prefix: string) =>
    NAMES.flatMap((name) => [`${prefix}${name}_ms`, `${prefix}${name}_low_ms`, `${prefix}${name}_high_ms`])
  return [
    ...FIELDS,
    ...group(''),
    ...group('in_'),
    ...group('gateway_'),
    ...group('out_'),
    ...NAMES.map((name) => `over_native_${name}_ms`),
    'measured',
  ]
}

function line(row: Row): Value[] {
  const group = (figures: readonly Figure[] | undefined) =>
    NAMES.flatMap((_, place) => {
      const figure = figures?.[place]
      return [figure?.value ?? null, figure?.low ?? null, figure?.high ?? null]
    })
  const { legs, overNative, measured } = row
  const over = [0.5, 0.95, 0.99].map(
    (share) => overNative?.find((entry) => entry.share === share)?.value ?? null,
  )
  return [
    ...FIELDS.map((field) => row[field]),
    ...group(row.latency),
    ...group(legs?.in),
    ...group(legs?.gateway),
    ...group(legs?.out),
    ...over,
    measured,
  ]
}

function quoted(value: Value): string {
  if (value === null) return ''
  const text = typeof value === 'number' ? String(Math.round(value * 1000) / 1000) : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
