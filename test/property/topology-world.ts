/** Builds a scenario's gateways and networks, and writes down all that passes between them. */
import simulator, { type SimulatedNetwork } from '../../adapters/simulator/index.ts'
import type { Adapter, AdapterDefinition, AdapterErrorClass, DeliverResult } from '../../src/adapter/index.ts'
import { AdapterError } from '../../src/adapter/index.ts'
import { createVirtualClock, type VirtualClock } from '../../src/adapter/testing/clock.ts'
import { decodeFrame, type Hop, toHex } from '../../src/envelope/index.ts'
import { type Person, RelayBench, type TestGateway } from '../../src/relay/testing/bench.ts'
import { seededRandom } from '../chaos/random.ts'
import { namedRandom, PEOPLE, START, verifyOnce, verifyWalletOnce } from './topology-people.ts'
import { NETWORK_NAMES, type Scenario } from './topology-scenario.ts'
import { createSimulatedStore, type SimulatedStore } from './topology-store.ts'

/** One call of a network's `send` by a gateway. */
export interface Sending {
  gateway: string
  network: string
  id: string
  transactionId: string
  wallet: string
  address: string
  trace: Hop[]
  /** Virtual milliseconds; `endedAt` is null while it is under way. */
  startedAt: number
  endedAt: number | null
  outcome: 'acknowledged' | AdapterErrorClass | null
}

/** One message that a network handed to a gateway, and what the gateway said to it. */
export interface Hearing {
  gateway: string
  network: string
  id: string
  to: string | null
  trace: Hop[]
  answeredAt: number
  result: DeliverResult
}

export interface WorldGateway {
  gateway: TestGateway
  store: SimulatedStore
  people: readonly Person[]
  networks: readonly string[]
  policy: 'mirror' | 'fallback'
}

export interface WorldNetwork {
  name: string
  network: SimulatedNetwork
  history: boolean
}

/** What passes between gateways and networks. */
export interface Traffic {
  sendings: Sending[]
  hearings: Hearing[]
}

export interface World extends Traffic {
  clock: VirtualClock
  gateways: WorldGateway[]
  networks: WorldNetwork[]
  people: readonly Person[]
  /** Messages that native clients put on networks. */
  published: { network: string; id: string; address: string }[]
  /** Envelopes that a gateway has acknowledged over HTTP. */
  posted: { gateway: WorldGateway; id: string }[]
  /** What happened and never may. */
  violations: string[]
  /** Lets virtual time pass until the promise has settled. */
  drive<T>(promise: Promise<T>): Promise<T>
  close(): Promise<void>
}

/** Bits as positions, among `count`. */
const positions = (bits: number, count: number) =>
  Array.from({ length: count }, (_, index) => index).filter((index) => bits & (1 << index))

export async function buildWorld(scenario: Scenario): Promise<World> {
  const clock = createVirtualClock(START)
  const bench = new RelayBench()
  const fraction = seededRandom(scenario.seed).fraction
  const world: World = {
    clock,
    gateways: [],
    networks: scenario.networks.map((settings, index) => {
      const quiet = settings.history ? {} : { loss: 0 }
      return {
        name: NETWORK_NAMES[index]!,
        network: bench.network({ ...settings, ...quiet, clock }),
        history: settings.history,
      }
    }),
    people: PEOPLE,
    sendings: [],
    hearings: [],
    published: [],
    posted: [],
    violations: [],
    drive: (promise) => drive(clock, promise),
    async close() {
      for (const { gateway } of world.gateways) await drive(clock, gateway.stop())
      // Removes folders, which takes the machine's time and not the clock's.
      await bench.close()
    },
  }
  for (const [index, shape] of scenario.gateways.entries()) {
    world.gateways.push(await addGateway(world, bench, shape, index, fraction))
  }
  return world
}

async function addGateway(
  world: World,
  bench: RelayBench,
  { joined, serves, route, clockMs }: Scenario['gateways'][number],
  index: number,
  fraction: () => number,
): Promise<WorldGateway> {
  const name = `gateway-${index}`
  const { clock } = world
  const own = { ...clock, now: () => clock.now() + clockMs }
  const places = new Set([index % world.networks.length, ...positions(joined, world.networks.length)])
  const networks = [...places].sort().map((place) => world.networks[place]!)
  const people = PEOPLE.filter((_, place) => place === index || serves & (1 << place))
  const random = namedRandom(fraction)
  const store = createSimulatedStore(own)
  const gateway = await bench.gateway({
    name,
    networks: Object.fromEntries(
      networks.map((one) => {
        const config = simulator.config.parse(one.network.settings)
        const place = { gateway: name, network: one.name, now: clock.monotonic }
        return [one.name, tapped(simulator as unknown as AdapterDefinition, config, place, world)]
      }),
    ),
    wallets: [],
    route,
    store,
    verifyWallet: verifyWalletOnce,
    parts: { clock: own, random, verify: verifyOnce },
    // A cache that forgets, so that what it spares is asked for too.
    settings: { reconcileIntervalMs: 400, cacheEntries: 64 },
    idle: true,
  })
  for (const person of people) {
    random.name(`${name} ${person.wallet} ${clockMs}`)
    await gateway.signIn(person)
  }
  store.pace(() => Math.floor(fraction() * 3))
  await drive(clock, gateway.networks.start())
  return { gateway, store, people, networks: networks.map((one) => one.name), policy: route.policy }
}

/** An adapter with its configuration, and an ear on what goes out and what comes in. `now`: milliseconds. */
export function tapped(
  definition: AdapterDefinition,
  config: unknown,
  { gateway, network, now }: { gateway: string; network: string; now(): number },
  { sendings, hearings }: Traffic,
): AdapterDefinition {
  return {
    ...definition,
    create(_config, context) {
      const adapter = definition.create(config, {
        ...context,
        async deliver(inbound) {
          const result = await context.deliver(inbound)
          const { id, trace } = decodeFrame(inbound.frame)
          const { to } = inbound
          hearings.push({ gateway, network, id: toHex(id), to, trace, answeredAt: now(), result })
          return result
        },
      })
      const send: Adapter['send'] = async (intent, signal) => {
        const { id, trace } = decodeFrame(intent.frame)
        const { transactionId, to } = intent
        const { wallet, address } = to
        const place = { gateway, network, transactionId, wallet, address }
        const sending: Sending = {
          ...place,
          id: toHex(id),
          trace,
          startedAt: now(),
          endedAt: null,
          outcome: null,
        }
        sendings.push(sending)
        try {
          const receipt = await adapter.send(intent, signal)
          sending.outcome = 'acknowledged'
          return receipt
        } catch (error) {
          sending.outcome = AdapterError.is(error) ? error.class : 'permanent'
          throw error
        } finally {
          sending.endedAt = now()
        }
      }
      // Adapters may be instances of classes: their methods must find their own fields.
      return new Proxy(adapter, {
        get(target, name) {
          if (name === 'send') return send
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    },
  }
}

async function drive<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  let settled = false
  const end = () => {
    settled = true
  }
  promise.then(end, end)
  for (let waited = 0; !settled; waited++) {
    if (waited > 20_000) throw new Error('the simulation does not go on')
    await clock.advance(5)
  }
  return promise
}
