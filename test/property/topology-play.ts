/** Plays a scenario: its events, the healing of all faults, and the wait until nothing moves any more. */
import { simulatorAddress } from '../../adapters/simulator/index.ts'
import { decodeFrame, toHex } from '../../src/envelope/index.ts'
import { RelayError } from '../../src/relay/errors.ts'
import { nativeFrame, type Person } from '../../src/relay/testing/bench.ts'
import { certificateFromElsewhere, sealedOnce } from './topology-people.ts'
import { incomplete } from './topology-rules.ts'
import type { Scenario, Step } from './topology-scenario.ts'
import type { World, WorldNetwork } from './topology-world.ts'

/** Virtual milliseconds within which everything is in place once all faults are healed. */
const CONVERGENCE_MS = 30_000
/** Nothing may be sent for this long: more than three walks of every history. */
const SILENCE_MS = 1_500

export interface Letter {
  id: string
  bytes: Uint8Array
  from: Person
  to: Person[]
}

/** Every envelope of the scenario, by its id. */
export type Letters = Map<string, Letter>

export async function play(world: World, scenario: Scenario): Promise<Letters> {
  const letters: Letters = new Map()
  const posts: Promise<void>[] = []
  for (const [serial, { afterMs, what }] of scenario.steps.entries()) {
    if (afterMs > 0) await world.clock.advance(afterMs)
    await apply(world, what, { letters, serial, posts })
  }
  for (const { network } of world.networks) {
    await network.faults.outage(false)
    for (const fault of ['loss', 'duplication', 'reordering', 'answerLoss'] as const) network.faults[fault](0)
  }
  await world.drive(Promise.all(posts))
  await settle(world, letters)
  return letters
}

async function apply(
  world: World,
  what: Step['what'],
  { letters, serial, posts }: { letters: Letters; serial: number; posts: Promise<void>[] },
): Promise<void> {
  const newLetter = async (shape: { from: number; to: number[] }) => {
    const [from, to] = [world.people[shape.from]!, shape.to.map((index) => world.people[index]!)]
    const { id, bytes } = await sealedOnce(from, to, serial)
    const letter = { id: toHex(id), bytes, from, to }
    letters.set(letter.id, letter)
    return letter
  }
  const networkAt = (place: number) => world.networks[place % world.networks.length]!
  switch (what.kind) {
    case 'post':
      posts.push(post(world, await newLetter(what.letter), what.gateway))
      return
    case 'publish':
      return publish(world, await newLetter(what.letter), networkAt(what.network))
    case 'both': {
      const letter = await newLetter(what.letter)
      posts.push(post(world, letter, what.gateway))
      return publish(world, letter, networkAt(what.network))
    }
    case 'post-again': {
      const letter = [...letters.values()][what.which % Math.max(1, letters.size)]
      if (letter) posts.push(post(world, letter, what.gateway))
      return
    }
    case 'replay': {
      const kept = world.networks.flatMap(({ network }) => network.kept())
      const message = kept[what.which % Math.max(1, kept.length)]
      if (message) put(world, networkAt(what.network), message.frame, message.to)
      return
    }
    case 'redeliver': {
      const kept = world.networks.flatMap(({ network }) =>
        network.kept().map((message) => ({ network, message })),
      )
      const chosen = kept[what.which % Math.max(1, kept.length)]
      if (chosen) chosen.network.redeliver(chosen.message.remoteId)
      return
    }
    case 'outage': {
      const { network, history } = networkAt(what.network)
      if (history) await network.faults.outage(!network.out)
    }
  }
}

/** Posts to one of the gateways that serve the sender. Refusals other than of unreachable recipients are violations. */
async function post(world: World, letter: Letter, place: number): Promise<void> {
  const homes = world.gateways.filter(({ people }) => people.includes(letter.from))
  const home = homes[place % Math.max(1, homes.length)]
  if (!home) return
  try {
    await home.gateway.submit(letter.from, letter.bytes)
    world.posted.push({ gateway: home, id: letter.id })
  } catch (error) {
    if (error instanceof RelayError && error.code === 'recipient-unreachable') return
    world.violations.push(`${home.gateway.name} refused a post: ${String(error)}`)
  }
}

/** The sender's own client sends to each recipient, its certificate beside the envelope. */
async function publish(world: World, letter: Letter, network: WorldNetwork): Promise<void> {
  const certificate = await certificateFromElsewhere(letter.from)
  const frame = nativeFrame({ ...letter.from, certificate }, letter.bytes)
  for (const { wallet } of letter.to) put(world, network, frame, simulatorAddress(wallet))
}

function put(world: World, { name, network }: WorldNetwork, frame: Uint8Array, to: string): void {
  network.inject({ frame, to })
  world.published.push({ network: name, id: toHex(decodeFrame(frame).id), address: to })
}

/** Until every envelope is where it belongs, no delivery is open, and through several walks nothing was sent. */
async function settle(world: World, letters: Letters): Promise<void> {
  const { clock, sendings } = world
  const end = clock.monotonic() + CONVERGENCE_MS
  while (incomplete(world, letters).length > 0) {
    if (clock.monotonic() > end) return
    await clock.advance(200)
  }
  for (let sent = -1; sent !== sendings.length || isOpen(world); ) {
    if (clock.monotonic() > end + CONVERGENCE_MS) {
      world.violations.push('traffic does not die out')
      return
    }
    sent = sendings.length
    await clock.advance(SILENCE_MS)
  }
}

function isOpen({ gateways }: World): boolean {
  return gateways.some(({ store }) => store.peek('openDeliveries', { afterId: 0, limit: 1 }).length > 0)
}
