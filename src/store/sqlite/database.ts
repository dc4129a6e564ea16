import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { RecentEnvelopes, type RecentMark } from './recent.ts'

/** Wallet ids kept in memory; beyond it the memory starts anew. */
const REMEMBERED_WALLETS = 50_000

/** Conversations kept in memory likewise. */
const REMEMBERED_CONVERSATIONS = 50_000

/** How exactly it is known when a wallet or conversation was used last, so that a busy one costs no write a message. Milliseconds. */
export const USE_RESOLUTION_MS = 24 * 60 * 60 * 1000

/** `usedAt`: Unix milliseconds, at most {@link USE_RESOLUTION_MS} behind. Null: it has signed in here and stays for ever. */
interface KnownWallet {
  id: number
  usedAt: number | null
}

/** One connection with its prepared statements. Lives in the writer's thread, and in nobody else's. */
export class Database {
  readonly connection: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #wallets = new Map<string, KnownWallet>()
  readonly #conversations = new Map<string, { id: number; usedAt: number }>()
  readonly recent: RecentEnvelopes
  /** Where `recent` stood when the transaction began, and when its savepoint was set. */
  #began: RecentMark
  #saved: RecentMark

  /** `indexBatch`: see {@link RecentEnvelopes}. */
  constructor(connection: DatabaseSync, indexBatch?: number) {
    this.connection = connection
    this.recent = new RecentEnvelopes(this, indexBatch)
    this.#began = this.recent.mark()
    this.#saved = this.#began
  }

  /** Begins a transaction; one that writes takes the lock at once. */
  begin(writes: boolean): void {
    this.#began = this.recent.mark()
    this.run(writes ? 'BEGIN IMMEDIATE' : 'BEGIN')
  }

  /** Makes durable what was done since `begin`. */
  commit(): void {
    this.recent.indexSlice()
    this.run('COMMIT')
    this.recent.settle()
    this.#began = this.recent.mark()
  }

  /** Sets a mark to which {@link undo} goes back. */
  save(): void {
    this.run('SAVEPOINT operation')
    this.#saved = this.recent.mark()
  }

  keep(): void {
    this.run('RELEASE operation')
  }

  /** Undoes everything since `save`. What was remembered of it goes too. */
  undo(): void {
    this.forgetNames()
    this.recent.rewind(this.#saved)
    this.run('ROLLBACK TO operation')
    this.run('RELEASE operation')
  }

  /** Whether a transaction is open: SQLite ends one by itself after some errors (disk full, I/O). */
  get inTransaction(): boolean {
    return this.connection.isTransaction
  }

  /** The first row, its columns named as the statement names them, or null. `Row` is the caller's word for their types. */
  row<Row>(sql: string, ...parameters: SQLInputValue[]): Row | null {
    return (this.#prepared(sql).get(...parameters) as Row | undefined) ?? null
  }

  rows<Row>(sql: string, ...parameters: SQLInputValue[]): Row[] {
    return this.#prepared(sql).all(...parameters) as Row[]
  }

  /** Rows one by one, as they are asked for: the rest is not read. */
  *each<Row>(sql: string, ...parameters: SQLInputValue[]): Generator<Row, void> {
    yield* this.#prepared(sql).iterate(...parameters) as Iterable<Row>
  }

  /** Runs a statement; answers how many rows it changed itself, without those changed by triggers. */
  run(sql: string, ...parameters: SQLInputValue[]): number {
    return Number(this.#prepared(sql).run(...parameters).changes)
  }

  /** Runs an insert; answers the row's number. */
  insert(sql: string, ...parameters: SQLInputValue[]): number {
    return Number(this.#prepared(sql).run(...parameters).lastInsertRowid)
  }

  /** Id of a wallet, or null when it is not known. */
  findWallet(wallet: string): number | null {
    return this.#wallet(wallet)?.id ?? null
  }

  /** Id of a wallet, made when it is new, for something that happened at `at` (Unix milliseconds) and refers to it. */
  walletId(wallet: string, at: number): number {
    const known = this.#wallet(wallet)
    if (known === null) {
      const id = this.insert('INSERT INTO wallets (wallet, used_at) VALUES (?, ?)', wallet, at)
      return this.#remember(wallet, { id, usedAt: at }).id
    }
    const { id, usedAt } = known
    if (usedAt !== null && usedAt < at - USE_RESOLUTION_MS) {
      this.run('UPDATE wallets SET used_at = ? WHERE id = ?', at, id)
      this.#remember(wallet, { id, usedAt: at })
    }
    return id
  }

  /** Id of a wallet that acts here itself, made when it is new. It is never removed. */
  memberId(wallet: string): number {
    const known = this.#wallet(wallet)
    if (known !== null && known.usedAt === null) return known.id
    const id = known?.id ?? this.insert('INSERT INTO wallets (wallet) VALUES (?)', wallet)
    if (known !== null) this.run('UPDATE wallets SET used_at = NULL WHERE id = ?', id)
    return this.#remember(wallet, { id, usedAt: null }).id
  }

  /** Id of a conversation, made when it is new, for an envelope that came at `at` (Unix milliseconds). */
  conversationId(conversation: Uint8Array, at: number): number {
    const known = this.#conversation(conversation)
    if (known === null) {
      const sql = 'INSERT INTO conversations (conversation, used_at) VALUES (?, ?)'
      const id = this.insert(sql, conversation, at)
      this.#conversations.set(textOf(conversation), { id, usedAt: at })
      return id
    }
    if (known.usedAt < at - USE_RESOLUTION_MS) {
      this.run('UPDATE conversations SET used_at = ? WHERE id = ?', at, known.id)
      known.usedAt = at
    }
    return known.id
  }

  findConversation(conversation: Uint8Array): number | null {
    return this.#conversation(conversation)?.id ?? null
  }

  /** To be called when wallets or conversations were removed. */
  forgetNames(): void {
    this.#wallets.clear()
    this.#conversations.clear()
  }

  /** Undoes the whole transaction. What was remembered of it goes too. */
  rollback(): void {
    this.forgetNames()
    this.recent.rewind(this.#began)
    if (this.inTransaction) this.run('ROLLBACK')
  }

  close(): void {
    this.#statements.clear()
    this.connection.close()
  }

  #wallet(wallet: string): KnownWallet | null {
    const known = this.#wallets.get(wallet)
    if (known !== undefined) return known
    const found = this.row<KnownWallet>('SELECT id, used_at AS usedAt FROM wallets WHERE wallet = ?', wallet)
    return found === null ? null : this.#remember(wallet, found)
  }

  #remember(wallet: string, known: KnownWallet): KnownWallet {
    if (this.#wallets.size >= REMEMBERED_WALLETS) this.#wallets.clear()
    this.#wallets.set(wallet, known)
    return known
  }

  #conversation(conversation: Uint8Array): { id: number; usedAt: number } | null {
    const text = textOf(conversation)
    const known = this.#conversations.get(text)
    if (known !== undefined) return known
    const sql = 'SELECT id, used_at AS usedAt FROM conversations WHERE conversation = ?'
    const found = this.row<{ id: number; usedAt: number }>(sql, conversation)
    if (found === null) return null
    if (this.#conversations.size >= REMEMBERED_CONVERSATIONS) this.#conversations.clear()
    this.#conversations.set(text, found)
    return found
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.connection.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

/** Bytes as the key of a map: one character a byte. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
