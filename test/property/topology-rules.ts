/** The invariants of the relay, judged from what a simulated world has written down. */
import { simulatorAddress } from '../../adapters/simulator/index.ts'
import { fromHex, toHex } from '../../src/envelope/index.ts'
import type { Letter, Letters } from './topology-play.ts'
import type { Scenario } from './topology-scenario.ts'
import type { Sending, Traffic, World, WorldGateway } from './topology-world.ts'

/**
 * Virtual milliseconds from the claim of a delivery to its send: a copy that is heard in between comes too late to make the
 * send needless.
 */
const CLAIM_MS = 25

/** The network has taken it, whatever the gateway was told. */
const wasTaken = ({ outcome }: Sending) => outcome === 'acknowledged' || outcome === 'uncertain'

const serves = ({ people }: WorldGateway, letter: Letter) =>
  letter.to.some((person) => people.includes(person))

/** Whose inboxes at a gateway have an envelope that the gateway took. */
const owners = ({ people }: WorldGateway, { from, to }: Letter) =>
  people.filter((person) => person === from || to.includes(person))

/** Envelope ids by the place where they were put: network and address. */
function copies({ published, sendings }: World): Map<string, Set<string>> {
  const at = new Map<string, Set<string>>()
  const add = (network: string, address: string, id: string) => {
    const key = `${network} ${address}`
    at.set(key, (at.get(key) ?? new Set()).add(id))
  }
  for (const { network, address, id } of published) add(network, address, id)
  for (const sending of sendings) if (wasTaken(sending)) add(sending.network, sending.address, sending.id)
  return at
}

/** The gateways that must have each envelope: it was posted to them, or put on a network of theirs for wallets of theirs. */
function holders(world: World, letters: Letters): Map<WorldGateway, Set<string>> {
  const heard = new Map<string, Set<string>>()
  const add = (network: string, id: string) => {
    heard.set(network, (heard.get(network) ?? new Set()).add(id))
  }
  for (const { network, id } of world.published) add(network, id)
  for (const sending of world.sendings) if (wasTaken(sending)) add(sending.network, sending.id)
  return new Map(
    world.gateways.map((gateway) => {
      const ids = gateway.networks.flatMap((network) => [...(heard.get(network) ?? [])])
      const posted = world.posted.filter((post) => post.gateway === gateway).map(({ id }) => id)
      return [gateway, new Set([...ids.filter((id) => serves(gateway, letters.get(id)!)), ...posted])]
    }),
  )
}

/**
 * What is still missing: envelopes in inboxes, and copies at the endpoints to which a gateway relays by its routes. Each
 * copy makes further gateways holders, so that all together say that everyone reachable has everything.
 */
export function incomplete(world: World, letters: Letters): string[] {
  const missing: string[] = []
  const at = copies(world)
  for (const [gateway, ids] of holders(world, letters)) {
    const { name } = gateway.gateway
    const inboxes = new Map(
      gateway.people.map((person) => [person, new Set(inboxOf(gateway, person.wallet))]),
    )
    for (const id of ids) {
      const letter = letters.get(id)!
      for (const person of owners(gateway, letter)) {
        if (!inboxes.get(person)?.has(id))
          missing.push(`${name} lacks ${short(id)} for ${short(person.wallet)}`)
      }
      const posted = world.posted.some((post) => post.gateway === gateway && post.id === id)
      for (const person of letter.to) {
        if (!posted && !gateway.people.includes(person)) continue
        const address = simulatorAddress(person.wallet)
        const without = gateway.networks.filter((network) => !at.get(`${network} ${address}`)?.has(id))
        const enough = gateway.policy === 'mirror' ? 0 : gateway.networks.length - 1
        if (without.length > enough) {
          missing.push(
            `${name} has not relayed ${short(id)} for ${short(person.wallet)} to ${without.join(', ')}`,
          )
        }
      }
    }
  }
  return missing
}

/** Every broken promise, in words. Empty when all held. */
export function violations(world: World, letters: Letters, scenario: Scenario): string[] {
  return [
    ...world.violations,
    ...incomplete(world, letters),
    ...inboxFaults(world, letters),
    ...traceFaults(world),
    ...repeatFaults(world.sendings, networksThatLookUp(world)),
    ...needlessFaults(world),
    ...strayFaults(world, letters),
    ...orderFaults(world, letters, scenario),
    ...remainders(world),
  ]
}

/** An inbox holds an id once, and only what is meant for it. */
function inboxFaults(world: World, letters: Letters): string[] {
  const held = holders(world, letters)
  return world.gateways.flatMap((gateway) =>
    gateway.people.flatMap((person) => {
      const ids = inboxOf(gateway, person.wallet)
      const strangers = ids.filter((id) => {
        const letter = letters.get(id)
        return !letter || !owners(gateway, letter).includes(person) || !held.get(gateway)?.has(id)
      })
      const twice = ids.filter((id, index) => ids.indexOf(id) !== index)
      return [
        ...twice.map((id) => `${gateway.gateway.name} has ${short(id)} twice in one inbox`),
        ...strangers.map(
          (id) => `${gateway.gateway.name} has ${short(id)} in an inbox where it does not belong`,
        ),
      ]
    }),
  )
}

/** No frame visits a gateway twice. */
export function traceFaults({ sendings, hearings }: Traffic): string[] {
  const sent = sendings.flatMap(({ gateway, id, trace }) => {
    const visited = trace.map((hop) => hop.gateway)
    const twice = new Set(visited).size < visited.length
    return [
      ...(twice ? [`${short(id)} visited a gateway twice: ${visited.join(' ')}`] : []),
      ...(visited.at(-1) === gateway ? [] : [`${gateway} sent ${short(id)} without its hop`]),
    ]
  })
  const taken = hearings.filter(
    ({ result, trace, gateway }) =>
      result.outcome === 'accepted' && trace.some((hop) => hop.gateway === gateway),
  )
  return [...sent, ...taken.map(({ gateway, id }) => `${gateway} took ${short(id)} on its second visit`)]
}

/** Networks on which an uncertain send is looked up, and nothing needs to be sent twice. */
function networksThatLookUp({ networks }: World): Set<string> {
  const looking = networks.filter(({ history, network }) => history && !network.settings.idempotentSend)
  return new Set(looking.map(({ name }) => name))
}

/** Nothing goes twice from one gateway to one endpoint, unless the outcome was uncertain and cannot be looked up. */
export function repeatFaults(sendings: Sending[], looksUp: Set<string>): string[] {
  const groups = Map.groupBy(
    sendings.filter(({ outcome }) => outcome !== 'retryable'),
    ({ gateway, network, id, address }) => `${gateway} ${network} ${address} ${short(id)}`,
  )
  return [...groups].flatMap(([key, group]) =>
    group.slice(1).flatMap((sending, index) => {
      const before = group[index]!
      const known = looksUp.has(sending.network)
      return [
        ...(before.transactionId === sending.transactionId ? [] : [`${key}: two transaction ids`]),
        ...(before.endedAt !== null && before.endedAt <= sending.startedAt
          ? []
          : [`${key}: two sends at once`]),
        ...(before.outcome === 'acknowledged' ? [`${key}: sent again after it was acknowledged`] : []),
        ...(before.outcome === 'uncertain' && known
          ? [`${key}: sent again though the network knew of it`]
          : []),
      ]
    }),
  )
}

/** What a gateway has heard at an endpoint of a wallet of its own it does not send there. */
function needlessFaults({ gateways, sendings, hearings }: World): string[] {
  const heardAt = new Map<string, number>()
  for (const { gateway, network, to, id, answeredAt, result } of hearings) {
    const key = `${gateway} ${network} ${to} ${id}`
    if (result.outcome !== 'refused') heardAt.set(key, Math.min(heardAt.get(key) ?? Infinity, answeredAt))
  }
  const own = new Map(
    gateways.map(({ gateway, people }) => [gateway.name, people.map(({ wallet }) => wallet)]),
  )
  return sendings.flatMap(({ gateway, network, wallet, address, id, startedAt }) => {
    if (!own.get(gateway)?.includes(wallet)) return []
    const heard = heardAt.get(`${gateway} ${network} ${address} ${id}`) ?? Infinity
    return startedAt > heard + CLAIM_MS
      ? [
          `${gateway} sent ${short(id)} on ${network} ${Math.round(startedAt - heard)} ms after it had heard it there`,
        ]
      : []
  })
}

/** Frames go on to wallets of the gateway, and to others only where a wallet's own client has asked for it. */
function strayFaults({ gateways, posted, sendings, hearings }: World, letters: Letters): string[] {
  const gatewayOf = (name: string) => gateways.find(({ gateway }) => gateway.name === name)!
  const relayed = sendings.filter(({ gateway, id, wallet }) => {
    const here = gatewayOf(gateway).people.some((person) => person.wallet === wallet)
    const asked = posted.some((post) => post.id === id && post.gateway.gateway.name === gateway)
    const invited = letters.get(id)?.to.some((person) => person.wallet === wallet)
    return !invited || !(here || asked)
  })
  const refused = hearings.flatMap(({ gateway, id, result }) => {
    if (result.outcome !== 'refused') return []
    const letter = letters.get(id)
    const stranger = letter && !serves(gatewayOf(gateway), letter)
    return stranger && result.code === 'recipient-unreachable'
      ? []
      : [`${gateway} refused ${short(id)}: ${result.code}`]
  })
  return [...relayed.map(({ gateway, id }) => `${gateway} relayed ${short(id)} to a stranger`), ...refused]
}

/** Where nothing goes wrong, a lane keeps the order in which its gateway took the envelopes. */
function orderFaults(world: World, letters: Letters, scenario: Scenario): string[] {
  if (scenario.steps.some(({ what }) => what.kind === 'outage')) return []
  const steady = world.networks.filter((_, index) => scenario.networks[index]!.answerLoss === 0)
  return world.gateways.flatMap((gateway) => {
    if (gateway.policy !== 'mirror') return []
    const mine = world.sendings.filter(
      (sending) =>
        sending.gateway === gateway.gateway.name && steady.some(({ name }) => name === sending.network),
    )
    const lanes = Map.groupBy(mine, ({ network, address, id }) => {
      const { from, to } = letters.get(id)!
      return [network, address, ...[from, ...to].map(({ wallet }) => wallet).sort()].join(' ')
    })
    return [...lanes.values()].flatMap((lane) => {
      const order = lane.map(({ id }) => gateway.store.peek('getEnvelope', fromHex(id))?.seq ?? 0)
      return order.some((seq, index) => index > 0 && seq < order[index - 1]!)
        ? [
            `${gateway.gateway.name} sent a conversation on ${lane[0]!.network} out of order: ${order.join(' ')}`,
          ]
        : []
    })
  })
}

const EXPECTED_PROBLEMS = /could not be looked up|walking the history of a network failed/

/** Deliveries that were given up or are still open, and faults in the logs. */
function remainders({ gateways }: World): string[] {
  return gateways.flatMap(({ gateway, store }) => {
    const all = { state: null, network: null, limit: 10_000, beforeId: null }
    const unfinished = store
      .peek('listDeliveries', all)
      .filter(({ state }) => state !== 'acknowledged' && state !== 'superseded')
    const logged = gateway.problems.filter(({ text }) => !EXPECTED_PROBLEMS.test(text))
    return [
      ...unfinished.map(
        ({ state, network, reason }) => `${gateway.name} left a delivery on ${network} ${state} (${reason})`,
      ),
      ...logged.map(({ text, details }) => `${gateway.name} logged: ${text} ${String(details.error ?? '')}`),
    ]
  })
}

function inboxOf({ store }: WorldGateway, wallet: string): string[] {
  return store
    .peek('inbox', { wallet, after: 0, limit: 10_000, conversation: null })
    .items.map(({ id }) => toHex(id))
}

const short = (id: string) => id.slice(-6)
