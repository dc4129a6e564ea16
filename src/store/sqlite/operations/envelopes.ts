/** Accepting envelopes, and reading them as envelopes, as an inbox and as conversations. */
import type {
  AcceptRecord,
  AcceptResult,
  ConversationSummary,
  Delivery,
  InboxItem,
  InboxQuery,
  MoreDeliveries,
  NewDelivery,
  StoredEnvelope,
} from '../../port.ts'
import type { Database } from '../database.ts'
import { notePair } from './adapters.ts'
import { envelopeOfRemote, noteAlias } from './aliases.ts'
import { deliveriesOf, deliveryId } from './deliveries.ts'
import type { Moment } from './operation.ts'

/** The one transaction of an accept. `persisted` is the moment at which its group went to the disk. */
export function accept(database: Database, record: AcceptRecord, moment: Moment): AcceptResult {
  const earlier = record.alias?.claims ? envelopeOfRemote(database, record.alias) : null
  if (earlier !== null) {
    const seq = database.row<{ seq: number }>('SELECT seq FROM envelopes WHERE id = ?', earlier)?.seq ?? 0
    return { outcome: 'duplicate', seq, deliveries: deliveriesOf(database, earlier) }
  }
  const taken = database.row<{ seq: number }>('SELECT seq FROM envelopes WHERE id = ?', record.id)
  if (record.alias !== null) {
    const { network, remoteId } = record.alias
    noteAlias(database, { network, remoteId, envelopeId: record.id, at: record.receivedAt })
  }
  if (taken !== null) {
    return { outcome: 'duplicate', seq: taken.seq, deliveries: deliveriesOf(database, record.id) }
  }
  const fromId = database.walletId(record.from, record.receivedAt)
  const conversationId = database.conversationId(record.conversation, record.receivedAt)
  // A wallet that writes to itself is named twice and keeps one item.
  const holders = new Map(
    record.inbox.map(({ wallet, direction }) => [database.walletId(wallet, record.receivedAt), direction]),
  )
  const seq = insertEnvelope(
    database,
    record,
    { fromId, conversationId, holders: [...holders.keys()] },
    moment,
  )
  for (const [walletId, direction] of holders) {
    database.run(
      'INSERT INTO inbox (wallet_id, seq, conversation_id, direction) VALUES (?, ?, ?, ?)',
      walletId,
      seq,
      conversationId,
      direction,
    )
  }
  const { id, conversation, receivedAt } = record
  const home = { id, seq, mode: record.mode, conversation, fromId, receivedAt, firstPlace: 0 }
  return { outcome: 'accepted', seq, deliveries: insertDeliveries(database, record.deliveries, home) }
}

export function addDeliveries(
  database: Database,
  { id, deliveries, receivedAt, bytes }: MoreDeliveries,
): Delivery[] {
  const envelope = database.row<Pick<DeliveryHome, 'seq' | 'mode' | 'fromId' | 'conversation'>>(
    `SELECT e.seq, e.mode, e.from_id AS fromId, c.conversation
     FROM envelopes e JOIN conversations c ON c.id = e.conversation_id
     WHERE e.id = ? AND e.bytes IS NOT NULL`,
    id,
  )
  if (envelope === null) return []
  if (bytes) database.run('UPDATE envelopes SET bytes = ? WHERE seq = ?', bytes, envelope.seq)
  const known = deliveriesOf(database, id)
  const missing = deliveries.filter(({ wallet }) => !known.some((other) => other.wallet === wallet))
  return insertDeliveries(database, missing, { ...envelope, id, receivedAt, firstPlace: known.length })
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

function insertDeliveries(database: Database, planned: NewDelivery[], home: DeliveryHome): Delivery[] {
  const { fromId, receivedAt: at } = home
  return planned.map((delivery, index) => {
    const { network, address } = delivery
    // The sender of a hop envelope wrote from another network, not to this address.
    if (home.mode !== 'hop') notePair(database, { network, address, peerId: fromId, at })
    return insertDelivery(database, home, delivery, deliveryId(home.seq, home.firstPlace + index))
  })
}

function insertEnvelope(
  database: Database,
  record: AcceptRecord,
  { fromId, conversationId, holders }: { fromId: number; conversationId: number; holders: number[] },
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
    JSON.stringify(holders),
    record.device,
    record.trace,
    record.certificate,
    record.bytes,
  )
}

function insertDelivery(
  database: Database,
  { id: envelopeId, seq: envelopeSeq, conversation, receivedAt: at }: DeliveryHome,
  planned: NewDelivery,
  id: number,
): Delivery {
  const { wallet, network, address, transactionId, state, rank, notBefore } = planned
  database.run(
    `INSERT INTO deliveries (id, wallet_id, network, address, transaction_id, state, rank, attempt, next_at, reason,
       remote_ids, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, NULL, '[]', ?, ?)`,
    id,
    database.walletId(wallet, at),
    network,
    address,
    transactionId,
    state,
    rank,
    notBefore,
    at,
    at,
  )
  return {
    id,
    envelopeSeq,
    envelopeId,
    conversation,
    wallet,
    network,
    address,
    transactionId,
    state,
    rank,
    attempt: 0,
    nextAt: notBefore,
    reason: null,
    remoteIds: [],
    createdAt: at,
    updatedAt: at,
  }
}

/** Nothing happens to an envelope that was pruned. */
export function mergeEnvelope(
  database: Database,
  { id, bytes }: { id: Uint8Array; bytes: Uint8Array },
): void {
  database.run('UPDATE envelopes SET bytes = ? WHERE id = ? AND bytes IS NOT NULL', bytes, id)
}

export function isTaken(database: Database, id: Uint8Array): boolean {
  return database.row('SELECT 1 FROM envelopes WHERE id = ?', id) !== null
}

export function getEnvelope(database: Database, id: Uint8Array): StoredEnvelope | null {
  const envelope = database.row<Omit<StoredEnvelope, 'wallets'>>(
    `SELECT e.seq, e.id, e.kind, e.mode, w.wallet AS "from", e.device, c.conversation, e.content_type AS contentType,
       e.flags, e.created, e.expires_at AS expiresAt, e.bytes, e.certificate, e.trace, e.via, e.received_at AS receivedAt
     FROM envelopes e JOIN wallets w ON w.id = e.from_id JOIN conversations c ON c.id = e.conversation_id
     WHERE e.id = ? AND e.bytes IS NOT NULL`,
    id,
  )
  if (envelope === null) return null
  const holders = database.rows<{ wallet: string }>(
    `SELECT w.wallet FROM envelopes e, json_each(e.holders) h JOIN wallets w ON w.id = h.value WHERE e.seq = ? ORDER BY h.key`,
    envelope.seq,
  )
  return { ...envelope, wallets: holders.map((holder) => holder.wallet) }
}

const inboxItems = (source: string, condition: string) => `
  SELECT i.seq, e.id, i.direction, e.mode, w.wallet AS "from", c.conversation, e.content_type AS contentType, e.flags,
    e.created, e.received_at AS receivedAt, e.via, e.bytes, e.certificate
  FROM ${source}
  JOIN envelopes e ON e.seq = i.seq
  JOIN wallets w ON w.id = e.from_id
  JOIN conversations c ON c.id = e.conversation_id
  WHERE ${condition} AND i.seq > ? ORDER BY i.seq LIMIT ?`

const ITEMS = inboxItems('inbox i', 'i.wallet_id = ?')

/** The index is named since SQLite, left to itself, walks the wallet's whole inbox by its primary key. */
const ITEMS_OF_CONVERSATION = inboxItems(
  'inbox i INDEXED BY inbox_by_conversation',
  'i.wallet_id = ? AND i.conversation_id = ?',
)

export function inbox(database: Database, query: InboxQuery): InboxItem[] {
  const { wallet, after, limit, conversation, maxBytes = Number.POSITIVE_INFINITY } = query
  const walletId = database.findWallet(wallet)
  const items =
    conversation === null
      ? database.each<InboxItem>(ITEMS, walletId, after, limit)
      : database.each<InboxItem>(
          ITEMS_OF_CONVERSATION,
          walletId,
          database.findConversation(conversation),
          after,
          limit,
        )
  const page: InboxItem[] = []
  let bytes = 0
  for (const item of items) {
    page.push(item)
    bytes += item.bytes.length
    if (bytes >= maxBytes) break
  }
  return page
}

/** Of the whole store: pruning does not tell wallets apart, so one pair of numbers serves all. */
export function inboxBounds(database: Database): { first: number; last: number } {
  const first = database.row<{ through: number }>('SELECT pruned_through AS through FROM totals')
  return { first: (first?.through ?? 0) + 1, last: lastSeq(database) }
}

/** Highest seq ever given out, 0 for none. */
export function lastSeq(database: Database): number {
  return database.row<{ seq: number }>(`SELECT seq FROM sqlite_sequence WHERE name = 'envelopes'`)?.seq ?? 0
}

export function conversations(
  database: Database,
  { wallet, limit, before }: { wallet: string; limit: number; before: number | null },
): ConversationSummary[] {
  return database.rows<ConversationSummary>(
    `SELECT c.conversation, w.wallet AS "from", h.last_seq AS lastSeq, e.id AS lastId, e.received_at AS lastAt, h.items
     FROM inbox_conversations h
     JOIN conversations c ON c.id = h.conversation_id
     JOIN envelopes e ON e.seq = h.last_seq
     JOIN wallets w ON w.id = e.from_id
     WHERE h.wallet_id = ? AND h.last_seq < ? ORDER BY h.last_seq DESC LIMIT ?`,
    database.findWallet(wallet),
    before ?? Number.MAX_SAFE_INTEGER,
    limit,
  )
}
