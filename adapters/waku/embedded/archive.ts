/**
 * Messages kept by an embedded node, in SQLite. Unique by deterministic hash, read in the order (timestamp, hash) that Store
 * cursors need, or in the order of receipt for the gateway's own walks. Bounded by age and by bytes.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { Clock } from '../../../src/adapter/index.ts'
import { WakuError } from '../errors.ts'
import { type NetworkMessage, readMessage, toNanoseconds } from '../wire/message.ts'

export interface ArchiveOptions {
  /** Database file, or null for one in memory. */
  file: string | null
  /** Messages older than this, in milliseconds, by their own time or by receipt, are removed. */
  retentionMs: number
  /** When the encoded messages together exceed this, the oldest are removed down to nine tenths of it. */
  maxBytes: number
  clock: Clock
}

export interface PageQuery {
  pubsubTopic?: string
  /** Any topic when empty. */
  contentTopics: readonly string[]
  /** Unix nanoseconds, included. */
  from?: bigint
  to?: bigint
  /** Hash of the last message already read; itself not returned. */
  cursor?: Uint8Array
  forward: boolean
  limit: number
  /** A page ends before its messages exceed this many bytes; it holds at least one message. */
  maxBytes: number
}

export interface Page {
  /** Ascending by (timestamp, hash) whatever the direction of paging. */
  messages: NetworkMessage[]
  /** Cursor of the next page, or null at the end. */
  next: Uint8Array | null
}

interface Row {
  hash: Uint8Array
  pubsub_topic: string
  wire: Uint8Array
  received: bigint
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS messages (
  hash BLOB NOT NULL UNIQUE,
  timestamp INTEGER NOT NULL,
  received INTEGER NOT NULL,
  pubsub_topic TEXT NOT NULL,
  content_topic TEXT NOT NULL,
  wire BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS messages_by_time ON messages (timestamp, hash, pubsub_topic, content_topic);
CREATE INDEX IF NOT EXISTS messages_by_receipt ON messages (received, hash);
`

const SWEEP_BATCH = 200

export class Archive {
  readonly #database: DatabaseSync
  readonly #options: ArchiveOptions
  readonly #statements = new Map<string, StatementSync>()
  #bytes: number

  constructor(options: ArchiveOptions) {
    this.#options = options
    this.#database = new DatabaseSync(options.file ?? ':memory:')
    // NORMAL with WAL survives a killed process; the gateway's own store, not this archive, survives a power cut.
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000')
    this.#database.exec(SCHEMA)
    const total = this.#statement('SELECT coalesce(sum(length(wire)), 0) AS bytes FROM messages').get() as {
      bytes: bigint
    }
    this.#bytes = Number(total.bytes)
  }

  /** Bytes of all encoded messages. */
  get bytes(): number {
    return this.#bytes
  }

  /** Keeps a message. Returns false when it was there already. */
  put(message: NetworkMessage): boolean {
    const result = this.#statement(
      `INSERT INTO messages (hash, timestamp, received, pubsub_topic, content_topic, wire) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (hash) DO NOTHING`,
    ).run(
      message.hash,
      message.timestamp,
      BigInt(this.#options.clock.now()),
      message.pubsubTopic,
      message.contentTopic,
      message.wire,
    )
    if (result.changes === 0n || result.changes === 0) return false
    this.#bytes += message.wire.length
    if (this.#bytes > this.#options.maxBytes) this.#shrink()
    return true
  }

  has(hash: Uint8Array): boolean {
    return this.#statement('SELECT 1 FROM messages WHERE hash = ?').get(hash) !== undefined
  }

  get(hash: Uint8Array): NetworkMessage | null {
    const row = this.#statement('SELECT hash, pubsub_topic, wire, received FROM messages WHERE hash = ?').get(
      hash,
    )
    return row ? toMessage(row as unknown as Row) : null
  }

  count(): number {
    const row = this.#statement('SELECT count(*) AS count FROM messages').get() as { count: bigint }
    return Number(row.count)
  }

  /** One page in message time. Throws `query-invalid` when the cursor is not, or no longer, in the archive. */
  page(query: PageQuery): Page {
    const compare = query.forward ? '>' : '<'
    const direction = query.forward ? 'ASC' : 'DESC'
    const conditions: string[] = []
    const values: SQLInputValue[] = []
    const where = (condition: string, ...operands: SQLInputValue[]) => {
      conditions.push(condition)
      values.push(...operands)
    }
    if (query.pubsubTopic !== undefined) where('pubsub_topic = ?', query.pubsubTopic)
    if (query.contentTopics.length > 0) {
      where('content_topic IN (SELECT value FROM json_each(?))', JSON.stringify(query.contentTopics))
    }
    if (query.from !== undefined) where('timestamp >= ?', query.from)
    if (query.to !== undefined) where('timestamp <= ?', query.to)
    if (query.cursor) {
      const row = this.#statement('SELECT timestamp FROM messages WHERE hash = ?').get(query.cursor)
      if (!row)
        throw new WakuError('query-invalid', 'The cursor is not in the archive; start the query again', {
          status: 400,
        })
      where(`(timestamp, hash) ${compare} (?, ?)`, (row as { timestamp: bigint }).timestamp, query.cursor)
    }
    const filter = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
    const statement = this.#statement(
      `SELECT hash, pubsub_topic, wire, received FROM messages ${filter}
       ORDER BY timestamp ${direction}, hash ${direction} LIMIT ?`,
    )
    const messages: NetworkMessage[] = []
    let bytes = 0
    let more = false
    for (const row of statement.iterate(...values, BigInt(query.limit + 1))) {
      const message = toMessage(row as unknown as Row)
      bytes += message.wire.length
      if (messages.length === query.limit || (messages.length > 0 && bytes > query.maxBytes)) {
        more = true
        break
      }
      messages.push(message)
    }
    const next = more ? (messages.at(-1)?.hash ?? null) : null
    if (!query.forward) messages.reverse()
    return { messages, next }
  }

  /**
   * Messages received since `since` (Unix milliseconds), in the order of receipt. Unlike message time, receipt is this node's
   * own clock, so a message that arrived late is not missed. `after` continues behind the last entry.
   */
  received(
    since: number,
    after: { received: bigint; hash: Uint8Array } | null,
    limit: number,
  ): ReceivedEntry[] {
    const rows = this.#statement(
      `SELECT hash, pubsub_topic, wire, received FROM messages
       WHERE received >= ? AND (received, hash) > (?, ?) ORDER BY received, hash LIMIT ?`,
    ).all(BigInt(since), after?.received ?? -1n, after?.hash ?? new Uint8Array(0), BigInt(limit))
    return rows.map((row) => ({
      message: toMessage(row as unknown as Row),
      received: (row as unknown as Row).received,
    }))
  }

  /** The newest message received since `since` (Unix milliseconds) with this content topic and payload, or null. */
  find(contentTopic: string, payload: Uint8Array, since: number): NetworkMessage | null {
    // The payload stands in the encoded message as it is; the exact comparison follows.
    const rows = this.#statement(
      `SELECT hash, pubsub_topic, wire, received FROM messages
       WHERE received >= ? AND content_topic = ? AND length(wire) >= ? AND instr(wire, ?) > 0 ORDER BY received DESC`,
    )
    for (const row of rows.iterate(BigInt(since), contentTopic, BigInt(payload.length), payload)) {
      const message = toMessage(row as unknown as Row)
      if (Buffer.from(message.payload).equals(payload)) return message
    }
    return null
  }

  /** Time of the newest receipt in Unix milliseconds, or null when the archive is empty. */
  lastReceived(): number | null {
    const row = this.#statement('SELECT max(received) AS newest FROM messages').get() as {
      newest: bigint | null
    }
    return row.newest === null ? null : Number(row.newest)
  }

  /** Removes what is past the retention time; returns how many messages. Works in small steps, so that it never blocks long. */
  sweep(): number {
    const cutoff = this.#options.clock.now() - this.#options.retentionMs
    return (
      this.#remove('timestamp < ? ORDER BY timestamp, hash', toNanoseconds(cutoff)) +
      this.#remove('received < ? ORDER BY received, hash', BigInt(cutoff))
    )
  }

  close(): void {
    this.#statements.clear()
    if (this.#database.isOpen) this.#database.close()
  }

  #shrink(): void {
    const target = Math.floor(this.#options.maxBytes * 0.9)
    const oldest = this.#statement(
      'SELECT hash, length(wire) AS size FROM messages ORDER BY timestamp, hash LIMIT ?',
    )
    while (this.#bytes > target) {
      let excess = this.#bytes - target
      const victims: SQLInputValue[] = []
      for (const row of oldest.all(BigInt(SWEEP_BATCH))) {
        if (excess <= 0) break
        const { hash, size } = row as unknown as { hash: Uint8Array; size: bigint }
        victims.push(hash)
        excess -= Number(size)
        this.#bytes -= Number(size)
      }
      if (victims.length === 0) break
      const remove = this.#statement('DELETE FROM messages WHERE hash = ?')
      this.#database.exec('BEGIN')
      for (const hash of victims) remove.run(hash)
      this.#database.exec('COMMIT')
    }
  }

  #remove(condition: string, bound: bigint): number {
    const statement = this.#statement(
      `DELETE FROM messages WHERE hash IN (SELECT hash FROM messages WHERE ${condition} LIMIT ${SWEEP_BATCH})
       RETURNING length(wire) AS size`,
    )
    let removed = 0
    for (;;) {
      const sizes = statement.all(bound) as unknown as { size: bigint }[]
      for (const { size } of sizes) this.#bytes -= Number(size)
      removed += sizes.length
      if (sizes.length < SWEEP_BATCH) return removed
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.#database.prepare(sql)
      // Nanoseconds exceed the integers that a double holds exactly.
      statement.setReadBigInts(true)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

/** A message with the time at which this node received it (Unix milliseconds). */
export interface ReceivedEntry {
  message: NetworkMessage
  received: bigint
}

function toMessage(row: Row): NetworkMessage {
  const message = readMessage(row.pubsub_topic, row.wire)
  if (!message)
    throw new WakuError(
      'malformed-answer',
      'The archive holds bytes that are not a Waku message; remove its file',
    )
  return message
}
