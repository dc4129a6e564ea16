/** The report as one HTML page that loads nothing: no script, no font, no image from elsewhere. */
import { colourOf, distributionChart, escaped, legsChart, seriesChart, time } from './charts.ts'
import { delayedOn, titleOf } from './paths.ts'
import { style } from './style.ts'
import type { Figure, LatencyReport, Row } from './summary.ts'

export function renderHtml(report: LatencyReport): string {
  const { rows } = report
  const sizes = [...new Set(rows.map(({ size }) => size))]
  const isSandbox = report.networks.length > 0 && report.networks.every(({ sandbox }) => sandbox === true)
  const where = report.source === 'journeys' ? 'JOURNEYS' : isSandbox ? 'SANDBOX' : 'LIVE'
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(report.title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escaped(report.title)} <span class="badge">${where}</span></h1>
<p class="lead">${lead(report)}</p>
${facts(report)}
${warnings(report)}
${sizes.map((size) => sizeSections(report, size, sizes.length > 1)).join('\n')}
<h2>What each figure measured</h2>
<div class="card scroll">${pathsTable(rows)}</div>
<h2>Environment</h2>
<div class="card">${environment(report)}</div>
<h2>Method</h2>
${report.notes.map((note) => `<p class="note">${escaped(note)}</p>`).join('\n')}
<footer>Causeway latency report, ${escaped(report.createdAt)}. The figures stand in <code>report.json</code> and <code>report.csv</code> beside this page${report.source === 'probes' ? ', every single sample in <code>samples.ndjson</code>' : ''}.</footer>
</main>
</body>
</html>
`
}

function lead({ source, networks }: LatencyReport): string {
  const names = networks.map(({ title }) => title)
  const list = escaped(
    names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)}` : (names[0] ?? ''),
  )
  return source === 'probes'
    ? `How long a message takes on ${list}: from client to client natively, through the gateway, and what the gateway adds.`
    : `How long messages of this gateway took on ${list}, from the checkpoints of their journeys.`
}

function facts({ rows, sessions, options, complete }: LatencyReport): string {
  const sum = (pick: (row: Row) => number) => rows.reduce((total, row) => total + pick(row), 0)
  const machine = sessions[0]?.machine
  const cells: [string, string][] = [
    [count(sum(({ samples }) => samples)), complete ? 'samples' : 'samples, interrupted'],
    [count(sum(({ lost, failed }) => lost + failed)), 'lost or refused'],
    [count(sum(({ duplicates }) => duplicates)), 'duplicates'],
    ...(options ? ([[`${options.rate}/s`, 'open loop, all paths together']] as [string, string][]) : []),
    ...(machine
      ? ([[`${machine.load[0] ?? '–'} on ${machine.cores}`, 'load on cores, at the start']] as [
          string,
          string,
        ][])
      : []),
  ]
  return `<div class="facts">${cells.map(([value, what]) => `<div class="fact"><b>${escaped(value)}</b><span>${escaped(what)}</span></div>`).join('')}</div>`
}

function warnings({ warnings: list }: LatencyReport): string {
  if (list.length === 0) return ''
  return `<div class="warnings"><ul>${list.map((text) => `<li>${escaped(text)}</li>`).join('')}</ul></div>`
}

function sizeSections(report: LatencyReport, size: number | null, several: boolean): string {
  const rows = report.rows.filter((row) => row.size === size)
  const bytes = rows.find((row) => row.bytes !== null)?.bytes
  const suffix = several && size !== null ? ` · ${count(size)} B` : ''
  const about =
    size === null
      ? ''
      : ` Content padded to ${count(size)} bytes${bytes ? `, frames of ${count(bytes)} bytes` : ''}.`
  const networks = [...new Set([...report.networks.map(({ name }) => name), ...rows.map(({ from }) => from)])]
  const isProbes = report.source === 'probes'
  return [
    ...(isProbes
      ? [
          `<h2>At a glance${suffix}</h2>`,
          `<p class="note">Median from a client on one network to a client on another; small: what the gateway adds of it. The diagonal is the network natively.${about}</p>`,
          `<div class="card scroll">${matrix(rows, networks)}</div>`,
        ]
      : []),
    `<h2>Percentiles${suffix}</h2>`,
    `<p class="note">Below each figure its 95 % confidence interval, whatever the distribution. ${isProbes ? '“Gateway adds”: from the moment its adapter of one network hands a message over to the call of the other adapter. “Than native”: median through the gateway less the median of the network where it starts.' : '“In the gateway, at least”: from acceptance to the first hand-over; see the method.'}</p>`,
    `<div class="card scroll">${percentileTable(rows, networks)}</div>`,
    `<h2>Distributions${suffix}</h2>`,
    `<p class="note">Share of all messages that arrived within a time; lost ones keep a curve below 100 %; dashed: through the gateway to the same network.${bandNote(rows)}</p>`,
    `<div class="grid2">${distributions(rows, networks, isProbes).join('')}</div>`,
    ...(rows.some(({ legs }) => legs !== null)
      ? [
          `<h2>Where the time goes${suffix}</h2>`,
          `<p class="note">Medians of each leg: ${isProbes ? 'from the client to the gateway, inside it (the piece in between), from it to the client' : 'from acceptance to the first hand-over, from there to the answer of the network'}. Medians of parts need not add up to the median of the whole.</p>`,
          `<div class="card">${legsChart(rows)}</div>`,
        ]
      : []),
    `<h2>Over time${suffix}</h2>`,
    '<p class="note">Median (strong) and 95th percentile (faint) of consecutive slices of the run, logarithmic.</p>',
    `<div class="grid3">${rows.map((row) => `<div class="card"><h3>${escaped(row.title)}</h3>${seriesChart(row)}</div>`).join('')}</div>`,
  ].join('\n')
}

function bandNote(rows: readonly Row[]): string {
  const counts = rows.map(({ samples }) => samples).filter((samples) => samples > 0)
  const band = rows.find(({ samples }) => samples === Math.min(...counts))?.band
  return band === undefined
    ? ''
    : ` With 95 % confidence each whole curve is within ±${(band * 100).toFixed(1)} points of the true one.`
}

function matrix(rows: readonly Row[], networks: readonly string[]): string {
  const medians = rows.flatMap(({ latency }) => latency[0]?.value ?? [])
  const [least, most] = [Math.min(...medians), Math.max(...medians)]
  const cell = (from: string, to: string) => {
    const native = rows.find((row) => row.path === 'native' && row.from === from && from === to)
    const through = rows.find((row) => row.path === 'gateway' && row.from === from && row.to === to)
    const shown = native ?? through
    const value = shown?.latency[0]?.value
    if (!shown || value === undefined || value === null) return '<td>–</td>'
    const depth = most > least ? Math.log(value / least) / Math.log(most / least) : 0
    const added = through?.legs?.gateway[0]?.value
    const own = native && through ? `gateway ${timeOr(through.latency[0])}` : native ? 'native' : ''
    const small = native ? own : added === undefined || added === null ? '' : `+ ${time(added)}`
    return `<td style="background:color-mix(in srgb, ${colourOf(to)} ${(6 + depth * 26).toFixed(0)}%, transparent)">${time(value)}<small>${small}</small></td>`
  }
  const head = networks.map((to) => `<th>to ${escaped(titleOf(to))}</th>`).join('')
  const body = networks.map(
    (from) =>
      `<tr><th>from ${escaped(titleOf(from))}</th>${networks.map((to) => cell(from, to)).join('')}</tr>`,
  )
  return `<table class="matrix"><thead><tr><th></th>${head}</tr></thead><tbody>${body.join('')}</tbody></table>`
}

function percentileTable(rows: readonly Row[], networks: readonly string[]): string {
  const hasNative = rows.some(({ overNative }) => overNative !== null)
  const hasOrigin = rows.every(({ path }) => path !== 'journey')
  const columns = hasNative ? 11 : 10
  const groups = networks.map((network) => {
    const own = rows.filter(({ from }) => from === network)
    if (own.length === 0) return ''
    return `<tr class="head"><td colspan="${columns}"><span class="dot" style="background:${colourOf(network)}"></span>from ${escaped(titleOf(network))}</td></tr>${own.map((row) => tableRow(row, hasNative)).join('')}`
  })
  return `<table><thead>
<tr><th></th><th></th><th></th><th></th><th class="group" colspan="3">${hasOrigin ? 'client to client' : 'since acceptance'}</th><th class="group" colspan="3">${hasOrigin ? 'gateway adds' : 'in the gateway, at least'}</th>${hasNative ? '<th></th>' : ''}</tr>
<tr><th>path</th><th>samples</th><th>lost</th><th>twice</th><th>p50</th><th>p95</th><th>p99</th><th>p50</th><th>p95</th><th>p99</th>${hasNative ? '<th>than native</th>' : ''}</tr>
</thead><tbody>${groups.join('')}</tbody></table>`
}

function tableRow(row: Row, hasNative: boolean): string {
  const { title, path, samples, lost, failed, late, duplicates, lossShare, latency, legs, overNative } = row
  const name = path === 'native' ? 'native' : title
  const gone = lost + failed
  const over = overNative?.[0]
  const interval = over?.interval ? `${signed(over.interval.low)} – ${signed(over.interval.high)}` : ''
  return `<tr><td>${escaped(name)}</td><td>${count(samples)}</td><td>${count(gone)}<small>≤ ${(lossShare.high * 100).toFixed(gone === 0 || lossShare.high < 0.01 ? 2 : 1)} %${late > 0 ? `, ${count(late)} late` : ''}</small></td><td>${count(duplicates)}</td>${latency.map((figure) => `<td>${figureCell(figure, samples)}</td>`).join('')}${(legs?.gateway ?? [null, null, null]).map((figure) => `<td class="adds">${figure === null ? '' : figureCell(figure, samples)}</td>`).join('')}${hasNative ? `<td>${over ? signed(over.value) : ''}<small>${interval}</small></td>` : ''}</tr>`
}

function figureCell({ value, low, high }: Figure, samples: number): string {
  if (value === null) return samples === 0 ? '–' : 'not in time'
  const bounds =
    high === null
      ? `≥ ${low === null ? time(value) : time(low)}`
      : low === null
        ? `≤ ${time(high)}`
        : span(low, high)
  return `${time(value)}<small>${bounds}</small>`
}

/** Both ends in one unit. */
function span(low: number, high: number): string {
  const [first, last] = [time(low), time(high)]
  return first.slice(-2) === last.slice(-2) ? `${first.replace(/ \w+$/, '')} – ${last}` : `${first} – ${last}`
}

function signed(milliseconds: number): string {
  return `${milliseconds < 0 ? '−' : '+'}${time(Math.abs(milliseconds))}`
}

function timeOr(figure: Figure | undefined): string {
  return figure?.value === undefined || figure.value === null ? '–' : time(figure.value)
}

function distributions(rows: readonly Row[], networks: readonly string[], isProbes: boolean): string[] {
  const ends = rows.flatMap(({ distribution }) => [distribution[0]?.[0] ?? 0, distribution.at(-1)?.[0] ?? 0])
  const panels = networks.map((network) => {
    const curves = rows
      .filter(({ from, distribution }) => from === network && distribution.length > 0)
      .map((row) => ({
        points: row.distribution,
        colour: colourOf(row.path === 'native' ? row.from : row.to),
        isMain: row.path === 'native',
        isDashed: row.path !== 'native' && row.from === row.to,
        title: row.title,
      }))
    return panel(`From ${titleOf(network)}`, curves, ends)
  })
  const own = rows.flatMap(({ gatewayDistribution }) => gatewayDistribution ?? [])
  const added = networks.flatMap((network) =>
    rows
      .filter((row) => row.from === network && (row.gatewayDistribution?.length ?? 0) > 0)
      .map((row) => ({
        points: row.gatewayDistribution ?? [],
        colour: colourOf(row.from),
        isMain: false,
        title: row.title,
      })),
  )
  const keys = networks.map((network) => ({
    colour: colourOf(network),
    title: `from ${titleOf(network)}`,
    isMain: false,
  }))
  return added.length === 0
    ? panels
    : [
        ...panels,
        panel(
          isProbes ? 'What the gateway adds, every path' : 'In the gateway, at least',
          added,
          own.map(([value]) => value),
          keys,
        ),
      ]
}

type Curves = Parameters<typeof distributionChart>[0]

function panel(
  title: string,
  curves: Curves,
  all: readonly number[],
  keys: readonly Omit<Curves[number], 'points'>[] = curves,
): string {
  if (curves.length === 0) return ''
  const legend = keys.map(
    ({ colour, title: name, isMain, isDashed }) =>
      `<span><i class="key${isMain ? ' strong' : ''}${isDashed ? ' dashed' : ''}" style="border-color:${colour}"></i>${escaped(name)}</span>`,
  )
  return `<div class="card"><h3>${escaped(title)}</h3>${distributionChart(curves, all, title)}<div class="legend">${legend.join('')}</div></div>`
}

function pathsTable(rows: readonly Row[]): string {
  const unique = [...new Map(rows.map((row) => [row.title, row])).values()]
  return `<table><tbody>${unique.map(({ title, measured }) => `<tr><td>${escaped(title)}</td><td class="wrap">${escaped(measured)}</td></tr>`).join('')}</tbody></table>`
}

function environment({ sessions, versions, networks, options, command }: LatencyReport): string {
  const entries: [string, string][] = [
    ['command', `<code>${escaped(command)}</code>`],
    ...sessions.map(({ startedAt, endedAt, machine, interrupted, loadAtEnd }, place): [string, string] => [
      sessions.length > 1 ? `session ${place + 1}` : 'machine',
      escaped(
        `${machine.cores} × ${machine.processor}, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}; ${startedAt} to ${endedAt ?? 'unknown'}${interrupted ? ' (interrupted)' : ''}; load ${machine.load.join(' ')}${loadAtEnd ? ` at the start, ${loadAtEnd.join(' ')} at the end` : ''}`,
      ),
    ]),
    ...networks.map(({ name, title, sandbox, delayMs }): [string, string] => [
      escaped(title),
      escaped(
        sandbox
          ? `sandbox on this machine, ${delayMs === 0 ? 'no delay set' : `${delayMs} ms set before ${delayedOn(name)}`}`
          : sandbox === null
            ? 'as the gateway joined it'
            : 'live network',
      ),
    ]),
    ...(options
      ? ([
          [
            'plan',
            `${count(options.samples)} samples of each path and size after ${options.warmup} to warm up, ${options.rate} a second in all, seed ${options.seed}, lost after ${options.timeoutMs / 1000} s`,
          ],
        ] as [string, string][])
      : []),
    ...(Object.keys(versions).length > 0
      ? ([
          [
            'versions',
            escaped(
              Object.entries(versions)
                .map(([name, version]) => `${name} ${version}`)
                .join(', '),
            ),
          ],
        ] as [string, string][])
      : []),
  ]
  return `<dl>${entries.map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`).join('')}</dl>`
}

function count(value: number): string {
  return value.toLocaleString('en')
}
