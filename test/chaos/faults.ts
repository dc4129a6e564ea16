/**
 * Puts one fault after another between a running gateway and a network while wallets write to each other both ways, heals it,
 * and measures how long it takes until everything is where it should be, once.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { openDeliveries } from './deliveries.ts'
import { copyViolations, createLedger, doubledIn, type Ledger, missingFrom, shownTwice } from './ledger.ts'
import { chaosNetworks, type FaultKind, type RunningNetwork } from './networks/index.ts'
import { createInboxReader, createPerson, type InboxReader, type Person, seal } from './people.ts'
import { type SeededRandom, seededRandom } from './random.ts'
import { ADMIN_TOKEN, journeysOf, PATIENCE_MS, untilTaken } from './traffic.ts'

/** Promise: so long after the fault is over everything has arrived. Milliseconds. */
export const CONVERGENCE_MS = 30_000
const SHORTEST_FAULT_MS = 600
const LONGEST_FAULT_MS = 2_500
const MESSAGES_EACH_WAY = 4
/** A message that comes this soon came over the stream, milliseconds. */
const LIVE_MS = 1_500
/** Flipped bits may turn a request into one that the network refuses for good. */
const LIVE = ['pending', 'dispatching', 'uncertain']

export interface FaultsOptions {
  seeds: readonly number[]
  networks: readonly string[]
  /** Which kinds; all when absent. */
  includes?(network: string, kind: string): boolean
  onResult?(result: FaultResult): void
  signal?: AbortSignal
}

export interface FaultResult {
  network: string
  kind: string
  seed: number
  faultMs: number
  /** Milliseconds from the end of the fault until everything was in place; null when that never came. */
  convergedAfterMs: number | null
  /** Copies beyond the first on the network, each after an uncertain outcome. */
  repeats: number
  violations: string[]
}

interface World {
  network: RunningNetwork
  gateway: TestGateway
  people: readonly [Person, Person]
  readers: InboxReader[]
  stop(): Promise<void>
}

/** Runs every kind on every network with every seed. Broken promises are in the results. */
export async function runFaults(options: FaultsOptions): Promise<FaultResult[]> {
  const results: FaultResult[] = []
  for (const seed of options.seeds) {
    for (const name of options.networks) {
      const random = seededRandom(seed).fork(name)
      let world: World | null = null
      try {
        world = await createWorld(name, random)
        for (let index = 0; index < world.network.faults.length; index++) {
          options.signal?.throwIfAborted()
          const kind = world.network.faults[index] as FaultKind
          if (options.includes && !options.includes(name, kind.name)) continue
          const result = await runFault(world, kind, seed, random.fork(kind.name))
          results.push(result)
          options.onResult?.(result)
          if (result.violations.length > 0) {
            // The next kind starts from a clean place, so that one defect is not counted many times.
            await world.stop()
            world = await createWorld(name, random)
          }
        }
      } finally {
        await world?.stop()
      }
    }
  }
  return results
}

async function createWorld(name: string, random: SeededRandom): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-faults-'))
  const stopping: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true })]
  const stop = async () => {
    for (const step of stopping.splice(0).reverse()) await step()
  }
  try {
    const folder = join(directory, name)
    await mkdir(folder)
    const network = await chaosNetworks[name]?.start({ random: random.fork('network'), directory: folder })
    if (!network) throw new RangeError(`no network "${name}" in the harness`)
    stopping.push(() => network.stop())
    const gateway = await startTestGateway({
      networks: { [network.adapter]: network.gatewayConfig },
      data: { directory: join(directory, 'data') },
      admin: { token: ADMIN_TOKEN },
      limits: { signInsPerMinute: 1_000 },
    })
    stopping.push(() => gateway.stop())
    await network.connectGateway(Number(new URL(gateway.url).port))
    const people = [await createPerson('Ada', gateway.url), await createPerson('Ben', gateway.url)] as const
    stopping.push(() => Promise.all(people.map((person) => person.close())))
    await Promise.all(people.map((person) => network.join(person)))
    const world = { network, gateway, people, readers: people.map(createInboxReader), stop }
    const missing = await settle(world, await exchange(world, random.fork('first'), 0), PATIENCE_MS, {
      name: 'none',
    })
    if (missing.length > 0) throw new Error(`without any fault: ${missing.join('; ')}`)
    return world
  } catch (error) {
    await stop()
    throw error
  }
}

async function runFault(
  world: World,
  kind: FaultKind,
  seed: number,
  random: SeededRandom,
): Promise<FaultResult> {
  const { network, people } = world
  const faultMs = random.between(SHORTEST_FAULT_MS, LONGEST_FAULT_MS)
  if (kind.needsStream) await untilLive(world)
  const startedAt = performance.now()
  await kind.start(random)
  const exchanging = exchange(world, random, kind.cutsClients ? 0 : faultMs * 0.8)
  if (!kind.cutsClients) await sleep(faultMs)
  else await Promise.race([exchanging, sleep(faultMs)])
  await kind.heal()
  const healedAt = performance.now()
  const ledger = await exchanging
  const open = await settle(world, ledger, PATIENCE_MS, kind)
  const convergedAfterMs = open.length === 0 ? Math.round(performance.now() - healedAt) : null
  const violations = [...open, ...doubledIn(world.readers), ...shownTwice(people)]
  for (const { name, complaints } of people)
    violations.push(...complaints.splice(0).map((text) => `${name}: ${text}`))
  const copies = await network.copies(people)
  for (const key of copies.keys()) {
    // The network also holds what earlier faults left.
    if (!ledger.sent.some(({ id }) => key.endsWith(id))) copies.delete(key)
  }
  const journeys = await journeysOf(ledger, copies)
  const counted = copyViolations({ network: network.adapter, copies, ledger, journeys })
  return {
    network: network.name,
    kind: kind.name,
    seed,
    faultMs: Math.round(healedAt - startedAt),
    convergedAfterMs,
    repeats: counted.repeats,
    violations: [...violations, ...counted.violations],
  }
}

/** Messages both ways, spread over a time: Ada sends by HTTP, Ben over the network itself until it takes them. */
async function exchange({ network, people }: World, random: SeededRandom, spreadMs: number): Promise<Ledger> {
  const [ada, ben] = people
  const ledger = createLedger()
  const forever = new AbortController().signal
  const sends: Promise<void>[] = []
  for (let count = 0; count < MESSAGES_EACH_WAY; count++) {
    for (const [from, to, way] of [
      [ada, ben, 'http'],
      [ben, ada, network.name],
    ] as const) {
      const message = await seal(from, { to: to.client.account, text: `${way} ${count}` }, forever)
      const record = { id: message.id, from, to, way, acknowledgedAt: null as number | null }
      ledger.sent.push(record)
      const send = async () => {
        if (way === 'http') await from.client.submit(message)
        else await untilTaken(() => network.send(from, to, message))
        record.acknowledgedAt = Date.now()
      }
      sends.push(send())
    }
    await sleep(random.fraction() * (spreadMs / MESSAGES_EACH_WAY))
  }
  await Promise.all(sends)
  return ledger
}

/** Sends over the network until a message comes at once, not only with the next walk through the history. */
async function untilLive({ network, people: [ada, ben], readers }: World): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (performance.now() < deadline) {
    const probe = await seal(ben, { to: ada.client.account, text: 'probe' }, new AbortController().signal)
    await network.send(ben, ada, probe)
    const hurry = performance.now() + LIVE_MS
    while (performance.now() < hurry) {
      for (const reader of readers) await reader.readOn()
      if (readers.some(({ person, ids }) => person === ada && ids.has(probe.id))) return
      await sleep(20)
    }
  }
  throw new Error(`the gateway does not hear ${network.name} live`)
}

/** Waits until every message is in its inbox, on the network and in front of its reader. Answers what is missing in the end. */
async function settle(
  { network, gateway, people, readers }: World,
  ledger: Ledger,
  patienceMs: number,
  kind: Pick<FaultKind, 'name' | 'inboxOnly'>,
): Promise<string[]> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    for (const reader of readers) await reader.readOn()
    const missing = [
      ...(await openDeliveries(gateway.url, ADMIN_TOKEN, kind.inboxOnly ? LIVE : undefined))
        .filter(({ envelopeId }) => ledger.sent.some(({ id }) => id === envelopeId))
        .map(({ text }) => text),
      ...missingFrom(ledger, readers),
      ...notShown(ledger),
      ...(kind.inboxOnly ? [] : await notOnNetwork(network, people, ledger)),
    ]
    if (missing.length === 0 || performance.now() > deadline) return missing
    await sleep(50)
  }
}

function notShown(ledger: Ledger): string[] {
  return ledger
    .acknowledged()
    .filter(({ id, to }) => !to.shown.has(id))
    .map(({ id, to, way }) => `${id.slice(0, 12)} over ${way} was never shown to ${to.name}`)
}

async function notOnNetwork(
  network: RunningNetwork,
  people: readonly Person[],
  ledger: Ledger,
): Promise<string[]> {
  const held = await network.copies(people)
  return ledger
    .acknowledged()
    .filter(({ id, to }) => !held.has(`${to.addresses.get(network.adapter)} ${id}`))
    .map(({ id, to, way }) => `${id.slice(0, 12)} over ${way} is not on ${network.name} for ${to.name}`)
}
