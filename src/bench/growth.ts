/** Whether the cost of an envelope grows with what the store holds. */
import { type Bench, LegValues, type Ratio, ratioOf } from './bench.ts'
import { type Child, startChild } from './child.ts'
import { signInPeople } from './people.ts'
import type { GatewayInput, Usage } from './processes/gateway.ts'
import { growthExponent } from './statistics.ts'

const SIZES = [10_000, 100_000, 1_000_000]
/** Envelopes over which CPU time is measured, beyond each size. */
const SAMPLE = 8_192
/**
 * Bytes are counted over a multiple of this many envelopes, so that index runs, which come in batches of a power of two, fall
 * into each window alike.
 */
const WINDOW_STEP = 8_192
const LARGEST_WINDOW = 65_536
const PAGES = 400
/** Envelopes between two lines of progress. */
const STRIDE = 65_536

interface Appended {
  cpu: number
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
    idle: { type: 'string', default: '1000', help: 'idle wallets of which the memory is measured; 0: none' },
  },
  async run({ runs, options, progress }) {
    const sizes = SIZES.filter((size) => size <= Number(options.largest))
    const wallets = Number(options.wallets)
    const idleWallets = Number(options.idle)
    const legs = new Map(
      sizes.map((size) => [size, new LegValues(String(size), `${size.toLocaleString('en')} envelopes`)]),
    )
    const idle = new LegValues('idle', 'idle wallets')
    for (let run = 0; run < runs; run++) {
      await grow(sizes, wallets, (size, values) => {
        if (values) legs.get(size)!.add(values)
        const figures = values
          ? `  ${values['append CPU µs']!.toFixed(1)} µs CPU, ${values['bytes written']!.toFixed(1)} B written`
          : ''
        progress(`run ${run + 1}/${runs}  ${size.toLocaleString('en')} envelopes${figures}`)
      })
      if (idleWallets > 0) {
        const memory = await idleMemory(idleWallets)
        idle.add(memory)
        const figures = Object.entries(memory).map(([what, value]) => `${what}: ${value.toFixed(1)}`)
        progress(`run ${run + 1}/${runs}  ${figures.join(', ')}`)
      }
    }
    const list = [...legs.values()]
    return {
      legs: idleWallets > 0 ? [...list, idle] : list,
      ratios: [...ratiosOf(list, sizes), ...spreadOf(list.at(-1))],
      notes: [
        `Accepts of 1.6 KB envelopes into the store alone, two inbox rows each, wallets drawn from ${wallets.toLocaleString('en')}, each of which writes to eight others: while there are fewer envelopes than such pairs, most open a new conversation. CPU and rate: ${SAMPLE.toLocaleString('en')} envelopes beyond each size, 64 under way at once, all threads of the process, the making of the records included, after a warm-up.`,
        `bytes written: what the store hands to write calls for one envelope (wchar of \`/proc/self/io\`), log and checkpoints together, over the last envelopes before each size (${sizes.map((size) => windowOf(size).toLocaleString('en')).join(', ')}). Groups of 64 and a checkpoint after every 256 envelopes instead of by the clock, so that runs agree. At 10,000 most envelopes still wait in memory for their place in the indexes: compare the later sizes.`,
        'bytes on disk: the database file, its log copied into it, for each envelope that it holds.',
        'page: the first 50 items of a wallet’s inbox, through the store’s thread. items: how many it had.',
        `MB for 10,000: growth of the gateway’s resident memory, after a garbage collection, while ${idleWallets.toLocaleString('en')} signed-in wallets begin to listen, times 10,000 by their number: an SSE stream each, or attached to WebSockets, 50 to each.`,
      ],
    }
  },
}

/** Envelopes before a size over which bytes are counted. */
function windowOf(size: number): number {
  return Math.min(LARGEST_WINDOW, Math.floor((size * 0.9) / WINDOW_STEP) * WINDOW_STEP)
}

function ratiosOf(legs: LegValues[], sizes: number[]): Ratio[] {
  const [first, last] = [legs[0], legs.at(-1)]
  if (!first || !last || first === last) return []
  const range = `${first.title} → ${last.title}`
  const ratios = ['append CPU µs', 'page CPU µs'].map((metric) =>
    ratioOf(`${metric}: ${range}`, [last, metric], [first, metric], '≤ 2'),
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

/** How far the runs are apart in the bytes that they wrote. */
function spreadOf(leg: LegValues | undefined): Ratio[] {
  const written = leg?.metrics['bytes written']
  if (!leg || !written) return []
  const least = Math.min(...written)
  return [
    {
      title: `bytes written at ${leg.title}: run / least of the runs`,
      aim: '≤ 1.01',
      values: written.map((bytes) => bytes / least),
    },
  ]
}

async function grow(
  sizes: number[],
  wallets: number,
  tell: (size: number, values: Record<string, number> | null) => void,
): Promise<void> {
  const child = await startChild('growth')
  try {
    for (const size of sizes) {
      await child.ask('open', { wallets, counted: true })
      await fill(child, size - windowOf(size), (held) => tell(held, null))
      const written = await child.ask<number>('appendCounted', windowOf(size))
      const bytes = await child.ask<number>('size')
      await child.ask('open', { wallets, counted: false })
      const appended = await child.ask<Appended>('append', SAMPLE)
      const page = await child.ask<{ cpu: number; p50: number; items: number }>('pages', PAGES)
      tell(size, {
        'append CPU µs': appended.cpu,
        'append p99 ms': appended.p99,
        'appends/s': appended.rate,
        'bytes written': written,
        'bytes on disk': bytes / size,
        'page CPU µs': page.cpu,
        items: page.items,
      })
    }
  } finally {
    await child.stop()
  }
}

/** Appends until the store holds `target` envelopes. */
async function fill(child: Child, target: number, tell: (held: number) => void): Promise<void> {
  for (let held = await child.ask<number>('held'); held < target; ) {
    await child.ask('appendCounted', Math.min(STRIDE, target - held))
    held = await child.ask<number>('held')
    if (held % STRIDE === 0) tell(held)
  }
}

/** The bytes that the store writes for one envelope, between `from` and `to` envelopes. NaN where the system does not count. */
export async function bytesPerEnvelope(input: {
  wallets: number
  from: number
  to: number
}): Promise<number> {
  const { wallets, from, to } = input
  const child = await startChild('growth')
  try {
    await child.ask('open', { wallets, counted: true })
    await fill(child, from, () => undefined)
    return await child.ask<number>('appendCounted', to - from)
  } finally {
    await child.stop()
  }
}

/** Megabytes of the gateway for 10,000 idle wallets that listen, by transport. */
async function idleMemory(count: number): Promise<Record<string, number>> {
  const result: Record<string, number> = {}
  for (const [transport, title] of [
    ['sse', 'SSE'],
    ['socket', 'WebSocket'],
  ] as const) {
    const server = await startChild('gateway', { execArgv: ['--expose-gc'] })
    const listeners = await startChild('listeners')
    try {
      const { url } = await server.ask<{ url: string }>('start', {
        signatures: true,
        networks: {},
      } satisfies GatewayInput)
      const tokens = (await signInPeople(url, count)).map(({ token }) => token)
      const early = Math.ceil(count / 10)
      await listeners.ask('open', { url, transport, tokens: tokens.slice(0, early) })
      const before = await server.ask<Usage>('usage')
      await listeners.ask('open', { url, transport, tokens: tokens.slice(early) })
      const after = await server.ask<Usage>('usage')
      result[`MB for 10,000, ${title}`] = ((after.rss - before.rss) / 2 ** 20 / (count - early)) * 10_000
    } finally {
      await listeners.stop()
      await server.stop()
    }
  }
  return result
}
