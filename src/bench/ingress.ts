/** How many envelopes a gateway takes: durable and verified, against what any server would pay for the same request. */
import { encode } from 'cborg'
import { type Bench, type BenchInput, LegValues, type Ratio, ratioOf } from './bench.ts'
import { type Child, startChild } from './child.ts'
import { closedLoop, type LoadResult } from './load/closed-loop.ts'
import { type HttpConnection, openConnection, requestBytes } from './load/http-connection.ts'
import { openSocket, submissionOf } from './load/socket-connection.ts'
import { createPerson, makeEnvelope, type Person, signInPeople } from './people.ts'
import type { GatewayInput, Usage } from './processes/gateway.ts'
import { shuffled } from './statistics.ts'

const IN_FLIGHT = 64
const SENDERS = 16
const RECIPIENTS = 4
const BATCH = 32
const BATCH_CONNECTIONS = 8
const SOCKETS = 8
const FSYNC_BYTES = 1_024
/** Before anything is measured: compilers work beside the first 10,000 or so, and cost as much as the requests themselves. */
const WARMUP = 12_000

type Format = 'json' | 'cbor'

interface LegDefinition {
  title: string
  run(count: number): Promise<Record<string, number>>
}

const legs: Record<string, LegDefinition> = {
  fsync: {
    title: 'one fdatasync after the other (1 KiB)',
    run: (count) => ceiling('fsync', { count: Math.ceil(count / 2), size: FSYNC_BYTES }),
  },
  ed25519: {
    title: 'Ed25519 verifications alone, as the gateway makes them',
    run: (count) => ceiling('ed25519', { count, inFlight: IN_FLIGHT, warmup: WARMUP }),
  },
  'ed25519-main': {
    title: 'Ed25519 verifications alone, OpenSSL on the main thread',
    run: (count) => ceiling('ed25519Alone', { count, inFlight: 1, warmup: WARMUP / 4 }),
  },
  store: {
    title: 'store alone, accepts in groups',
    run: (count) => ceiling('store', { count, inFlight: IN_FLIGHT, warmup: WARMUP }),
  },
  'hono-json': { title: 'bare Hono + zod, JSON', run: (count) => honoLeg('json', count) },
  'hono-cbor': { title: 'bare Hono + zod, bytes', run: (count) => honoLeg('cbor', count) },
  json: { title: 'gateway, POST JSON', run: (count) => httpLeg('json', count, true) },
  cbor: { title: 'gateway, POST CBOR', run: (count) => httpLeg('cbor', count, true) },
  batch: { title: 'gateway, POST 32 as CBOR', run: (count) => batchLeg(count, true) },
  socket: { title: 'gateway, WebSocket', run: (count) => socketLeg(count, true) },
  'cbor-unsigned': { title: 'gateway, POST CBOR, unverified', run: (count) => httpLeg('cbor', count, false) },
  'batch-unsigned': { title: 'gateway, POST 32 as CBOR, unverified', run: (count) => batchLeg(count, false) },
  'socket-unsigned': { title: 'gateway, WebSocket, unverified', run: (count) => socketLeg(count, false) },
}

export const ingress: Bench = {
  name: 'ingress',
  summary: 'durable, verified envelopes a second over HTTP and WebSocket, against ceilings of the same run',
  options: {
    count: { type: 'string', default: '6000', help: 'envelopes measured for each leg and run' },
    legs: { type: 'string', default: Object.keys(legs).join(','), help: 'legs to run' },
  },
  async run({ runs, options, progress }: BenchInput) {
    const chosen = (options.legs ?? '').split(',').filter((name) => name in legs)
    const values = new Map(chosen.map((name) => [name, new LegValues(name, legs[name]!.title)]))
    for (let run = 0; run < runs; run++) {
      for (const name of shuffled(chosen, run)) {
        const result = await legs[name]!.run(Number(options.count))
        values.get(name)!.add(result)
        progress(
          `run ${run + 1}/${runs}  ${name.padEnd(16)} ${result['per second']!.toFixed(0).padStart(7)}/s  ${result['CPU µs']!.toFixed(1).padStart(6)} µs CPU  p50 ${result['p50 ms']!.toFixed(2)} ms  p99 ${result['p99 ms']!.toFixed(2)} ms`,
        )
      }
    }
    return { legs: [...values.values()], ratios: ratiosOf(values), notes: NOTES }
  },
}

const NOTES = [
  `${IN_FLIGHT} requests under way at once over ${IN_FLIGHT} connections; batches over ${BATCH_CONNECTIONS} connections; WebSocket: ${IN_FLIGHT} submissions under way over ${SOCKETS} sockets. Envelopes of about 1.6 KB, each new, with two key wraps and a real signature.`,
  'CPU µs: all threads of the serving process, for one envelope. The load generator runs beside it on the same cores, and its share is not in that figure.',
  `Every leg but the one of fdatasync begins with ${WARMUP} requests that are not measured, until the compilers of the engine have done most of their work.`,
  'A 202 is durable in every leg of the gateway: SQLite with synchronous=FULL. Unverified: the same without the check of the Ed25519 signature, to compare with brokers that check none.',
]

function ratiosOf(values: Map<string, LegValues>): Ratio[] {
  const leg = (name: string) => values.get(name)
  const rate = 'per second'
  const cpu = 'CPU µs'
  return [
    ratioOf(
      'POST JSON / bare Hono + zod JSON, CPU (inverse)',
      [leg('hono-json'), cpu],
      [leg('json'), cpu],
      '≥ 0.30',
    ),
    ratioOf(
      'POST CBOR / bare Hono + zod bytes, CPU (inverse)',
      [leg('hono-cbor'), cpu],
      [leg('cbor'), cpu],
      '≥ 0.30',
    ),
    ratioOf(
      'POST JSON / bare Hono + zod JSON, rate',
      [leg('json'), rate],
      [leg('hono-json'), rate],
      '≥ 0.30',
    ),
    ratioOf(
      'POST CBOR / bare Hono + zod bytes, rate',
      [leg('cbor'), rate],
      [leg('hono-cbor'), rate],
      '≥ 0.30',
    ),
    ratioOf('POST CBOR unverified / fsync, rate', [leg('cbor-unsigned'), rate], [leg('fsync'), rate], '≥ 4'),
    ratioOf(
      'WebSocket unverified / fsync, rate',
      [leg('socket-unsigned'), rate],
      [leg('fsync'), rate],
      '≥ 4',
    ),
    ratioOf('batches unverified / fsync, rate', [leg('batch-unsigned'), rate], [leg('fsync'), rate], '≥ 4'),
    ratioOf('WebSocket / store alone, rate', [leg('socket'), rate], [leg('store'), rate]),
    ratioOf(
      'WebSocket CPU / (Ed25519 + store) CPU',
      [leg('socket'), cpu],
      [sumOf(leg('ed25519'), leg('store')), cpu],
    ),
  ].filter((ratio) => ratio !== null)
}

function sumOf(one: LegValues | undefined, other: LegValues | undefined): LegValues | undefined {
  if (!one || !other) return undefined
  const sum = new LegValues('sum', `${one.title} and ${other.title}`)
  for (const [run, value] of one.metrics['CPU µs']!.entries()) {
    sum.add({ 'CPU µs': value + other.metrics['CPU µs']![run]! })
  }
  return sum
}

async function ceiling(name: string, input: Record<string, number>): Promise<Record<string, number>> {
  const child = await startChild('ceiling')
  try {
    const result = await child.ask<LoadResult & { cpu: number }>(name, input)
    return metricsOf(result, result.cpu)
  } finally {
    await child.stop()
  }
}

function metricsOf(result: LoadResult, cpu: number, perOperation = 1): Record<string, number> {
  return {
    'per second': result.rate * perOperation,
    'CPU µs': cpu / perOperation,
    'p50 ms': result.p50,
    'p99 ms': result.p99,
  }
}

/** Runs the load and reads the server's CPU time around it. */
async function loaded(
  server: Child,
  input: { count: number; inFlight: number; warmup: number },
  operation: (number: number, caller: number) => Promise<void>,
  perOperation = 1,
): Promise<Record<string, number>> {
  const { count, inFlight, warmup } = input
  await closedLoop({ count: warmup, inFlight, warmup: 0 }, operation)
  const before = await server.ask<Usage>('usage')
  const result = await closedLoop({ count, inFlight, warmup: 0 }, (number, caller) =>
    operation(warmup + number, caller),
  )
  const after = await server.ask<Usage>('usage')
  return metricsOf(result, (after.cpu - before.cpu) / count, perOperation)
}

async function connections(url: string, count: number): Promise<HttpConnection[]> {
  return Promise.all(Array.from({ length: count }, () => openConnection(url)))
}

async function honoLeg(format: Format, count: number): Promise<Record<string, number>> {
  const server = await startChild('ceiling')
  try {
    const { url } = await server.ask<{ url: string }>('hono')
    const lines = await connections(url, IN_FLIGHT)
    const sealed = makeEnvelope(createPerson(), createPerson().wallet)
    const request = submission(format, sealed, 'none')
    const result = await loaded(server, sizes(count), async (_number, caller) => {
      accepted(await lines[caller]!.request(request))
    })
    for (const line of lines) line.close()
    return result
  } finally {
    await server.stop()
  }
}

function sizes(count: number) {
  return { count, inFlight: IN_FLIGHT, warmup: WARMUP }
}

function submission(format: Format, sealed: Uint8Array, token: string): Buffer {
  const headers = { 'content-type': `application/${format}`, authorization: `Bearer ${token}` }
  const body =
    format === 'cbor'
      ? sealed
      : Buffer.from(JSON.stringify({ sealed: Buffer.from(sealed).toString('base64url') }))
  return requestBytes('/v1/envelopes', body, headers)
}

function accepted({ status, body }: { status: number; body: Buffer }, expected = 202): void {
  if (status !== expected) throw new Error(`answered ${status}: ${body.toString().slice(0, 500)}`)
}

/** A gateway of HTTP alone, and people of it. */
async function withGateway<Value>(
  signatures: boolean,
  use: (server: Child, url: string, people: { senders: Person[]; recipients: Person[] }) => Promise<Value>,
): Promise<Value> {
  const server = await startChild('gateway', {
    execArgv: [
      '--expose-gc',
      ...(process.env.CAUSEWAY_BENCH_PROFILE
        ? ['--cpu-prof', `--cpu-prof-dir=${process.env.CAUSEWAY_BENCH_PROFILE}`]
        : []),
    ],
  })
  try {
    const { url } = await server.ask<{ url: string }>('start', {
      signatures,
      networks: {},
    } satisfies GatewayInput)
    const people = await signInPeople(url, SENDERS + RECIPIENTS)
    return await use(server, url, {
      senders: people.slice(0, SENDERS),
      recipients: people.slice(SENDERS),
    })
  } finally {
    await server.stop()
  }
}

/** Number `n` is sent by the sender in place `n` modulo their number; recipients take turns likewise. */
function envelopesOf(
  { senders, recipients }: { senders: Person[]; recipients: Person[] },
  count: number,
): Uint8Array[] {
  return Array.from({ length: count }, (_, number) => {
    const place = number % senders.length
    return makeEnvelope(senders[place]!, recipients[number % recipients.length]!.wallet)
  })
}

function httpLeg(format: Format, count: number, signatures: boolean): Promise<Record<string, number>> {
  return withGateway(signatures, async (server, url, people) => {
    const plan = sizes(count)
    const requests = envelopesOf(people, plan.count + plan.warmup).map((sealed, number) =>
      submission(format, sealed, people.senders[number % SENDERS]!.token),
    )
    const lines = await connections(url, IN_FLIGHT)
    const result = await loaded(server, plan, async (number, caller) => {
      accepted(await lines[caller]!.request(requests[number]!))
    })
    for (const line of lines) line.close()
    return result
  })
}

function batchLeg(count: number, signatures: boolean): Promise<Record<string, number>> {
  return withGateway(signatures, async (server, url, { senders, recipients }) => {
    const plan = {
      count: Math.ceil(count / BATCH),
      inFlight: BATCH_CONNECTIONS,
      warmup: Math.ceil(WARMUP / BATCH),
    }
    const requests = Array.from({ length: plan.count + plan.warmup }, (_, number) => {
      const place = number % senders.length
      const batch = Array.from({ length: BATCH }, () =>
        makeEnvelope(senders[place]!, recipients[number % recipients.length]!.wallet),
      )
      const headers = { 'content-type': 'application/cbor', authorization: `Bearer ${senders[place]!.token}` }
      return requestBytes('/v1/envelopes/batch', encode(batch), headers)
    })
    const lines = await connections(url, BATCH_CONNECTIONS)
    const result = await loaded(
      server,
      plan,
      async (number, caller) => {
        const answer = await lines[caller]!.request(requests[number]!)
        accepted(answer, 200)
        if (answer.body.includes('"problem"')) throw new Error(answer.body.toString().slice(0, 500))
      },
      BATCH,
    )
    for (const line of lines) line.close()
    return result
  })
}

function socketLeg(count: number, signatures: boolean): Promise<Record<string, number>> {
  return withGateway(signatures, async (server, url, people) => {
    const plan = sizes(count)
    const submissions = envelopesOf(people, plan.count + plan.warmup).map((sealed, number) =>
      submissionOf(people.senders[number % SENDERS]!.wallet, sealed),
    )
    const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => openSocket(url)))
    const socketOf = (place: number) => sockets[place % SOCKETS]!
    await Promise.all(people.senders.map(({ token }, place) => socketOf(place).attach(token)))
    const result = await loaded(server, plan, (number) =>
      socketOf(number % SENDERS).submit(submissions[number]!),
    )
    await Promise.all(sockets.map((socket) => socket.close()))
    return result
  })
}
