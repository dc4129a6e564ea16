/** The folder of a run: what was asked for, every sample, and the report made of them. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import packageJson from '../../../package.json' with { type: 'json' }
import { renderCsv } from './csv.ts'
import { renderHtml } from './html.ts'
import { sdkOf } from './paths.ts'
import type { Cell, LatencyOptions } from './plan.ts'
import { countedSamples, type Line, readSamples } from './samples.ts'
import {
  describeNetworks,
  type LatencyReport,
  latenessOf,
  sessionsOf,
  summarise,
  warningsOf,
} from './summary.ts'

/** `run.json`: enough to go on with the run. */
export interface RunFile {
  kind: 'causeway-latency-run'
  version: 1
  command: string
  options: LatencyOptions
  cells: Cell[]
  networks: { network: string; sandbox: boolean }[]
}

const RUN = 'run.json'

/** Where a report goes that nobody named a folder for: `bench-results/latency-2026-11-23T01-57-57`. */
export function reportFolder(name: string): string {
  return join('bench-results', `${name}-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}`)
}

export const samplesPath = (folder: string) => join(folder, 'samples.ndjson')

/** Rejects when the folder holds a run already. */
export async function createFolder(folder: string, run: RunFile): Promise<void> {
  await mkdir(folder, { recursive: true })
  try {
    await writeFile(join(folder, RUN), `${JSON.stringify(run, null, 1)}\n`, { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new Error(
      `${folder} holds a run already; complete it with --resume ${folder}, or name another --out`,
    )
  }
}

export async function readFolder(folder: string): Promise<{ run: RunFile; lines: Line[] }> {
  const missing = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return null
  }
  const text = await readFile(join(folder, RUN), 'utf8').catch(missing)
  if (text === null) throw new Error(`${folder} holds no run: there is no ${RUN}`)
  const run = JSON.parse(text) as RunFile
  if (run.kind !== 'causeway-latency-run' || run.version !== 1)
    throw new Error(`${join(folder, RUN)} is not of this version`)
  return { run, lines: (await readSamples(samplesPath(folder)).catch(missing)) ?? [] }
}

/** The report of whatever has been measured so far. */
export function reportOf(run: RunFile, lines: readonly Line[]): LatencyReport {
  const { options, cells } = run
  const rows = summarise(cells, lines, options.seed)
  const sessions = sessionsOf(lines)
  const lateness = latenessOf(lines)
  const complete = countedSamples(lines).length === cells.length * options.samples
  const { samples, warmup, rate, seed, timeoutMs, sizes } = options
  return {
    kind: 'causeway-latency',
    version: 1,
    source: 'probes',
    title: 'Message latency',
    command: run.command,
    createdAt: new Date().toISOString(),
    complete,
    networks: describeNetworks(run.networks, options.delays),
    options: { samples, warmup, rate, seed, timeoutMs, sizes },
    sessions,
    versions: versionsOf(options.networks),
    lateness,
    rows,
    warnings: warningsOf({ rows, lateness, sessions, complete }),
    notes: notesOf(options, lateness),
  }
}

function versionsOf(networks: readonly string[]): Record<string, string> {
  const dependencies: Record<string, string> = packageJson.dependencies
  const sdks = networks.flatMap((network) => sdkOf(network) ?? [])
  return Object.fromEntries([
    ['causeway', packageJson.version],
    ['node', process.versions.node],
    ...sdks.flatMap((name) => (dependencies[name] === undefined ? [] : [[name, dependencies[name]]])),
  ])
}

function notesOf({ rate, timeoutMs }: LatencyOptions, lateness: LatencyReport['lateness']): string[] {
  const [middle, , high] = lateness ?? []
  const late =
    middle?.value && high?.value
      ? ` The tool called the SDKs ${middle.value.toFixed(2)} ms (median) and ${high.value.toFixed(2)} ms (p99) after the due time, which is part of every figure.`
      : ''
  return [
    `Open loop: each probe is due at a time that was fixed before the run, at ${rate} a second, and leaves then whatever became of the ones before. Latency counts from the due time, so that a stall is charged to every probe that it delayed (no coordinated omission).${late}`,
    'Every round holds each path and size once, in an order of its own from the seed; due times are random within their slots. Warm-up probes are sent first and not counted.',
    'One clock: sender, recipient and gateway run on one host and read its monotonic clock, so no offset between clocks is estimated. A message has arrived when the recipient’s SDK gives it out; what an SDK in a process or thread of its own takes to tell the tool is included.',
    'Through the gateway go signed envelopes that the gateway verifies, writes durably and relays; in place of ciphertext they hold random bytes, which the gateway cannot tell apart. Natively go random bytes of the same length. Sealing and opening by the wallets are not part of a figure.',
    `A percentile is the smallest sample that at least that share of the samples do not exceed (nearest rank). What did not arrive within ${timeoutMs / 1000} s, and what an SDK refused to send, counts as later than everything else. Intervals are exact for any distribution (order statistics, binomial); those of differences come from 2,000 bootstrap resamples; those of loss are Wilson’s. All hold with 95 % each, not together, and assume that samples do not depend on one another.`,
    'Waku and TRTC bring a message to its recipient themselves, also one with a gateway beside: through the gateway to the same network exists on XMTP and Push alone.',
  ]
}

export async function writeReport(folder: string, report: LatencyReport): Promise<void> {
  await mkdir(folder, { recursive: true })
  await Promise.all([
    writeFile(join(folder, 'report.json'), `${JSON.stringify(rounded(report), null, 1)}\n`),
    writeFile(join(folder, 'report.csv'), renderCsv(report)),
    writeFile(join(folder, 'report.html'), renderHtml(report)),
  ])
}

/** Six significant figures are more than any clock here has. */
function rounded(report: LatencyReport): LatencyReport {
  const isLong = (value: unknown): value is number => typeof value === 'number' && !Number.isInteger(value)
  return JSON.parse(
    JSON.stringify(report, (_key, value) => (isLong(value) ? Number(value.toPrecision(6)) : value)),
  ) as LatencyReport
}
