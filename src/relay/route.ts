import { H, toHex } from '../envelope/index.ts'
import type { NewDelivery, Route, StoredEndpoint } from '../store/port.ts'
import type { Ranking } from './ranking.ts'

/**
 * Transaction id of a delivery: 32 lower-case hex characters that follow from the envelope, the network and the address
 * alone. Every retry, also after a restart, and every gateway that serves the address uses the same one.
 */
export function transactionIdOf(envelopeId: Uint8Array, network: string, address: string): string {
  return toHex(H('causeway/transaction/1', envelopeId, network, address)).slice(0, 32)
}

/** Dispatched first where a route says nothing of its order: the fast transport. */
const FIRST_BY_DEFAULT = 'trtc'

export interface PlanInput {
  envelopeId: Uint8Array
  wallet: string
  route: Route
  /** Where the wallet is reached. Endpoints on networks that are not in `networks` are left out. */
  endpoints: Pick<StoredEndpoint, 'network' | 'address'>[]
  /** Names of the networks that run here, in the configured order. */
  networks: readonly string[]
  ranking: Ranking
  /** Network and address at which the frame was heard: that endpoint has it already. */
  heardAt: { network: string; address: string | null } | null
  /** Unix milliseconds. */
  now: number
}

/**
 * The deliveries of one envelope to one wallet, first to be dispatched first.
 *
 * With `mirror` all are due at once and share place 0. With `fallback` their places count from 0; the first is due, the
 * others stand by until their time has come. An endpoint at which the frame was heard counts as acknowledged: endpoints
 * behind it in a fallback route are not needed, the ones before it are preferred by the wallet and get their one chance.
 */
export function planDeliveries(input: PlanInput): NewDelivery[] {
  const { envelopeId, wallet, route, heardAt, now } = input
  const deliveries: NewDelivery[] = []
  let rank = 0
  for (const { network, address } of inOrder(input)) {
    const present = heardAt !== null && network === heardAt.network && address === heardAt.address
    const fallback = route.policy === 'fallback'
    const standby = fallback && rank > 0 && !present
    deliveries.push({
      wallet,
      network,
      address,
      transactionId: transactionIdOf(envelopeId, network, address),
      state: present ? 'acknowledged' : standby ? 'standby' : 'pending',
      rank: fallback ? rank++ : 0,
      notBefore: standby ? now + route.fallbackAfterMs * (rank - 1) : null,
    })
    if (fallback && present) break
  }
  return deliveries
}

function inOrder({ route, endpoints, networks, ranking }: PlanInput): PlanInput['endpoints'] {
  const byDefault = networks.toSorted(
    (left, right) => Number(right === FIRST_BY_DEFAULT) - Number(left === FIRST_BY_DEFAULT),
  )
  const named = route.order === 'ranked' ? ranking.order(byDefault) : route.order
  // A network that the route does not name comes last: an endpoint is left out by disabling it, not by silence.
  const order = [...new Set([...named, ...byDefault])].filter((network) => networks.includes(network))
  return order.flatMap((network) => endpoints.filter((endpoint) => endpoint.network === network))
}
