import { closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../port.ts'
import { Database } from './database.ts'
import { latestVersion, type Migration, migrations } from './migrations/index.ts'

/** Marks a file as ours (`PRAGMA application_id`): "CSWY". */
const APPLICATION_ID = 0x43535759

/** A database up to this size is checked at every start; a bigger one after an unclean stop only. Bytes. */
const ALWAYS_CHECKED_BYTES = 64 * 1024 * 1024

/** Beyond this the write-ahead log file is cut back when it starts anew. Bytes. */
const LOG_FILE_BYTES = 64 * 1024 * 1024

export const IN_MEMORY = ':memory:'

export interface OpenedDatabase {
  database: Database
  /** The last process that had it open did not close it; SQLite has replayed the log. */
  unclean: boolean
  /** Migrations applied now. */
  applied: Migration[]
  /** Gives the path free for others. */
  unlock: () => void
}

/**
 * Opens the database for its one writer: takes the lock, refuses what is damaged (`store-corrupt`), newer (`store-newer`)
 * or open elsewhere (`store-in-use`), and brings the schema up to date. Other errors come as SQLite gives them.
 * `indexBatch`: see `recent.ts`.
 */
export function openDatabase(path: string, indexBatch?: number): OpenedDatabase {
  if (path === IN_MEMORY) {
    const database = new Database(new DatabaseSync(path), indexBatch)
    const applied = migrate(database)
    database.recent.load()
    return { database, unclean: false, applied, unlock: () => {} }
  }
  makePrivateFile(path)
  const unlock = lock(path)
  let connection: DatabaseSync | null = null
  try {
    const unclean = (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0
    connection = new DatabaseSync(path, { timeout: 5_000, enableForeignKeyConstraints: false })
    const database = new Database(connection, indexBatch)
    refuseForeign(database)
    configure(connection)
    if (unclean || statSync(path).size <= ALWAYS_CHECKED_BYTES) check(database)
    const applied = migrate(database)
    database.recent.load()
    return { database, unclean, applied, unlock }
  } catch (error) {
    connection?.close()
    unlock()
    throw error
  }
}

/** Readable by its owner alone: it holds ciphertexts, sessions and who talks with whom. SQLite gives its other files the same mode. */
function makePrivateFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
}

/**
 * One gateway to one database: two would both send every open delivery. The lock is SQLite's own on an empty file beside it,
 * so the system frees it when the process dies.
 */
function lock(path: string): () => void {
  makePrivateFile(`${path}-lock`)
  const holder = new DatabaseSync(`${path}-lock`)
  try {
    holder.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (cause) {
    holder.close()
    throw new StoreError('store-in-use', 'The database is open in another gateway; stop that one first', {
      cause,
    })
  }
  return () => holder.close()
}

function refuseForeign(database: Database): void {
  const version = pragma(database, 'user_version')
  const application = pragma(database, 'application_id')
  const tables = database.row<{ count: number }>('SELECT count(*) AS count FROM sqlite_schema')?.count ?? 0
  if (application !== APPLICATION_ID && (application !== 0 || version !== 0 || tables !== 0)) {
    throw new StoreError('store-corrupt', 'The file is not a Causeway database; choose another path')
  }
  if (version > latestVersion) {
    throw new StoreError(
      'store-newer',
      `The database has schema ${version}, this version knows up to ${latestVersion}; run a newer version`,
    )
  }
}

/** The log is copied into the database by hand only (see `checkpointer.ts`). FULL: an acknowledged write survives loss of power. */
function configure(connection: DatabaseSync): void {
  connection.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 0;
    PRAGMA journal_size_limit = ${LOG_FILE_BYTES};
    PRAGMA cache_size = -65536;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
  `)
}

function check(database: Database): void {
  const findings = database
    .rows<{ quick_check: string }>('PRAGMA quick_check(3)')
    .map((row) => row.quick_check)
  if (findings.length === 1 && findings[0] === 'ok') return
  throw new StoreError(
    'store-corrupt',
    `The database is damaged; restore it from a backup (${findings.join('; ').slice(0, 300)})`,
  )
}

function migrate(database: Database): Migration[] {
  const version = pragma(database, 'user_version')
  const missing = migrations.filter((migration) => migration.version > version)
  for (const migration of missing) {
    database.begin(true)
    try {
      database.connection.exec(migration.sql)
      database.connection.exec(`
        PRAGMA application_id = ${APPLICATION_ID};
        PRAGMA user_version = ${migration.version};
        COMMIT`)
    } catch (error) {
      database.rollback()
      throw error
    }
  }
  return missing
}

function pragma(database: Database, name: 'user_version' | 'application_id'): number {
  return database.row<Record<string, number>>(`PRAGMA ${name}`)?.[name] ?? 0
}
