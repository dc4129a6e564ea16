/** The relay matrix: one cell for each pair of networks and mode, and what became of it. */

export const NETWORKS = ['xmtp', 'push', 'waku', 'trtc'] as const
export type Network = (typeof NETWORKS)[number]
export type Mode = 'sealed' | 'hop' | 'opaque'

export interface Cell {
  mode: Mode
  from: Network
  to: Network
  /** Messages that were sent, and that arrived at the real client on `to` exactly once and readable. */
  sent: number
  arrived: number
  /** Median time from the call of the sender's SDK to the event of the recipient's SDK, milliseconds. Null when none arrived. */
  medianMs: number | null
  /** The network itself carried it: the recipient's own client hears what the sender's publishes. */
  native: boolean
  /** What went wrong, one line each. */
  problems: string[]
}

/** A cell that an earlier report may hold no longer, or not yet, has no measurement. */
export function isGreen({ sent, arrived, problems }: Cell): boolean {
  return sent > 0 && arrived === sent && problems.length === 0
}

export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null
}
