/** Charts as inline SVG. Colours are CSS variables of the page, so that one chart serves light, dark and print. */
import { titleOf } from './paths.ts'
import type { Row } from './summary.ts'

export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

/** Variable of a network's colour; networks without one of their own share a grey. */
export function colourOf(network: string): string {
  return /^[a-z][a-z0-9-]*$/.test(network) ? `var(--${network}, var(--other))` : 'var(--other)'
}

/** Milliseconds with three figures, in the unit that people read. */
export function time(milliseconds: number): string {
  const size = Math.abs(milliseconds)
  if (size >= 9_995) return `${(milliseconds / 1000).toFixed(1)} s`
  if (size >= 999.5) return `${(milliseconds / 1000).toFixed(2)} s`
  return `${milliseconds.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2)} ms`
}

/** From a value to a place between two others. */
export type Scale = (value: number) => number

export interface Axis {
  scale: Scale
  ticks: number[]
}

/** Logarithmic, widened to the next 1, 2 or 5 on both sides. */
export function logAxis(values: readonly number[], from: number, to: number): Axis {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value))
  const least = positive.length > 0 ? Math.min(...positive) : 1
  const most = positive.length > 0 ? Math.max(...positive) : 10
  const steps: { size: number; isDecade: boolean }[] = []
  for (let decade = Math.floor(Math.log10(least)); decade <= Math.ceil(Math.log10(most)); decade++)
    for (const factor of [1, 2, 5]) steps.push({ size: factor * 10 ** decade, isDecade: factor === 1 })
  const low = steps.findLast(({ size }) => size <= least)?.size ?? least
  const high = Math.max(steps.find(({ size }) => size >= most)?.size ?? most, low * 2)
  const span = Math.log(high / low)
  const scale: Scale = (value) => from + (Math.log(Math.max(value, low) / low) / span) * (to - from)
  const inside = steps.filter(({ size }) => size >= low && size <= high)
  const shown = inside.length > 8 ? inside.filter(({ isDecade }) => isDecade) : inside
  const ticks = shown.map(({ size }) => size)
  return { scale, ticks }
}

/** Linear from 0. */
export function linearAxis(most: number, from: number, to: number): Axis {
  const rough = (most || 1) / 4
  const decade = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * decade).find((size) => size >= rough) ?? rough
  const count = Math.max(1, Math.ceil((most || 1) / step - 1e-9))
  const scale: Scale = (value) => from + (value / (count * step)) * (to - from)
  return { scale, ticks: Array.from({ length: count + 1 }, (_, place) => place * step) }
}

const fixed = (value: number) => value.toFixed(1)

export function tickLabel(milliseconds: number): string {
  const plain = (value: number) => String(Number(value.toPrecision(3)))
  return milliseconds >= 1000 ? `${plain(milliseconds / 1000)} s` : `${plain(milliseconds)} ms`
}

export interface Curve {
  points: readonly [milliseconds: number, share: number][]
  colour: string
  /** Drawn stronger than the others. */
  isMain: boolean
  /** Told from the strong one of the same colour. */
  isDashed?: boolean
  title: string
}

const CDF = { width: 460, height: 250, left: 44, right: 14, top: 12, bottom: 30 }

/** Distributions over a logarithmic axis of time that several charts share. */
export function distributionChart(curves: readonly Curve[], all: readonly number[], label: string): string {
  const { width, height, left, right, top, bottom } = CDF
  const x = logAxis(all, left, width - right)
  const y: Scale = (share) => height - bottom - share * (height - top - bottom)
  const grid = [
    ...x.ticks.map(
      (tick) =>
        `<line class="grid" x1="${fixed(x.scale(tick))}" x2="${fixed(x.scale(tick))}" y1="${top}" y2="${height - bottom}"/><text class="tick" x="${fixed(x.scale(tick))}" y="${height - bottom + 16}" text-anchor="${x.scale(tick) > width - right - 12 ? 'end' : 'middle'}">${tickLabel(tick)}</text>`,
    ),
    ...[0, 0.25, 0.5, 0.75, 0.95].map(
      (share) =>
        `<line class="grid${share === 0.5 || share === 0.95 ? ' mark' : ''}" x1="${left}" x2="${width - right}" y1="${fixed(y(share))}" y2="${fixed(y(share))}"/><text class="tick" x="${left - 6}" y="${fixed(y(share) + 3.5)}" text-anchor="end">${share * 100} %</text>`,
    ),
  ]
  const lines = [...curves]
    .sort((one, other) => Number(one.isMain) - Number(other.isMain))
    .filter(({ points }) => points.length > 0)
    .map(({ points, colour, isMain, isDashed, title }) => {
      const start = points[0] as [number, number]
      const path = points
        .slice(1)
        .map(([value, share]) => `H${fixed(x.scale(value))}V${fixed(y(share))}`)
        .join('')
      const first = `M${fixed(x.scale(start[0]))} ${fixed(y(0))}V${fixed(y(start[1]))}`
      return `<path class="${isMain ? 'main' : 'curve'}${isDashed ? ' dashed' : ''}" style="stroke:${colour}" d="${first}${path}"><title>${escaped(title)}</title></path>`
    })
  return svg(width, height, label, [...grid, ...lines])
}

const BARS = { width: 940, row: 26, label: 150, value: 92, top: 8, bottom: 28 }

/** Medians of the three legs of each path, one after the other. */
export function legsChart(rows: readonly Row[]): string {
  const bars = rows.flatMap((row) => {
    // A journey begins at the gateway.
    const entry = row.path === 'journey' ? 0 : median(row.legs?.in)
    const medians = [entry, median(row.legs?.gateway), median(row.legs?.out)]
    return medians.every((value) => value !== null)
      ? [{ row, medians: medians as [number, number, number] }]
      : []
  })
  if (bars.length === 0) return ''
  const height = BARS.top + bars.length * BARS.row + BARS.bottom
  const most = Math.max(...bars.map(({ medians }) => medians[0] + medians[1] + medians[2]))
  const x = linearAxis(most, BARS.label, BARS.width - BARS.value)
  const floor = height - BARS.bottom
  const grid = x.ticks.map(
    (tick) =>
      `<line class="grid" x1="${fixed(x.scale(tick))}" x2="${fixed(x.scale(tick))}" y1="${BARS.top}" y2="${floor}"/><text class="tick" x="${fixed(x.scale(tick))}" y="${floor + 16}" text-anchor="middle">${tickLabel(tick)}</text>`,
  )
  const shapes = bars.map(({ row, medians }, place) => {
    const top = BARS.top + place * BARS.row + 5
    const colours = [colourOf(row.from), 'var(--gateway)', colourOf(row.to)]
    const names = ['client to gateway', 'in the gateway', 'gateway to client']
    let at = 0
    const parts = medians.map((value, leg) => {
      const [start, end] = [x.scale(at), x.scale(at + value)]
      at += value
      return `<rect x="${fixed(start)}" y="${top}" width="${fixed(Math.max(0.5, end - start))}" height="${BARS.row - 10}" style="fill:${colours[leg]}"><title>${names[leg]}: ${time(value)}</title></rect>`
    })
    return `<text class="label" x="${BARS.label - 10}" y="${top + 12}" text-anchor="end">${escaped(`${titleOf(row.from)} → ${titleOf(row.to)}`)}</text>${parts.join('')}<text class="tick" x="${fixed(x.scale(at) + 8)}" y="${top + 12}">${time(medians[1])}${row.path === 'journey' ? '' : ' added'}</text>`
  })
  return svg(BARS.width, height, 'Medians of the legs of each path through the gateway', [...grid, ...shapes])
}

function median(leg: readonly { value: number | null }[] | undefined): number | null {
  return leg?.[0]?.value ?? null
}

const SERIES = { width: 300, height: 96, left: 46, right: 8, top: 8, bottom: 20 }

/** Median and 95th percentile over the run. */
export function seriesChart({ series, title, from, to, path }: Row): string {
  const { width, height, left, right, top, bottom } = SERIES
  const known = series.flatMap(([, median, high]) => [median, high]).filter((value) => value !== null)
  const first = series[0]?.[0] ?? 0
  const last = Math.max(series.at(-1)?.[0] ?? 1, first + 1e-9)
  const x: Scale = (seconds) => left + ((seconds - first) / (last - first)) * (width - left - right)
  const y = logAxis(known, height - bottom, top)
  const ticks = [y.ticks[0], y.ticks.at(-1)].filter((tick) => tick !== undefined)
  const line = (pick: (point: Row['series'][number]) => number | null) => {
    let isOpen = false
    return series
      .map((point) => {
        const value = pick(point)
        const step =
          value === null ? '' : `${isOpen ? 'L' : 'M'}${fixed(x(point[0]))} ${fixed(y.scale(value))}`
        isOpen = value !== null
        return step
      })
      .join('')
  }
  const colour = colourOf(path === 'native' ? from : to)
  return svg(width, height, `${title}, over time`, [
    ...ticks.map(
      (tick) =>
        `<line class="grid" x1="${left}" x2="${width - right}" y1="${fixed(y.scale(tick))}" y2="${fixed(y.scale(tick))}"/><text class="tick" x="${left - 5}" y="${fixed(y.scale(tick) + 3.5)}" text-anchor="end">${tickLabel(tick)}</text>`,
    ),
    `<path class="faint" style="stroke:${colour}" d="${line(([, , high]) => high)}"/>`,
    `<path class="curve" style="stroke:${colour}" d="${line(([, median]) => median)}"/>`,
    `<text class="tick" x="${left}" y="${height - 5}">${duration(first)}</text>`,
    `<text class="tick" x="${width - right}" y="${height - 5}" text-anchor="end">${duration(last)}</text>`,
  ])
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(0)} s`
  return seconds < 7_200 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3_600).toFixed(1)} h`
}

function svg(width: number, height: number, label: string, parts: readonly string[]): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(label)}">${parts.join('')}</svg>`
}
