/** Pruning in slices, counts, and the readiness probe. */
import type { DeliveryState, PruneLimits, StoreStatistics } from '../../port.ts'
import type { Database } from '../database.ts'
import { deliveryIds, OPEN } from './deliveries.ts'
import { lastSeq } from './envelopes.ts'
import type { Moment } from './operation.ts'

/** Rows that one slice takes. It lasts a few milliseconds, and other operations get their turn between two slices. */
const SLICE = 200

/** Deletions of one slice each; the first parameter is the limit named, the second the size of a slice. */
const DELETIONS = {
  // An id stays taken after its envelope is gone, for as long as networks may still deliver it again.
  ids: {
    limit: 'aliasesBefore',
    sql: `DELETE FROM envelopes WHERE seq IN (
            SELECT seq FROM envelopes WHERE bytes IS NULL AND received_at < ? ORDER BY received_at LIMIT ?)`,
  },
  // Aliases stand in order of arrival, so the old ones are the first ones.
  aliases: {
    limit: 'aliasesBefore',
    sql: `DELETE FROM aliases WHERE at < ? AND number IN (SELECT number FROM aliases ORDER BY number LIMIT ?)`,
  },
  pairs: {
    limit: 'envelopesBefore',
    sql: `DELETE FROM pairs WHERE (network, address, peer_id) IN (
            SELECT network, address, peer_id FROM pairs WHERE last_at < ? LIMIT ?)`,
  },
  challenges: {
    limit: 'now',
    sql: 'DELETE FROM challenges WHERE id IN (SELECT id FROM challenges WHERE expires_at <= ? LIMIT ?)',
  },
  sessions: {
    limit: 'now',
    sql: `DELETE FROM sessions WHERE token_hash IN (SELECT token_hash FROM sessions WHERE expires_at <= ? LIMIT ?)`,
  },
  prekeys: {
    limit: 'now',
    sql: `DELETE FROM prekeys WHERE (wallet_id, device, key_id) IN
      (SELECT wallet_id, device, key_id FROM prekeys WHERE not_after <= ? LIMIT ?)`,
  },
} as const satisfies Record<string, { limit: keyof PruneLimits; sql: string }>

export type DeletableTable = keyof typeof DELETIONS

export const DELETABLE_TABLES = Object.keys(DELETIONS) as DeletableTable[]

/** Removes one slice of rows that are over their time. `more`: there may be others. */
export function pruneTable(
  database: Database,
  { table, limits }: { table: DeletableTable; limits: PruneLimits },
): { removed: number; more: boolean } {
  const deletion = DELETIONS[table]
  const removed = database.run(deletion.sql, limits[deletion.limit], SLICE)
  return { removed, more: removed === SLICE }
}

/** Place in the walk over old envelopes: arrival time and seq of the last one that was looked at. */
export interface EnvelopeCursor {
  receivedAt: number
  seq: number
}

export interface EnvelopeSlice {
  removed: { envelopes: number; inbox: number; deliveries: number; checkpoints: number }
  /** Where the next slice starts; null when there is none. */
  next: EnvelopeCursor | null
}

/**
 * Removes the content of old envelopes that have no open delivery, with their inbox items, deliveries and journeys. The id
 * stays as a row without bytes. The cursor steps over envelopes that must stay.
 */
export function pruneEnvelopes(
  database: Database,
  { before, after }: { before: number; after: EnvelopeCursor | null },
): EnvelopeSlice {
  const from = after ?? { receivedAt: Number.MIN_SAFE_INTEGER, seq: 0 }
  const old = database.rows<EnvelopeCursor & { holders: string }>(
    `SELECT received_at AS receivedAt, seq, holders FROM envelopes
     WHERE bytes IS NOT NULL AND received_at < ? AND (received_at, seq) > (?, ?) ORDER BY received_at, seq LIMIT ?`,
    before,
    from.receivedAt,
    from.seq,
    SLICE,
  )
  const removed = { envelopes: 0, inbox: 0, deliveries: 0, checkpoints: 0 }
  let through = 0
  for (const { seq, holders } of old) {
    const ids = deliveryIds(seq)
    if (
      database.row(`SELECT 1 FROM deliveries WHERE id BETWEEN ? AND ? AND ${OPEN} LIMIT 1`, ...ids) !== null
    )
      continue
    for (const walletId of JSON.parse(holders) as number[]) {
      removed.inbox += database.run('DELETE FROM inbox WHERE wallet_id = ? AND seq = ?', walletId, seq)
    }
    removed.deliveries += database.run('DELETE FROM deliveries WHERE id BETWEEN ? AND ?', ...ids)
    removed.checkpoints += database.run('DELETE FROM checkpoints WHERE seq = ?', seq)
    database.run(`UPDATE envelopes SET bytes = NULL, certificate = NULL, trace = x'' WHERE seq = ?`, seq)
    removed.envelopes += 1
    through = Math.max(through, seq)
  }
  if (removed.envelopes > 0) {
    const sql = 'UPDATE totals SET pruned = pruned + ?, pruned_through = max(pruned_through, ?)'
    database.run(sql, removed.envelopes, through)
  }
  const last = old.length === SLICE ? old.at(-1) : undefined
  return { removed, next: last === undefined ? null : { receivedAt: last.receivedAt, seq: last.seq } }
}

/** Reads counters that are kept up to date by every write; nothing is scanned. */
export function statistics(database: Database): StoreStatistics {
  const totals = database.row<{ pruned: number; wallets: number; bytes: number }>(
    `SELECT pruned, (SELECT ifnull(max(id), 0) FROM wallets) AS wallets,
       (SELECT page_count * page_size FROM pragma_page_count, pragma_page_size) AS bytes
     FROM totals`,
  )
  return {
    envelopes: lastSeq(database) - (totals?.pruned ?? 0),
    wallets: totals?.wallets ?? 0,
    deliveries: database.rows<{ network: string; state: DeliveryState; count: number }>(
      'SELECT network, state, count FROM delivery_counts WHERE count > 0 ORDER BY network, state',
    ),
    bytes: totals?.bytes ?? 0,
  }
}

export function probe(database: Database, _input: null, moment: Moment): void {
  database.run('INSERT INTO probes (at) VALUES (?)', moment.at)
  database.run('DELETE FROM probes')
}
