/** What adapters keep, and which addresses of a network talked lately. */
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

/** The latest pairs first, each once whichever side wrote. A sender without an endpoint on the network has no pair. */
export function recentPairs(
  database: Database,
  { network, since, limit }: { network: string; since: number; limit: number },
): { local: string; peer: string }[] {
  return database.rows(
    `SELECT p.address AS local, e.address AS peer
     FROM pairs p JOIN endpoints e ON e.wallet_id = p.peer_id AND e.network = p.network
     WHERE p.network = ? AND p.last_at >= ? AND p.address <> e.address
     GROUP BY min(p.address, e.address), max(p.address, e.address)
     ORDER BY max(p.last_at) DESC, p.address LIMIT ?`,
    network,
    since - PAIR_RESOLUTION_MS,
    limit,
  )
}
