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

interface Pair {
  networks: [string, string]
  /** Messages a second beyond which not the gateway is measured but the SDK of one side, its limits or its cost. */
  highest: number
}

interface Direction {
  from: string
  to: string
  title: string
}

const titles: Readonly<Record<string, string>> = { waku: 'Waku', trtc: 'TRTC', xmtp: 'XMTP', push: 'Push' }

/** Each in a gateway that has joined these two networks alone, so that no third one has a part in the times. */
const pairs: Readonly<Record<string, Pair>> = {
  'waku-trtc': { networks: ['waku', 'trtc'], highest: Number.POSITIVE_INFINITY },
  // Its SDK lets 5,000 calls a minute through, two for a message.
  'xmtp-trtc': { networks: ['xmtp', 'trtc'], highest: 25 },
  // Its SDK takes some 30 ms of a core for a message.
  'push-trtc': { networks: ['push', 'trtc'], highest: 5 },
}

export const relay: Bench = {
  name: 'relay',
  summary: 'time that the gateway adds between two networks, next to what the networks take themselves',
  options: {
    pairs: {
      type: 'string',
      default: Object.keys(pairs).join(','),
      help: 'pairs of networks, in both directions',
    },
    rates: { type: 'string', default: '50,100,200,400', help: 'messages a second, one step after the other' },
    seconds: { type: 'string', default: '6', help: 'length of a step' },
  },
  async run(input: BenchInput) {
    const chosen = chosenPairs(input.options.pairs ?? '')
    const rates = (input.options.rates ?? '').split(',').map(Number)
    const legs = new Map<string, LegValues>()
    const highest = new Map<string, { title: string; aim: null; values: number[] }>()
    for (let run = 0; run < input.runs; run++) {
      for (const pair of chosen) {
        await withNetworks(pair, async (scene) => {
          for (const direction of directionsOf(pair)) {
            let best = 0
            for (const rate of new Set(rates.map((wanted) => Math.min(wanted, pair.highest)))) {
              const name = `${direction.from}-${direction.to}-${rate}`
              const leg = legs.get(name) ?? new LegValues(name, `${direction.title}, ${rate}/s`)
              legs.set(name, leg)
              const result = await step(scene, direction, rate, Number(input.options.seconds))
              leg.add(result)
              input.progress(
                `run ${run + 1}/${input.runs}  ${leg.title.padEnd(20)} added p50 ${result['added p50 ms']!.toFixed(2)} ms  p99 ${result['added p99 ms']!.toFixed(2)} ms  sent ${result['sent a second']!.toFixed(0)}/s`,
              )
              if (result['added p99 ms']! < BOUND_MS) best = Math.max(best, result['sent a second']!)
            }
            const title = `highest rate tried with p99 below ${BOUND_MS} ms, ${direction.title}, messages/s`
            const figure = highest.get(title) ?? { title, aim: null, values: [] }
            highest.set(title, figure)
            figure.values.push(best)
          }
        })
      }
    }
    return {
      legs: [...legs.values()],
      ratios: [...highest.values()],
      notes: [
        'added: from the moment at which the adapter hands a frame to the relay to the call of the other adapter’s send, one durable transaction for the envelope and one for the claim of the delivery between them.',
        'in: from the client’s send to the adapter’s hand-over. out: from the call of send to the network’s answer. Both are the network’s native leg, here its stand-in on loopback with the real SDK as client; the internet adds its own.',
        `${SENDERS} conversations take turns. Within one, a message leaves once the one before it was answered, so that a conversation’s own rate is bounded by the answer of the network and two waits for the disk.`,
        'sent a second: what the client’s SDK managed of the rate that was asked for. XMTP is tried up to 25 a second and Push up to 5: beyond lie the limits of their SDKs (5,000 calls a minute, and some 30 ms of a core for a message).',
      ],
    }
  },
}

function chosenPairs(names: string): Pair[] {
  return names.split(',').map((name) => {
    const pair = Object.hasOwn(pairs, name) ? pairs[name] : undefined
    if (!pair) throw new RangeError(`no pair "${name}"; there are ${Object.keys(pairs).join(', ')}`)
    return pair
  })
}

function directionsOf({ networks: [one, other] }: Pair): Direction[] {
  return [
    [one, other],
    [other, one],
  ].map(([from = '', to = '']) => ({ from, to, title: `${titles[from]} → ${titles[to]}` }))
}

interface Scene {
  gateway: Child
  senders: Person[]
  recipient: Person
  clients: Map<string, NetworkClient>
  /** Where the client of each network writes to. */
  addresses: Map<string, string>
}

async function withNetworks(pair: Pair, use: (scene: Scene) => Promise<void>): Promise<void> {
  const stopping: (() => Promise<unknown> | unknown)[] = []
  try {
    const sandboxes = new Map<string, Sandbox>()
    for (const network of pair.networks) {
      const sandbox = await (await loadSandbox(network)).startSandbox()
      sandboxes.set(network, sandbox)
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
    const clients = new Map<string, NetworkClient>()
    for (const [name, description] of described) {
      const join = async (person: Person) => {
        const client = await joinAs(url, person, name, description)
        stopping.push(() => client.close())
        return client
      }
      // A wallet without a client on these networks is none that could be written to.
      if (name === 'xmtp' || name === 'push') await join(recipient)
      const client = await join(senders[0])
      clients.set(name, client)
      if (client.gatewayAddress !== undefined) addresses.set(name, client.gatewayAddress)
    }
    await use({ gateway, senders, recipient, clients, addresses })
  } finally {
    for (const stop of stopping.reverse()) await stop()
  }
}

async function joinAs(
  url: string,
  person: Person,
  network: string,
  description: Record<string, unknown>,
): Promise<NetworkClient> {
  const { connectClient } = await loadSandbox(network)
  return connectClient({
    address: (await endpointsOf(url, person)).get(network) ?? '',
    description,
    credentials: network === 'trtc' ? await credentialsOf(url, person, network) : null,
    signer: person.signer,
  })
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
