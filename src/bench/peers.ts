/** The durable relay of a message from one endpoint to another, against what else one would take for it. */
import { type Bench, LegValues, type Ratio, ratioOf } from './bench.ts'
import { startChild } from './child.ts'
import { peerList, peerNamed } from './peers/index.ts'
import type { Figures, Load } from './peers/measure.ts'
import { absence } from './peers/server.ts'
import { median, shuffled } from './statistics.ts'

const IN_FLIGHT = 64

const LOADS: Record<string, { title: string; load(seconds: number, count: number): Load }> = {
  500: { title: '500/s', load: (seconds) => ({ kind: 'paced', perSecond: 500, count: 500 * seconds }) },
  2000: {
    title: '2,000/s',
    load: (seconds) => ({ kind: 'paced', perSecond: 2_000, count: 2_000 * seconds }),
  },
  saturated: {
    title: `${IN_FLIGHT} in flight`,
    load: (_seconds, count) => ({ kind: 'saturated', inFlight: IN_FLIGHT, count }),
  },
}

export const peers: Bench = {
  name: 'peers',
  summary: 'durable relay of 1 KB messages end to end, against RabbitMQ, BullMQ and NATS JetStream',
  options: {
    systems: {
      type: 'string',
      default: peerList.map(({ name }) => name).join(','),
      help: 'systems to compare',
    },
    seconds: { type: 'string', default: '4', help: 'length of a load at a fixed rate' },
    count: { type: 'string', default: '8000', help: 'messages of the load at saturation' },
    warmup: { type: 'string', default: '2000', help: 'messages before every load, not measured' },
  },
  async run({ runs, options, progress }) {
    const systems = (options.systems ?? '').split(',').map(peerNamed)
    const notes: string[] = []
    const present = systems.filter((system) => {
      const reason = absence(system)
      if (reason === null) return true
      notes.push(`${reason}.`)
      progress(reason)
      return false
    })
    const legs = new Map(
      present.flatMap(({ name, title }) =>
        Object.entries(LOADS).map(([load, words]) => [
          `${name}-${load}`,
          new LegValues(`${name}-${load}`, `${title}, ${words.title}`),
        ]),
      ),
    )
    for (let run = 0; run < runs; run++) {
      for (const { name } of shuffled(present, run)) {
        const child = await startChild('peer', { execArgv: ['--expose-gc'] })
        try {
          await child.ask('open', name)
          for (const load of shuffled(Object.keys(LOADS), run)) {
            const warmup: Load = { kind: 'saturated', inFlight: IN_FLIGHT, count: Number(options.warmup) }
            await child.ask('measure', warmup)
            const plan = LOADS[load]!.load(Number(options.seconds), Number(options.count))
            const figures = await child.ask<Figures>('measure', plan)
            legs.get(`${name}-${load}`)!.add(figures)
            progress(`run ${run + 1}/${runs}  ${name.padEnd(18)} ${load.padEnd(9)} ${describe(figures)}`)
          }
        } finally {
          await child.stop()
        }
      }
    }
    return { legs: [...legs.values()], ratios: ratiosOf(legs), notes: [...NOTES, ...notes, ...losses(legs)] }
  },
}

const NOTES = [
  'From the call that publishes to the arrival at the other endpoint; both endpoints live in one process, the server in its own, all on the same cores. One message in ten is published a second time, five messages later. acknowledged/s counts each message once.',
  'Messages of 1,024 bytes; Causeway’s are envelopes with a body of that size, about 1.6 KB with header, two key wraps and signature. Every load comes after a warm-up; at a fixed rate a message goes out at its time, whether or not those before are acknowledged.',
  'Causeway verifies a signature for each message, keeps it in both wallets’ inboxes and shows it to the sender’s own devices too; the brokers check nothing and forget what was consumed. RabbitMQ and BullMQ confirm to the consumer’s side per message, a reader of Causeway resumes from a cursor.',
  'Durable at the acknowledgement: Causeway (SQLite, synchronous=FULL), RabbitMQ (quorum queue of one node), BullMQ (Redis, appendfsync always). NATS JetStream writes to files and does not sync them before it acknowledges: a loss of power takes messages that it had acknowledged; it pays for less than the others.',
  'repeats delivered: of the messages that were published twice. BullMQ and NATS drop repeats as long as they remember the id (kept jobs; two minutes), Causeway for as long as it keeps the envelope, RabbitMQ never.',
]

function describe(figures: Figures): string {
  const show = (name: string, digits: number) => (figures[name] ?? Number.NaN).toFixed(digits)
  return [
    `${show('acknowledged/s', 0).padStart(6)}/s`,
    `p50 ${show('p50 ms', 2)} ms`,
    `p99 ${show('p99 ms', 2)} ms`,
    `repeats ${show('repeats delivered %', 0)} %`,
    `lost ${show('lost', 0)}`,
    `CPU ${show('server CPU µs', 0)} + ${show('client CPU µs', 0)} µs`,
  ].join('  ')
}

function ratiosOf(legs: Map<string, LegValues>): Ratio[] {
  const compare = (
    title: string,
    ours: string,
    theirs: string,
    load: string,
    metric: string,
    aim: string | null,
  ) =>
    ratioOf(
      `${metric} at ${LOADS[load]!.title}: ${title}`,
      [legs.get(`${ours}-${load}`), metric],
      [legs.get(`${theirs}-${load}`), metric],
      aim,
    )
  return [
    ...['500', '2000'].flatMap((load) => [
      compare('Causeway / RabbitMQ', 'causeway', 'rabbitmq', load, 'p50 ms', '≤ 1'),
      compare('Causeway / BullMQ', 'causeway', 'bullmq', load, 'p99 ms', '≤ 0.1'),
      compare('Causeway / NATS JetStream', 'causeway', 'nats', load, 'p50 ms', null),
    ]),
    compare('Causeway / RabbitMQ', 'causeway', 'rabbitmq', 'saturated', 'acknowledged/s', '≥ 0.6'),
    compare(
      'Causeway unverified / RabbitMQ',
      'causeway-unsigned',
      'rabbitmq',
      'saturated',
      'acknowledged/s',
      null,
    ),
    compare('Causeway / BullMQ', 'causeway', 'bullmq', 'saturated', 'acknowledged/s', null),
    compare('Causeway / NATS JetStream', 'causeway', 'nats', 'saturated', 'acknowledged/s', null),
  ].filter((ratio) => ratio !== null)
}

/** Where each other system is better than Causeway with signatures, by the medians of this report. */
export function losses(legs: Map<string, LegValues>): string[] {
  const lines: string[] = []
  for (const { name, title, needs } of peerList) {
    if (needs === null) continue
    const better: string[] = []
    for (const [load, words] of Object.entries(LOADS)) {
      for (const [metric, sign] of [
        ['p50 ms', 1],
        ['p99 ms', 1],
        ['acknowledged/s', -1],
        ['server CPU µs', 1],
      ] as const) {
        // At a fixed rate all that keep up acknowledge the same.
        if (metric === 'acknowledged/s' && load !== 'saturated') continue
        const ratio = compareMedians(legs.get(`causeway-${load}`), legs.get(`${name}-${load}`), metric)
        if (ratio === null || (ratio - 1) * sign <= 0) continue
        better.push(`${metric} at ${words.title} (${(sign > 0 ? ratio : 1 / ratio).toFixed(1)}×)`)
      }
    }
    if (better.length > 0) lines.push(`Where Causeway loses to ${title}: ${better.join(', ')}.`)
  }
  return lines
}

function compareMedians(
  ours: LegValues | undefined,
  theirs: LegValues | undefined,
  metric: string,
): number | null {
  const ratio = ratioOf('', [ours, metric], [theirs, metric])
  return ratio && ratio.values.length > 0 ? median(ratio.values) : null
}
