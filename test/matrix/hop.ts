/** Hop mode: ordinary messages of a network's plain users, to and from an enrolled wallet. */
import { connectPushUser } from '../../adapters/push/sandbox/sdk-user.ts'
import { type Participant, until } from '../../src/cli/demo.ts'
import { type Cell, median, NETWORKS, type Network } from './cells.ts'
import { createPlainUser, type NativeNetwork, WITH_NATIVE_CLIENTS } from './people.ts'
import type { World } from './world.ts'

const LIMIT_MS = 60_000

/**
 * For each network with clients of its own: what a plain user writes there comes, re-sealed, over every other network to the
 * wallet's clients; and what the wallet answers through the gateway comes to the plain user (the cell of the network with
 * itself). `done` is called with each row of cells.
 */
export async function measureHop(
  world: World,
  samples: number,
  done: (cells: Cell[]) => void = () => {},
): Promise<Cell[]> {
  const cells: Cell[] = []
  for (const network of WITH_NATIVE_CLIENTS) {
    await enrol(world.bob, network, world)
    const user = await createPlainUser(network, world, world.bob)
    try {
      const row = await measureRow(world.bob, user, network, samples)
      cells.push(...row)
      done(row)
    } finally {
      await user.close()
    }
  }
  return cells
}

/** The wallet lets the gateway be one of its clients there. */
async function enrol({ client, signer }: Participant, network: NativeNetwork, world: World): Promise<void> {
  const begun = await client.enrolments.begin(network)
  if (begun.terms.handover === 'none') {
    await client.enrolments.complete(begun)
    return
  }
  const status = world.gateway.gateway.networks.list().find((one) => one.network === network)
  const user = await connectPushUser({
    baseUrl: String(status?.description.url),
    signer,
    acceptRequests: false,
  })
  const { decryptedPgpPrivateKey } = (await user.invoke('encryption.info')) as {
    decryptedPgpPrivateKey: string
  }
  await user.close()
  await client.enrolments.complete(begun, { handover: new TextEncoder().encode(decryptedPgpPrivateKey) })
}

async function measureRow(
  bob: Participant,
  user: Awaited<ReturnType<typeof createPlainUser>>,
  from: NativeNetwork,
  samples: number,
): Promise<Cell[]> {
  const row = NETWORKS.map(
    (to): Cell => ({
      ...{ mode: 'hop', from, to, sent: 0, arrived: 0, medianMs: null, native: false, problems: [] },
    }),
  )
  const times = new Map<Network, number[]>()
  // The first message of two people makes their conversation, and the first answer accepts it.
  for (let sample = 0; sample <= samples; sample++) {
    const written = await heardByWallet(bob, user, from, `${from} writes ${sample}`)
    const answered = await heardByUser(bob, user, from, `${from} is answered ${sample}`)
    if (sample === 0) continue
    for (const cell of row) {
      const result = cell.to === from ? answered : written
      const ms = result.times.get(cell.to) ?? []
      cell.sent++
      cell.problems.push(...result.problems)
      if (ms.length !== 1) cell.problems.push(`message ${sample} came ${ms.length} times`)
      else {
        cell.arrived++
        times.set(cell.to, [...(times.get(cell.to) ?? []), ...ms])
      }
    }
  }
  for (const cell of row) cell.medianMs = median(times.get(cell.to) ?? [])
  return row
}

interface Crossing {
  /** How long after it was written it came, by network, in milliseconds. */
  times: Map<Network, number[]>
  problems: string[]
}

async function heardByWallet(
  bob: Participant,
  user: Awaited<ReturnType<typeof createPlainUser>>,
  from: Network,
  text: string,
): Promise<Crossing> {
  const others = NETWORKS.filter((network) => network !== from)
  const startedAt = performance.now()
  await user.write(text)
  const problems: string[] = []
  const shown = () => bob.messages.filter((message) => message.text === text && message.mode === 'hop')
  const over = (network: Network) => bob.arrivals.get(network)?.get(shown()[0]?.id ?? '') ?? []
  try {
    await until(
      'it over every other network',
      () => others.every((network) => over(network).length > 0),
      LIMIT_MS,
    )
  } catch (error) {
    problems.push(`${text}: ${(error as Error).message}`)
  }
  if (shown().length !== 1) problems.push(`${text}: shown ${shown().length} times`)
  return {
    problems,
    times: new Map(others.map((network) => [network, over(network).map((at) => at - startedAt)])),
  }
}

async function heardByUser(
  bob: Participant,
  user: Awaited<ReturnType<typeof createPlainUser>>,
  network: Network,
  text: string,
): Promise<Crossing> {
  const startedAt = performance.now()
  await bob.client.send({ to: user.wallet, text, mode: 'hop', network })
  const problems: string[] = []
  try {
    await until(`"${text}" at the plain user`, () => user.heard.has(text), LIMIT_MS)
  } catch (error) {
    problems.push((error as Error).message)
  }
  return { problems, times: new Map([[network, (user.heard.get(text) ?? []).map((at) => at - startedAt)]]) }
}
