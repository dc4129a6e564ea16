import { type Delivery, type DeliveryMove, type DeliveryState, StoreError } from '../../port.ts'
import type { Database } from '../database.ts'
import { noteAlias } from './aliases.ts'
import { deliveryIds } from './delivery-made.ts'
import { appendCheckpoint } from './journey.ts'

/** Deliveries that will still move by themselves. Word for word the condition of the index `deliveries_open`. */
export const OPEN = `(state = 'pending' OR state = 'dispatching' OR state = 'uncertain' OR (state = 'standby' AND next_at IS NOT NULL))`

/** Word for word the condition of the index `deliveries_unsent`. */
const UNSENT = `(state = 'standby' OR state = 'dead' OR state = 'superseded')`

const SELECT = `
  SELECT d.id, e.seq AS envelopeSeq, e.id AS envelopeId, c.conversation, w.wallet, d.network, d.address,
    d.transaction_id AS transactionId, d.state, d.rank, d.attempt, d.next_at AS nextAt, d.reason,
    d.remote_ids AS remoteIds, d.created_at AS createdAt, d.updated_at AS updatedAt
  FROM deliveries d
  JOIN envelopes e ON e.seq = d.id / 4096
  JOIN conversations c ON c.id = e.conversation_id
  JOIN wallets w ON w.id = d.wallet_id`

type DeliveryRow = Omit<Delivery, 'remoteIds'> & { remoteIds: string }

function toDelivery(row: DeliveryRow): Delivery {
  return { ...row, remoteIds: JSON.parse(row.remoteIds) as string[] }
}

export function openDeliveries(
  database: Database,
  { afterId, limit }: { afterId: number; limit: number },
): Delivery[] {
  const sql = `${SELECT} WHERE d.id IN (SELECT id FROM deliveries WHERE ${OPEN} AND id > ? ORDER BY id LIMIT ?) ORDER BY d.id`
  return database.rows<DeliveryRow>(sql, afterId, limit).map(toDelivery)
}

export function getDelivery(database: Database, id: number): Delivery | null {
  const row = database.row<DeliveryRow>(`${SELECT} WHERE d.id = ?`, id)
  return row === null ? null : toDelivery(row)
}

export function deliveriesOf(database: Database, envelopeId: Uint8Array): Delivery[] {
  const seq = database.recent.seqOf(envelopeId)
  if (seq === null) return []
  const sql = `${SELECT} WHERE d.id BETWEEN ? AND ? ORDER BY d.id`
  return database.rows<DeliveryRow>(sql, ...deliveryIds(seq)).map(toDelivery)
}

/** Newest first. The condition of each state's partial index is repeated, so that a rare state is found without a scan. */
export function listDeliveries(
  database: Database,
  query: { state: DeliveryState | null; network: string | null; limit: number; beforeId: number | null },
): Delivery[] {
  const sql = `${SELECT} WHERE d.id IN (
      SELECT id FROM deliveries WHERE ${indexedPart(query.state)} AND id < ? AND (? IS NULL OR network = ?)
      ORDER BY id DESC LIMIT ?)
    ORDER BY d.id DESC`
  const parameters = [query.beforeId ?? Number.MAX_SAFE_INTEGER, query.network, query.network, query.limit]
  const rows =
    query.state === null
      ? database.rows<DeliveryRow>(sql, ...parameters)
      : database.rows<DeliveryRow>(sql, query.state, ...parameters)
  return rows.map(toDelivery)
}

function indexedPart(state: DeliveryState | null): string {
  switch (state) {
    case null:
      return 'true'
    case 'pending':
    case 'dispatching':
    case 'uncertain':
      return `${OPEN} AND state = ?`
    case 'standby':
    case 'dead':
    case 'superseded':
      return `${UNSENT} AND state = ?`
    case 'acknowledged':
      return 'state = ?'
  }
}

type MovingRow = {
  walletId: number
  network: string
  state: DeliveryState
  attempt: number
  nextAt: number | null
  reason: string | null
  remoteIds: string
}

export function moveDelivery(
  database: Database,
  move: DeliveryMove,
): { moved: boolean; delivery: Delivery | null } {
  const row = database.row<MovingRow>(
    `SELECT wallet_id AS walletId, network, state, attempt, next_at AS nextAt, reason, remote_ids AS remoteIds
     FROM deliveries WHERE id = ?`,
    move.id,
  )
  if (row === null || !move.from.includes(row.state)) {
    return { moved: false, delivery: getDelivery(database, move.id) }
  }
  const remoteIds = new Set([...(JSON.parse(row.remoteIds) as string[]), ...(move.remoteIds ?? [])])
  database.run(
    `UPDATE deliveries SET state = ?, attempt = ?, next_at = ?, reason = ?, remote_ids = ?, updated_at = ? WHERE id = ?`,
    move.to,
    move.attempt ?? row.attempt,
    move.nextAt === undefined ? row.nextAt : move.nextAt,
    move.reason === undefined ? row.reason : move.reason,
    JSON.stringify([...remoteIds]),
    move.at,
    move.id,
  )
  const delivery = getDelivery(database, move.id)
  if (delivery === null)
    throw new StoreError('store-corrupt', `The envelope of delivery ${move.id} is missing`)
  for (const remoteId of move.remoteIds ?? []) {
    noteAlias(database, { network: row.network, remoteId, envelopeId: delivery.envelopeId, at: move.at })
  }
  if (move.checkpoint !== undefined) {
    const checkpoint = { ...move.checkpoint, deliveryId: move.id, network: row.network }
    appendCheckpoint(database, delivery.envelopeSeq, checkpoint, row.walletId)
  }
  return { moved: true, delivery }
}
