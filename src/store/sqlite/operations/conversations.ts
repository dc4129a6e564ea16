/** Conversations of a wallet, made of their heads in the index and of the recent items. */
import {
  type Consent,
  type ConversationPage,
  type ConversationQuery,
  type ConversationState,
  type ConversationSummary,
  type InboxItem,
  MOST_UNREAD,
} from '../../port.ts'
import type { Database } from '../database.ts'
import { hasType, isAnswer, mergeMarks, mergeTypes } from '../marks.ts'
import type { RecentConversation, RecentItem } from '../recent.ts'
import { type Denials, denialsOf } from './denials.ts'
import { readItem } from './inbox.ts'

/** Conversations that one page looks at where a filter passes few of them over: a few milliseconds of work. */
const SCAN = 500
/** The same where what is unread has to be counted for each. */
const SCAN_UNREAD = 100

/** A conversation as its head shows it, recent items included. */
interface Head {
  conversationId: number
  lastSeq: number
  items: number
  marks: string
  types: string
  answered: boolean
  /** Those that stand in no index yet, oldest first. */
  recent: readonly RecentItem[]
}

type HeadRow = Omit<Head, 'answered' | 'recent'> & { answered: number }

const COLUMNS =
  'conversation_id AS conversationId, last_seq AS lastSeq, items, marks, types, answered FROM inbox_conversations'
const ONE_HEAD = `SELECT ${COLUMNS} WHERE wallet_id = ? AND conversation_id = ?`
const HEADS = `SELECT ${COLUMNS} WHERE wallet_id = ? AND last_seq < ? ORDER BY last_seq DESC`

export function conversations(database: Database, query: ConversationQuery): ConversationPage {
  const { limit, maxBytes = Number.POSITIVE_INFINITY } = query
  const page: ConversationPage = { conversations: [], next: null }
  const walletId = database.findWallet(query.wallet)
  if (walletId === null) return page
  const denials = denialsOf(database, walletId)
  const most = query.unread ? SCAN_UNREAD : SCAN
  let looked = 0
  let bytes = 0
  let place = 0
  for (const head of wantedHeads(database, walletId, query)) {
    if (page.conversations.length === limit || bytes >= maxBytes || looked === most) {
      return { ...page, next: place }
    }
    looked += 1
    place = head.lastSeq
    if (query.contentType !== undefined && !hasType(head.types, query.contentType)) continue
    const chosen = chosenOf(database, walletId, head)
    // Ahead of the count, which is the most work.
    if (chosen === null || !isWanted(chosen.consent, query.consent)) continue
    const unread = countUnread(database, walletId, head, chosen, denials)
    if (query.unread && unread === 0) continue
    const summary = summaryOf(database, walletId, head, { ...chosen, unread }, denials)
    if (summary === null) continue
    page.conversations.push(summary)
    bytes += summary.last.bytes.length
  }
  return page
}

export function conversation(
  database: Database,
  query: { wallet: string; conversation: Uint8Array },
): ConversationSummary | null {
  const walletId = database.findWallet(query.wallet)
  const conversationId = database.findConversation(query.conversation)
  if (walletId === null || conversationId === null) return null
  const head = headOf(database, walletId, conversationId)
  const denials = denialsOf(database, walletId)
  const state = head && stateOf(database, walletId, head, denials)
  return state && summaryOf(database, walletId, head, state, denials)
}

function isWanted(consent: Consent, wanted: Consent | undefined): boolean {
  return wanted === undefined ? consent !== 'denied' : consent === wanted
}

function wantedHeads(
  database: Database,
  walletId: number,
  { conversation, before }: ConversationQuery,
): Iterable<Head> {
  const end = before ?? Number.MAX_SAFE_INTEGER
  if (conversation === undefined) return heads(database, walletId, end)
  const conversationId = database.findConversation(conversation)
  const head = conversationId === null ? null : headOf(database, walletId, conversationId)
  return head && head.lastSeq < end ? [head] : []
}

/** Those with recent items are the latest; of the others, their heads tell. */
function* heads(database: Database, walletId: number, end: number): Generator<Head, void> {
  const recent = database.recent.conversations(walletId)
  for (const later of recent) {
    if (later.lastSeq < end) yield withRecent(headRow(database, walletId, later.conversationId), later)
  }
  const told = new Set(recent.map(({ conversationId }) => conversationId))
  for (const row of database.each<HeadRow>(HEADS, walletId, end)) {
    if (!told.has(row.conversationId)) yield withRecent(row, null)
  }
}

export function headOf(database: Database, walletId: number, conversationId: number): Head | null {
  const row = headRow(database, walletId, conversationId)
  const items = database.recent.items(walletId).filter((item) => item.conversationId === conversationId)
  if (items.length > 0) return withRecent(row, { conversationId, lastSeq: items.at(-1)?.seq ?? 0, items })
  return row && withRecent(row, null)
}

function headRow(database: Database, walletId: number, conversationId: number): HeadRow | null {
  return database.row<HeadRow>(ONE_HEAD, walletId, conversationId)
}

function withRecent(row: HeadRow | null, recent: RecentConversation | null): Head {
  const counted = row ?? {
    conversationId: recent?.conversationId ?? 0,
    lastSeq: 0,
    items: 0,
    marks: '',
    types: '',
    answered: 0,
  }
  // Some of the recent ones may be counted already.
  const later = recent?.items.filter(({ seq }) => seq > counted.lastSeq) ?? []
  return {
    conversationId: counted.conversationId,
    lastSeq: later.at(-1)?.seq ?? counted.lastSeq,
    items: counted.items + later.length,
    marks: mergeMarks(counted.marks, later),
    types: mergeTypes(counted.types, later),
    answered: counted.answered === 1 || later.some(isAnswer),
    recent: recent?.items ?? [],
  }
}

interface SettingsRow {
  conversation: Uint8Array
  consent: Consent | null
  muted: number | null
  readThrough: number | null
}

const SETTINGS = `
  SELECT c.conversation, s.consent, s.muted, s.read_through AS readThrough
  FROM conversations c LEFT JOIN conversation_settings s ON s.wallet_id = ? AND s.conversation = c.conversation
  WHERE c.id = ?`

export function stateOf(
  database: Database,
  walletId: number,
  head: Head,
  denials = denialsOf(database, walletId),
): ConversationState | null {
  const chosen = chosenOf(database, walletId, head)
  return chosen && { ...chosen, unread: countUnread(database, walletId, head, chosen, denials) }
}

type Chosen = Omit<ConversationState, 'unread'>

function chosenOf(database: Database, walletId: number, head: Head): Chosen | null {
  const row = database.row<SettingsRow>(SETTINGS, walletId, head.conversationId)
  if (row === null) return null
  return {
    conversation: row.conversation,
    consent: row.consent ?? (head.answered ? 'allowed' : 'unknown'),
    muted: row.muted === 1,
    readThrough: row.readThrough ?? 0,
  }
}

/** Whether the wallet has written in a conversation. Reads no items: it is asked with each accept for wallets that hold strangers. */
export function isAnswered(database: Database, walletId: number, conversationId: number): boolean {
  return (
    database.recent.isAnswered(walletId, conversationId) ||
    headRow(database, walletId, conversationId)?.answered === 1
  )
}

/** What is unread is counted among this many of the latest items: whoever wrote so many later ones has seen what was before. */
const COUNTED = 200

const UNREAD = `
  SELECT ifnull(sum(sent = 0 AND notable = 1), 0) AS count FROM (
    SELECT sent, notable FROM inbox INDEXED BY inbox_by_conversation
    WHERE wallet_id = ? AND conversation_id = ? AND seq > ? AND seq <= ? ORDER BY seq DESC LIMIT ?)`

function countUnread(
  database: Database,
  walletId: number,
  head: Head,
  { consent, readThrough }: Chosen,
  denials: Denials | null,
): number {
  if (head.lastSeq <= readThrough) return 0
  if (denials !== null && consent !== 'denied') {
    const latest = shownItems(database, walletId, head, { after: readThrough, limit: COUNTED, denials })
    const unread = latest.filter(({ sent, notable }) => !sent && notable)
    return Math.min(MOST_UNREAD, unread.length)
  }
  const latest = head.recent.filter(({ seq }) => seq > readThrough).slice(-COUNTED)
  const recent = latest.filter(({ sent, facts }) => !sent && facts.notable).length
  const { indexedThrough } = database.recent
  const left = COUNTED - latest.length
  const parameters = [walletId, head.conversationId, readThrough, indexedThrough, left]
  const indexed = left > 0 ? database.row<{ count: number }>(UNREAD, ...parameters) : null
  return Math.min(MOST_UNREAD, recent + (indexed?.count ?? 0))
}

function summaryOf(
  database: Database,
  walletId: number,
  head: Head,
  state: ConversationState,
  denials: Denials | null,
): ConversationSummary | null {
  const place =
    denials !== null && state.consent !== 'denied'
      ? shownItems(database, walletId, head, { after: 0, limit: 1, denials })[0]
      : (head.recent.at(-1) ??
        database.row<{ seq: number; sent: number }>(
          'SELECT seq, sent FROM inbox WHERE wallet_id = ? AND seq = ?',
          walletId,
          head.lastSeq,
        ))
  const last = place ? readItem(database, { seq: place.seq, sent: Boolean(place.sent) }) : null
  if (last === null) return null
  const marks = head.marks.split(' ').map((mark) => {
    const [via = '', mode] = mark.split('/')
    return { via, mode: mode as InboxItem['mode'] }
  })
  return { ...state, last, items: head.items, marks }
}

interface ShownItem {
  seq: number
  sent: boolean
  fromId: number
  notable: boolean
}

/** Items among which those are looked for that are shown: whoever writes more than this in a row hides what was before. */
const LOOKED_THROUGH = 2_000

const ITEMS = `
  SELECT seq, sent, from_id AS fromId, notable FROM inbox INDEXED BY inbox_by_conversation
  WHERE wallet_id = ? AND conversation_id = ? AND seq > ? AND seq <= ? ORDER BY seq DESC`

/** Items after a place that no denied wallet sent, the latest first. */
function shownItems(
  database: Database,
  walletId: number,
  head: Head,
  { after, limit, denials }: { after: number; limit: number; denials: Denials },
): ShownItem[] {
  const shown: ShownItem[] = []
  let looked = 0
  for (const item of latestItems(database, walletId, head, after)) {
    if (shown.length === limit || looked === LOOKED_THROUGH) break
    looked += 1
    if (!denials.hasSender(item)) shown.push(item)
  }
  return shown
}

function* latestItems(
  database: Database,
  walletId: number,
  { conversationId, recent }: Head,
  after: number,
): Generator<ShownItem, void> {
  for (const { seq, sent, facts } of recent.toReversed()) {
    if (seq > after) yield { seq, sent, fromId: facts.fromId, notable: facts.notable }
  }
  const range = [after, database.recent.indexedThrough]
  type Row = Record<'seq' | 'sent' | 'fromId' | 'notable', number>
  for (const row of database.each<Row>(ITEMS, walletId, conversationId, ...range)) {
    yield { ...row, sent: row.sent === 1, notable: row.notable === 1 }
  }
}
