/** Client storage in a folder that only its owner may read: one file for each key, so that processes can share it. */
import { createHash, randomUUID } from 'node:crypto'
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClientStorage } from '../client/index.ts'
import { withFileLock } from './file-lock.ts'

export async function fileStorage(directory: string): Promise<ClientStorage> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await chmod(directory, 0o700)
  const path = (key: string) => join(directory, fileName(key))
  /** Writes of this process, by key, one after the other: the last one wins. */
  const writing = new Map<string, Promise<void>>()

  /** Writes beside the file and renames, so that a crash leaves the old or the new state, never half of one. */
  async function write(key: string, value: string): Promise<void> {
    const temporary = `${path(key)}.${randomUUID()}.new`
    try {
      await writeFile(temporary, value, { mode: 0o600, flush: true })
      await rename(temporary, path(key))
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  function inTurn(key: string, work: () => Promise<void>): Promise<void> {
    const before = writing.get(key) ?? Promise.resolve()
    // A write that failed is its own caller's matter.
    const turn = before.catch(() => null).then(work)
    writing.set(key, turn)
    return turn
  }

  return {
    async get(key) {
      try {
        return await readFile(path(key), 'utf8')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
        throw error
      }
    },
    set: (key, value) => inTurn(key, () => write(key, value)),
    delete: (key) => inTurn(key, () => rm(path(key), { force: true })),
    exclusive: (name, work) => withFileLock(`${path(name)}.lock`, work),
  }
}

/** Readable, safe on every file system, and different for keys that differ in case alone. */
function fileName(key: string): string {
  const readable = key
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
  return `${readable}.${createHash('sha256').update(key).digest('hex').slice(0, 16)}`
}
