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
import { encodeHolders, type Holder } from '../recent.ts'
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
    const { network, remoteId } = record.alias
    noteAlias(database, { network, remoteId, envelopeId: record.id, at: record.receivedAt })
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
  database.recent.add({ seq, id, conversationId, holders })
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

const inboxItems = (source: string, direction: string, condition: string) => `
  SELECT e.seq, e.id, ${direction} AS direction, e.mode, w.wallet AS "from", c.conversation, e.content_type AS contentType,
    e.flags, e.created, e.received_at AS receivedAt, e.via, e.bytes, e.certificate
  FROM ${source}
  JOIN wallets w ON w.id = e.from_id
  JOIN conversations c ON c.id = e.conversation_id
  WHERE ${condition}`

const IN_ORDER = 'i.seq > ? AND i.seq <= ? ORDER BY i.seq LIMIT ?'
const DIRECTION = `iif(i.sent, 'sent', 'received')`

const ITEMS = inboxItems(
  'inbox i JOIN envelopes e ON e.seq = i.seq',
  DIRECTION,
  `i.wallet_id = ? AND ${IN_ORDER}`,
)

/** The index is named since SQLite, left to itself, walks the wallet's whole inbox by its primary key. */
const ITEMS_OF_CONVERSATION = inboxItems(
  'inbox i INDEXED BY inbox_by_conversation JOIN envelopes e ON e.seq = i.seq',
  DIRECTION,
  `i.wallet_id = ? AND i.conversation_id = ? AND ${IN_ORDER}`,
)

const RECENT_ITEM = inboxItems('envelopes e', '?', 'e.seq = ?')

export function inbox(database: Database, query: InboxQuery): InboxItem[] {
  const { limit, maxBytes = Number.POSITIVE_INFINITY } = query
  const page: InboxItem[] = []
  let bytes = 0
  for (const item of inboxFrom(database, query)) {
    if (page.length === limit) break
    page.push(item)
    bytes += item.bytes.length
    if (bytes >= maxBytes) break
  }
  return page
}

/** Items in their order: those that are indexed, then the recent ones. */
function* inboxFrom(
  database: Database,
  { wallet, after, limit, conversation }: InboxQuery,
): Generator<InboxItem, void> {
  const { recent } = database
  const walletId = database.findWallet(wallet)
  const conversationId = conversation === null ? null : database.findConversation(conversation)
  if (walletId === null || (conversation !== null && conversationId === null)) return
  const place = [after, recent.indexedThrough, limit]
  yield* conversationId === null
    ? database.each<InboxItem>(ITEMS, walletId, ...place)
    : database.each<InboxItem>(ITEMS_OF_CONVERSATION, walletId, conversationId, ...place)
  for (const item of recent.items(walletId)) {
    if (item.seq <= after || (conversationId !== null && item.conversationId !== conversationId)) continue
    const row = database.row<InboxItem>(RECENT_ITEM, item.sent ? 'sent' : 'received', item.seq)
    if (row !== null) yield row
  }
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

const SUMMARY = (items: string, source: string, condition: string) => `
  SELECT c.conversation, w.wallet AS "from", e.seq AS lastSeq, e.id AS lastId, e.received_at AS lastAt, ${items}
  FROM ${source}
  JOIN conversations c ON c.id = e.conversation_id
  JOIN wallets w ON w.id = e.from_id
  WHERE ${condition}`

const HEADS = SUMMARY(
  'h.items AS items, h.conversation_id AS conversationId',
  'inbox_conversations h JOIN envelopes e ON e.seq = h.last_seq',
  'h.wallet_id = ? AND h.last_seq < ? ORDER BY h.last_seq DESC',
)

const RECENT_HEAD = SUMMARY('? AS items', 'envelopes e', 'e.seq = ?')

/** Those with recent items are the latest; of the others, their heads tell. */
export function conversations(
  database: Database,
  { wallet, limit, before }: { wallet: string; limit: number; before: number | null },
): ConversationSummary[] {
  const walletId = database.findWallet(wallet)
  if (walletId === null) return []
  const end = before ?? Number.MAX_SAFE_INTEGER
  const recent = database.recent.conversations(walletId)
  const page: ConversationSummary[] = []
  for (const { conversationId, lastSeq, seqs } of recent) {
    if (page.length === limit) return page
    if (lastSeq >= end) continue
    const head = database.row<{ lastSeq: number; items: number }>(
      'SELECT last_seq AS lastSeq, items FROM inbox_conversations WHERE wallet_id = ? AND conversation_id = ?',
      walletId,
      conversationId,
    )
    // Some of the recent ones may be counted already.
    const uncounted = seqs.filter((seq) => seq > (head?.lastSeq ?? 0)).length
    const summary = database.row<ConversationSummary>(RECENT_HEAD, (head?.items ?? 0) + uncounted, lastSeq)
    if (summary !== null) page.push(summary)
  }
  const told = new Set(recent.map(({ conversationId }) => conversationId))
  for (const { conversationId, ...summary } of database.each<
    ConversationSummary & { conversationId: number }
  >(HEADS, walletId, end)) {
    if (page.length === limit) break
    if (!told.has(conversationId)) page.push(summary)
  }
  return page
}
