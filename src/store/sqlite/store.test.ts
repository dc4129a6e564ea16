import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { acceptRecord, alice, bob } from '../testing/records.ts'
import { openStore, temporaryFolder } from '../testing/stores.ts'
import { createSqliteStore } from './index.ts'
import { migrations } from './migrations/index.ts'

const names = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

describe('group commit', () => {
  it('commits what is in flight together in one transaction', async () => {
    const store = await openStore({ path: join(temporaryFolder(), 'causeway.db') })
    let next = 0
    const produce = async () => {
      while (next < 2_000) await store.accept(acceptRecord(`${next++}`))
    }
    await Promise.all(names(64).map(produce))
    const { calls, groups, largestGroup } = store.activity()
    expect(calls).toBe(2_000)
    expect(groups).toBeLessThan(calls / 10)
    expect(largestGroup).toBeGreaterThan(16)
    expect(await store.statistics()).toMatchObject({ envelopes: 2_000 })
  })

  it('lets no failure reach its neighbours', async () => {
    const store = await openStore()
    const broken = acceptRecord('broken', { flags: 0.5 })
    const results = await Promise.allSettled([
      store.accept(acceptRecord('before')),
      store.accept(broken),
      store.accept({ ...acceptRecord('function'), bytes: (() => {}) as never }),
      store.accept(acceptRecord('after')),
      store.isTaken(broken.id),
    ])
    expect(results).toMatchObject([
      { value: { outcome: 'accepted' } },
      { reason: { name: 'StoreError', code: 'store-failed' } },
      { reason: { name: 'StoreError', code: 'store-failed' } },
      { value: { outcome: 'accepted' } },
      { value: false },
    ])
    expect(store.activity().groups).toBe(1)
  })
})

describe('opening and closing', () => {
  it('takes no calls before it is open and after it is closed', async () => {
    const store = createSqliteStore({ path: ':memory:' })
    await expect(store.servedAmong([alice])).rejects.toMatchObject({
      name: 'StoreError',
      code: 'store-closed',
    })
    await Promise.all([store.open(), store.open()])
    expect(await store.servedAmong([alice])).toEqual([])
    await Promise.all([store.close(), store.close()])
    await expect(store.servedAmong([alice])).rejects.toMatchObject({
      name: 'StoreError',
      code: 'store-closed',
    })
    await createSqliteStore({ path: ':memory:' }).close()
  })

  it('finishes what was called before it closes, and keeps it', async () => {
    const path = join(temporaryFolder(), 'folder of its own', 'causeway.db')
    const store = await openStore({ path })
    const accepted = names(700).map((name) => store.accept(acceptRecord(name)))
    await store.close()
    expect((await Promise.all(accepted)).every(({ outcome }) => outcome === 'accepted')).toBe(true)
    expect(statSync(`${path}-wal`, { throwIfNoEntry: false })).toBeUndefined()

    const again = await openStore({ path })
    expect(await again.inboxBounds(bob)).toEqual({ first: 1, last: 700 })
  })

  it('closes while it is being opened', async () => {
    const store = createSqliteStore({ path: join(temporaryFolder(), 'causeway.db') })
    const opening = store.open()
    await store.close()
    await opening
    await expect(store.servedAmong([alice])).rejects.toMatchObject({ code: 'store-closed' })
  })

  it('leaves nothing behind that keeps the process alive', async () => {
    const script = fileURLToPath(new URL('../testing/accept-and-close.ts', import.meta.url))
    const path = join(temporaryFolder(), 'causeway.db')
    const { stdout } = await promisify(execFile)(process.execPath, [script, path], { timeout: 60_000 })
    expect(stdout).toBe('accepted\n')
  })

  it('keeps its files from other users', async () => {
    const path = join(temporaryFolder(), 'causeway.db')
    const store = await openStore({ path })
    await store.probe()
    for (const file of [path, `${path}-wal`]) expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('logs each migration once', async () => {
    const path = join(temporaryFolder(), 'causeway.db')
    const lines: string[] = []
    const note = (_details: Record<string, unknown>, text: string) => lines.push(text)
    for (let round = 0; round < 2; round++)
      await (await openStore({ path, log: { info: note, warn: note } })).close()
    expect(lines).toEqual(migrations.map(() => 'The store was migrated'))
  })
})

describe('databases that are refused', () => {
  async function expectRefused(path: string, code: string): Promise<void> {
    const before = readFileSync(path)
    const store = createSqliteStore({ path })
    await expect(store.open()).rejects.toMatchObject({ name: 'StoreError', code })
    await expect(store.servedAmong([alice])).rejects.toMatchObject({ code: 'store-closed' })
    await store.close()
    expect(readFileSync(path).equals(before)).toBe(true)
  }

  function databaseWith(sql: string): string {
    const path = join(temporaryFolder(), 'causeway.db')
    const connection = new DatabaseSync(path)
    connection.exec(sql)
    connection.close()
    return path
  }

  it('refuses a newer schema', async () => {
    const path = join(temporaryFolder(), 'causeway.db')
    await (await openStore({ path })).close()
    const connection = new DatabaseSync(path)
    connection.exec('PRAGMA user_version = 99')
    connection.close()
    await expectRefused(path, 'store-newer')
  })

  it('refuses the database of another application', async () => {
    await expectRefused(databaseWith('CREATE TABLE songs (title TEXT)'), 'store-corrupt')
    await expectRefused(databaseWith('PRAGMA application_id = 7'), 'store-corrupt')
  })

  it('refuses a file that is no database', async () => {
    const path = join(temporaryFolder(), 'causeway.db')
    writeFileSync(path, 'Dear diary, '.repeat(1_000))
    await expectRefused(path, 'store-corrupt')
  })

  it('refuses a database that is open already, until it is closed', async () => {
    const path = join(temporaryFolder(), 'causeway.db')
    const first = await openStore({ path })
    await expect(createSqliteStore({ path }).open()).rejects.toMatchObject({ code: 'store-in-use' })
    await first.accept(acceptRecord('one'))
    await first.close()
    const second = await openStore({ path })
    expect(await second.isTaken(acceptRecord('one').id)).toBe(true)
  })

  it('says so when the path cannot be used', async () => {
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, '')
    const store = createSqliteStore({ path: join(file, 'causeway.db') })
    await expect(store.open()).rejects.toMatchObject({ name: 'StoreError', code: 'store-failed' })
  })
})

describe('the death of the thread', () => {
  it('rejects what was under way and everything after it', async () => {
    const started = once(process, 'worker') as Promise<[Worker]>
    const store = await openStore()
    const [worker] = await started
    const pending = Promise.allSettled(names(500).map((name) => store.accept(acceptRecord(name))))
    const ended = new Promise((resolve) => worker.once('exit', resolve))
    // Nobody sends this: the thread dies of it by itself, as of any error of its own.
    worker.postMessage(null)
    await ended
    const codes = new Set(
      (await pending).map((result) => ('reason' in result ? result.reason.code : 'accepted')),
    )
    codes.delete('accepted')
    expect([...codes]).toEqual(['store-failed'])
    await expect(store.servedAmong([alice])).rejects.toMatchObject({
      name: 'StoreError',
      code: 'store-failed',
    })
    await store.close()
  })
})
