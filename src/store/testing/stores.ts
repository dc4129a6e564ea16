/** Stores for tests, closed and removed when the test that opened them has ended. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createSqliteStore, type SqliteStore, type SqliteStoreOptions } from '../sqlite/index.ts'

/** An open store, in memory unless a path is given. */
export async function openStore(options: Partial<SqliteStoreOptions> = {}): Promise<SqliteStore> {
  const store = createSqliteStore({ path: ':memory:', ...options })
  onTestFinished(() => store.close())
  await store.open()
  return store
}

/** A folder of the test's own. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-store-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
