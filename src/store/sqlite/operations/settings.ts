/** What wallets have read, and what they chose for conversations and for their whole inbox. */
import {
  type Consent,
  type ConversationChoice,
  type ConversationState,
  type InboxRules,
  type InboxSettings,
  MOST_CHOICES,
} from '../../port.ts'
import type { Database } from '../database.ts'
import { headOf, isAnswered, stateOf } from './conversations.ts'

const DEFAULTS: InboxSettings = { unknownSenders: 'relay', sendReadReceipts: 'allowed' }

export function markRead(
  database: Database,
  {
    wallet,
    conversation,
    through,
    at,
  }: { wallet: string; conversation: Uint8Array; through: number; at: number },
): { before: number; state: ConversationState } | null {
  const walletId = database.findWallet(wallet)
  const conversationId = database.findConversation(conversation)
  const head = walletId && conversationId && headOf(database, walletId, conversationId)
  if (!walletId || !head) return null
  const sql = `SELECT read_through AS readThrough FROM conversation_settings WHERE wallet_id = ? AND conversation = ?`
  const before = database.row<{ readThrough: number }>(sql, walletId, conversation)?.readThrough ?? 0
  // What has not come yet is not read.
  const place = Math.min(through, head.lastSeq)
  if (place > before) {
    database.run(
      `INSERT INTO conversation_settings (wallet_id, conversation, read_through, updated_at) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET read_through = excluded.read_through, updated_at = excluded.updated_at`,
      walletId,
      conversation,
      place,
      at,
    )
  }
  const state = stateOf(database, walletId, head)
  return state && { before, state }
}

export function chooseConversation(
  database: Database,
  choice: ConversationChoice,
): ConversationState | 'full' {
  const { wallet, conversation, peer, consent, muted, at } = choice
  const walletId = database.memberId(wallet)
  if ((consent === 'denied' || muted) && countOthers(database, walletId, conversation) >= MOST_CHOICES)
    return 'full'
  database.run(
    `INSERT INTO conversation_settings (wallet_id, conversation, peer, updated_at) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET peer = ifnull(peer, excluded.peer), updated_at = excluded.updated_at`,
    walletId,
    conversation,
    peer,
    at,
  )
  const where = 'WHERE wallet_id = ? AND conversation = ?'
  if (consent !== undefined) {
    const kept = consent === 'unknown' ? null : consent
    database.run(`UPDATE conversation_settings SET consent = ? ${where}`, kept, walletId, conversation)
  }
  if (muted !== undefined) {
    database.run(`UPDATE conversation_settings SET muted = ? ${where}`, muted ? 1 : 0, walletId, conversation)
  }
  return currentState(database, walletId, conversation)
}

/** Other conversations that the wallet denied or muted. */
function countOthers(database: Database, walletId: number, conversation: Uint8Array): number {
  const sql = `SELECT count(*) AS count FROM conversation_settings
    WHERE wallet_id = ? AND (consent = 'denied' OR muted = 1) AND conversation <> ?`
  return database.row<{ count: number }>(sql, walletId, conversation)?.count ?? 0
}

/** Of a conversation without items too. */
function currentState(database: Database, walletId: number, conversation: Uint8Array): ConversationState {
  const conversationId = database.findConversation(conversation)
  const head = conversationId === null ? null : headOf(database, walletId, conversationId)
  const state = head && stateOf(database, walletId, head)
  if (state) return state
  const row = database.row<{ consent: Consent | null; muted: number; readThrough: number }>(
    `SELECT consent, muted, read_through AS readThrough FROM conversation_settings
     WHERE wallet_id = ? AND conversation = ?`,
    walletId,
    conversation,
  )
  return {
    conversation,
    consent: row?.consent ?? 'unknown',
    muted: row?.muted === 1,
    readThrough: row?.readThrough ?? 0,
    unread: 0,
  }
}

export function consentOf(
  database: Database,
  { wallet, conversation }: { wallet: string; conversation: Uint8Array },
): Consent {
  const walletId = database.findWallet(wallet)
  if (walletId === null) return 'unknown'
  const sql = 'SELECT consent FROM conversation_settings WHERE wallet_id = ? AND conversation = ?'
  const chosen = database.row<{ consent: Consent | null }>(sql, walletId, conversation)?.consent
  if (chosen) return chosen
  const conversationId = database.findConversation(conversation)
  return conversationId !== null && isAnswered(database, walletId, conversationId) ? 'allowed' : 'unknown'
}

export function putInboxSettings(
  database: Database,
  { wallet, settings }: { wallet: string; settings: InboxSettings },
): void {
  database.run(
    `INSERT INTO inbox_settings (wallet_id, unknown_senders, read_receipts) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET unknown_senders = excluded.unknown_senders, read_receipts = excluded.read_receipts`,
    database.memberId(wallet),
    settings.unknownSenders,
    settings.sendReadReceipts,
  )
}

export function inboxRules(database: Database, wallet: string): InboxRules {
  const walletId = database.findWallet(wallet)
  const chosen = database.row<InboxSettings>(
    `SELECT unknown_senders AS unknownSenders, read_receipts AS sendReadReceipts FROM inbox_settings WHERE wallet_id = ?`,
    walletId,
  )
  const kept = database.rows<{
    conversation: Uint8Array
    peer: string | null
    consent: Consent | null
    muted: number
  }>(
    `SELECT conversation, peer, consent, muted FROM conversation_settings
     WHERE wallet_id = ? AND (consent = 'denied' OR muted = 1)`,
    walletId,
  )
  return {
    ...(chosen ?? DEFAULTS),
    denied: kept
      .filter(({ consent }) => consent === 'denied')
      .map(({ conversation, peer }) => ({ conversation, peer })),
    muted: kept.filter(({ muted }) => muted === 1).map(({ conversation }) => conversation),
  }
}
