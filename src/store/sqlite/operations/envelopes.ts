/** Accepting envelopes, and reading them. */
import type {
  AcceptRecord,
  AcceptResult,
  Delivery,
  MoreDeliveries,
  NewDelivery,
  StoredEnvelope,
} from '../../port.ts'
import type { Database } from '../database.ts'
import { encodeHolders, factsOf, type Holder } from '../recent.ts'
import { notePair } from './adapters.ts'
import { envelopeOfRemote, noteAlias } from './aliases.ts'
import { deliveriesOf } from './deliveries.ts'
import { deliveryMade } from './delivery-made.ts'
import { appendCheckpoint } from './journey.ts'
import type { Moment } from './operation.ts'

/** The one transaction of an accept. `persisted` is the moment at which its group went to the disk. */
export function accept(database: Database, record: AcceptRecord, moment: Moment): AcceptResult {
  const earlier = record.alias?.claims ? envelopeOfRemote(database, record.alias) : null
  if (earlier !== null) {
    const seq = database.recent.seqOf(earlier) ?? 0
    return { outcome: 'duplicate', seq, deliveries: deliveriesOf(database, earlier) }
  }
  const taken = database.recent.seqOf(record.id)
  if (record.alias !== null) {
    const { network, remoteId: first, otherIds = [] } = record.alias
    for (const remoteId of [first, ...otherIds]) {
      noteAlias(database, { network, remoteId, envelopeId: record.id, at: record.receivedAt })
    }
  }
  if (taken !== null) {
    return { outcome: 'duplicate', seq: taken, deliveries: deliveriesOf(database, record.id) }
  }
  const fromId = database.walletId(record.from, record.receivedAt)
  const conversationId = database.conversationId(record.conversation, record.receivedAt)
  const holders: Holder[] = []
  for (const { wallet, direction } of record.inbox) {
    const walletId = database.walletId(wallet, record.receivedAt)
    // A wallet that writes to itself is named twice and keeps one item.
    if (holders.some((holder) => holder.walletId === walletId)) continue
    holders.push({ walletId, sent: direction === 'sent' })
  }
  const seq = insertEnvelope(database, record, { fromId, conversationId, holders }, moment)
  const { id, conversation, receivedAt } = record
  database.recent.add({ seq, id, conversationId, holders, facts: factsOf({ ...record, fromId }) })
  const home = { id, seq, mode: record.mode, conversation, fromId, receivedAt, firstPlace: 0 }
  return { outcome: 'accepted', seq, deliveries: insertDeliveries(database, record.deliveries, home, moment) }
}

export function addDeliveries(
  database: Database,
  { id, deliveries, receivedAt, bytes }: MoreDeliveries,
  moment: Moment,
): Delivery[] {
  const envelope = database.row<Pick<DeliveryHome, 'seq' | 'mode' | 'fromId' | 'conversation'>>(
    `SELECT e.seq, e.mode, e.from_id AS fromId, c.conversation
     FROM envelopes e JOIN conversations c ON c.id = e.conversation_id
     WHERE e.seq = ? AND e.bytes IS NOT NULL`,
    database.recent.seqOf(id),
  )
  if (envelope === null) return []
  if (bytes) database.run('UPDATE envelopes SET bytes = ? WHERE seq = ?', bytes, envelope.seq)
  const known = deliveriesOf(database, id)
  const missing = deliveries.filter(({ wallet }) => !known.some((other) => other.wallet === wallet))
  const home = { ...envelope, id, receivedAt, firstPlace: known.length }
  return insertDeliveries(database, missing, home, moment)
}

interface DeliveryHome {
  id: Uint8Array
  mode: AcceptRecord['mode']
  seq: number
  conversation: Uint8Array
  fromId: number
  receivedAt: number
  /** Deliveries that the envelope has already. */
  firstPlace: number
}

function insertDeliveries(
  database: Database,
  planned: NewDelivery[],
  home: DeliveryHome,
  moment: Moment,
): Delivery[] {
  const { fromId, receivedAt: at } = home
  return planned.map((delivery, index) => {
    const { network, address } = delivery
    // The sender of a hop envelope wrote from another network, not to this address.
    if (home.mode !== 'hop') notePair(database, { network, address, peerId: fromId, at })
    return insertDelivery(database, home, delivery, home.firstPlace + index, moment)
  })
}

function insertEnvelope(
  database: Database,
  record: AcceptRecord,
  { fromId, conversationId, holders }: { fromId: number; conversationId: number; holders: Holder[] },
  moment: Moment,
): number {
  return database.insert(
    `INSERT INTO envelopes (id, kind, mode, from_id, conversation_id, content_type, flags, created, expires_at, via,
       received_at, accepted_monotonic, persisted_at, persisted_monotonic, holders, device, trace, certificate, bytes)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    record.id,
    record.kind,
    record.mode,
    fromId,
    conversationId,
    record.contentType,
    record.flags,
    record.created,
    record.expiresAt,
    record.via,
    record.receivedAt,
    record.monotonic,
    moment.at,
    moment.monotonic,
    encodeHolders(holders),
    record.device,
    record.trace,
    record.certificate,
    record.bytes,
  )
}

function insertDelivery(
  database: Database,
  home: DeliveryHome,
  planned: NewDelivery,
  place: number,
  moment: Moment,
): Delivery {
  const { network, address, transactionId, state, rank, notBefore } = planned
  const delivery = deliveryMade(home, planned, place)
  const { id, attempt, createdAt: at } = delivery
  const walletId = database.walletId(planned.wallet, at)
  database.run(
    `INSERT INTO deliveries (id, wallet_id, network, address, transaction_id, state, rank, attempt, next_at, reason,
       remote_ids, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, '[]', ?, ?)`,
    id,
    walletId,
    network,
    address,
    transactionId,
    state,
    rank,
    attempt,
    notBefore,
    at,
    at,
  )
  if (state === 'dispatching') {
    const claim = {
      name: 'dispatched',
      status: 'success',
      deliveryId: id,
      network,
      detail: null,
      ...moment,
    } as const
    appendCheckpoint(database, home.seq, claim, walletId)
  }
  return delivery
}

/** Nothing happens to an envelope that was pruned. */
export function mergeEnvelope(
  database: Database,
  { id, bytes }: { id: Uint8Array; bytes: Uint8Array },
): void {
  database.run(
    'UPDATE envelopes SET bytes = ? WHERE seq = ? AND bytes IS NOT NULL',
    bytes,
    database.recent.seqOf(id),
  )
}

export function isTaken(database: Database, id: Uint8Array): boolean {
  return database.recent.seqOf(id) !== null
}

export function getEnvelope(database: Database, id: Uint8Array): StoredEnvelope | null {
  const envelope = database.row<Omit<StoredEnvelope, 'wallets'>>(
    `SELECT e.seq, e.id, e.kind, e.mode, w.wallet AS "from", e.device, c.conversation, e.content_type AS contentType,
       e.flags, e.created, e.expires_at AS expiresAt, e.bytes, e.certificate, e.trace, e.via, e.received_at AS receivedAt
     FROM envelopes e JOIN wallets w ON w.id = e.from_id JOIN conversations c ON c.id = e.conversation_id
     WHERE e.seq = ? AND e.bytes IS NOT NULL`,
    database.recent.seqOf(id),
  )
  if (envelope === null) return null
  const holders = database.rows<{ wallet: string }>(
    `SELECT w.wallet FROM envelopes e, json_each(e.holders) h JOIN wallets w ON w.id = abs(h.value) WHERE e.seq = ? ORDER BY h.key`,
    envelope.seq,
  )
  return { ...envelope, wallets: holders.map((holder) => holder.wallet) }
}

/** Highest seq ever given out, 0 for none. */
export function lastSeq(database: Database): number {
  return database.row<{ seq: number }>(`SELECT seq FROM sqlite_sequence WHERE name = 'envelopes'`)?.seq ?? 0
}
