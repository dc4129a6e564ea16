/** The database file of an inbox, and the adapter's memory that there was one. */
import { mkdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { AdapterStorage } from '../../src/adapter/index.ts'

/** Files that SQLite and SQLCipher keep beside the database. */
const COMPANIONS = ['', '-wal', '-shm', '.sqlcipher_salt']

export interface DatabaseFile {
  path: string
  /** Whether it was there. */
  exists: boolean
}

/** The place of an inbox's database; its folder is made where it is missing. */
export async function locateDatabase(
  directory: string,
  environment: string,
  inboxId: string,
): Promise<DatabaseFile> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, `xmtp-${environment}-${inboxId}.db3`)
  return { path, exists: await isFile(path) }
}

/** Moves a database out of the way, with what belongs to it; resolves with its new path. `stamp` makes that unique. */
export async function setAside(path: string, stamp: string): Promise<string> {
  const aside = `${path}.${stamp}`
  for (const companion of COMPANIONS) {
    if (await isFile(path + companion)) await rename(path + companion, aside + companion)
  }
  return aside
}

/** What the adapter remembers of its installation outside of the database, to see that the database was lost. */
export interface InstallationMemory {
  current: string
  /** Installations whose databases are gone, oldest first. Each still counts on the network. */
  lost: string[]
}

export async function rememberInstallation(
  storage: AdapterStorage,
  inboxId: string,
  installationId: string,
): Promise<InstallationMemory> {
  const key = `installation/${inboxId}`
  const stored = parse(await storage.get(key))
  if (stored?.current === installationId) return stored
  const memory = { current: installationId, lost: stored ? [...stored.lost, stored.current] : [] }
  await storage.set(key, JSON.stringify(memory))
  return memory
}

function parse(text: string | null): InstallationMemory | null {
  return text === null ? null : (JSON.parse(text) as InstallationMemory)
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
