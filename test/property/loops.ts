/** Random topologies from the command line. */
import { parseArgs } from 'node:util'
import { describeLoops, runLoops } from './topology.ts'

const HELP = `Usage: node test/property/loops.ts [options]

Plays random topologies of up to five gateways on up to five simulated networks, in virtual time, and checks that every
envelope is in every inbox once, traffic dies out, and no frame visits a gateway twice.

  --runs <n>   topologies (default 500)
  --seed <n>   the same seed gives the same topologies (default 1)
  --json       one JSON document on standard output
  --help

Exit codes: 0 every promise held, 1 a promise was broken, 2 wrong usage.`

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const numbers = [values.runs, values.seed].map((text) => (/^\d{1,9}$/.test(text) ? Number(text) : null))
const [runs, seed] = numbers
if (values.help) {
  console.log(HELP)
} else if (runs == null || seed == null) {
  process.stderr.write(`--runs and --seed take whole numbers\n\n${HELP}\n`)
  process.exitCode = 2
} else {
  const report = await runLoops({
    runs,
    seed,
    onProgress: (done) => {
      if (done % 50 === 0) process.stderr.write(`${done} of ${runs}\n`)
    },
  })
  console.log(values.json ? JSON.stringify(report, null, 2) : describeLoops(report))
  process.exitCode = report.failure === null ? 0 : 1
}
