/** `causeway bench report --from-journeys`: the report of messages that a gateway has carried. */
import { parseArgs } from 'node:util'
import packageJson from '../../../package.json' with { type: 'json' }
import { type CommandInput, UsageError } from '../../cli/command.ts'
import { openWallet } from '../../cli/wallet.ts'
import { commandOf } from '../checks.ts'
import { reportFolder, writeReport } from './folder.ts'
import { type JourneyRecord, rowsOfJourneys } from './journeys.ts'
import { journeysOfStore, journeysOfWallet } from './journeys-source.ts'
import { LatencyUsageError } from './options.ts'
import { tell } from './outcome.ts'
import { titleOf } from './paths.ts'
import { type LatencyReport, warningsOf } from './summary.ts'

const MOST = 10_000

const help = (
  call: string,
) => `The latency report of production: messages that a gateway has carried, from their journeys.

Usage: ${call} report --from-journeys --data <folder> [options]
       ${call} report --from-journeys --gateway <url> --as <name> | --key-file <file> [options]

With --data every delivery that the gateway keeps, newest first; the gateway may run meanwhile. With --gateway the messages in the
inbox of one wallet, newest first too, over the API. The report has the form of \`${call} latency\`: report.html, report.json, report.csv.

Options
  --data <folder>      data folder of the gateway
  --gateway <url>      base URL of a running gateway
  --as <name>          a test wallet of a sandbox, e.g. alice
  --key-file <file>    private key of the wallet, hex
  --last <n>           at most so many deliveries or messages (default ${MOST})
  --out <folder>       where the report goes (default bench-results/journeys-<time>)
  --json               the figures as a JSON line on standard output
  --help               this text

Exit codes: 0 done, 1 failed, 2 wrong usage.
`

/** Resolves with the exit code. */
export async function runReportCommand(words: string[], call: string): Promise<number> {
  try {
    return await run(words, call)
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error))
    process.stderr.write(`${call} report: ${failure.message}\n`)
    const isUsage = failure instanceof LatencyUsageError || failure instanceof UsageError
    if (isUsage) process.stderr.write(`Try: ${call} report --help\n`)
    return isUsage ? 2 : 1
  }
}

type Values = ReturnType<typeof parsed>

function parsed(words: string[]) {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  try {
    return parseArgs({
      args: words,
      options: {
        'from-journeys': flag,
        data: text,
        gateway: text,
        as: text,
        'key-file': text,
        last: { type: 'string', default: String(MOST) },
        out: text,
        json: flag,
        help: { ...flag, short: 'h' },
      },
    }).values
  } catch (error) {
    throw new LatencyUsageError((error as Error).message)
  }
}

async function run(words: string[], call: string): Promise<number> {
  const values = parsed(words)
  if (values.help) {
    process.stdout.write(help(call))
    return 0
  }
  if (!values['from-journeys']) throw new LatencyUsageError('say of what: --from-journeys')
  if ((values.data === undefined) === (values.gateway === undefined))
    throw new LatencyUsageError('name either --data or --gateway')
  const last = Number(values.last)
  if (!Number.isSafeInteger(last) || last < 1)
    throw new LatencyUsageError('--last takes a whole number from 1')
  const journeys = await read(values, last)
  const report = journeyReport(journeys, commandOf('bench', ['report', ...words]))
  if (report.rows.length === 0) throw new Error('no delivery has ended yet: there is nothing to report')
  const folder = values.out ?? reportFolder('journeys')
  await writeReport(folder, report)
  tell(report, folder, values.json)
  return 0
}

async function read(values: Values, last: number): Promise<JourneyRecord[]> {
  if (values.data !== undefined) return journeysOfStore(values.data, last)
  const input: CommandInput = {
    options: { gateway: values.gateway, as: values.as, 'key-file': values['key-file'] },
    positionals: [],
    json: values.json,
    print: (line) => process.stdout.write(`${line}\n`),
    note: (line) => process.stderr.write(`${line}\n`),
    signal: new AbortController().signal,
  }
  return journeysOfWallet(await openWallet(input), last)
}

export function journeyReport(journeys: readonly JourneyRecord[], command: string): LatencyReport {
  const rows = rowsOfJourneys(journeys)
  const networks = [...new Set(rows.map(({ to }) => to))]
  const report = { rows, sessions: [], lateness: null, complete: true }
  return {
    kind: 'causeway-latency',
    version: 1,
    source: 'journeys',
    title: 'Latency of messages carried',
    command,
    createdAt: new Date().toISOString(),
    networks: networks.map((name) => ({ name, title: titleOf(name), sandbox: null, delayMs: 0 })),
    options: null,
    versions: { causeway: packageJson.version, node: process.versions.node },
    warnings: warningsOf(report),
    notes: [
      'Every time is a difference between two checkpoints on the monotonic clock of one gateway process: no clock of a client or of another host has a part in it. Pairs of checkpoints on both sides of a restart are left out.',
      '“acknowledged”: from the moment at which the gateway took the message in to the answer of the network that it was handed to. Deliveries that were given up count as later than all others; those that are still open, superseded or on standby are not counted.',
      '“In the gateway, at least”: from acceptance to the first hand-over, as both are noted in one transaction. The check of the signature comes before it and the wait for the disk after it, so the whole is longer: what the gateway adds, the probes of `bench latency` measure. Waiting for a network that was away is not part of it.',
      '“delivered”: until the gateway heard from the recipient’s client that it has the message. That is an upper bound: the receipt’s way back is in it, and clients gather receipts. A recipient that never tells is not in it. When the message left its sender, a gateway cannot know: the sender’s own way to the gateway is in no figure here.',
      'A percentile is the smallest value that at least that share do not exceed (nearest rank); intervals are exact for any distribution (order statistics), hold with 95 % each, and assume that messages do not depend on one another, which bursts in production do.',
    ],
    ...report,
  }
}
