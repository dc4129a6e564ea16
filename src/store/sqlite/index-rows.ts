import type { Database } from './database.ts'
import { isAnswer, mergeMarks, mergeTypes } from './marks.ts'
import type { Generation, RecentItem } from './recent.ts'

/** Bytes of an id by which it is indexed: few enough for an exact number, and to keep the index small. */
const PREFIX_BYTES = 6

/** The first bytes of an envelope id as a number. Two ids may share it: whoever looks one up compares the whole id. */
export function prefixOf(id: Uint8Array): number {
  let prefix = 0
  for (let index = 0; index < PREFIX_BYTES; index++) prefix = prefix * 256 + (id[index] ?? 0)
  return prefix
}

interface ItemRow extends RecentItem {
  walletId: number
}

interface HeadRow {
  walletId: number
  conversationId: number
  items: RecentItem[]
}

/**
 * What a batch of envelopes adds to the indexes, in the order of their keys. Each row may be written again after a crash:
 * writing it twice changes nothing.
 */
export class IndexRows {
  /** Highest seq of the batch. */
  readonly through: number
  readonly #ids: { prefix: number; seq: number }[]
  readonly #items: ItemRow[] = []
  readonly #heads: HeadRow[] = []

  constructor(generation: Generation) {
    this.through = generation.envelopes.at(-1)?.seq ?? 0
    this.#ids = generation.envelopes
      .map(({ prefix, seq }) => ({ prefix, seq }))
      .sort((one, other) => one.prefix - other.prefix)
    for (const walletId of generation.wallets.sort((one, other) => one - other)) {
      const heads = new Map<number, HeadRow>()
      for (const item of generation.items(walletId)) {
        const { conversationId } = item
        this.#items.push({ walletId, ...item })
        const head = heads.get(conversationId)
        if (head === undefined) heads.set(conversationId, { walletId, conversationId, items: [item] })
        else head.items.push(item)
      }
      this.#heads.push(...heads.values())
    }
  }

  get length(): number {
    return this.#ids.length + this.#items.length + this.#heads.length
  }

  write(database: Database, place: number): void {
    const id = this.#ids[place]
    if (id) {
      database.run('INSERT OR IGNORE INTO envelope_ids (prefix, seq) VALUES (?, ?)', id.prefix, id.seq)
      return
    }
    const item = this.#items[place - this.#ids.length]
    if (item) {
      const { walletId, seq, conversationId, sent, facts } = item
      database.run(
        `INSERT OR IGNORE INTO inbox (wallet_id, seq, conversation_id, sent, from_id, content_type, notable)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
        walletId,
        seq,
        conversationId,
        sent ? 1 : 0,
        facts.fromId,
        facts.contentType,
        facts.notable ? 1 : 0,
      )
      return
    }
    const head = this.#heads[place - this.#ids.length - this.#items.length]
    if (head) writeHead(database, head)
  }
}

/** What is counted of a conversation already. */
interface Counted {
  lastSeq: number
  marks: string
  types: string
}

/** Items up to the head's last one are counted in it already. */
function writeHead(database: Database, { walletId, conversationId, items }: HeadRow): void {
  const counted = database.row<Counted>(
    'SELECT last_seq AS lastSeq, marks, types FROM inbox_conversations WHERE wallet_id = ? AND conversation_id = ?',
    walletId,
    conversationId,
  ) ?? { lastSeq: 0, marks: '', types: '' }
  const later = items.filter(({ seq }) => seq > counted.lastSeq)
  const last = later.at(-1)
  if (last === undefined) return
  database.run(
    `INSERT INTO inbox_conversations (wallet_id, conversation_id, last_seq, items, marks, types, answered)
     VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET last_seq = excluded.last_seq, items = items + excluded.items, marks = excluded.marks,
       types = excluded.types, answered = max(answered, excluded.answered)`,
    walletId,
    conversationId,
    last.seq,
    later.length,
    mergeMarks(counted.marks, later),
    mergeTypes(counted.types, later),
    later.some(isAnswer) ? 1 : 0,
  )
}
