/** Weight of a new sample in the moving averages: about the last ten sends count. */
const SAMPLE_WEIGHT = 0.2
/** Failures weigh more than slowness, as in viem's ranked fallback transport. */
const LATENCY_WEIGHT = 0.3
const STABILITY_WEIGHT = 0.7

interface Record {
  latencyMs: number | null
  /** 1 when every try succeeded. */
  stability: number
}

/**
 * Ranks networks by how fast and how reliably they acknowledged lately. In memory only: after a restart the default order
 * holds until networks have been measured.
 */
export interface Ranking {
  succeeded(network: string, latencyMs: number): void
  failed(network: string): void
  /** Best first; ties keep the order given. A network without a sample counts as the best, so that it gets measured. */
  order(networks: readonly string[]): string[]
}

export function createRanking(): Ranking {
  const records = new Map<string, Record>()

  function recordOf(network: string): Record {
    let record = records.get(network)
    if (!record) {
      record = { latencyMs: null, stability: 1 }
      records.set(network, record)
    }
    return record
  }

  /** A weighted mean that starts at the first sample. */
  function blend(previous: number | null, sample: number): number {
    return previous === null ? sample : previous + SAMPLE_WEIGHT * (sample - previous)
  }

  return {
    succeeded(network, latencyMs) {
      const record = recordOf(network)
      record.latencyMs = blend(record.latencyMs, latencyMs)
      record.stability = blend(record.stability, 1)
    },
    failed(network) {
      const record = recordOf(network)
      record.stability = blend(record.stability, 0)
    },
    order(networks) {
      const measured = networks.map((network) => records.get(network)?.latencyMs ?? null)
      const slowest = Math.max(0, ...measured.filter((latency) => latency !== null))
      const score = (network: string) => {
        const record = records.get(network)
        const slowness =
          !record || record.latencyMs === null || slowest === 0 ? 0 : record.latencyMs / slowest
        return LATENCY_WEIGHT * (1 - slowness) + STABILITY_WEIGHT * (record?.stability ?? 1)
      }
      return networks.toSorted((left, right) => score(right) - score(left))
    },
  }
}
