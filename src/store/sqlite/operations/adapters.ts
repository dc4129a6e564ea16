/** What adapters keep, and which addresses of a network talked lately. */
import type { PairPage, PairQuery } from '../../port.ts'
import type { Database } from '../database.ts'

/** A pair is written again only when its time is older than this, so that a busy pair costs no write a message. */
const PAIR_RESOLUTION_MS = 60_000

export function getAdapterValue(
  database: Database,
  { network, key }: { network: string; key: string },
): string | null {
  const sql = 'SELECT value FROM adapter_values WHERE network = ? AND key = ?'
  return database.row<{ value: string }>(sql, network, key)?.value ?? null
}

export function setAdapterValue(
  database: Database,
  { network, key, value }: { network: string; key: string; value: string | null },
): void {
  if (value === null) {
    database.run('DELETE FROM adapter_values WHERE network = ? AND key = ?', network, key)
    return
  }
  database.run(
    `INSERT INTO adapter_values (network, key, value) VALUES (?, ?, ?)
     ON CONFLICT (network, key) DO UPDATE SET value = excluded.value`,
    network,
    key,
    value,
  )
}

export function notePair(
  database: Database,
  pair: { network: string; address: string; peerId: number; at: number },
): void {
  database.run(
    `INSERT INTO pairs (network, address, peer_id, last_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (network, address, peer_id) DO UPDATE SET last_at = excluded.last_at WHERE last_at <= excluded.last_at - ?`,
    pair.network,
    pair.address,
    pair.peerId,
    pair.at,
    PAIR_RESOLUTION_MS,
  )
}

/**
 * Page by page along the primary key, so that the cost of a page does not grow with the table. A sender without an endpoint
 * on the network has no pair; of two rows for one pair, the one with the lower address stands for both.
 */
export function recentPairs(database: Database, { network, since, after, limit }: PairQuery): PairPage {
  const from = since - PAIR_RESOLUTION_MS
  const rows = database.rows<PairRow>(
    `SELECT p.address AS local, p.peer_id AS peerId, p.last_at AS lastAt, e.address AS peer,
       e.address < p.address AND EXISTS (
         SELECT 1 FROM endpoints own JOIN pairs reverse ON reverse.network = own.network
           AND reverse.address = e.address AND reverse.peer_id = own.wallet_id AND reverse.last_at >= ?
         WHERE own.network = p.network AND own.address = p.address) AS told
     FROM pairs p LEFT JOIN endpoints e ON e.wallet_id = p.peer_id AND e.network = p.network
     WHERE p.network = ? AND (p.address, p.peer_id) > (?, ?) ORDER BY p.address, p.peer_id LIMIT ?`,
    from,
    network,
    after?.address ?? '',
    after?.peerId ?? 0,
    limit,
  )
  const last = rows.length < limit ? undefined : rows.at(-1)
  return {
    pairs: rows.flatMap(({ local, peer, lastAt, told }) =>
      peer === null || peer === local || told || lastAt < from ? [] : [{ local, peer }],
    ),
    next: last ? { address: last.local, peerId: last.peerId } : null,
  }
}

interface PairRow {
  local: string
  peerId: number
  lastAt: number
  peer: string | null
  /** The row of the other direction gives the pair. 0 or 1, or null without a peer. */
  told: number | null
}
