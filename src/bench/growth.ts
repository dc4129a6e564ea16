/** Whether the cost of an envelope grows with what the store holds. */
import { type Bench, LegValues, type Ratio, ratioOf } from './bench.ts'
import { startChild } from './child.ts'
import { createPerson, signInPeople } from './people.ts'
import type { GatewayInput, Usage } from './processes/gateway.ts'
import { growthExponent } from './statistics.ts'

/** Envelopes over which each size is measured. */
const SAMPLE = 5_000
const PAGES = 400
/** Envelopes between two lines of progress. */
const STRIDE = 100_000

interface Appended {
  cpu: number
  written: number
  p50: number
  p99: number
  rate: number
}

export const growth: Bench = {
  name: 'growth',
  summary: 'cost of an append and of an inbox page as the store grows; memory of idle wallets',
  options: {
    largest: { type: 'string', default: '1000000', help: 'envelopes in the store at the end' },
    wallets: { type: 'string', default: '100000', help: 'wallets among which they are spread' },
    idle: { type: 'string', default: '1000', help: 'idle streams of which the memory is measured; 0: none' },
  },
  async run({ runs, options, progress }) {
    const sizes = [10_000, 100_000, 1_000_000].filter((size) => size <= Number(options.largest))
    const legs = new Map(
      sizes.map((size) => [size, new LegValues(String(size), `${size.toLocaleString('en')} envelopes`)]),
    )
    const idle = new LegValues('idle', 'idle')
    for (let run = 0; run < runs; run++) {
      await grow(sizes, Number(options.wallets), (size, values) => {
        if (values) legs.get(size)!.add(values)
        const figures = values
          ? `  ${values['append CPU µs']!.toFixed(1)} µs CPU, ${values['bytes written']!.toFixed(0)} B written`
          : ''
        progress(`run ${run + 1}/${runs}  ${size.toLocaleString('en')} envelopes${figures}`)
      })
      if (Number(options.idle) > 0) {
        const memory = await idleMemory(Number(options.idle))
        idle.add(memory)
        progress(
          `run ${run + 1}/${runs}  ${Object.entries(memory)
            .map(([what, bytes]) => `${what}: ${bytes.toFixed(1)}`)
            .join(', ')}`,
        )
      }
    }
    const list = [...legs.values()]
    return {
      legs: Object.keys(idle.metrics).length > 0 ? [...list, idle] : list,
      ratios: ratiosOf(list, sizes),
      notes: [
        `Accepts of 1.6 KB envelopes into the store alone, two inbox rows each, 64 under way at once, wallets drawn from ${Number(options.wallets).toLocaleString('en')}; each size measured over ${SAMPLE.toLocaleString('en')} envelopes. CPU: all threads of the process, the making of the records included.`,
        'bytes written: what the kernel accounts to the process (`/proc/self/io`), write-ahead log and checkpoints together. bytes on disk: the database file without its log.',
        'page: the first 50 items of a wallet’s inbox, through the store’s thread. items: how many it had.',
        'KB a stream: growth of the gateway’s resident memory for idle SSE streams and idle WebSocket attachments, one wallet each, after a garbage collection.',
      ],
    }
  },
}

function ratiosOf(legs: LegValues[], sizes: number[]): Ratio[] {
  const [first, last] = [legs[0], legs.at(-1)]
  if (!first || !last || first === last) return []
  const range = `${first.title} → ${last.title}`
  const ratios = ['append CPU µs', 'page CPU µs', 'bytes written'].map((metric) =>
    ratioOf(
      `${metric}: ${range}`,
      [last, metric],
      [first, metric],
      metric === 'bytes written' ? null : '≤ 2',
    ),
  )
  const exponent: Ratio = {
    title: `exponent of append CPU: ${range}`,
    aim: '≤ 0.13',
    values: first.metrics['append CPU µs']!.map((cost, run) =>
      growthExponent(
        { size: sizes[0]!, cost },
        { size: sizes.at(-1)!, cost: last.metrics['append CPU µs']![run]! },
      ),
    ),
  }
  return [...ratios.filter((ratio) => ratio !== null), exponent]
}

async function grow(
  sizes: number[],
  wallets: number,
  tell: (size: number, values: Record<string, number> | null) => void,
): Promise<void> {
  const child = await startChild('growth')
  try {
    await child.ask('open', { wallets })
    let held = 0
    for (const size of sizes) {
      while (held < size - SAMPLE) {
        const count = Math.min(STRIDE, size - SAMPLE - held)
        await child.ask('append', count)
        held += count
        if (held % STRIDE === 0) tell(held, null)
      }
      const appended = await child.ask<Appended>('append', SAMPLE)
      held += SAMPLE
      const page = await child.ask<{ cpu: number; p50: number; items: number }>('pages', PAGES)
      const { bytes } = await child.ask<{ bytes: number; log: number }>('size')
      tell(size, {
        'append CPU µs': appended.cpu,
        'append p99 ms': appended.p99,
        'appends/s': appended.rate,
        'bytes written': appended.written,
        'bytes on disk': bytes / held,
        'page CPU µs': page.cpu,
        items: page.items,
      })
    }
  } finally {
    await child.stop()
  }
}

/** Kilobytes of the gateway for one idle wallet with a live stream. */
async function idleMemory(count: number): Promise<Record<string, number>> {
  const result: Record<string, number> = {}
  for (const transport of ['sse', 'socket'] as const) {
    const server = await startChild('gateway', { execArgv: ['--expose-gc'] })
    const readers = await startChild('readers')
    try {
      const { url } = await server.ask<{ url: string }>('start', {
        signatures: true,
        networks: {},
      } satisfies GatewayInput)
      const people = await signInPeople(url, 32)
      const tokens = people.map(({ token }) => token)
      const open = (each: number) =>
        transport === 'sse'
          ? readers.ask('open', { url, tokens: [tokens[0] ?? createPerson().token], transport, each })
          : readers.ask('open', { url, tokens, transport, each: Math.ceil(each / tokens.length) })
      await open(Math.ceil(count / 10))
      const before = await server.ask<Usage>('usage')
      await open(count)
      const after = await server.ask<Usage>('usage')
      result[`KB a stream, ${transport === 'sse' ? 'SSE' : `WebSocket of ${tokens.length} wallets`}`] =
        (after.rss - before.rss) / 1024 / count
    } finally {
      await readers.stop()
      await server.stop()
    }
  }
  return result
}
