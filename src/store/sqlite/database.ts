import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'

/** Wallet ids kept in memory; beyond it the memory starts anew. */
const REMEMBERED_WALLETS = 50_000

/** One connection with its prepared statements. Lives in the writer's thread, and in nobody else's. */
export class Database {
  readonly connection: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #walletIds = new Map<string, number>()

  constructor(connection: DatabaseSync) {
    this.connection = connection
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

  /** Id of a wallet, or null when it was never seen. */
  findWallet(wallet: string): number | null {
    const known = this.#walletIds.get(wallet)
    if (known !== undefined) return known
    const found = this.row<{ id: number }>('SELECT id FROM wallets WHERE wallet = ?', wallet)
    return found === null ? null : this.#remember(wallet, found.id)
  }

  /** Id of a wallet, made when it is new. */
  walletId(wallet: string): number {
    return (
      this.findWallet(wallet) ??
      this.#remember(wallet, this.insert('INSERT INTO wallets (wallet) VALUES (?)', wallet))
    )
  }

  /** Id of a conversation, made when it is new. */
  conversationId(conversation: Uint8Array): number {
    return (
      this.findConversation(conversation) ??
      this.insert('INSERT INTO conversations (conversation) VALUES (?)', conversation)
    )
  }

  findConversation(conversation: Uint8Array): number | null {
    const sql = 'SELECT id FROM conversations WHERE conversation = ?'
    return this.row<{ id: number }>(sql, conversation)?.id ?? null
  }

  /** Undoes everything since `SAVEPOINT <savepoint>`, or the whole transaction. What was remembered of it goes too. */
  rollback(savepoint?: string): void {
    this.#walletIds.clear()
    if (savepoint === undefined) {
      if (this.inTransaction) this.run('ROLLBACK')
      return
    }
    this.run(`ROLLBACK TO ${savepoint}`)
    this.run(`RELEASE ${savepoint}`)
  }

  close(): void {
    this.#statements.clear()
    this.connection.close()
  }

  #remember(wallet: string, id: number): number {
    if (this.#walletIds.size >= REMEMBERED_WALLETS) this.#walletIds.clear()
    this.#walletIds.set(wallet, id)
    return id
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
