/** What the gateway adds between one network and another, at a steady rate, with the real clients and stand-ins of both. */
import type { NetworkClient, Sandbox } from '../adapter/index.ts'
import { loadSandbox } from '../adapter/registry.ts'
import { decodeSealed, encodeFrame, frameForEnvelope, toHex } from '../envelope/index.ts'
import { type Bench, type BenchInput, LegValues } from './bench.ts'
import { type Child, startChild } from './child.ts'
import { type Crossing, monotonicNow } from './observed-networks.ts'
import { makeEnvelope, type Person, signInPeople } from './people.ts'
import type { GatewayInput } from './processes/gateway.ts'
import { quantile } from './statistics.ts'

const WARMUP = 64
/** Wallets that write to the recipient, each a conversation of its own: within one, sends go out one after the other. */
const SENDERS = 32
const SETTLE_MS = 30_000
const BOUND_MS = 100

interface Direction {
  from: string
  to: string
  title: string
}

const directions: Direction[] = [
  { from: 'waku', to: 'trtc', title: 'Waku → TRTC' },
  { from: 'trtc', to: 'waku', title: 'TRTC → Waku' },
]

export const relay: Bench = {
  name: 'relay',
  summary: 'time that the gateway adds between Waku and TRTC, next to what the networks take themselves',
  options: {
    rates: { type: 'string', default: '50,100,200,400', help: 'messages a second, one step after the other' },
    seconds: { type: 'string', default: '6', help: 'length of a step' },
  },
  async run(input: BenchInput) {
    const rates = (input.options.rates ?? '').split(',').map(Number)
    const legs = new Map<string, LegValues>()
    const highest = directions.map(({ title }) => ({
      title: `highest rate tried with p99 below ${BOUND_MS} ms, ${title}, messages/s`,
      aim: null,
      values: [] as number[],
    }))
    for (let run = 0; run < input.runs; run++) {
      await withNetworks(async (scene) => {
        for (const [index, direction] of directions.entries()) {
          let best = 0
          for (const rate of rates) {
            const name = `${direction.from}-${rate}`
            const leg = legs.get(name) ?? new LegValues(name, `${direction.title}, ${rate}/s`)
            legs.set(name, leg)
            const result = await step(scene, direction, rate, Number(input.options.seconds))
            leg.add(result)
            input.progress(
              `run ${run + 1}/${input.runs}  ${leg.title.padEnd(20)} added p50 ${result['added p50 ms']!.toFixed(2)} ms  p99 ${result['added p99 ms']!.toFixed(2)} ms  sent ${result['sent a second']!.toFixed(0)}/s`,
            )
            if (result['added p99 ms']! < BOUND_MS) best = Math.max(best, result['sent a second']!)
          }
          highest[index]!.values.push(best)
        }
      })
    }
    return {
      legs: [...legs.values()],
      ratios: highest,
      notes: [
        'added: from the moment at which the adapter hands a frame to the relay to the call of the other adapter’s send, one durable transaction for the envelope and one for the claim of the delivery between them.',
        'in: from the client’s send to the adapter’s hand-over. out: from the call of send to the network’s answer. Both are the network’s native leg, here its stand-in on loopback with the real SDK as client; the internet adds its own.',
        `${SENDERS} conversations take turns. Within one, a message leaves once the one before it was answered, so that a conversation’s own rate is bounded by the answer of the network and two waits for the disk.`,
        'sent a second: what the client’s SDK managed of the rate that was asked for.',
      ],
    }
  },
}

interface Scene {
  gateway: Child
  senders: Person[]
  recipient: Person
  clients: Map<string, NetworkClient>
  /** Address of the recipient by network. */
  addresses: Map<string, string>
}

async function withNetworks(use: (scene: Scene) => Promise<void>): Promise<void> {
  const stopping: (() => Promise<unknown> | unknown)[] = []
  try {
    const sandboxes = new Map<string, Sandbox>()
    for (const { from } of directions) {
      const sandbox = await (await loadSandbox(from)).startSandbox()
      sandboxes.set(from, sandbox)
      stopping.push(() => sandbox.stop())
    }
    const gateway = await startChild('gateway', { execArgv: ['--expose-gc'] })
    stopping.push(() => gateway.stop())
    const networks = Object.fromEntries(
      [...sandboxes].map(([name, { gatewayConfig }]) => [name, gatewayConfig]),
    )
    const { url } = await gateway.ask<{ url: string }>('start', {
      signatures: true,
      networks,
    } satisfies GatewayInput)
    for (const sandbox of sandboxes.values()) sandbox.connectGateway?.({ baseUrl: url })
    const described = await connected(gateway)
    const [recipient, ...senders] = (await signInPeople(url, SENDERS + 1)) as [Person, Person]
    const addresses = await endpointsOf(url, recipient)
    const own = await endpointsOf(url, senders[0])
    const clients = new Map<string, NetworkClient>()
    for (const [name, description] of described) {
      const credentials = name === 'trtc' ? await credentialsOf(url, senders[0], name) : null
      const { connectClient } = await loadSandbox(name)
      const client = await connectClient({ address: own.get(name) ?? '', description, credentials })
      clients.set(name, client)
      stopping.push(() => client.close())
    }
    await use({ gateway, senders, recipient, clients, addresses })
  } finally {
    for (const stop of stopping.reverse()) await stop()
  }
}

type Described = { network: string; state: string; description: Record<string, unknown> }

async function connected(gateway: Child): Promise<Map<string, Record<string, unknown>>> {
  const until = monotonicNow() + SETTLE_MS
  for (;;) {
    const networks = await gateway.ask<Described[]>('networks')
    if (networks.every(({ state }) => state === 'connected')) {
      return new Map(networks.map(({ network, description }) => [network, description]))
    }
    if (monotonicNow() > until) throw new Error(`the networks did not connect: ${JSON.stringify(networks)}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function endpointsOf(url: string, person: Person): Promise<Map<string, string>> {
  const response = await fetch(`${url}/v1/wallets/${encodeURIComponent(person.wallet)}`)
  const { endpoints } = (await response.json()) as { endpoints: { network: string; address: string }[] }
  return new Map(endpoints.map(({ network, address }) => [network, address]))
}

async function credentialsOf(
  url: string,
  person: Person,
  network: string,
): Promise<Record<string, string | number>> {
  const response = await fetch(`${url}/v1/networks/${network}/credentials`, {
    method: 'POST',
    headers: { authorization: `Bearer ${person.token}`, 'content-type': 'application/json' },
    body: '{}',
  })
  if (!response.ok) throw new Error(`credentials for ${network}: ${response.status} ${await response.text()}`)
  return (await response.json()) as Record<string, string | number>
}

/** Sends at a steady rate for some seconds, then waits until everything has left on the other side. */
async function step(
  scene: Scene,
  direction: Direction,
  rate: number,
  seconds: number,
): Promise<Record<string, number>> {
  await send(scene, direction, rate, WARMUP)
  const sent = await send(scene, direction, rate, Math.round(rate * seconds))
  const seen = sent.crossings
  const at = (what: Crossing['what'], network: string) => {
    const first = new Map<string, number>()
    for (const crossing of seen) {
      if (crossing.what === what && crossing.network === network && !first.has(crossing.id))
        first.set(crossing.id, crossing.at)
    }
    return first
  }
  const heard = at('heard', direction.from)
  const sending = at('sending', direction.to)
  const answered = at('sent', direction.to)
  const between = (from: Map<string, number>, to: Map<string, number>) =>
    [...from].flatMap(([id, start]) => (to.has(id) ? [to.get(id)! - start] : []))
  const added = between(heard, sending)
  return {
    'added p50 ms': quantile(added, 0.5),
    'added p99 ms': quantile(added, 0.99),
    'in p50 ms': quantile(between(sent.times, heard), 0.5),
    'out p50 ms': quantile(between(sending, answered), 0.5),
    'sent a second': sent.rate,
  }
}

async function send(
  { gateway, senders, recipient, clients, addresses }: Scene,
  { from, to }: Direction,
  rate: number,
  count: number,
): Promise<{ times: Map<string, number>; crossings: Crossing[]; rate: number }> {
  const client = clients.get(from)
  const address = addresses.get(from)
  if (!client || address === undefined) throw new Error(`nobody can send on ${from}`)
  const envelopes = Array.from({ length: count }, (_, number) =>
    makeEnvelope(senders[number % SENDERS]!, recipient.wallet, 256),
  )
  const frames = envelopes.map((sealed) => ({
    id: toHex(decodeSealed(sealed).id),
    frame: encodeFrame(frameForEnvelope(sealed, null)),
  }))
  await gateway.ask('crossings')
  const times = new Map<string, number>()
  const startedAt = monotonicNow()
  const sends: Promise<unknown>[] = []
  for (const [number, { id, frame }] of frames.entries()) {
    const rest = startedAt + (number * 1000) / rate - monotonicNow()
    if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest))
    times.set(id, monotonicNow())
    sends.push(client.send(address, frame))
  }
  await Promise.all(sends)
  const reached = (count / (monotonicNow() - startedAt)) * 1000
  const crossings: Crossing[] = []
  const until = monotonicNow() + SETTLE_MS
  const left = () =>
    new Set(crossings.filter(({ what, network }) => what === 'sent' && network === to).map(({ id }) => id))
      .size
  while (left() < count) {
    if (monotonicNow() > until)
      throw new Error(`${count - left()} of ${count} messages from ${from} did not reach ${to}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
    crossings.push(...(await gateway.ask<Crossing[]>('crossings')))
  }
  return { times, crossings, rate: reached }
}
