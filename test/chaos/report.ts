/** What the harnesses found, in words and as figures. */
import { type CheckReport, whole } from '../../src/bench/checks.ts'
import { median } from '../../src/bench/statistics.ts'
import type { LoopsReport } from '../property/topology.ts'
import type { CrashReport } from './crash.ts'
import { CONVERGENCE_MS, type FaultResult } from './faults.ts'
import type { SoakReport } from './soak.ts'
import type { Ways } from './traffic.ts'

type Figures = Pick<CheckReport, 'held' | 'figures' | 'notes'>

export function describeCrash(report: CrashReport): string {
  const { recoveryMs, broken } = report
  return [
    `${report.kills} kills (${report.killedAtStart} while it started), seed ${report.seed}, ${report.seconds} s`,
    ...describeWays(report.ways),
    `  first answer after a start: p50 ${recoveryMs.p50} ms, p99 ${recoveryMs.p99} ms, longest ${recoveryMs.longest} ms`,
    `  all in place ${report.convergedAfterMs} ms after the last start; ${report.repeats} repeats after uncertain outcomes`,
    `  lost ${broken.lost}, in an inbox twice ${broken.inInboxTwice}, shown twice ${broken.shownTwice}, relayed twice ${broken.relayedTwice}`,
    ...verdict(report.violations),
    ...(report.folder === undefined ? [] : [`left in place: ${report.folder}`]),
  ].join('\n')
}

export function crashFigures({
  kills,
  killedAtStart,
  ways,
  broken,
  recoveryMs,
  ...rest
}: CrashReport): Figures {
  return {
    held: rest.violations.length === 0,
    figures: [
      ['kills with SIGKILL', `${whole(kills)}, ${whole(killedAtStart)} of them while it started`],
      ...wayFigures(ways),
      ['acknowledged and lost', whole(broken.lost)],
      ['in an inbox twice', whole(broken.inInboxTwice)],
      ['shown twice', whole(broken.shownTwice)],
      ['relayed twice without an uncertain outcome', whole(broken.relayedTwice)],
      ['other broken promises', whole(broken.other)],
      ['repeats under the same id after an uncertain outcome', whole(rest.repeats)],
      [
        'from the start of the process to its first answer',
        `p50 ${whole(recoveryMs.p50)} ms, p99 ${whole(recoveryMs.p99)} ms`,
      ],
      ['from the last start until everything was in place', `${whole(rest.convergedAfterMs)} ms`],
    ],
    notes: [
      'Three wallets send over HTTP and with the real SDKs over the networks while the process is killed; at the end every inbox, every network’s own archive and the database are compared with what was acknowledged.',
    ],
  }
}

export function describeSoak(report: SoakReport): string {
  const { broken, memory } = report
  return [
    `${report.minutes} minutes, seed ${report.seed}, ${totalFaults(report)} faults`,
    ...Object.entries(report.faults).map(
      ([network, { count, kinds }]) => `  ${network.padEnd(8)} ${count} faults of ${kinds} kinds`,
    ),
    ...describeWays(report.ways),
    `  all in place ${report.convergedAfterMs} ms after the traffic; ${report.repeats} repeats after uncertain outcomes`,
    `  memory of the gateway: ${mebibytes(memory.early)} early, ${mebibytes(memory.end)} at the end`,
    `  lost ${broken.lost}, in an inbox twice ${broken.inInboxTwice}, shown twice ${broken.shownTwice}, relayed twice ${broken.relayedTwice}`,
    ...verdict(report.violations),
  ].join('\n')
}

export function soakFigures(report: SoakReport): Figures {
  const { broken, memory, violations } = report
  return {
    held: violations.length === 0,
    figures: [
      ['minutes of mixed traffic', whole(report.minutes)],
      ...Object.entries(report.faults).map(([network, { count, kinds }]): [string, string] => [
        `faults of ${network}`,
        `${whole(count)} of ${whole(kinds)} kinds`,
      ]),
      ...wayFigures(report.ways),
      ['acknowledged and lost', whole(broken.lost)],
      ['in an inbox twice', whole(broken.inInboxTwice)],
      ['shown twice', whole(broken.shownTwice)],
      ['relayed twice without an uncertain outcome', whole(broken.relayedTwice)],
      ['other broken promises', whole(broken.other)],
      ['repeats under the same id after an uncertain outcome', whole(report.repeats)],
      ['from the end of the traffic until everything was in place', `${whole(report.convergedAfterMs)} ms`],
      [
        'memory of the gateway after a quarter of the time, and at the end',
        `${mebibytes(memory.early)}, ${mebibytes(memory.end)}`,
      ],
    ],
    notes: [
      'Three wallets write over HTTP and with the real SDKs over every network, while faults come and go on all networks side by side; at the end every inbox, every network’s own archive and the database are compared with what was acknowledged.',
    ],
  }
}

const mebibytes = (bytes: number) => `${whole(bytes / 2 ** 20)} MiB`

function totalFaults({ faults }: SoakReport): number {
  return Object.values(faults).reduce((sum, { count }) => sum + count, 0)
}

function describeWays(ways: Ways): string[] {
  return Object.entries(ways).map(
    ([way, { sent, acknowledged }]) => `  ${way.padEnd(8)} ${sent} sent, ${acknowledged} acknowledged`,
  )
}

function wayFigures(ways: Ways): [string, string][] {
  return Object.entries(ways).map(([way, { sent, acknowledged }]) => [
    `envelopes over ${way}`,
    `${whole(sent)} sent, ${whole(acknowledged)} acknowledged`,
  ])
}

export function describeFault({ network, kind, seed, convergedAfterMs, violations }: FaultResult): string {
  const time = convergedAfterMs === null ? 'NEVER' : `${convergedAfterMs} ms`
  return `${violations.length === 0 ? 'held  ' : 'BROKEN'} ${network.padEnd(10)} ${kind.padEnd(44)} seed ${seed}  ${time}`
}

export function describeFaults(results: readonly FaultResult[]): string {
  const times = convergences(results)
  return [
    `${results.length} faults, ${kindsOf(results)} kinds`,
    `in place after ${median(times)} ms (median), ${times.at(-1) ?? '-'} ms (longest)`,
    ...slow(results).map(({ network, kind, seed }) => `over 30 s: ${network}, ${kind}, seed ${seed}`),
    ...verdict(broken(results)),
  ].join('\n')
}

/** Nothing was lost or doubled, and everything was in place in time. */
export function faultsHeld(results: readonly FaultResult[]): boolean {
  return broken(results).length === 0 && slow(results).length === 0
}

export function faultsFigures(results: readonly FaultResult[]): Omit<Figures, 'held'> {
  const networks = [...new Set(results.map(({ network }) => network))]
  return {
    figures: [
      ...networks.map((name): [string, string] => {
        const own = results.filter(({ network }) => network === name)
        const times = convergences(own)
        return [
          name,
          `${kindsOf(own)} kinds, ${own.length} faults; in place after ${whole(median(times))} ms (median), ${whole(times.at(-1) ?? Number.NaN)} ms (longest)`,
        ]
      }),
      ['broken promises', whole(broken(results).length)],
      [`not in place after ${CONVERGENCE_MS / 1000} s`, whole(slow(results).length)],
      [
        'repeats under the same id after an uncertain outcome',
        whole(results.reduce((sum, { repeats }) => sum + repeats, 0)),
      ],
    ],
    notes: [
      'Each fault lies between gateway and network while wallets write both ways, and is healed; then every message has to be in its inbox, on the network and in front of its reader, once.',
    ],
  }
}

export function loopsFigures({ runs, totals, failure }: LoopsReport): Figures {
  return {
    held: failure === null,
    figures: [
      ['random topologies', whole(runs)],
      ['gateways, networks', `${whole(totals.gateways)}, ${whole(totals.networks)}`],
      ['envelopes', whole(totals.envelopes)],
      ['sends', `${whole(totals.sends)}, ${whole(totals.uncertain)} with an uncertain outcome`],
      ['messages heard', whole(totals.heard)],
      ['longest hop trace', `${totals.longestTrace} gateways`],
      ['virtual time', `${whole(totals.virtualSeconds)} s`],
      ['broken promises', whole(failure?.violations.length ?? 0)],
    ],
    notes: [
      'Every recipient gets every message once, traffic dies out, no frame visits a gateway twice; networks lose, double, delay and reorder messages, lose answers and go out.',
    ],
  }
}

function convergences(results: readonly FaultResult[]): number[] {
  return results.flatMap(({ convergedAfterMs }) => convergedAfterMs ?? []).sort((a, b) => a - b)
}

function kindsOf(results: readonly FaultResult[]): number {
  return new Set(results.map(({ network, kind }) => `${network} ${kind}`)).size
}

function slow(results: readonly FaultResult[]): FaultResult[] {
  return results.filter(({ convergedAfterMs }) => (convergedAfterMs ?? Infinity) > CONVERGENCE_MS)
}

function broken(results: readonly FaultResult[]): string[] {
  return results.flatMap(({ network, kind, seed, violations }) =>
    violations.map((text) => `${network}, ${kind}, seed ${seed}: ${text}`),
  )
}

function verdict(violations: readonly string[]): string[] {
  return violations.length === 0
    ? ['every promise held']
    : [`${violations.length} BROKEN:`, ...violations.map((text) => `  ${text}`)]
}
