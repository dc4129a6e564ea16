/** A gateway of its own process on the harness's networks, people who write to each other over it, and what it promised them. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { databaseViolations, storedInboxes } from './database.ts'
import { createGatewayProcess, freePort, type GatewayProcess } from './gateway-process.ts'
import { copyViolations, doubledIn, type Ledger, missingFrom, shownTwice } from './ledger.ts'
import { chaosNetworks, type RunningNetwork } from './networks/index.ts'
import { createPerson, type InboxReader, type Person } from './people.ts'
import type { SeededRandom } from './random.ts'
import { gatewayValues, journeysOf } from './traffic.ts'

export interface Crew {
  networks: RunningNetwork[]
  gateway: GatewayProcess
  people: Person[]
}

/** Broken promises by sort. */
export interface Broken {
  lost: number
  inInboxTwice: number
  shownTwice: number
  relayedTwice: number
  other: number
}

/** Starts all of it in `directory`; what ends each part is put into `stopping` as soon as there is something to end. */
export async function startCrew(
  names: readonly string[],
  random: SeededRandom,
  directory: string,
  stopping: (() => Promise<unknown>)[],
): Promise<Crew> {
  const networks: RunningNetwork[] = []
  for (const name of names) {
    const folder = join(directory, name)
    await mkdir(folder)
    const network = await chaosNetworks[name]?.start({ random: random.fork(name), directory: folder })
    if (!network) throw new RangeError(`no network "${name}" in the harness`)
    networks.push(network)
    stopping.push(() => network.stop())
  }
  const gateway = await createGatewayProcess({
    directory,
    port: await freePort(),
    values: gatewayValues(networks),
  })
  stopping.push(() => gateway.kill())
  gateway.spawn()
  await gateway.ready()
  for (const network of networks) await network.connectGateway(gateway.port)
  const people: Person[] = []
  for (const name of ['Ada', 'Ben', 'Cleo']) people.push(await createPerson(name, gateway.url))
  stopping.push(() => Promise.all(people.map((person) => person.close())))
  await Promise.all(networks.flatMap((network) => people.map((person) => network.join(person))))
  return { networks, gateway, people }
}

/**
 * Ends people and gateway, and compares what was promised with inboxes, networks and the database. `open`: what had not ended
 * by itself. `readers` hold what was shown in the course of the run, which has to lie in the database still.
 */
export async function compare(
  { networks, gateway, people }: Crew,
  ledger: Ledger,
  readers: readonly InboxReader[],
  open: readonly string[],
): Promise<{ repeats: number; broken: Broken; violations: string[] }> {
  const twiceShown = shownTwice(people)
  const relayedTwice: string[] = []
  let repeats = 0
  for (const network of networks) {
    const copies = await network.copies(people)
    const journeys = await journeysOf(ledger, copies)
    const result = copyViolations({ network: network.adapter, copies, ledger, journeys })
    relayedTwice.push(...result.violations)
    repeats += result.repeats
  }
  await Promise.all(people.map((person) => person.close()))
  await gateway.stop()
  const file = join(gateway.dataDirectory, 'causeway.db')
  const inboxes = [...readers, ...(await storedInboxes(file, people))]
  const lost = [...new Set(missingFrom(ledger, inboxes))]
  const inInboxTwice = [...new Set(doubledIn(inboxes))]
  const other = [
    ...open,
    ...people.flatMap(({ name, complaints }) => complaints.map((text) => `${name}: ${text}`)),
    ...databaseViolations(file),
  ]
  return {
    repeats,
    broken: {
      lost: lost.length,
      inInboxTwice: inInboxTwice.length,
      shownTwice: twiceShown.length,
      relayedTwice: relayedTwice.length,
      other: other.length,
    },
    violations: [...lost, ...inInboxTwice, ...twiceShown, ...relayedTwice, ...other],
  }
}
