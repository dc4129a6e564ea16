/** The gateway's database as it lies on the disk, read while no gateway runs on it. */
import { DatabaseSync } from 'node:sqlite'
import { toHex } from '../../src/envelope/index.ts'
import { createSqliteStore } from '../../src/store/sqlite/index.ts'
import type { Inbox } from './ledger.ts'
import type { Person } from './people.ts'

const PAGE = 1_000

/** Inboxes from their beginning, as they lie in the database. */
export async function storedInboxes(file: string, people: readonly Person[]): Promise<Inbox[]> {
  const store = createSqliteStore({ path: file })
  await store.open()
  try {
    const inboxes: Inbox[] = []
    for (const person of people) {
      const ids = new Map<string, number>()
      for (let after = 0; ; ) {
        const query = { wallet: person.client.wallet, after, limit: PAGE, conversation: null }
        const page = await store.inbox(query)
        for (const item of page.items) ids.set(toHex(item.id), (ids.get(toHex(item.id)) ?? 0) + 1)
        after = page.through
        if (page.complete) break
      }
      inboxes.push({ person, ids })
    }
    return inboxes
  } finally {
    await store.close()
  }
}

/** Opens the database as it lies there. */
export function databaseViolations(file: string): string[] {
  const database = new DatabaseSync(file)
  try {
    const integrity = database.prepare('PRAGMA integrity_check').all() as { integrity_check: string }[]
    const foreign = database.prepare('PRAGMA foreign_key_check').all()
    return [
      ...integrity
        .filter((row) => row.integrity_check !== 'ok')
        .map((row) => `database: ${row.integrity_check}`),
      ...foreign.map((row) => `database: ${JSON.stringify(row)} refers to nothing`),
    ]
  } finally {
    database.close()
  }
}
