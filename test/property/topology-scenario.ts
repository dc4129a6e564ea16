/** What a simulated topology may look like, and what may happen in it. */
import fc from 'fast-check'
import { LIMITS } from '../../src/envelope/index.ts'
import type { Route } from '../../src/store/port.ts'

export const MAX_GATEWAYS = 5
export const MAX_NETWORKS = 5
export const MAX_PEOPLE = 4

/** Names by which gateways know the networks. The first is the one that routes prefer by default. */
export const NETWORK_NAMES = ['trtc', 'waku', 'xmtp', 'push', 'simulator'] as const

const fraction = (...most: number[]) => fc.constantFrom<number>(0, 0, ...most)

const network = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  loss: fraction(0.1, 0.5),
  duplication: fraction(0.1, 0.5),
  reordering: fraction(0.1, 0.5),
  answerLoss: fraction(0.1, 0.3),
  latencyMs: fc.constantFrom<number>(0, 2, 40, 300),
  echo: fc.boolean(),
  idempotentSend: fc.boolean(),
  /** Without it nothing that is lost can be had again: such a network loses nothing here, and has no outages. */
  history: fc.constantFrom(true, true, true, false),
})

const route: fc.Arbitrary<Route> = fc.record({
  policy: fc.constantFrom('mirror' as const, 'mirror' as const, 'fallback' as const),
  order: fc.oneof(
    fc.constant('ranked' as const),
    fc.shuffledSubarray([...NETWORK_NAMES], { minLength: NETWORK_NAMES.length }),
  ),
  fallbackAfterMs: fc.constantFrom<number>(60, 200, 1_000),
})

const gateway = fc.record({
  /** Networks that it has joined, besides one that every gateway has, and people whom it serves, as bits. */
  joined: fc.nat(2 ** MAX_NETWORKS - 1),
  serves: fc.nat(2 ** MAX_PEOPLE - 1),
  route,
  /** Its clock against that of the others, milliseconds. */
  clockMs: fc.constantFrom<number>(0, 0, -20_000, 20_000),
})

const person = fc.nat(MAX_PEOPLE - 1)
const place = fc.nat(7)
const letter = fc.record({
  from: person,
  to: fc.uniqueArray(person, { minLength: 1, maxLength: 2 }),
})

const step = fc.record({
  afterMs: fc.constantFrom<number>(0, 0, 3, 30, 120, 400),
  what: fc.oneof(
    // A new envelope, posted to a gateway that serves the sender.
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('post' as const), letter, gateway: place }) },
    // A new envelope, put on a network by the sender's own client.
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('publish' as const), letter, network: place }) },
    // Both at once: over HTTP and over a network.
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('both' as const), letter, gateway: place, network: place }),
    },
    // An earlier envelope is posted again, to any gateway that serves its sender.
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('post-again' as const), which: place, gateway: place }),
    },
    // A frame from any network is put on any network once more, its trace as it was.
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('replay' as const), which: fc.nat(40), network: place }),
    },
    // A network delivers an old message again.
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('redeliver' as const), which: fc.nat(40) }) },
    // The network goes out, or comes back.
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('outage' as const), network: place }) },
  ),
})

/** From one to `most`, more often many than few: little goes round in small circles. */
function some<Item>(item: fc.Arbitrary<Item>, most: number): fc.Arbitrary<Item[]> {
  const between = (minLength: number) => fc.array(item, { minLength, maxLength: most, size: 'max' })
  return fc.oneof(between(1), between(Math.ceil(most / 2)), between(most - 1))
}

/** Gateways, networks and events of one run. Every number that names something counts modulo how many there are. */
export const scenarios = fc.record({
  /** Of the store's pauses and the spread of retries. */
  seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  networks: some(network, MAX_NETWORKS),
  gateways: some(gateway, MAX_GATEWAYS),
  steps: some(step, 14),
})

export type Scenario = typeof scenarios extends fc.Arbitrary<infer Shape> ? Shape : never
export type Step = Scenario['steps'][number]

if (MAX_GATEWAYS > LIMITS.hops) throw new RangeError('a trace must hold every gateway of a scenario')
