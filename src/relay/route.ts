import { H, toHex } from '../envelope/index.ts'
import type { NewDelivery, RouteRule, StoredEndpoint } from '../store/port.ts'
import type { RankedChoice } from './ranking.ts'

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
  rule: Pick<RouteRule, 'policy' | 'fallbackAfterMs'>
  /** Networks that run here, best first; see {@link orderOf}. */
  order: readonly string[]
  /** Where the wallet is reached. Endpoints on networks that do not run here are left out. */
  endpoints: Pick<StoredEndpoint, 'network' | 'address'>[]
  /** Network and address at which the frame was heard: that endpoint has it already. */
  heardAt: { network: string; address: string | null } | null
  /** Unix milliseconds. */
  now: number
}

/** The running networks in the order in which a rule uses them. `ranked`: how a ranked order came about. */
export function orderOf(
  { order }: Pick<RouteRule, 'order'>,
  networks: readonly string[],
  rank: (networks: readonly string[]) => RankedChoice,
): { networks: string[]; ranked: RankedChoice | null } {
  const byDefault = networks.toSorted(
    (left, right) => Number(right === FIRST_BY_DEFAULT) - Number(left === FIRST_BY_DEFAULT),
  )
  if (order === 'ranked') {
    const ranked = rank(byDefault)
    return { networks: ranked.order.map(({ network }) => network), ranked }
  }
  // A network that the route does not name comes last: an endpoint is left out by disabling it, not by silence.
  const named = [...new Set([...order, ...byDefault])]
  return { networks: named.filter((network) => networks.includes(network)), ranked: null }
}

/**
 * The deliveries of one envelope to one wallet, first to be dispatched first.
 *
 * With `mirror` all are due at once and share place 0. With `fallback` their places count from 0; the first is due, the
 * others stand by until their time has come. An endpoint at which the frame was heard counts as acknowledged: endpoints
 * behind it in a fallback route are not needed, the ones before it are preferred by the wallet and get their one chance.
 */
export function planDeliveries(input: PlanInput): NewDelivery[] {
  const { envelopeId, wallet, rule, order, endpoints, heardAt, now } = input
  const deliveries: NewDelivery[] = []
  let rank = 0
  const inOrder = order.flatMap((network) => endpoints.filter((endpoint) => endpoint.network === network))
  for (const { network, address } of inOrder) {
    const present = heardAt !== null && network === heardAt.network && address === heardAt.address
    const fallback = rule.policy === 'fallback'
    const standby = fallback && rank > 0 && !present
    deliveries.push({
      wallet,
      network,
      address,
      transactionId: transactionIdOf(envelopeId, network, address),
      state: present ? 'acknowledged' : standby ? 'standby' : 'pending',
      rank: fallback ? rank++ : 0,
      notBefore: standby ? now + rule.fallbackAfterMs * (rank - 1) : null,
    })
    if (fallback && present) break
  }
  return deliveries
}
