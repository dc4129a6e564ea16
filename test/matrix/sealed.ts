/** Sealed envelopes from each network to each, the same one included. */
import { type Participant, sendOver, settledJourney, until } from '../../src/cli/demo.ts'
import { type Cell, median, NETWORKS, type Network } from './cells.ts'
import type { World } from './world.ts'

/** Networks on which a client hears what another one publishes for it, without the gateway. */
const HEARD_DIRECTLY: readonly Network[] = ['waku', 'trtc']
const LIMIT_MS = 60_000

/**
 * Sends `samples` messages on each network, one after the other. Each is to arrive over all four networks, once over each,
 * to be shown once, and to stand in the inbox once. `done` is called with each row of cells.
 */
export async function measureSealed(
  { alice, bob }: Pick<World, 'alice' | 'bob'>,
  samples: number,
  done: (cells: Cell[]) => void = () => {},
): Promise<Cell[]> {
  const cells: Cell[] = []
  for (const from of NETWORKS) {
    // The first message of a pair makes conversations and requests; those are no part of what is measured.
    await crossing(alice, bob, from, `first on ${from}`)
    const row = NETWORKS.map(
      (to): Cell => ({
        ...{ mode: 'sealed', from, to, sent: 0, arrived: 0, medianMs: null, problems: [] },
        native: from === to && HEARD_DIRECTLY.includes(from),
      }),
    )
    const times = new Map<Network, number[]>()
    for (let sample = 1; sample <= samples; sample++) {
      const { arrivals, problems } = await crossing(alice, bob, from, `${sample} on ${from}`)
      for (const cell of row) {
        cell.sent++
        const mine = arrivals.get(cell.to) ?? []
        if (mine.length !== 1) cell.problems.push(`message ${sample} came ${mine.length} times`)
        else {
          cell.arrived++
          times.set(cell.to, [...(times.get(cell.to) ?? []), ...mine])
        }
        cell.problems.push(...problems)
      }
    }
    for (const cell of row) cell.medianMs = median(times.get(cell.to) ?? [])
    cells.push(...row)
    done(row)
  }
  return cells
}

/** One message: how long after its sending it came over each network, in milliseconds, and what else went wrong. */
async function crossing(
  sender: Participant,
  recipient: Participant,
  from: Network,
  text: string,
): Promise<{ arrivals: Map<Network, number[]>; problems: string[] }> {
  const message = await sender.client.seal({ to: recipient.client.account, text })
  const { id } = message
  const startedAt = performance.now()
  await sendOver(from, sender, recipient.client, message.frame)
  const problems: string[] = []
  const over = (network: Network) => recipient.arrivals.get(network)?.get(id) ?? []
  try {
    await until(
      'a copy over every network',
      () => NETWORKS.every((network) => over(network).length > 0),
      LIMIT_MS,
    )
  } catch (error) {
    problems.push(`${text}: ${(error as Error).message}`)
  }
  // Once all deliveries have ended, nothing more is on its way.
  await settledJourney(sender.client, id)
  const shown = recipient.messages.filter((one) => one.id === id)
  if (shown.length !== 1 || shown[0]?.text !== text) problems.push(`${text}: shown ${shown.length} times`)
  const kept = (await recipient.client.inbox({ limit: 200 })).filter((entry) => entry.id === id).length
  if (kept !== 1) problems.push(`${text}: ${kept} times in the inbox`)
  return {
    problems,
    arrivals: new Map(NETWORKS.map((network) => [network, over(network).map((at) => at - startedAt)])),
  }
}
