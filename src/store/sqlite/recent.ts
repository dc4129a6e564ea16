import { type Database, textOf } from './database.ts'
import { IndexRows, prefixOf } from './index-rows.ts'
import { isAnswer } from './marks.ts'

/**
 * Envelopes that one index run takes. The more there are, the more rows of one run share a page of an index; twice as many at
 * most are read again at the next start, and kept in memory, about 400 bytes each.
 */
const INDEX_BATCH = 8_192

/**
 * Index rows that are written at once, some milliseconds of work; fewer where batches are small. Neighbours in an index share pages, and each page that a
 * commit has changed is written whole: many small slices would write the same pages again and again.
 */
const INDEX_SLICE = 512

export interface RecentEnvelope {
  seq: number
  id: Uint8Array
  conversationId: number
  holders: Holder[]
  facts: ItemFacts
}

/** What inbox items of an envelope are filtered and counted by, and what conversations show of it. */
export interface ItemFacts {
  fromId: number
  contentType: string
  /** Where it came from, and its mode: `via/mode`. */
  mark: string
  /** An unread one counts. */
  notable: boolean
}

/** What does not count as unread: it says something about messages, and is none. */
const NOT_NOTABLE = /^(xmtp\.org\/readReceipt|causeway\/wake):/
/** Bit of the flags: not kept by networks that have a choice, e.g. typing. */
const EPHEMERAL = 1

export function factsOf(envelope: {
  fromId: number
  contentType: string
  via: string
  mode: string
  flags: number
}): ItemFacts {
  const { fromId, contentType, via, mode, flags } = envelope
  const notable = (flags & EPHEMERAL) === 0 && !NOT_NOTABLE.test(contentType)
  return { fromId, contentType, mark: `${via}/${mode}`, notable }
}

/** A wallet in whose inbox an envelope is; `sent`: as the sender's own copy. */
export interface Holder {
  walletId: number
  sent: boolean
}

/** JSON array of wallet ids; a negative one is the sender's own copy. */
export function encodeHolders(holders: Holder[]): string {
  return JSON.stringify(holders.map(({ walletId, sent }) => (sent ? -walletId : walletId)))
}

function decodeHolders(text: string): Holder[] {
  return (JSON.parse(text) as number[]).map((value) => ({ walletId: Math.abs(value), sent: value < 0 }))
}

/** An inbox item that stands in no index yet. */
export interface RecentItem {
  seq: number
  conversationId: number
  sent: boolean
  facts: ItemFacts
}

/** A conversation as the items that stand in no index yet show it. */
export interface RecentConversation {
  conversationId: number
  lastSeq: number
  /** Oldest first. */
  items: RecentItem[]
}

/** Where the bookkeeping stands, to go back to when a transaction is undone. */
export interface RecentMark {
  readonly length: number
  readonly position: number
  readonly indexedThrough: number
}

/**
 * The envelopes that came last, in memory, until they are written to the indexes.
 *
 * An accept appends one row to `envelopes` and no more: indexes by id and by wallet would make it change several pages at
 * random places, each of which costs more than the row itself. They follow from the rows, so they may lag behind: envelopes up
 * to `indexed_through` stand in them, later ones here. When a batch has gathered, it is written in the order of the
 * keys, a slice with each group of new envelopes, so that rows share pages and nobody waits for the whole. After a crash the
 * later ones are read from their rows.
 */
export class RecentEnvelopes {
  readonly #database: Database
  readonly #batch: number
  /** Envelopes up to this seq stand in the indexes. */
  #indexedThrough = 0
  /** Takes new envelopes. */
  #gathering = new Generation()
  /** Is being written to the indexes, up to `#position` of its rows. */
  #indexing: { generation: Generation; rows: IndexRows } | null = null
  #position = 0

  constructor(database: Database, batch = INDEX_BATCH) {
    this.#database = database
    this.#batch = batch
  }

  /** Reads what is not indexed yet. To be called once the schema is up to date. */
  load(): void {
    const totals = this.#database.row<{ through: number }>('SELECT indexed_through AS through FROM totals')
    this.#indexedThrough = totals?.through ?? 0
    const rows = this.#database.each<
      Parameters<typeof factsOf>[0] & { seq: number; id: Uint8Array; conversationId: number; holders: string }
    >(
      `SELECT seq, id, conversation_id AS conversationId, holders, from_id AS fromId, content_type AS contentType, via, mode,
         flags
       FROM envelopes WHERE seq > ? ORDER BY seq`,
      this.#indexedThrough,
    )
    for (const { seq, id, conversationId, holders, ...row } of rows) {
      this.#gathering.add({ seq, id, conversationId, holders: decodeHolders(holders), facts: factsOf(row) })
    }
    this.settle()
  }

  /** Adds an envelope that was written to its table in this transaction. */
  add(envelope: RecentEnvelope): void {
    this.#gathering.add(envelope)
  }

  /** Seq of a taken id, or null. */
  seqOf(id: Uint8Array): number | null {
    const key = textOf(id)
    const recent = this.#gathering.byId.get(key) ?? this.#indexing?.generation.byId.get(key)
    if (recent !== undefined) return recent
    const sql = `SELECT e.seq FROM envelope_ids i JOIN envelopes e ON e.seq = i.seq WHERE i.prefix = ? AND e.id = ?`
    return this.#database.row<{ seq: number }>(sql, prefixOf(id), id)?.seq ?? null
  }

  get indexedThrough(): number {
    return this.#indexedThrough
  }

  /** Items of a wallet that stand in no index yet, oldest first. */
  items(walletId: number): RecentItem[] {
    return [...(this.#indexing?.generation.items(walletId) ?? []), ...this.#gathering.items(walletId)].filter(
      (item) => item.seq > this.#indexedThrough,
    )
  }

  /** Whether a wallet's own message is among the recent items of a conversation; it may stand in the indexes as well. */
  isAnswered(walletId: number, conversationId: number): boolean {
    const generations = [this.#gathering, this.#indexing?.generation]
    return generations.some((generation) => generation?.isAnswered(walletId, conversationId))
  }

  /** Conversations of a wallet with items that stand in no index yet, the one with the latest item first. */
  conversations(walletId: number): RecentConversation[] {
    const byId = Map.groupBy(this.items(walletId), (item) => item.conversationId)
    return [...byId]
      .map(([conversationId, items]) => {
        return { conversationId, lastSeq: items.at(-1)?.seq ?? 0, items }
      })
      .sort((one, other) => other.lastSeq - one.lastSeq)
  }

  mark(): RecentMark {
    return { length: this.#gathering.length, position: this.#position, indexedThrough: this.#indexedThrough }
  }

  /** Forgets what was done since the mark. */
  rewind({ length, position, indexedThrough }: RecentMark): void {
    this.#gathering.truncate(length)
    this.#position = position
    this.#indexedThrough = indexedThrough
  }

  /** Writes to the indexes what is due by now, once that is worth a slice. */
  indexSlice(): void {
    const { rows } = this.#indexing ?? {}
    if (rows === undefined || this.#position === rows.length) return
    // Twice as fast as new ones come, so that one batch is done before the next has gathered.
    const due = Math.min(rows.length, Math.ceil((rows.length * 2 * this.#gathering.length) / this.#batch))
    const size = due - this.#position
    const least = Math.min(INDEX_SLICE, this.#batch / 8)
    if (size >= least || due === rows.length) this.#write(rows, size)
  }

  /** Writes everything to the indexes, in this transaction. */
  indexAll(): void {
    if (this.#indexing) this.#write(this.#indexing.rows, Number.POSITIVE_INFINITY)
    const rest = new IndexRows(this.#gathering.later(this.#indexedThrough))
    for (let place = 0; place < rest.length; place++) rest.write(this.#database, place)
    if (rest.length > 0) this.#reached(rest.through)
  }

  /** After a commit: forgets what stands in the indexes, and begins with the next batch when there is one. */
  settle(): void {
    if (this.#indexing && this.#indexing.rows.through <= this.#indexedThrough) {
      this.#indexing = null
      this.#position = 0
    }
    if (this.#gathering.first <= this.#indexedThrough) {
      this.#gathering = this.#gathering.later(this.#indexedThrough)
    }
    if (this.#indexing !== null || this.#gathering.length < this.#batch) return
    const generation = this.#gathering
    this.#indexing = { generation, rows: new IndexRows(generation) }
    this.#gathering = new Generation()
  }

  #write(rows: IndexRows, most: number): void {
    const end = Math.min(rows.length, this.#position + most)
    while (this.#position < end) rows.write(this.#database, this.#position++)
    if (end === rows.length) this.#reached(rows.through)
  }

  #reached(seq: number): void {
    this.#database.run('UPDATE totals SET indexed_through = ?', seq)
    this.#indexedThrough = seq
  }
}

/** As it is kept: without its id's bytes, which may be a view of a large buffer. */
interface NamedEnvelope extends Omit<RecentEnvelope, 'id'> {
  /** The id as text. */
  name: string
  prefix: number
}

/** Envelopes in order of seq, found by id and by wallet. */
export class Generation {
  readonly byId = new Map<string, number>()
  readonly #envelopes: NamedEnvelope[] = []
  readonly #byWallet = new Map<number, RecentItem[]>()
  /** How many messages a wallet sent, by wallet and conversation: asked with each accept, so not counted anew. */
  readonly #answers = new Map<string, number>()

  get length(): number {
    return this.#envelopes.length
  }

  get envelopes(): readonly NamedEnvelope[] {
    return this.#envelopes
  }

  /** Wallets with items. */
  get wallets(): number[] {
    return [...this.#byWallet.keys()]
  }

  /** Lowest seq. */
  get first(): number {
    return this.#envelopes[0]?.seq ?? Number.POSITIVE_INFINITY
  }

  items(walletId: number): readonly RecentItem[] {
    return this.#byWallet.get(walletId) ?? []
  }

  isAnswered(walletId: number, conversationId: number): boolean {
    return this.#answers.has(answerKey(walletId, conversationId))
  }

  add({ id, ...envelope }: RecentEnvelope): void {
    this.#add({ name: textOf(id), prefix: prefixOf(id), ...envelope })
  }

  #add(envelope: NamedEnvelope): void {
    const { seq, name, conversationId, holders, facts } = envelope
    this.#envelopes.push(envelope)
    this.byId.set(name, seq)
    for (const { walletId, sent } of holders) {
      const items = this.#byWallet.get(walletId)
      const item = { seq, conversationId, sent, facts }
      if (items === undefined) this.#byWallet.set(walletId, [item])
      else items.push(item)
      if (isAnswer(item)) this.#countAnswer(answerKey(walletId, conversationId), 1)
    }
  }

  #countAnswer(key: string, change: 1 | -1): void {
    const count = (this.#answers.get(key) ?? 0) + change
    if (count > 0) this.#answers.set(key, count)
    else this.#answers.delete(key)
  }

  /** Takes out the last ones until `length` are left. */
  truncate(length: number): void {
    while (this.#envelopes.length > length) {
      const envelope = this.#envelopes.pop()
      if (envelope === undefined) return
      this.byId.delete(envelope.name)
      for (const { walletId } of envelope.holders) {
        const item = this.#byWallet.get(walletId)?.pop()
        if (item && isAnswer(item)) this.#countAnswer(answerKey(walletId, envelope.conversationId), -1)
      }
    }
  }

  /** Those after `seq`. */
  later(seq: number): Generation {
    const later = new Generation()
    for (const envelope of this.#envelopes) if (envelope.seq > seq) later.#add(envelope)
    return later
  }
}

function answerKey(walletId: number, conversationId: number): string {
  return `${walletId}/${conversationId}`
}
