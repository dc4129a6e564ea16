/** Client storage in one file that only its owner may read. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ClientStorage } from '../client/index.ts'

export async function fileStorage(path: string): Promise<ClientStorage> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  let values: Record<string, string> = {}
  try {
    values = JSON.parse(await readFile(path, 'utf8')) as Record<string, string>
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  let writing: Promise<void> = Promise.resolve()

  /** Writes beside the file and renames, so that a crash leaves the old or the new state, never half of one. */
  function save(): Promise<void> {
    const content = JSON.stringify(values)
    writing = writing.then(async () => {
      await writeFile(`${path}.new`, content, { mode: 0o600 })
      await rename(`${path}.new`, path)
    })
    return writing
  }

  return {
    get: async (key) => values[key] ?? null,
    set: async (key, value) => {
      values[key] = value
      await save()
    },
    delete: async (key) => {
      delete values[key]
      await save()
    },
  }
}
