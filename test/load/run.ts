/**
 * `npm run load`: what a noisy wallet costs the others. Quiet wallets submit envelopes one after the other, alone and beside a
 * wallet that offers ten times its limit, in turns in one run; the ratio of their latencies is the figure.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { beginCheck, commandOf } from '../../src/bench/checks.ts'
import { makeEnvelope, type Person, signInPeople } from '../../src/bench/people.ts'
import { median, quantile } from '../../src/bench/statistics.ts'

const HELP = `Usage: npm run load -- [options]

Quiet wallets submit envelopes, alone and beside a wallet that offers ten times its limit, in turns.

  --rounds <n>    pairs of measurements, of which medians are taken (default 5)
  --seconds <n>   length of one measurement (default 5)
  --out <dir>     folder for load.json, a report as docs/reference/figures holds it
  --json          one JSON document on standard output; the table goes to standard error
  --help

Exit codes: 0 the noisy wallet had at most its limit + 1 % and the median ratio of the others' p99 is at most 2, 1 not so,
2 wrong usage.`

const QUIET = 8
/** Envelopes a second of one quiet wallet. */
const QUIET_PER_SECOND = 10
/** Measured and thrown away. */
const WARMUP_SECONDS = 3
const LIMIT = { perSecond: 50, burst: 200 }

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

class UsageError extends Error {}

interface Round {
  p50: number
  p99: number
  /** Envelopes of the noisy wallet, offered and taken. */
  offered: number
  taken: number
  /** Seconds until the last answer. */
  seconds: number
}

function submit(url: string, { token }: Person, body: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/cbor' }
    const request = httpRequest(`${url}/v1/envelopes`, { method: 'POST', headers, agent }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    request.on('error', reject).end(body)
  })
}

/** Calls `work` at an even rate until `end`, whether or not the calls before are done; resolves when all are. */
async function atRate(perSecond: number, end: number, work: () => Promise<void>): Promise<void> {
  const all: Promise<void>[] = []
  const start = performance.now()
  for (let count = 0; performance.now() < end; count++) {
    all.push(work())
    await sleep(Math.max(0, start + ((count + 1) * 1000) / perSecond - performance.now()))
  }
  await Promise.all(all)
}

async function measure(url: string, quiet: Person[], noisy: Person | null, seconds: number): Promise<Round> {
  const latencies: number[] = []
  const noise = { offered: 0, taken: 0 }
  const start = performance.now()
  const end = start + seconds * 1000
  const loud = noisy && Array.from({ length: 64 }, () => makeEnvelope(noisy, quiet[0]!.wallet))
  await Promise.all([
    ...quiet.map((person, index) =>
      atRate(QUIET_PER_SECOND, end, async () => {
        const body = makeEnvelope(person, quiet[(index + 1) % quiet.length]!.wallet)
        const sent = performance.now()
        const status = await submit(url, person, body)
        if (status !== 202) throw new Error(`a quiet wallet was answered ${status}`)
        latencies.push(performance.now() - sent)
      }),
    ),
    ...(noisy && loud
      ? [
          atRate(LIMIT.perSecond * 10, end, async () => {
            const status = await submit(url, noisy, loud[noise.offered++ % loud.length]!)
            if (status === 202) noise.taken++
          }),
        ]
      : []),
  ])
  return {
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    ...noise,
    seconds: (performance.now() - start) / 1000,
  }
}

interface Pair {
  alone: Round
  beside: Round
}

async function measurePairs(rounds: number, seconds: number, say: (line: string) => void): Promise<Pair[]> {
  const child = fork(fileURLToPath(new URL('./gateway-process.ts', import.meta.url)), [JSON.stringify(LIMIT)])
  try {
    const [{ url }] = (await once(child, 'message')) as [{ url: string }]
    const people = await signInPeople(url, QUIET + 1)
    const noisy = people.pop()!
    await measure(url, people, noisy, WARMUP_SECONDS)
    say('round      alone p50/p99 ms   beside p50/p99 ms   noisy offered/s taken/s')
    const pairs: Pair[] = []
    for (let round = 1; round <= rounds; round++) {
      const alone = await measure(url, people, null, seconds)
      // The bucket has filled while it was quiet: emptied again, so that the window shows the limit.
      const emptied = Array.from({ length: LIMIT.burst * 2 }, () => makeEnvelope(noisy, noisy.wallet))
      await Promise.all(emptied.map((body) => submit(url, noisy, body)))
      const beside = await measure(url, people, noisy, seconds)
      pairs.push({ alone, beside })
      const pair = ({ p50, p99 }: Round) => `${p50.toFixed(2)} / ${p99.toFixed(2)}`.padEnd(19)
      const rate = (count: number) => (count / beside.seconds).toFixed(1)
      say(
        `${String(round).padEnd(10)} ${pair(alone)} ${pair(beside)} ${rate(beside.offered)} ${rate(beside.taken)}`,
      )
    }
    return pairs
  } finally {
    agent.destroy()
    child.send('stop')
    await once(child, 'exit')
  }
}

async function main(words: string[]): Promise<number> {
  const { values } = parseArgs({
    args: words,
    options: {
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '5' },
      out: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)]
  if (!(Number.isSafeInteger(rounds) && rounds >= 1 && Number.isSafeInteger(seconds) && seconds >= 1))
    throw new UsageError('--rounds and --seconds take whole numbers from 1')
  const check = beginCheck('load', commandOf('load', words))
  const pairs = await measurePairs(rounds, seconds, values.json ? console.error : console.log)
  const medianOf = (pick: (pair: Pair) => number) => median(pairs.map(pick))
  const [p50Ratio, p99Ratio] = [
    medianOf(({ alone, beside }) => beside.p50 / alone.p50),
    medianOf(({ alone, beside }) => beside.p99 / alone.p99),
  ]
  const withinLimit = pairs.every(({ beside }) => beside.taken <= LIMIT.perSecond * beside.seconds * 1.01 + 1)
  const held = withinLimit && p99Ratio <= 2
  if (values.json) console.log(JSON.stringify({ limit: LIMIT, pairs, p50Ratio, p99Ratio, held }, null, 2))
  else
    console.log(
      `median ratio: p50 ${p50Ratio.toFixed(2)}, p99 ${p99Ratio.toFixed(2)}; limit ${LIMIT.perSecond}/s; ${held ? 'held' : 'BROKEN'}`,
    )
  const perSecond = (pick: (round: Round) => number) =>
    medianOf(({ beside }) => pick(beside) / beside.seconds).toFixed(1)
  const latency = (pick: (pair: Pair) => Round) =>
    `p50 ${medianOf((pair) => pick(pair).p50).toFixed(2)} ms, p99 ${medianOf((pair) => pick(pair).p99).toFixed(2)} ms`
  const file = await check.finish(
    {
      held,
      figures: [
        ['limit of a wallet', `${LIMIT.perSecond}/s`],
        ['noisy wallet offered', `${perSecond(({ offered }) => offered)}/s`],
        ['noisy wallet was granted', `${perSecond(({ taken }) => taken)}/s (aim: ≤ limit + 1 %)`],
        [`${QUIET} quiet wallets alone`, latency(({ alone }) => alone)],
        ['beside the noisy wallet', latency(({ beside }) => beside)],
        ['ratio, median of the pairs', `p50 ${p50Ratio.toFixed(2)}, p99 ${p99Ratio.toFixed(2)} (aim: ≤ 2)`],
      ],
      notes: [
        'Streams that are not read, a network that stalls, 1,000 live streams and 100,000 distinct callers are held to their bounds by the tests beside it (`test/load`).',
      ],
    },
    values.out,
  )
  if (file !== null) process.stderr.write(`written: ${file}\n`)
  return held ? 0 : 1
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error)
  if (!isUsage) throw error
  console.error(`${error.message}\n\n${HELP}`)
  process.exitCode = 2
}
