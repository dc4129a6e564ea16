/**
 * The node's log in SQLite: on disk, or in memory. Rows are appended and never removed, so that the ids of each table only ever
 * grow, also over restarts. SANDBOX.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import {
  type GroupMessageV1,
  MAX_PAGE_SIZE,
  type PagingInfo,
  SORT_ASCENDING,
  SORT_DESCENDING,
  type WelcomeInputPointer,
  type WelcomeInputV1,
  type WelcomeMessage,
} from '../wire/index.ts'

export interface StoredUpdate {
  sequenceId: string
  serverTimestampNs: string
  inboxId: string
  update: Uint8Array
}

export interface StoredCommit {
  sequenceId: string
  serializedCommitLogEntry: Uint8Array
  signature: Uint8Array
}

/** One page and the cursor of the next; cursor 0 where there is none. */
export interface Page<Row> {
  rows: Row[]
  pagingInfo: PagingInfo
}

export type NewGroupMessage = Omit<GroupMessageV1, 'id' | 'createdNs'>
export type NewWelcome = { v1: WelcomeInputV1 } | { welcomePointer: WelcomeInputPointer }

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS identity_updates (
    id INTEGER PRIMARY KEY, created_ns INTEGER NOT NULL, inbox_id TEXT NOT NULL, body BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS identity_updates_by_inbox ON identity_updates (inbox_id, id);
  CREATE TABLE IF NOT EXISTS key_packages (
    id INTEGER PRIMARY KEY, installation_key BLOB NOT NULL, body BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS key_packages_by_installation ON key_packages (installation_key, id);
  CREATE TABLE IF NOT EXISTS group_messages (
    id INTEGER PRIMARY KEY, created_ns INTEGER NOT NULL, group_id BLOB NOT NULL, body BLOB NOT NULL,
    sender_hmac BLOB NOT NULL, should_push INTEGER NOT NULL, is_commit INTEGER NOT NULL, hash BLOB NOT NULL UNIQUE);
  CREATE INDEX IF NOT EXISTS group_messages_by_group ON group_messages (group_id, id);
  CREATE TABLE IF NOT EXISTS welcomes (
    id INTEGER PRIMARY KEY, created_ns INTEGER NOT NULL, installation_key BLOB NOT NULL, is_pointer INTEGER NOT NULL,
    body BLOB NOT NULL, hpke_public_key BLOB NOT NULL, wrapper_algorithm INTEGER NOT NULL, metadata BLOB NOT NULL,
    hash BLOB NOT NULL UNIQUE);
  CREATE INDEX IF NOT EXISTS welcomes_by_installation ON welcomes (installation_key, id);
  CREATE TABLE IF NOT EXISTS commit_log (
    id INTEGER PRIMARY KEY, group_id BLOB NOT NULL, body BLOB NOT NULL, signature BLOB NOT NULL);
  CREATE INDEX IF NOT EXISTS commit_log_by_group ON commit_log (group_id, id);
`

type Row = Record<string, bigint | string | Uint8Array>

export class NodeStore {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #now: () => number
  #lastNs: bigint

  /** `now` in Unix milliseconds. */
  constructor(directory: string | undefined, now: () => number) {
    this.#database = new DatabaseSync(directory === undefined ? ':memory:' : join(directory, 'node.sqlite'))
    this.#database.exec(SCHEMA)
    this.#now = now
    const latest = this.#all(
      'SELECT max(max(created_ns), (SELECT coalesce(max(created_ns), 0) FROM identity_updates)) AS ns FROM group_messages',
    )
    this.#lastNs = (latest[0]?.ns as bigint | null) ?? 0n
  }

  appendUpdate(inboxId: string, update: Uint8Array): StoredUpdate {
    return storedUpdate(
      this.#insert('identity_updates', { created_ns: this.#stamp(), inbox_id: inboxId, body: update })!,
    )
  }

  updates(inboxId: string, after: string): StoredUpdate[] {
    return this.#all(
      'SELECT * FROM identity_updates WHERE inbox_id = ? AND id > ? ORDER BY id',
      inboxId,
      BigInt(after),
    ).map(storedUpdate)
  }

  allUpdates(): StoredUpdate[] {
    return this.#all('SELECT * FROM identity_updates ORDER BY id').map(storedUpdate)
  }

  appendKeyPackage(installationKey: Uint8Array, keyPackage: Uint8Array): void {
    this.#insert('key_packages', { installation_key: installationKey, body: keyPackage })
  }

  /** The newest key package of an installation. */
  keyPackage(installationKey: Uint8Array): Uint8Array | null {
    const [row] = this.#all(
      'SELECT body FROM key_packages WHERE installation_key = ? ORDER BY id DESC LIMIT 1',
      installationKey,
    )
    return (row?.body as Uint8Array | undefined) ?? null
  }

  /** Null when the same group has the same bytes already. */
  appendGroupMessage(message: NewGroupMessage): GroupMessageV1 | null {
    const row = this.#insert('group_messages', {
      created_ns: this.#stamp(),
      group_id: message.groupId,
      body: message.data,
      sender_hmac: message.senderHmac,
      should_push: message.shouldPush ? 1n : 0n,
      is_commit: message.isCommit ? 1n : 0n,
      hash: hashOf(message.groupId, message.data),
    })
    return row ? groupMessage(row) : null
  }

  groupMessages(groupId: Uint8Array, paging: PagingInfo | null): Page<GroupMessageV1> {
    return this.#page('group_messages', 'group_id', groupId, paging, groupMessage)
  }

  newestGroupMessage(groupId: Uint8Array): GroupMessageV1 | null {
    const [row] = this.#all(
      'SELECT * FROM group_messages WHERE group_id = ? ORDER BY id DESC LIMIT 1',
      groupId,
    )
    return row ? groupMessage(row) : null
  }

  /** Everything of a group after an id, oldest first. */
  groupMessagesAfter(groupId: Uint8Array, id: string): GroupMessageV1[] {
    return this.#all(
      'SELECT * FROM group_messages WHERE group_id = ? AND id > ? ORDER BY id',
      groupId,
      BigInt(id),
    ).map(groupMessage)
  }

  groupIds(): Uint8Array[] {
    return this.#all('SELECT group_id FROM group_messages GROUP BY group_id ORDER BY min(id)').map(
      ({ group_id }) => group_id as Uint8Array,
    )
  }

  /** Null when the same installation has the same bytes already. */
  appendWelcome(welcome: NewWelcome): WelcomeMessage | null {
    const isPointer = 'welcomePointer' in welcome
    const { installationKey, hpkePublicKey, wrapperAlgorithm } = isPointer
      ? welcome.welcomePointer
      : welcome.v1
    const body = isPointer ? welcome.welcomePointer.welcomePointer : welcome.v1.data
    const row = this.#insert('welcomes', {
      created_ns: this.#stamp(),
      installation_key: installationKey,
      is_pointer: isPointer ? 1n : 0n,
      body,
      hpke_public_key: hpkePublicKey,
      wrapper_algorithm: BigInt(wrapperAlgorithm),
      metadata: isPointer ? new Uint8Array() : welcome.v1.welcomeMetadata,
      hash: hashOf(installationKey, body),
    })
    return row ? welcomeMessage(row) : null
  }

  welcomes(installationKey: Uint8Array, paging: PagingInfo | null): Page<WelcomeMessage> {
    return this.#page('welcomes', 'installation_key', installationKey, paging, welcomeMessage)
  }

  welcomesAfter(installationKey: Uint8Array, id: string): WelcomeMessage[] {
    return this.#all(
      'SELECT * FROM welcomes WHERE installation_key = ? AND id > ? ORDER BY id',
      installationKey,
      BigInt(id),
    ).map(welcomeMessage)
  }

  appendCommit(groupId: Uint8Array, entry: Uint8Array, signature: Uint8Array): void {
    this.#insert('commit_log', { group_id: groupId, body: entry, signature })
  }

  commits(groupId: Uint8Array, paging: PagingInfo | null): Page<StoredCommit> {
    const ascending = { direction: SORT_ASCENDING, limit: 0, idCursor: '0', ...paging }
    return this.#page(
      'commit_log',
      'group_id',
      groupId,
      { ...ascending, direction: SORT_ASCENDING },
      (row) => ({
        sequenceId: String(row.id),
        serializedCommitLogEntry: row.body as Uint8Array,
        signature: row.signature as Uint8Array,
      }),
    )
  }

  close(): void {
    this.#database.close()
  }

  /** Unix nanoseconds, each later than the one before. */
  #stamp(): bigint {
    const now = BigInt(this.#now()) * 1_000_000n
    this.#lastNs = now > this.#lastNs ? now : this.#lastNs + 1n
    return this.#lastNs
  }

  /** The row as stored, or null when its hash is there already. */
  #insert(table: string, values: Row): Row | null {
    const columns = Object.keys(values)
    const { changes, lastInsertRowid } = this.#prepare(
      `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')}) ON CONFLICT DO NOTHING`,
    ).run(...Object.values(values))
    return changes === 0n ? null : { ...values, id: BigInt(lastInsertRowid) }
  }

  #page<Item>(
    table: string,
    column: string,
    key: Uint8Array,
    paging: PagingInfo | null,
    read: (row: Row) => Item,
  ): Page<Item> {
    const isAscending = paging?.direction === SORT_ASCENDING
    const asked = paging?.limit ?? 0
    const limit = asked > 0 && asked <= MAX_PAGE_SIZE ? asked : MAX_PAGE_SIZE
    const cursor = BigInt(paging?.idCursor ?? 0)
    const after = cursor === 0n ? '' : `AND id ${isAscending ? '>' : '<'} ?`
    const rows = this.#all(
      `SELECT * FROM ${table} WHERE ${column} = ? ${after} ORDER BY id ${isAscending ? 'ASC' : 'DESC'} LIMIT ?`,
      key,
      ...(cursor === 0n ? [] : [cursor]),
      limit,
    )
    const last = rows.at(-1)
    return {
      rows: rows.map(read),
      pagingInfo: {
        direction: isAscending ? SORT_ASCENDING : SORT_DESCENDING,
        limit,
        idCursor: rows.length >= limit && last ? String(last.id) : '0',
      },
    }
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values) as Row[]
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.#database.prepare(sql)
      statement.setReadBigInts(true)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

function hashOf(key: Uint8Array, body: Uint8Array): Uint8Array {
  return createHash('sha256').update(key).update(body).digest()
}

function storedUpdate(row: Row): StoredUpdate {
  return {
    sequenceId: String(row.id),
    serverTimestampNs: String(row.created_ns),
    inboxId: row.inbox_id as string,
    update: row.body as Uint8Array,
  }
}

function groupMessage(row: Row): GroupMessageV1 {
  return {
    id: String(row.id),
    createdNs: String(row.created_ns),
    groupId: row.group_id as Uint8Array,
    data: row.body as Uint8Array,
    senderHmac: row.sender_hmac as Uint8Array,
    shouldPush: row.should_push === 1n,
    isCommit: row.is_commit === 1n,
  }
}

function welcomeMessage(row: Row): WelcomeMessage {
  const common = {
    id: String(row.id),
    createdNs: String(row.created_ns),
    installationKey: row.installation_key as Uint8Array,
    hpkePublicKey: row.hpke_public_key as Uint8Array,
    wrapperAlgorithm: Number(row.wrapper_algorithm),
  }
  return row.is_pointer === 1n
    ? { welcomePointer: { ...common, welcomePointer: row.body as Uint8Array } }
    : { v1: { ...common, data: row.body as Uint8Array, welcomeMetadata: row.metadata as Uint8Array } }
}
