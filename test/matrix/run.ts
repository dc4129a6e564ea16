/** `npm run matrix`: measures every cell of the relay matrix, with the networks' own SDKs on the outer ends. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeMachine } from '../../src/bench/machine.ts'
import { type Cell, isGreen } from './cells.ts'
import { measureHop } from './hop.ts'
import { measureOpaque } from './opaque.ts'
import { measureSealed } from './sealed.ts'
import { cellText, type MatrixReport, renderMatrix } from './table.ts'
import { createWorld } from './world.ts'

const HELP = `Usage: npm run matrix -- [options]

Sends messages from every network to every network through a gateway on the sandboxes: sealed envelopes between all four,
ordinary messages of plain users (hop), and mirrored ciphertext (opaque). Prints a table with median times.

  --samples <n>   messages a cell (default 10)
  --out <dir>     folder for matrix.json, as docs/reference/figures holds it; npm run generate then writes the tables
  --json          the report as JSON on standard output
  --help

Exit codes: 0 every cell is green, 1 one is not, 2 wrong usage.`

const words = process.argv.slice(2)
const { values } = readWords()
if (values.help) {
  console.log(HELP)
  process.exit(0)
}
const samples = Number(values.samples)
if (!/^[1-9]\d{0,4}$/.test(values.samples)) usage('--samples takes a whole number of 1 or more')

const startedAt = new Date()
const machine = describeMachine()
note('starting a gateway with four sandboxes, and eight clients …')
const world = await createWorld()
const cells: Cell[] = []
for (const measure of [measureSealed, measureHop, measureOpaque]) {
  cells.push(...(await measure(world, samples, (row) => note(row.map(describeCell).join('\n')))))
}
await world.close()
const report: MatrixReport = {
  command: `npm run matrix -- --samples ${samples}`,
  startedAt: startedAt.toISOString(),
  seconds: Math.round((Date.now() - startedAt.getTime()) / 1_000),
  samples,
  machine,
  cells,
}
console.log(values.json ? JSON.stringify(report, null, 2) : renderMatrix(report))
if (values.out !== undefined) {
  const file = join(values.out, 'matrix.json')
  await mkdir(values.out, { recursive: true })
  await writeFile(file, `${JSON.stringify(report, null, 1)}\n`)
  note(`written: ${file}`)
}
// The SDKs leave timers behind that would keep the process.
process.exit(cells.every(isGreen) ? 0 : 1)

function readWords() {
  try {
    return parseArgs({
      args: words,
      options: {
        samples: { type: 'string', default: '10' },
        out: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    return usage((error as Error).message)
  }
}

function usage(problem: string): never {
  note(`${problem}\n\n${HELP}`)
  process.exit(2)
}

function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

function describeCell(cell: Cell): string {
  const { mode, from, to, problems } = cell
  return [`${mode.padEnd(7)} ${from.padEnd(5)} → ${to.padEnd(5)} ${cellText(cell)}`, ...problems].join('\n  ')
}
