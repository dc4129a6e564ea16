/** A lock between processes: a file that only one of them can create. */
import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

/** Work under a lock takes milliseconds: one that is older was left behind, e.g. by a machine that lost power. */
const STALE_MS = 10_000
const GIVE_UP_MS = 20_000

/** Runs `work` while this process holds the lock. A lock whose process has died is taken over. */
export async function withFileLock<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  const mine = `${hostname()} ${process.pid} ${randomUUID()}`
  await acquire(path, mine)
  try {
    return await work()
  } finally {
    if ((await contentOf(path)) === mine) await rm(path, { force: true })
  }
}

async function acquire(path: string, mine: string): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS
  for (;;) {
    try {
      await writeFile(path, mine, { flag: 'wx', mode: 0o600 })
      return
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    const holder = await contentOf(path)
    if (holder !== null && (await isStale(path, holder))) await removeStale(path, holder)
    else if (performance.now() > deadline) {
      throw new Error(`${path} is held by another process for too long; end that process, or remove the file`)
    } else await sleep(5 + Math.random() * 20)
  }
}

/** Two may see the same stale lock: what was moved away is looked at again, so that no fresh lock goes with it. */
async function removeStale(path: string, holder: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  const moved = await contentOf(aside)
  if (moved !== holder && moved !== null) {
    await writeFile(path, moved, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error
    })
  }
  await rm(aside, { force: true })
}

async function isStale(path: string, holder: string): Promise<boolean> {
  const [host, pid] = holder.split(' ')
  if (host === hostname() && !isAlive(Number(pid))) return true
  try {
    return Date.now() - (await stat(path)).mtimeMs > STALE_MS
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

function isAlive(pid: number): boolean {
  // A lock that was created and not yet written names nobody; its age decides.
  if (!Number.isInteger(pid) || pid <= 0) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) !== 'ESRCH'
  }
}

async function contentOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
