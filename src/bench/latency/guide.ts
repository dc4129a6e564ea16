/**
 * Puts the figures of a run into `docs/guides/latency.md`: `npx node src/bench/latency/guide.ts <folder of the run>` takes its report
 * over into `docs/reference/figures/` and writes the page anew; without a folder the page is written from what stands there.
 */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { time } from './charts.ts'
import { figureTable } from './outcome.ts'
import type { LatencyReport, Row } from './summary.ts'

const page = fileURLToPath(new URL('../../../docs/guides/latency.md', import.meta.url))
const kept = fileURLToPath(new URL('../../../docs/reference/figures/', import.meta.url))
const BEGIN = '<!-- figures: written by src/bench/latency/guide.ts -->'
const END = '<!-- end of figures -->'

interface Published {
  /** What it says, and of what. */
  figure: string
  source: string
  /** Row of the report that comes closest. */
  row: (row: Row) => boolean
  verdict: string
}

const native = (network: string) => (row: Row) => row.path === 'native' && row.from === network

const ARTICLE = '“Web3 Messaging”, TRTC blog, 2026-05-27'
const UNSOURCED = 'no path, place, load or number of samples is named, so nobody could repeat it'

/** Latencies that others have published of these networks. */
const published: readonly Published[] = [
  {
    figure: 'TRTC: p50 < 150 ms, p99 < 300 ms; “< 200 ms (guaranteed)”',
    source: ARTICLE,
    row: native('trtc'),
    verdict: `not reproduced: it is the internet’s share; ${UNSOURCED}. Measure it with an account (--config)`,
  },
  {
    figure: 'TRTC: 200 ms on average, worldwide',
    source: 'Tencent staff on dev.to',
    row: native('trtc'),
    verdict: 'not reproduced: as above',
  },
  {
    figure: 'P2P (Waku, libp2p): p50 0.8–2 s, p99 3–10 s',
    source: ARTICLE,
    row: native('waku'),
    verdict: `not reproduced, and at odds with Waku’s own figures below; ${UNSOURCED}`,
  },
  {
    figure: 'Waku Relay: 0.4 s on average to reach all of up to 2,000 nodes, 1 kB',
    source: 'docs.waku.org, performance benchmarks (nwaku 0.34)',
    row: native('waku'),
    verdict: 'not reproduced: another path (Relay over many hops; here Light Push and Filter over one node)',
  },
  {
    figure: 'Waku Relay with RLN: 508 ms on average, p95 627 ms; 1,000 nodes, 10 kB, links of 100 ms',
    source: 'docs.waku.org, message propagation times',
    row: native('waku'),
    verdict: 'not reproduced: as above, and no RLN here (150 ms of theirs is the proof)',
  },
  {
    figure: 'Waku Relay with RLN: 25 kB within 1 s',
    source: 'eprint.iacr.org/2024/1073',
    row: native('waku'),
    verdict: 'not reproduced: as above',
  },
  {
    figure: 'XMTP: 1–3 s typically',
    source: ARTICLE,
    row: native('xmtp'),
    verdict: `not reproduced, and contradicted by XMTP’s own figures below; ${UNSOURCED}`,
  },
  {
    figure: 'XMTP: send 126 ms, stream receives after 87 ms, on average',
    source: 'github.com/xmtp/xmtp-qa-tools, README',
    row: native('xmtp'),
    verdict:
      'the SDK’s share can be: what is left of theirs is the way to their servers (140 ms from the US east)',
  },
  {
    figure: 'XMTP V3: some 250 ms from sending to members seeing it',
    source: 'blog.xmtp.org, January 2026',
    row: native('xmtp'),
    verdict: 'the SDK’s share can be, as above',
  },
  {
    figure: 'Push: none found',
    source: '–',
    row: native('push'),
    verdict:
      'nothing to reproduce; the figure here is the SDK’s share, mostly RSA and five requests one after the other',
  },
]

/** The page with the figures of a report, or with a word that there are none, between its two marks. */
export function renderGuide(text: string, report: LatencyReport | null): string {
  const [head, rest] = text.split(BEGIN)
  const tail = rest?.split(END)[1]
  if (head === undefined || tail === undefined) throw new Error(`the page needs "${BEGIN}" and "${END}"`)
  return `${head}${BEGIN}\n\n${[...figures(report), ...comparison(report)].join('\n')}\n\n${END}${tail}`
}

function figures(report: LatencyReport | null): string[] {
  if (!report) return ['No run is recorded here yet.', '']
  const [session] = report.sessions
  const machine = session?.machine
  const delays = report.networks.map(({ title, delayMs }) => `${title} ${delayMs} ms`).join(', ')
  return [
    '```',
    report.command,
    '```',
    '',
    `${report.networks.every(({ sandbox }) => sandbox) ? 'SANDBOX' : 'LIVE'}, ${session?.startedAt.slice(0, 10) ?? ''}. ${machine ? `${machine.cores} × ${machine.processor}, ${machine.memoryGiB} GiB, Node ${machine.node}, load at the start ${machine.load.join(', ')}.` : ''} Delays set: ${delays}. Intervals, distributions, legs and time series: [the report](../reference/figures/latency.html), [CSV](../reference/figures/latency.csv).`,
    '',
    figureTable(report),
    '',
    ...report.warnings.map((warning) => `- ${warning}`),
    ...(report.warnings.length > 0 ? [''] : []),
  ]
}

function comparison(report: LatencyReport | null): string[] {
  const measured = (entry: Published) => {
    const row = report?.rows.find(entry.row)
    const [middle, , high] = row?.latency ?? []
    return middle?.value && high?.value ? `${time(middle.value)} / ${time(high.value)}` : '–'
  }
  return [
    '### Next to published figures',
    '',
    '| published | source | here, native: p50 / p99 | reproduced? |',
    '|---|---|---:|---|',
    ...published.map(
      (entry) => `| ${entry.figure} | ${entry.source} | ${measured(entry)} | ${entry.verdict} |`,
    ),
  ]
}

/** What the page needs of a report, without what only plots need. */
function trimmed(report: LatencyReport): unknown {
  const rows = report.rows.map(({ distribution: _, gatewayDistribution: __, series: ___, ...row }) => row)
  return { ...report, rows }
}

/** The report that the page shows; null when none was taken over yet. */
export function keptReport(): LatencyReport | null {
  const file = join(kept, 'latency.json')
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as LatencyReport) : null
}

/** The page as it stands. */
export function readGuide(): string {
  return readFileSync(page, 'utf8')
}

function takeOver(folder: string): void {
  const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as LatencyReport
  writeFileSync(join(kept, 'latency.json'), `${JSON.stringify(trimmed(report), null, 1)}\n`)
  copyFileSync(join(folder, 'report.html'), join(kept, 'latency.html'))
  copyFileSync(join(folder, 'report.csv'), join(kept, 'latency.csv'))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder] = process.argv.slice(2)
  if (folder !== undefined) takeOver(folder)
  writeFileSync(page, renderGuide(readGuide(), keptReport()))
}
