/**
 * What a noisy wallet costs the others: `node test/load/run.ts [--seconds N] [--rounds N]`. Quiet wallets submit envelopes one after
 * the other, alone and beside a wallet that offers ten times its limit, in turns in one run; the ratio of their latencies is the
 * figure. Prints a table; exits 1 when the noisy wallet had more than its limit + 1 % or the median ratio of p99 is over 2.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { makeEnvelope, type Person, signInPeople } from '../../src/bench/people.ts'

const QUIET = 8
/** Envelopes a second of one quiet wallet. */
const QUIET_PER_SECOND = 10
const LIMIT = { perSecond: 50, burst: 200 }

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

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
  latencies.sort((left, right) => left - right)
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
  return { p50: at(0.5), p99: at(0.99), ...noise, seconds: (performance.now() - start) / 1000 }
}

function median(values: number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] ?? 0
}

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '5' }, rounds: { type: 'string', default: '5' } },
})
const seconds = Number(values.seconds)
const child = fork(fileURLToPath(new URL('./gateway-process.ts', import.meta.url)), [JSON.stringify(LIMIT)])
const [{ url }] = (await once(child, 'message')) as [{ url: string }]
const people = await signInPeople(url, QUIET + 1)
const noisy = people.pop()!
const [p50, p99]: [number[], number[]] = [[], []]
let withinLimit = true
// Warms up.
await measure(url, people, noisy, 3)
console.log('round      alone p50/p99 ms   beside p50/p99 ms   noisy offered/s taken/s')
for (let round = 1; round <= Number(values.rounds); round++) {
  const alone = await measure(url, people, null, seconds)
  // The bucket has filled while it was quiet: emptied again, so that the window shows the limit.
  const emptied = Array.from({ length: LIMIT.burst * 2 }, () => makeEnvelope(noisy, noisy.wallet))
  await Promise.all(emptied.map((body) => submit(url, noisy, body)))
  const beside = await measure(url, people, noisy, seconds)
  p50.push(beside.p50 / alone.p50)
  p99.push(beside.p99 / alone.p99)
  withinLimit &&= beside.taken <= LIMIT.perSecond * beside.seconds * 1.01 + 1
  const pair = ({ p50: middle, p99: high }: Round) => `${middle.toFixed(2)} / ${high.toFixed(2)}`.padEnd(19)
  const rate = (count: number) => (count / beside.seconds).toFixed(1)
  console.log(
    `${String(round).padEnd(10)} ${pair(alone)} ${pair(beside)} ${rate(beside.offered)} ${rate(beside.taken)}`,
  )
}
console.log(
  `median ratio: p50 ${median(p50).toFixed(2)}, p99 ${median(p99).toFixed(2)}; limit ${LIMIT.perSecond}/s`,
)
agent.destroy()
child.send('stop')
await once(child, 'exit')
if (!withinLimit || median(p99) > 2) process.exitCode = 1
