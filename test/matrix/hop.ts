/** Hop mode: ordinary messages of a network's plain users, to and from an enrolled wallet. */
import { connectPushUser } from '../../adapters/push/sandbox/sdk-user.ts'
import { type Participant, settledJourney, until } from '../../src/cli/demo.ts'
import { type Cell, median, NETWORKS, type Network } from './cells.ts'
import { createPlainUser, type NativeNetwork, type PlainUser, WITH_NATIVE_CLIENTS } from './people.ts'
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
  user: PlainUser,
  from: NativeNetwork,
  samples: number,
): Promise<Cell[]> {
  const others = NETWORKS.filter((network) => network !== from)
  const sent: Sample[] = []
  for (let sample = 0; sample <= samples; sample++) {
    sent.push(await heardByWallet(bob, user, others, `${from} writes ${sample}`))
    sent.push(await heardByUser(bob, user, from, `${from} is answered ${sample}`))
  }
  // Counted when nothing more is on its way.
  for (const { id } of sent) if (id !== null) await settledJourney(bob.client, id)
  const inbox = await bob.client.inbox({ limit: 200, order: 'newest' })
  // The first message of two people makes their conversation, and the first answer accepts it: both are left out.
  const measured = sent.slice(2)
  return NETWORKS.map((to): Cell => {
    const own = measured.filter(({ answer }) => answer === (to === from))
    const times = own.map((sample) => timesOf(sample, to, bob, user))
    const problems = [
      ...own.flatMap(({ problems: found }) => found),
      ...own.flatMap(({ text, id }) => {
        const kept = inbox.filter((entry) => entry.id === id).length
        return kept === 1 ? [] : [`${text}: ${kept} times in the inbox`]
      }),
      ...own
        .filter(({ text, answer }) => !answer && shownTo(bob, text).length !== 1)
        .map(({ text }) => `${text}: shown ${shownTo(bob, text).length} times`),
      ...times.flatMap((came, place) =>
        came.length === 1 ? [] : [`${own[place]?.text}: came ${came.length} times`],
      ),
    ]
    const once = times.filter(({ length }) => length === 1).flat()
    return {
      ...{ mode: 'hop', from, to, native: false, problems },
      ...{ sent: own.length, arrived: once.length, medianMs: median(once) },
    }
  })
}

/** One message that was written or answered. */
interface Sample {
  text: string
  /** Of its envelope; null when it never came. */
  id: string | null
  /** From the wallet to the plain user. */
  answer: boolean
  startedAt: number
  problems: string[]
}

const shownTo = (bob: Participant, text: string) =>
  bob.messages.filter((message) => message.text === text && message.direction === 'received')

/** How long after it was written it came there, in milliseconds, as often as it came. */
function timesOf({ text, id, answer, startedAt }: Sample, to: Network, bob: Participant, user: PlainUser) {
  const at = answer ? user.heard.get(text) : bob.arrivals.get(to)?.get(id ?? '')
  return (at ?? []).map((time) => time - startedAt)
}

async function heardByWallet(
  bob: Participant,
  user: PlainUser,
  others: readonly Network[],
  text: string,
): Promise<Sample> {
  const startedAt = performance.now()
  await user.write(text)
  const problems: string[] = []
  const idOf = () => shownTo(bob, text)[0]?.id ?? null
  try {
    await until(
      'it over every other network',
      () => others.every((network) => bob.arrivals.get(network)?.has(idOf() ?? '')),
      LIMIT_MS,
    )
  } catch (error) {
    problems.push(`${text}: ${(error as Error).message}`)
  }
  return { text, id: idOf(), answer: false, startedAt, problems }
}

async function heardByUser(
  bob: Participant,
  user: PlainUser,
  network: Network,
  text: string,
): Promise<Sample> {
  const startedAt = performance.now()
  const { id } = await bob.client.send({ to: user.wallet, text, mode: 'hop', network })
  const problems: string[] = []
  try {
    await until(`"${text}" at the plain user`, () => user.heard.has(text), LIMIT_MS)
  } catch (error) {
    problems.push((error as Error).message)
  }
  return { text, id, answer: true, startedAt, problems }
}
