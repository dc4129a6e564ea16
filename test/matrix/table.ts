/** The relay matrix as tables. Pure. */
import type { Machine } from '../../src/bench/machine.ts'
import { type Cell, isGreen, type Mode, NETWORKS } from './cells.ts'

export interface MatrixReport {
  command: string
  startedAt: string
  seconds: number
  /** Messages a cell. */
  samples: number
  machine: Machine
  cells: Cell[]
}

const TITLES: Record<string, string> = { xmtp: 'XMTP', push: 'Push', waku: 'Waku', trtc: 'TRTC' }

const MODES: Record<Mode, string> = {
  sealed:
    '**Sealed**: an envelope leaves with the sender’s own client on the row’s network, and comes to the recipient’s own client on the column’s.',
  hop: '**Hop**: an ordinary message of a plain user of the row’s network comes to the enrolled wallet’s clients on the column’s; on the diagonal, the wallet’s answer, handed to the gateway over HTTP, comes to the plain user.',
  opaque:
    '**Opaque**: ciphertext of the row’s network is mirrored to the wallet’s client on the column’s, and opened there by the SDK of the row’s network.',
}

/** `✓ 12 ms`, `✓ 12 ms*` where the network itself carries it, `✗ 8 of 10` where it did not hold. */
export function cellText(cell: Cell | undefined): string {
  if (!cell) return '–'
  if (!isGreen(cell)) return `✗ ${cell.arrived} of ${cell.sent}`
  const ms = cell.medianMs ?? 0
  return `✓ ${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms${cell.native ? '\\*' : ''}`
}

/** All three tables, with where the figures come from. */
export function renderMatrix(report: MatrixReport): string {
  const { command, startedAt, samples, machine, cells } = report
  const green = cells.filter(isGreen).length
  const sections = (Object.keys(MODES) as Mode[]).map((mode) => {
    const own = cells.filter((cell) => cell.mode === mode)
    const rows = NETWORKS.filter((from) => own.some((cell) => cell.from === from))
    return [
      MODES[mode],
      '',
      `| from \\ to | ${NETWORKS.map((network) => TITLES[network]).join(' | ')} |`,
      `|---|${NETWORKS.map(() => '---').join('|')}|`,
      ...rows.map((from) => {
        const texts = NETWORKS.map((to) => cellText(own.find((cell) => cell.from === from && cell.to === to)))
        return `| **${TITLES[from]}** | ${texts.join(' | ')} |`
      }),
    ].join('\n')
  })
  return [
    ...sections,
    `${green} of ${cells.length} cells hold, ${samples} messages each: every one arrived once, was shown once and stands in the inbox once. Median times from the call of the sender’s SDK to the event of the recipient’s, on sandboxes on one machine (\`${command}\`, ${startedAt.slice(0, 10)}, ${machine.cores} × ${machine.processor}). \\* The recipient’s client hears the sender’s on the network itself; the gateway takes it into the inbox.`,
  ].join('\n\n')
}

const BEGIN = '<!-- matrix: written by npm run generate -->'
const END = '<!-- /matrix -->'

/** A page with the tables in the place that it keeps for them. Throws when it keeps none. */
export function withMatrix(page: string, report: MatrixReport): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin < 0 || end < begin) throw new RangeError('the page has no place for the matrix')
  return `${page.slice(0, begin + BEGIN.length)}\n\n${renderMatrix(report)}\n\n${page.slice(end)}`
}
