/**
 * Figures of messages that went their way anyway, from the checkpoints of their journeys. Pure. All times are differences on
 * the gateway's monotonic clock; the clocks of clients have no part in them.
 */
import { titleOf } from './paths.ts'
import { bandWidth, distribution, percentile, shareInterval, sorted } from './statistics.ts'
import { figures, type Row, seriesOf } from './summary.ts'

/** What is read of a checkpoint: of the store's and of the API's alike. */
export interface JourneyPoint {
  name: string
  status: string
  /** Wall clock, Unix milliseconds: the gateway's, and of `delivered` and `read` the client's. */
  at: number
  /** The gateway's monotonic clock, milliseconds; comparable within one run of its process. */
  monotonic: number
  network: string | null
  wallet: string | null
}

export interface JourneyRecord {
  checkpoints: readonly JourneyPoint[]
  deliveries: readonly { network: string; wallet: string; state: string }[]
}

/**
 * Between two checkpoints the wall clock and the monotonic one must tell about the same time. Where they differ by more, the
 * gateway was started anew in between, or a client's clock is far off. Milliseconds.
 */
const CLOCKS_AGREE_MS = {
  /** Both of one machine, which sets its wall clock now and then. */
  gateway: 2_000,
  /** The wall clock is the client's. */
  client: 60_000,
}
const TOLD_BY_CLIENTS: ReadonlySet<string> = new Set(['delivered', 'read'])

/** One message to one wallet on one network. Null: that did not happen, or its time is not known. Milliseconds after acceptance. */
interface Passage {
  from: string
  to: string
  acceptedAt: number
  dispatched: number | null
  acknowledged: number | null
  delivered: number | null
  state: string
}

const ENDED = ['acknowledged', 'dead']

/** Two rows for each pair of networks: until the network took the message, and until its recipient told of it. */
export function rowsOfJourneys(journeys: readonly JourneyRecord[]): Row[] {
  const passages = journeys.flatMap(passagesOf).filter(({ state }) => ENDED.includes(state))
  const pairs = Map.groupBy(passages, ({ from, to }) => `${from}>${to}`)
  return [...pairs]
    .sort(([one], [other]) => one.localeCompare(other))
    .flatMap(([pair, members]) => {
      const told = members.filter(({ delivered }) => delivered !== null)
      const sent = members.filter(({ acknowledged, state }) => acknowledged !== null || state === 'dead')
      return [
        ...(sent.length > 0 ? [rowOf(pair, sent, 'acknowledged')] : []),
        ...(told.length > 0 ? [rowOf(pair, told, 'delivered')] : []),
      ]
    })
}

function passagesOf({ checkpoints, deliveries }: JourneyRecord): Passage[] {
  const accepted = checkpoints.find(({ name }) => name === 'accepted')
  if (!accepted) return []
  const sent = deliveries.map(({ network, wallet, state }) => {
    const own = checkpoints.filter((point) => point.network === network && point.wallet === wallet)
    const after = (name: string, last = false) => {
      const found = own.filter((point) => point.name === name && point.status === 'success')
      return since(accepted, last ? found.at(-1) : found[0])
    }
    return {
      from: accepted.network ?? 'unknown',
      to: network,
      acceptedAt: accepted.at,
      // The first try: waiting for a network that was away is not the gateway's own time. It is noted in the transaction that
      // keeps the envelope, so the wait for the disk comes after it.
      dispatched: since(
        accepted,
        own.find(({ name }) => name === 'dispatched'),
      ),
      // Where the echo came first, the answer is not noted any more.
      acknowledged:
        state === 'acknowledged' ? (after('remoteAcknowledged', true) ?? after('remoteEcho')) : null,
      delivered: after('delivered'),
      state,
    }
  })
  // Whoever reads over HTTP tells of messages that no network was to carry.
  const read = checkpoints.filter(
    ({ name, network, wallet }) =>
      name === 'delivered' &&
      !deliveries.some((other) => other.network === network && other.wallet === wallet),
  )
  return [
    ...sent,
    ...read.map((point) => ({
      from: accepted.network ?? 'unknown',
      to: point.network ?? 'unknown',
      acceptedAt: accepted.at,
      dispatched: null,
      acknowledged: null,
      delivered: since(accepted, point),
      state: 'acknowledged',
    })),
  ]
}

function since(start: JourneyPoint, point: JourneyPoint | undefined): number | null {
  if (!point) return null
  const passed = point.monotonic - start.monotonic
  const tolerance = CLOCKS_AGREE_MS[TOLD_BY_CLIENTS.has(point.name) ? 'client' : 'gateway']
  const agree = Math.abs(point.at - start.at - passed) < tolerance
  return passed >= 0 && agree ? passed : null
}

function rowOf(pair: string, passages: readonly Passage[], until: 'acknowledged' | 'delivered'): Row {
  const [from = '', to = ''] = pair.split('>')
  const dead = until === 'acknowledged' ? passages.filter(({ state }) => state === 'dead').length : 0
  const times = passages.flatMap((passage): [number, number][] => {
    const value = passage.state === 'dead' && until === 'acknowledged' ? Infinity : passage[until]
    return value === null ? [] : [[passage.acceptedAt / 1000, value]]
  })
  const ordered = sorted(times.map(([, value]) => value))
  const own = sorted(passages.flatMap(({ dispatched }) => dispatched ?? []))
  const out = sorted(
    passages.flatMap(({ dispatched, acknowledged }) =>
      dispatched === null || acknowledged === null ? [] : [acknowledged - dispatched],
    ),
  )
  const isFirst = until === 'acknowledged'
  const begun = percentile(sorted(times.map(([at]) => at)), 0)
  return {
    id: `journey:${pair}:${until}`,
    path: 'journey',
    from,
    to,
    size: null,
    title: `${titleOf(from)} → ${titleOf(to)}, ${until}`,
    measured: isFirst
      ? `accepted from ${titleOf(from)} → durable → handed to ${titleOf(to)} → its answer`
      : `accepted from ${titleOf(from)} → … → the receipt of the recipient’s client has come back: an upper bound`,
    bytes: null,
    samples: times.length,
    arrived: times.length - dead,
    lost: 0,
    failed: dead,
    late: 0,
    duplicates: 0,
    errors: {},
    lossShare: shareInterval(dead, times.length),
    latency: figures(ordered),
    legs: isFirst ? { in: figures(sorted([])), gateway: figures(own), out: figures(out) } : null,
    overNative: null,
    band: times.length === 0 ? 1 : bandWidth(times.length),
    distribution: distribution(ordered),
    gatewayDistribution: isFirst ? distribution(own) : null,
    series: seriesOf(times.map(([at, value]) => [at - begun, value])),
  }
}
