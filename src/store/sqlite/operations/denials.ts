import type { Database } from '../database.ts'

/** Whom and what a wallet denied, asked of its items. Names are looked up once for each conversation and sender. */
export interface Denials {
  hasConversation(conversationId: number): boolean
  /** By its sender, also in a group. What the wallet sent itself is not denied. */
  hasSender(item: { fromId: number; sent: boolean }): boolean
}

const CONVERSATION = `
  SELECT 1 FROM conversations c JOIN conversation_settings s ON s.conversation = c.conversation
  WHERE c.id = ? AND s.wallet_id = ? AND s.consent = 'denied'`
const SENDER = `
  SELECT 1 FROM wallets w JOIN conversation_settings s ON s.peer = w.wallet
  WHERE w.id = ? AND s.wallet_id = ? AND s.consent = 'denied'`

/** Null when the wallet has denied nobody. */
export function denialsOf(database: Database, walletId: number): Denials | null {
  const any = `SELECT 1 FROM conversation_settings WHERE wallet_id = ? AND consent = 'denied' LIMIT 1`
  if (database.row(any, walletId) === null) return null
  const lookUp = (sql: string) => {
    const known = new Map<number, boolean>()
    return (id: number): boolean => {
      const found = known.get(id) ?? database.row(sql, id, walletId) !== null
      known.set(id, found)
      return found
    }
  }
  const isDenied = lookUp(SENDER)
  return {
    hasConversation: lookUp(CONVERSATION),
    hasSender: ({ fromId, sent }) => !sent && isDenied(fromId),
  }
}
