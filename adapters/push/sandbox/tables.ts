/** Small durable tables: everything in memory, each change written through to SQLite. SANDBOX. */
import { DatabaseSync, type StatementSync } from 'node:sqlite'

/** Values are plain JSON. What `get` gives is the stored object: `set` it again after changing it. */
export interface Table<Value> {
  get(key: string): Value | undefined
  has(key: string): boolean
  set(key: string, value: Value): void
  delete(key: string): void
  values(): Iterable<Value>
  readonly size: number
}

export interface Tables {
  open<Value>(name: string): Table<Value>
  close(): void
}

/** `file` null: in memory. */
export function openTables(file: string | null): Tables {
  const database = new DatabaseSync(file ?? ':memory:')
  database.exec(
    'PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS entries (collection TEXT, key TEXT, value TEXT, PRIMARY KEY (collection, key))',
  )
  const read = database.prepare('SELECT key, value FROM entries WHERE collection = ? ORDER BY rowid')
  const write = database.prepare(
    'INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  )
  const remove = database.prepare('DELETE FROM entries WHERE collection = ? AND key = ?')
  return {
    open: (name) => openTable(name, { read, write: file === null ? null : write, remove }),
    close: () => database.close(),
  }
}

function openTable<Value>(
  name: string,
  statements: { read: StatementSync; write: StatementSync | null; remove: StatementSync },
): Table<Value> {
  const rows = statements.read.all(name) as { key: string; value: string }[]
  const entries = new Map<string, Value>(rows.map(({ key, value }) => [key, JSON.parse(value) as Value]))
  return {
    get: (key) => entries.get(key),
    has: (key) => entries.has(key),
    set(key, value) {
      entries.set(key, value)
      statements.write?.run(name, key, JSON.stringify(value))
    },
    delete(key) {
      entries.delete(key)
      statements.remove.run(name, key)
    },
    values: () => entries.values(),
    get size() {
      return entries.size
    },
  }
}
