/** Two wallets that are on all four networks with the networks' own SDKs, and a gateway between them. */
import { createParticipant, joinNetwork, type Participant } from '../../src/cli/demo.ts'
import { waitUntilConnected } from '../../src/cli/wait-until-connected.ts'
import { type RunningGateway, startGateway } from '../../src/main.ts'
import { createLog } from '../../src/observability/log.ts'
import { NETWORKS } from './cells.ts'

export interface World {
  gateway: RunningGateway
  alice: Participant
  bob: Participant
  /** Another wallet that has signed in, and is on no network yet. */
  participant(name: string): Promise<Participant>
  close(): Promise<void>
}

const CONNECT_LIMIT_MS = 120_000

/** Starts it on sandboxes. Rejects when a network does not connect; nothing is left running then. */
export async function createWorld(): Promise<World> {
  const interruption = new AbortController()
  const { signal } = interruption
  const gateway = await startGateway({
    values: { server: { port: 0 }, networks: Object.fromEntries(NETWORKS.map((name) => [name, 'sandbox'])) },
    log: createLog({ level: 'silent' }),
  })
  const people: Participant[] = []
  const close = async () => {
    interruption.abort(new Error('the matrix is done'))
    for (const person of people) await person.close()
    await gateway.stop()
  }
  const participant = async (name: string) => {
    const person = await createParticipant(name, gateway.url, signal)
    people.push(person)
    return person
  }
  try {
    const isUp = await waitUntilConnected(gateway.gateway.networks, { signal, timeoutMs: CONNECT_LIMIT_MS })
    if (!isUp) throw new Error('a network of the sandbox did not connect')
    const [alice, bob] = await Promise.all([participant('Alice'), participant('Bob')])
    await Promise.all(
      [alice, bob].flatMap((one) => NETWORKS.map((network) => joinNetwork(one, network, gateway))),
    )
    return { gateway, alice, bob, participant, close }
  } catch (error) {
    await close()
    throw error
  }
}
