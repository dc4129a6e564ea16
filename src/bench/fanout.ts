/** One envelope to many live streams of its recipient. */
import { type Bench, LegValues } from './bench.ts'
import { startChild } from './child.ts'
import { openConnection, requestBytes } from './load/http-connection.ts'
import { monotonicNow } from './observed-networks.ts'
import { makeEnvelope, type Person, signInPeople } from './people.ts'
import type { GatewayInput, Usage } from './processes/gateway.ts'
import { quantile, shuffled } from './statistics.ts'

const WARMUP = 20

const legs = {
  sse: { transport: 'sse', title: 'SSE' },
  socket: { transport: 'socket', title: 'WebSocket' },
} as const

export const fanout: Bench = {
  name: 'fanout',
  summary: 'one envelope to 1,000 live streams',
  options: {
    streams: { type: 'string', default: '1000', help: 'live streams of the recipient' },
    envelopes: { type: 'string', default: '60', help: 'envelopes measured for each leg and run' },
    interval: {
      type: 'string',
      default: '100',
      help: 'milliseconds between envelopes; 0: as fast as they arrive',
    },
  },
  async run({ runs, options, progress }) {
    const streams = Number(options.streams)
    const values = new Map(
      Object.entries(legs).map(([name, { title }]) => [
        name,
        new LegValues(name, `${title}, ${streams} streams`),
      ]),
    )
    for (let run = 0; run < runs; run++) {
      for (const name of shuffled(Object.keys(legs), run)) {
        const { transport } = legs[name as keyof typeof legs]
        const result = await broadcast({
          transport,
          streams,
          envelopes: Number(options.envelopes),
          interval: Number(options.interval),
        })
        values.get(name)!.add(result)
        progress(
          `run ${run + 1}/${runs}  ${name.padEnd(7)} p50 ${result['p50 ms']!.toFixed(1)} ms  p99 ${result['p99 ms']!.toFixed(1)} ms  ${result['deliveries/s at once']!.toFixed(0)}/s  ${result['CPU µs a delivery']!.toFixed(1)} µs CPU`,
        )
      }
    }
    return {
      legs: [...values.values()],
      ratios: [],
      notes: [
        'p50 and p99: from the POST of the envelope to each single arrival at a reader, acceptance, verification and fsync included. Readers and sender run on the same cores.',
        'deliveries/s at once: readers divided by the time from the first to the last arrival of one envelope. CPU: all threads of the gateway, the accept spread over the deliveries.',
      ],
    }
  },
}

async function broadcast(input: {
  transport: 'sse' | 'socket'
  streams: number
  envelopes: number
  interval: number
}): Promise<Record<string, number>> {
  const { transport, streams, envelopes, interval } = input
  const server = await startChild('gateway', { execArgv: ['--expose-gc'] })
  const readers = await startChild('readers')
  try {
    const { url } = await server.ask<{ url: string }>('start', {
      signatures: true,
      networks: {},
    } satisfies GatewayInput)
    const [sender, recipient] = (await signInPeople(url, 2)) as [Person, Person]
    await readers.ask('open', { url, tokens: [recipient.token], transport, each: streams })
    const line = await openConnection(url)
    const headers = { 'content-type': 'application/cbor', authorization: `Bearer ${sender.token}` }
    const one = async () => {
      const request = requestBytes('/v1/envelopes', makeEnvelope(sender, recipient.wallet), headers)
      const arrived = readers.ask<number[]>('arrivals', streams)
      const sentAt = monotonicNow()
      const { status, body } = await line.request(request)
      if (status !== 202) throw new Error(`answered ${status}: ${body}`)
      const times = await arrived
      return { sentAt, times }
    }
    for (let number = 0; number < WARMUP; number++) await one()
    const before = await server.ask<Usage>('usage')
    const latencies: number[] = []
    const rates: number[] = []
    for (let number = 0; number < envelopes; number++) {
      const { sentAt, times } = await one()
      for (const at of times) latencies.push(at - sentAt)
      rates.push((streams / (Math.max(...times) - Math.min(...times))) * 1000)
      const rest = interval - (monotonicNow() - sentAt)
      if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest))
    }
    const after = await server.ask<Usage>('usage')
    line.close()
    return {
      'p50 ms': quantile(latencies, 0.5),
      'p99 ms': quantile(latencies, 0.99),
      'deliveries/s at once': quantile(rates, 0.5),
      'CPU µs a delivery': (after.cpu - before.cpu) / envelopes / streams,
    }
  } finally {
    await readers.stop()
    await server.stop()
  }
}
