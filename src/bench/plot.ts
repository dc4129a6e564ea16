/** Plots as SVG files that need nothing else to be shown. */
import { figure, type Leg } from './bench.ts'
import { median } from './statistics.ts'

const WIDTH = 860
const BAR = 14
const ROW = 22
const LABEL = 330
const VALUE = 90

/** One panel of horizontal bars for each metric; a line marks the least and the most of the runs. */
export function plotLegs(title: string, legs: readonly Leg[]): string {
  const metrics = [...new Set(legs.flatMap((leg) => Object.keys(leg.metrics)))]
  const parts: string[] = []
  let y = 34
  for (const metric of metrics) {
    const shown = legs.filter((leg) => leg.metrics[metric])
    const most = Math.max(...shown.flatMap((leg) => leg.metrics[metric]!.filter(Number.isFinite)), 0) || 1
    const scale = (value: number) => (value / most) * (WIDTH - LABEL - VALUE - 20)
    y += 12
    parts.push(text(10, y, metric, 'font-weight="600"'))
    y += 8
    for (const leg of shown) {
      const values = leg.metrics[metric]!.filter(Number.isFinite)
      if (values.length === 0) continue
      const middle = y + ROW / 2
      const value = median(values)
      parts.push(
        text(LABEL - 8, middle + 4, leg.title, 'text-anchor="end"'),
        `<rect x="${LABEL}" y="${middle - BAR / 2}" width="${scale(value).toFixed(1)}" height="${BAR}" rx="2" fill="#4477aa"/>`,
        `<line x1="${(LABEL + scale(Math.min(...values))).toFixed(1)}" x2="${(LABEL + scale(Math.max(...values))).toFixed(1)}" y1="${middle}" y2="${middle}" stroke="#cc6677" stroke-width="3"/>`,
        text(WIDTH - 10, middle + 4, figure(value), 'text-anchor="end"'),
      )
      y += ROW
    }
    y += 14
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" font-family="system-ui, sans-serif" font-size="12" fill="#222">
<rect width="100%" height="100%" fill="#fff"/>
${text(10, 22, title, 'font-size="15" font-weight="600"')}
${parts.join('\n')}
</svg>
`
}

function text(x: number, y: number, content: string, attributes: string): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x}" y="${y}" ${attributes}>${escaped}</text>`
}
