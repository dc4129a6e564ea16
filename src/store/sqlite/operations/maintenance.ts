/** Pruning in slices, counts, and the readiness probe. */
import type { DeliveryState, PruneLimits, StoreStatistics } from '../../port.ts'
import { type Database, USE_RESOLUTION_MS } from '../database.ts'
import { prefixOf } from '../index-rows.ts'
import { OPEN } from './deliveries.ts'
import { deliveryIds } from './delivery-made.ts'
import { lastSeq } from './envelopes.ts'
import { appendCheckpoint } from './journey.ts'
import type { Moment } from './operation.ts'

/** Rows that one slice takes. It lasts a few milliseconds, and other operations get their turn between two slices. */
const SLICE = 200

/** Why a delivery was given up when its envelope was over its time. */
const RETENTION = 'retention'

type Before = (limits: PruneLimits, database: Database) => number

/** Deletions of one slice each, in this order. The first parameter is the time before which rows go, the second the size of a slice. */
const DELETIONS = {
  // Aliases stand in order of arrival, so the old ones are the first ones.
  aliases: {
    before: ({ aliasesBefore }) => aliasesBefore,
    sql: `DELETE FROM aliases WHERE at < ? AND number IN (SELECT number FROM aliases ORDER BY number LIMIT ?)`,
  },
  pairs: {
    before: ({ envelopesBefore }) => envelopesBefore,
    sql: `DELETE FROM pairs WHERE (network, address, peer_id) IN (
            SELECT network, address, peer_id FROM pairs WHERE last_at < ? LIMIT ?)`,
  },
  // Ended ones are kept as long as messages that they attest: clients check those by their consents.
  enrolments: {
    before: ({ envelopesBefore }) => envelopesBefore,
    sql: `DELETE FROM enrolments WHERE id IN (SELECT id FROM enrolments WHERE state = 'ended' AND ended_at < ? LIMIT ?)`,
  },
  conversations: {
    before: unusedBefore,
    sql: `DELETE FROM conversations WHERE id IN (SELECT id FROM conversations WHERE used_at < ? LIMIT ?)`,
  },
  wallets: {
    before: unusedBefore,
    sql: `DELETE FROM wallets WHERE id IN (SELECT id FROM wallets WHERE used_at < ? LIMIT ?)`,
  },
  // Of those for which nothing was chosen: what they tell was read is gone by then.
  conversation_settings: {
    before: unusedBefore,
    sql: `DELETE FROM conversation_settings WHERE (wallet_id, conversation) IN (SELECT wallet_id, conversation
            FROM conversation_settings WHERE consent IS NULL AND muted = 0 AND updated_at < ? LIMIT ?)`,
  },
  challenges: {
    before: ({ now }) => now,
    sql: 'DELETE FROM challenges WHERE id IN (SELECT id FROM challenges WHERE expires_at <= ? LIMIT ?)',
  },
  sessions: {
    before: ({ now }) => now,
    sql: `DELETE FROM sessions WHERE token_hash IN (SELECT token_hash FROM sessions WHERE expires_at <= ? LIMIT ?)`,
  },
  prekeys: {
    before: ({ now }) => now,
    sql: `DELETE FROM prekeys WHERE (wallet_id, device, key_id) IN
      (SELECT wallet_id, device, key_id FROM prekeys WHERE not_after <= ? LIMIT ?)`,
  },
} as const satisfies Record<string, { before: Before; sql: string }>

export type DeletableTable = 'ids' | keyof typeof DELETIONS

export const DELETABLE_TABLES = ['ids', ...Object.keys(DELETIONS)] as DeletableTable[]

/**
 * A wallet or conversation that was used last before this time is named by no envelope that is kept, and by no pair: those are
 * younger, and `used_at` is at most its resolution behind them.
 */
function unusedBefore({ envelopesBefore }: PruneLimits, database: Database): number {
  const sql = 'SELECT min(received_at) AS receivedAt FROM envelopes WHERE bytes IS NOT NULL'
  const oldest = database.row<{ receivedAt: number | null }>(sql)?.receivedAt ?? envelopesBefore
  return Math.min(oldest, envelopesBefore) - USE_RESOLUTION_MS
}

/** Removes one slice of rows that are over their time. `more`: there may be others. */
export function pruneTable(
  database: Database,
  { table, limits }: { table: DeletableTable; limits: PruneLimits },
): { removed: number; more: boolean } {
  if (table === 'ids') {
    const removed = forgetIds(database, limits.idsBefore)
    return { removed, more: removed === SLICE }
  }
  const { sql, before } = DELETIONS[table]
  const removed = database.run(sql, before(limits, database), SLICE)
  if (removed > 0 && (table === 'wallets' || table === 'conversations')) database.forgetNames()
  if (removed > 0 && table === 'wallets') {
    database.run('UPDATE totals SET pruned_wallets = pruned_wallets + ?', removed)
  }
  return { removed, more: removed === SLICE }
}

/** One slice of what is left of pruned envelopes: their rows, and with them their ids. */
function forgetIds(database: Database, before: number): number {
  const old = database.rows<{ seq: number; id: Uint8Array }>(
    'SELECT seq, id FROM envelopes WHERE bytes IS NULL AND received_at < ? ORDER BY received_at LIMIT ?',
    before,
    SLICE,
  )
  for (const { seq, id } of old) {
    database.run('DELETE FROM envelope_ids WHERE prefix = ? AND seq = ?', prefixOf(id), seq)
    database.run('DELETE FROM envelopes WHERE seq = ?', seq)
  }
  return old.length
}

/** Place in the walk over old envelopes: arrival time and seq of the last one that was looked at. */
export interface EnvelopeCursor {
  receivedAt: number
  seq: number
}

export interface EnvelopeSlice {
  removed: {
    envelopes: number
    inbox: number
    deliveries: number
    checkpoints: number
    /** Not removed but given up. */
    deliveriesEnded: number
  }
  /** Where the next slice starts; null when there is none. */
  next: EnvelopeCursor | null
}

/**
 * Removes the content of old envelopes, with their inbox items, deliveries and journeys. The id stays as a row without bytes.
 * An envelope with open deliveries has them ended first and goes when it is looked at again, so that what works on one of
 * them at this moment still finds it. The cursor steps over it.
 */
export function pruneEnvelopes(
  database: Database,
  { before, after }: { before: number; after: EnvelopeCursor | null },
  moment: Moment,
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
  // What is taken out below must stand in the indexes, or it would be put there later.
  if (old.some(({ seq }) => seq > database.recent.indexedThrough)) database.recent.indexAll()
  const removed = { envelopes: 0, inbox: 0, deliveries: 0, checkpoints: 0, deliveriesEnded: 0 }
  let through = 0
  for (const { seq, holders } of old) {
    const ended = endDeliveries(database, seq, moment)
    removed.deliveriesEnded += ended
    if (ended > 0) continue
    for (const walletId of JSON.parse(holders) as number[]) {
      removed.inbox += database.run(
        'DELETE FROM inbox WHERE wallet_id = ? AND seq = ?',
        Math.abs(walletId),
        seq,
      )
    }
    const [first, last] = deliveryIds(seq)
    removed.deliveries += database.run('DELETE FROM deliveries WHERE id BETWEEN ? AND ?', first, last)
    removed.checkpoints += database.run('DELETE FROM checkpoints WHERE seq = ?', seq)
    database.run(
      `UPDATE envelopes SET bytes = NULL, certificate = NULL, trace = x'', device = x'', content_type = '', holders = '[]',
         from_id = 0, conversation_id = 0
       WHERE seq = ?`,
      seq,
    )
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

/** Gives up what could not be sent for as long as envelopes are kept: nobody waits for it any more. Answers how many there were. */
function endDeliveries(database: Database, seq: number, { at, monotonic }: Moment): number {
  const open = database.rows<{ id: number; walletId: number; network: string }>(
    `SELECT id, wallet_id AS walletId, network FROM deliveries WHERE id BETWEEN ? AND ? AND ${OPEN}`,
    ...deliveryIds(seq),
  )
  for (const { id, walletId, network } of open) {
    const sql = `UPDATE deliveries SET state = 'dead', reason = ?, next_at = NULL, updated_at = ? WHERE id = ?`
    database.run(sql, RETENTION, at, id)
    const step = { name: 'dispatched', status: 'failure', detail: RETENTION } as const
    appendCheckpoint(database, seq, { ...step, at, monotonic, deliveryId: id, network }, walletId)
  }
  return open.length
}

/** Reads counters that are kept up to date by every write; nothing is scanned. */
export function statistics(database: Database): StoreStatistics {
  const totals = database.row<{ pruned: number; wallets: number; bytes: number }>(
    `SELECT pruned,
       ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'wallets'), 0) - pruned_wallets AS wallets,
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
