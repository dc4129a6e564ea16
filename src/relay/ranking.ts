/**
 * Ranks networks for `ranked` routes by how fast and how reliably they acknowledged lately.
 *
 * - **Window.** Samples count less the older they are, by half every {@link HALF_LIFE_MS}: after five minutes a sample has a
 *   thirtieth of its weight.
 * - **Score.** `0.7 × stability + 0.3 × (1 − latency ÷ latency of the slowest)`, as in viem's ranked fallback transport:
 *   failures weigh more than slowness.
 * - **Hysteresis.** A network passes the one before it only by a score that is higher by {@link MARGIN}, so that noise does not
 *   change the order.
 * - **Quiet networks.** One with hardly any recent sample is scored as {@link QUIET_SCORE}: behind what works, before what
 *   fails. One choice in {@link PROBE_EVERY} puts a quiet network that the wallet has first, so that it gets measured. Networks
 *   that are not connected come last.
 *
 * In memory only: after a restart the default order holds until networks have been measured.
 */
import type { Clock } from '../adapter/index.ts'

export const HALF_LIFE_MS = 60_000
export const MARGIN = 0.05
export const PROBE_EVERY = 20
const LATENCY_WEIGHT = 0.3
const STABILITY_WEIGHT = 0.7
/** As one that acknowledges three sends of four, as slowly as the slowest. */
const QUIET_SCORE = 0.75 * STABILITY_WEIGHT
/** Samples, each counted by its present weight, below which a network is quiet. */
const QUIET_SAMPLES = 0.25

/** Decayed sums, as of `at`. */
interface Sums {
  at: number
  tries: number
  successes: number
  latencyMs: number
}

/** What is known of a network at a moment. */
export interface Standing {
  network: string
  connected: boolean
  /** Hardly any recent sample. */
  quiet: boolean
  /** Mean time to the network's acknowledgement, milliseconds; null without one. */
  latencyMs: number | null
  /** Share of tries that were acknowledged, 0 to 1; null without a try. */
  stability: number | null
  /** 0 to 1, higher is better. */
  score: number
}

export interface RankedChoice {
  /** Best first. */
  order: Standing[]
  /** The quiet network that was put first to be measured. */
  probed: string | null
}

export interface Ranking {
  succeeded(network: string, latencyMs: number): void
  failed(network: string): void
  connection(network: string, connected: boolean): void
  /**
   * An order to send by; networks of equal score keep the order given. `usable`: the networks that may be probed, where the wallet
   * has an endpoint and one network is tried after the other; without any, the choice does not count towards the probes.
   */
  choose(networks: readonly string[], usable: ReadonlySet<string>): RankedChoice
  /** The order as it is, without a probe. Changes nothing. */
  standings(networks: readonly string[]): Standing[]
}

export function createRanking(clock: Pick<Clock, 'monotonic'>): Ranking {
  const records = new Map<string, Sums>()
  const down = new Set<string>()
  let present: string[] = []
  let choices = 0

  function decayed(network: string): Sums {
    const at = clock.monotonic()
    const sums = records.get(network)
    if (!sums) return { at, tries: 0, successes: 0, latencyMs: 0 }
    const weight = 2 ** ((sums.at - at) / HALF_LIFE_MS)
    return {
      at,
      tries: sums.tries * weight,
      successes: sums.successes * weight,
      latencyMs: sums.latencyMs * weight,
    }
  }

  function standingsOf(networks: readonly string[]): Map<string, Standing> {
    const measured = networks.map((network) => {
      const { tries, successes, latencyMs } = decayed(network)
      const quiet = tries < QUIET_SAMPLES
      return {
        network,
        connected: !down.has(network),
        quiet,
        latencyMs: successes === 0 ? null : latencyMs / successes,
        stability: tries === 0 ? null : successes / tries,
      }
    })
    const slowest = Math.max(...measured.map(({ latencyMs, quiet }) => (quiet ? 0 : (latencyMs ?? 0))), 0)
    const scored = measured.map((one): Standing => {
      if (one.quiet) return { ...one, score: QUIET_SCORE }
      const slowness = one.latencyMs === null || slowest === 0 ? 1 : one.latencyMs / slowest
      return { ...one, score: STABILITY_WEIGHT * (one.stability ?? 0) + LATENCY_WEIGHT * (1 - slowness) }
    })
    return new Map(scored.map((standing) => [standing.network, standing]))
  }

  function standings(networks: readonly string[]): Standing[] {
    const known = standingsOf(networks)
    const inOrder = [
      ...present.filter((network) => known.has(network)),
      ...networks.filter((network) => !present.includes(network)),
    ].flatMap((network) => known.get(network) ?? [])
    settle(inOrder)
    return [...inOrder.filter(({ connected }) => connected), ...inOrder.filter(({ connected }) => !connected)]
  }

  return {
    succeeded(network, latencyMs) {
      const { at, tries, successes, latencyMs: sum } = decayed(network)
      records.set(network, { at, tries: tries + 1, successes: successes + 1, latencyMs: sum + latencyMs })
    },
    failed(network) {
      const sums = decayed(network)
      records.set(network, { ...sums, tries: sums.tries + 1 })
    },
    connection(network, connected) {
      if (connected) down.delete(network)
      else down.add(network)
    },
    standings,
    choose(networks, usable) {
      const order = standings(networks)
      present = order.map(({ network }) => network)
      if (usable.size === 0 || ++choices % PROBE_EVERY !== 0) return { order, probed: null }
      const candidates = order.filter(({ network }) => usable.has(network))
      const quiet = candidates.find((one) => one.quiet && one.connected)
      if (!quiet || quiet === candidates[0]) return { order, probed: null }
      return { order: [quiet, ...order.filter((one) => one !== quiet)], probed: quiet.network }
    },
  }
}

/** Lets each network pass those before it that it beats by the margin. Ends: no pair changes places twice. */
function settle(order: Standing[]): void {
  for (let moved = true; moved; ) {
    moved = false
    for (let place = 1; place < order.length; place++) {
      const [before, after] = [order[place - 1], order[place]]
      if (!before || !after || after.score <= before.score + MARGIN) continue
      order[place - 1] = after
      order[place] = before
      moved = true
    }
  }
}
