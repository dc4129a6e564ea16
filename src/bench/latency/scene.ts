/** Everything that a run measures with: sandboxes, a gateway, wallets, and their clients on the networks. */
import type { NetworkClient } from '../../adapter/index.ts'
import { loadSandbox } from '../../adapter/registry.ts'
import { runAll } from '../../run-all.ts'
import { type Child, startChild } from '../child.ts'
import type { Crossing } from '../observed-networks.ts'
import { createPerson, type Person, signIn } from '../people.ts'
import type { DescribedNetwork, GatewayInput } from './gateway-process.ts'
import { describedWithoutGateway } from './paths.ts'
import type { Cell, LatencyOptions } from './plan.ts'
import type { StartedSandbox } from './sandboxes-process.ts'

const CONNECT_TIMEOUT_MS = 60_000
const POLL_MS = 100

/** Where the probes of a cell begin. */
export interface Origin {
  client: NetworkClient
  /** Where the client writes to. */
  address: string
  /** Signs the envelopes. */
  sender: Person
  /** walletKey that the envelopes are for. */
  recipient: string
}

export interface Scene {
  networks: DescribedNetwork[]
  origin(cell: Pick<Cell, 'path' | 'from' | 'to'>): Origin
  /** Frames that reached a recipient; `at` as soon as its SDK gave the frame out, by `monotonicNow`. */
  onFrame(listener: (network: string, frame: Uint8Array) => void): void
  /** Since the last call. */
  crossings(): Promise<Crossing[]>
  close(): Promise<void>
}

/** The two wallets of a network. The recipient is reached on this network alone, so that one copy of a message goes to it. */
interface Ends {
  sender: Person
  recipient: Person
  senderClient: NetworkClient
  recipientClient: NetworkClient
  /** Writes to the recipient without the gateway. */
  nativeClient: NetworkClient
  /** The recipient's. */
  address: string
}

export interface SceneInput {
  options: Pick<LatencyOptions, 'networks' | 'delays' | 'seed' | 'config'>
  say(text: string): void
  signal: AbortSignal
}

/** Starts everything and joins. Rejects, after stopping what was started, when a network does not connect within a minute. */
export async function openScene({ options, say, signal }: SceneInput): Promise<Scene> {
  const stopping: (() => Promise<unknown>)[] = []
  const close = () => runAll(stopping.splice(0).reverse())
  try {
    const { gateway, url, sandboxes } = await startNetworks({ options, say, signal }, stopping)
    const described = (await connected(gateway, signal)).map((network) => ({
      ...network,
      sandbox: network.sandbox || sandboxes.has(network.network),
      description: throughSandbox(network, sandboxes.get(network.network)),
    }))
    const missing = options.networks.filter((name) => !described.some(({ network }) => network === name))
    if (missing.length > 0) throw new RangeError(`the gateway has not joined: ${missing.join(', ')}`)
    const networks = described.filter(({ network }) => options.networks.includes(network))
    const ends = new Map<string, Ends>()
    for (const network of networks) {
      signal.throwIfAborted()
      say(`joining ${network.network} with its SDK, as two wallets`)
      ends.set(network.network, await joinAs(url, network, described, stopping))
    }
    const endsOn = (network: string) => {
      const found = ends.get(network)
      if (!found) throw new RangeError(`no clients on ${network}`)
      return found
    }
    return {
      networks,
      origin({ path, from, to }) {
        const { sender, senderClient, nativeClient } = endsOn(from)
        const { recipient, address } = endsOn(to)
        if (path === 'native') return { client: nativeClient, address, sender, recipient: recipient.wallet }
        const own = senderClient.gatewayAddress ?? endpointAddress.get(recipient)?.get(from)
        if (own === undefined) throw new Error(`no address on ${from} to write to`)
        return { client: senderClient, address: own, sender, recipient: recipient.wallet }
      },
      onFrame(listener) {
        for (const [network, { recipientClient }] of ends)
          recipientClient.onFrame((frame) => listener(network, frame))
      },
      crossings: () => gateway.ask<Crossing[]>('crossings'),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

type Stopping = (() => Promise<unknown>)[]

async function startNetworks({ options, say }: SceneInput, stopping: Stopping) {
  const start = async (module: string) => {
    const child = await startChild(`../latency/${module}`)
    stopping.push(() => child.stop())
    return child
  }
  if (options.config !== null) {
    say(`starting the gateway of ${options.config}`)
    const gateway = await start('gateway-process')
    const { url } = await gateway.ask<{ url: string }>('start', {
      file: options.config,
    } satisfies GatewayInput)
    return { gateway, url, sandboxes: new Map<string, StartedSandbox>() }
  }
  say(`starting the sandboxes of ${options.networks.join(', ')}, and a gateway`)
  const host = await start('sandboxes-process')
  const started = await host.ask<StartedSandbox[]>('start', {
    networks: options.networks,
    seed: options.seed,
  })
  const gateway = await start('gateway-process')
  const configs = Object.fromEntries(started.map(({ network, gatewayConfig }) => [network, gatewayConfig]))
  const { url } = await gateway.ask<{ url: string }>('start', { networks: configs } satisfies GatewayInput)
  await host.ask('connectGateway', { baseUrl: url })
  await host.ask('delay', options.delays)
  return { gateway, url, sandboxes: new Map(started.map((sandbox) => [sandbox.network, sandbox])) }
}

/** Clients of Waku dial the sandbox's node in place of the gateway's own, as they would a service node of the network. */
function throughSandbox(
  { description }: DescribedNetwork,
  sandbox: StartedSandbox | undefined,
): Record<string, unknown> {
  const websocket = sandbox?.addresses.websocket
  if (websocket === undefined || !('multiaddrs' in description)) return description
  return { ...description, multiaddrs: [websocket] }
}

async function connected(gateway: Child, signal: AbortSignal): Promise<DescribedNetwork[]> {
  const until = performance.now() + CONNECT_TIMEOUT_MS
  for (;;) {
    signal.throwIfAborted()
    const networks = await gateway.ask<DescribedNetwork[]>('networks')
    const waiting = networks.filter(({ state }) => state !== 'connected')
    if (waiting.length === 0) return networks
    if (performance.now() > until) {
      const states = waiting.map(
        ({ network, state, reason }) => `${network} is ${state}${reason ? ` (${reason})` : ''}`,
      )
      throw new Error(`not connected after ${CONNECT_TIMEOUT_MS / 1000} s: ${states.join('; ')}`)
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Addresses of a wallet by network. */
const endpointAddress = new WeakMap<Person, Map<string, string>>()

async function joinAs(
  url: string,
  network: DescribedNetwork,
  all: readonly DescribedNetwork[],
  stopping: Stopping,
): Promise<Ends> {
  const person = async () => {
    const made = createPerson()
    await signIn(url, made)
    endpointAddress.set(made, await addressesOf(url, made))
    return made
  }
  const join = async (who: Person, description = network.description) => {
    const { connectClient } = await loadSandbox(network.network)
    const client = await connectClient({
      address: endpointAddress.get(who)?.get(network.network) ?? '',
      description,
      credentials: network.credentials ? await credentialsOf(url, who, network.network) : null,
      signer: who.signer,
    })
    stopping.push(() => client.close())
    return client
  }
  const [sender, recipient] = [await person(), await person()]
  for (const other of all) {
    if (other.network === network.network) continue
    // Where accounts are made on demand, what is addressed to a wallet without one is refused.
    if (other.credentials) await credentialsOf(url, recipient, other.network)
    await disableEndpoint(url, recipient, other.network)
  }
  const recipientClient = await join(recipient)
  const senderClient = await join(sender)
  const aside = describedWithoutGateway(network.network, network.description)
  const nativeClient = aside === null ? senderClient : await join(await person(), aside)
  const address = endpointAddress.get(recipient)?.get(network.network) ?? ''
  return { sender, recipient, senderClient, recipientClient, nativeClient, address }
}

async function addressesOf(url: string, { wallet }: Person): Promise<Map<string, string>> {
  const { endpoints } = await call<{ endpoints: { network: string; address: string }[] }>(
    `${url}/v1/wallets/${encodeURIComponent(wallet)}`,
  )
  return new Map(endpoints.map(({ network, address }) => [network, address]))
}

function credentialsOf(
  url: string,
  person: Person,
  network: string,
): Promise<Record<string, string | number>> {
  return call(`${url}/v1/networks/${network}/credentials`, { person, method: 'POST', body: {} })
}

async function disableEndpoint(url: string, person: Person, network: string): Promise<void> {
  const path = `${url}/v1/wallets/${encodeURIComponent(person.wallet)}/endpoints/${network}`
  await call(path, { person, method: 'PUT', body: { enabled: false } })
}

async function call<Value>(
  url: string,
  request: { person?: Person; method?: string; body?: unknown } = {},
): Promise<Value> {
  const { person, method = 'GET', body } = request
  const response = await fetch(url, {
    method,
    headers: {
      ...(person ? { authorization: `Bearer ${person.token}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  if (!response.ok) {
    const path = new URL(url).pathname.replace(/eip155[^/]*/, '<wallet>')
    throw new Error(`the gateway answered ${response.status} to ${method} ${path}`)
  }
  return (await response.json()) as Value
}
