/** Reading an inbox, page by page. */
import type { InboxItem, InboxPage, InboxQuery } from '../../port.ts'
import type { Database } from '../database.ts'
import { isOfType } from '../marks.ts'
import { denialsOf } from './denials.ts'
import { lastSeq } from './envelopes.ts'

/** Items that one page looks at where a filter passes few of them over: a few milliseconds of work. */
const SCAN = 2_000

/** An item before its envelope is read. */
interface Place {
  seq: number
  conversationId: number
  sent: boolean
  fromId: number
  contentType: string
}

type PlaceRow = Omit<Place, 'sent'> & { sent: number }

/** Where a reader stands: items are beyond `after`, in the direction of the order. */
interface Range {
  walletId: number
  conversationId: number | null
  after: number
  newest: boolean
  /** Newest first: where the items end. */
  downTo: number
}

export function inbox(database: Database, query: InboxQuery): InboxPage {
  const { after, limit, maxBytes = Number.POSITIVE_INFINITY } = query
  const page: InboxPage = { items: [], through: after, complete: true }
  const walletId = database.findWallet(query.wallet)
  const conversationId = query.conversation === null ? null : database.findConversation(query.conversation)
  if (walletId === null || (query.conversation !== null && conversationId === null)) return page
  const passes = filterOf(database, { walletId, conversationId }, query)
  let bytes = 0
  let looked = 0
  for (const place of places(database, {
    walletId,
    conversationId,
    after,
    newest: query.order === 'newest',
    downTo: query.downTo ?? 0,
  })) {
    if (page.items.length === limit || bytes >= maxBytes || looked === SCAN)
      return { ...page, complete: false }
    // A page without a filter ends by its limit.
    if (passes !== null) looked += 1
    page.through = place.seq
    if (passes !== null && !passes(place)) continue
    const item = readItem(database, place)
    if (item === null) continue
    page.items.push(item)
    bytes += item.bytes.length
  }
  return page
}

/** What the query leaves out; null when that is nothing. */
function filterOf(
  database: Database,
  { walletId, conversationId }: Pick<Range, 'walletId' | 'conversationId'>,
  { contentType, from }: InboxQuery,
): ((place: Place) => boolean) | null {
  const hidden = hiddenOf(database, walletId, conversationId)
  if (contentType === undefined && from === undefined && hidden === null) return null
  const fromId = from === undefined ? null : database.findWallet(from)
  return (place) =>
    (contentType === undefined || isOfType(place.contentType, contentType)) &&
    (from === undefined || place.fromId === fromId) &&
    !hidden?.(place)
}

/**
 * Whether an item is not shown: in the whole inbox, those of denied conversations and senders; in a conversation, those of
 * denied senders, unless it is denied itself and was asked for as such. Null when the wallet has denied nobody.
 */
function hiddenOf(
  database: Database,
  walletId: number,
  conversationId: number | null,
): ((place: Place) => boolean) | null {
  const denials = denialsOf(database, walletId)
  if (denials === null) return null
  if (conversationId === null) {
    return (place) => denials.hasConversation(place.conversationId) || denials.hasSender(place)
  }
  return denials.hasConversation(conversationId) ? null : denials.hasSender
}

/** In their order: those that are indexed and the recent ones, which have higher seqs. */
function* places(database: Database, range: Range): Generator<Place, void> {
  const recent = database.recent
    .items(range.walletId)
    .filter(
      ({ seq, conversationId }) =>
        (range.newest ? seq < range.after && seq > range.downTo : seq > range.after) &&
        (range.conversationId === null || conversationId === range.conversationId),
    )
    .map(({ facts, ...item }) => ({ ...item, fromId: facts.fromId, contentType: facts.contentType }))
  if (range.newest) yield* recent.reverse()
  yield* indexed(database, range)
  if (!range.newest) yield* recent
}

const INDEXED = {
  all: { oldest: indexedSql(false, false), newest: indexedSql(false, true) },
  one: { oldest: indexedSql(true, false), newest: indexedSql(true, true) },
}

/** The index is named since SQLite, left to itself, walks the wallet's whole inbox by its primary key. */
function indexedSql(ofConversation: boolean, newest: boolean): string {
  return `SELECT seq, conversation_id AS conversationId, sent, from_id AS fromId, content_type AS contentType
    FROM inbox ${ofConversation ? 'INDEXED BY inbox_by_conversation' : ''}
    WHERE wallet_id = ? ${ofConversation ? 'AND conversation_id = ?' : ''} AND seq > ? AND seq <= ?
    ORDER BY seq ${newest ? 'DESC' : ''}`
}

function* indexed(
  database: Database,
  { walletId, conversationId, after, newest, downTo }: Range,
): Generator<Place, void> {
  const { indexedThrough } = database.recent
  const bounds = newest ? [downTo, Math.min(after - 1, indexedThrough)] : [after, indexedThrough]
  const order = newest ? 'newest' : 'oldest'
  const rows =
    conversationId === null
      ? database.each<PlaceRow>(INDEXED.all[order], walletId, ...bounds)
      : database.each<PlaceRow>(INDEXED.one[order], walletId, conversationId, ...bounds)
  for (const row of rows) yield { ...row, sent: row.sent === 1 }
}

const ITEM = `
  SELECT e.seq, e.id, ? AS direction, e.mode, w.wallet AS "from", c.conversation, e.content_type AS contentType,
    e.flags, e.created, e.received_at AS receivedAt, e.via, e.bytes, e.certificate
  FROM envelopes e JOIN wallets w ON w.id = e.from_id JOIN conversations c ON c.id = e.conversation_id
  WHERE e.seq = ?`

/** Null when it was pruned. */
export function readItem(
  database: Database,
  { seq, sent }: { seq: number; sent: boolean },
): InboxItem | null {
  return database.row<InboxItem>(ITEM, sent ? 'sent' : 'received', seq)
}

/** Of the whole store: pruning does not tell wallets apart, so one pair of numbers serves all. */
export function inboxBounds(database: Database): { first: number; last: number } {
  const first = database.row<{ through: number }>('SELECT pruned_through AS through FROM totals')
  return { first: (first?.through ?? 0) + 1, last: lastSeq(database) }
}
