/** Plans deliveries by the wallets' routes, and says later why they were planned so. */
import { LRUCache } from 'lru-cache'
import { toHex } from '../envelope/index.ts'
import type { AppliedRule } from '../identity/types.ts'
import type { Delivery, NewDelivery, StoredEndpoint, StoredEnvelope } from '../store/port.ts'
import type { RelayContext } from './parts.ts'
import type { RankedChoice, Ranking, Standing } from './ranking.ts'
import { orderOf, planDeliveries } from './route.ts'
import type { RouteExplanation, RouteStep } from './types.ts'

/** Ranked choices that are remembered for explanations. */
const REMEMBERED = 10_000
/** Stands for the envelope of a plan that is made to be looked at. */
const NO_ENVELOPE = new Uint8Array(32)

export interface PlanRequest {
  envelopeId: Uint8Array
  wallet: string
  /** walletKey that the message is from; null where nobody is named. */
  sender: string | null
  endpoints: Pick<StoredEndpoint, 'network' | 'address'>[]
  /** Network and address at which the frame was heard. */
  heardAt: { network: string; address: string | null } | null
  /** Unix milliseconds. */
  now: number
}

export interface ExplainRequest {
  wallet: string
  sender: string | null
  /** Where the wallet is reached now. */
  endpoints: Pick<StoredEndpoint, 'network' | 'address'>[]
  /** What was planned for an envelope; null to explain what would be now. */
  planned: {
    envelopeId: Uint8Array
    at: number
    via: string
    mode: StoredEnvelope['mode']
    deliveries: Delivery[]
  } | null
}

export interface Planner {
  plan(request: PlanRequest): Promise<NewDelivery[]>
  /** For a plan of the past: by what is stored of it, and by the choice that was made then where that is remembered. */
  explain(request: ExplainRequest): Promise<RouteExplanation>
}

interface Note {
  rule: AppliedRule
  choice: RankedChoice
}

export function createPlanner(
  { directory, networks, clock }: Pick<RelayContext, 'directory' | 'networks' | 'clock'>,
  ranking: Ranking,
): Planner {
  const notes = new LRUCache<string, Note>({ max: REMEMBERED })
  const noteKey = (envelopeId: Uint8Array, wallet: string) => `${toHex(envelopeId)}/${wallet}`

  async function plan(request: PlanRequest): Promise<NewDelivery[]> {
    const { envelopeId, wallet, sender, endpoints, heardAt, now } = request
    const rule = await directory.ruleFor(wallet, sender)
    // A mirror route measures all of its networks anyway.
    const usable = new Set(rule.policy === 'fallback' ? endpoints.map(({ network }) => network) : [])
    const order = orderOf(rule, networks.names(), (names) => ranking.choose(names, usable))
    if (order.ranked) notes.set(noteKey(envelopeId, wallet), { rule, choice: order.ranked })
    return planDeliveries({ envelopeId, wallet, rule, order: order.networks, endpoints, heardAt, now })
  }

  async function explain(request: ExplainRequest): Promise<RouteExplanation> {
    const { wallet, sender, endpoints, planned } = request
    const note = planned && notes.get(noteKey(planned.envelopeId, wallet))
    const rule = note?.rule ?? (await directory.ruleFor(wallet, sender))
    const order = note
      ? { networks: note.choice.order.map(({ network }) => network), ranked: note.choice }
      : orderOf(rule, networks.names(), (names) => ({ order: ranking.standings(names), probed: null }))
    const deliveries =
      planned?.deliveries.toSorted((left, right) => left.rank - right.rank || left.id - right.id) ??
      planDeliveries({
        ...{ envelopeId: NO_ENVELOPE, wallet, rule, order: order.networks, endpoints },
        ...{ heardAt: null, now: clock.now() },
      })
    // What was planned tells its own order; the rest follows as the route has it.
    const sequence = [...new Set([...deliveries.map(({ network }) => network), ...order.networks])]
    const steps = sequence.map((network): RouteStep => {
      const delivery = deliveries.find((one) => one.network === network)
      const standing = order.ranked?.order.find((one) => one.network === network) ?? null
      const hasEndpoint = endpoints.some((endpoint) => endpoint.network === network)
      return {
        network,
        use: delivery ? useOf(delivery, rule, planned?.via) : unusedFor(network, hasEndpoint, planned),
        place: placeOf(network, rule, standing, order.ranked?.probed ?? null),
        standing,
        state: planned && delivery ? delivery.state : null,
        reason: planned && delivery && 'reason' in delivery ? (delivery.reason ?? null) : null,
      }
    })
    const isExact = planned === null || (note !== null && note !== undefined)
    return { wallet, ...rule, plannedAt: planned?.at ?? clock.now(), isExact, steps }
  }

  return { plan, explain }
}

function useOf(
  delivery: Delivery | NewDelivery,
  rule: AppliedRule,
  via: string | undefined,
): RouteStep['use'] {
  const wasTried = 'attempt' in delivery && delivery.attempt > 0
  if (delivery.state === 'acknowledged' && !wasTried && delivery.network === via) return 'heard-there'
  if (rule.policy === 'mirror') return 'copy'
  return delivery.rank === 0 ? 'first' : 'standby'
}

function unusedFor(
  network: string,
  hasEndpoint: boolean,
  planned: ExplainRequest['planned'],
): RouteStep['use'] {
  if (!hasEndpoint) return 'no-endpoint'
  // Native and opaque messages are on their own network already.
  return planned && planned.mode !== 'sealed' && planned.via === network ? 'origin' : 'not-needed'
}

/** Why it stands where it stands. */
function placeOf(
  network: string,
  { order }: AppliedRule,
  standing: Standing | null,
  probed: string | null,
): RouteStep['place'] {
  if (standing === null) return order !== 'ranked' && order.includes(network) ? 'named' : 'not-named'
  if (!standing.connected) return 'not-connected'
  if (network === probed) return 'probed'
  return standing.quiet ? 'quiet' : 'ranked'
}
