import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inconsistencies } from '../testing/consistency.ts'
import { acceptRecord } from '../testing/records.ts'
import { openStore, temporaryFolder } from '../testing/stores.ts'
import { toFailure } from './errors.ts'
import { type OpenedDatabase, openDatabase } from './open.ts'
import { getDelivery } from './operations/deliveries.ts'
import { getEnvelope } from './operations/envelopes.ts'

const acceptUntilKilled = fileURLToPath(new URL('../testing/accept-until-killed.ts', import.meta.url))

/** Runs the process until it has acknowledged `lines` times and `delay` milliseconds more, kills it, answers the lines. */
async function acknowledgedBeforeKill(
  path: string,
  prefix: string,
  lines: number,
  delay: number,
): Promise<string[]> {
  const child = spawn(process.execPath, [acceptUntilKilled, path, prefix], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  let killing = false
  const kill = () => {
    killing = true
    setTimeout(() => child.kill('SIGKILL'), delay)
  }
  if (lines === 0) kill()
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    if (!killing && output.split('\n').length > lines) kill()
  })
  const signal = await new Promise((resolve) => child.on('close', (_code, name) => resolve(name)))
  expect(signal).toBe('SIGKILL')
  return output.split('\n').slice(0, -1)
}

describe('kill -9', () => {
  it('loses nothing that was acknowledged and leaves nothing half done, twenty times over', async () => {
    const path = join(temporaryFolder(), 'causeway.db')
    const acknowledged: string[] = []
    for (let round = 0; round < 20; round++) {
      // The first kills hit a process that is just starting.
      const lines = round < 3 ? 0 : Math.floor(Math.random() * 400)
      const delay = Math.floor(Math.random() * (round < 3 ? 300 : 25))
      acknowledged.push(...(await acknowledgedBeforeKill(path, `round ${round}`, lines, delay)))

      const { database, unlock } = openDatabase(path)
      expect(inconsistencies(database)).toEqual([])
      for (const line of acknowledged) {
        const [verb, ...words] = line.split(' ')
        const envelope = getEnvelope(database, acceptRecord(words.join(' ')).id)
        expect(envelope, line).not.toBeNull()
        if (verb === 'moved') {
          expect(getDelivery(database, envelope!.seq * 4096), line).toMatchObject({ state: 'acknowledged' })
        }
      }
      database.close()
      unlock()
    }
    expect(acknowledged.length).toBeGreaterThan(100)
  }, 600_000)
})

describe('damaged files', () => {
  const COMMITS = 40

  /** A database and its log as they lie on the disk after forty commits, none of them checkpointed. */
  async function filesAfterCommits(): Promise<{ path: string; log: string }> {
    const folder = temporaryFolder()
    const live = join(folder, 'live.db')
    const store = await openStore({ path: live, checkpointInterval: 1_000_000_000 })
    for (let index = 0; index < COMMITS; index++) await store.accept(acceptRecord(`${index}`))
    const path = join(folder, 'copy.db')
    copyFileSync(live, path)
    copyFileSync(`${live}-wal`, `${path}-wal`)
    await store.close()
    return { path, log: `${path}-wal` }
  }

  /** Opens a copy in a folder of its own and answers how many commits it holds, or the code with which it is refused. */
  function openCopy(path: string, damage: (copy: string) => void, examine: (opened: OpenedDatabase) => void) {
    const copy = join(temporaryFolderIn(path), 'damaged.db')
    copyFileSync(path, copy)
    if (statSync(`${path}-wal`, { throwIfNoEntry: false })) copyFileSync(`${path}-wal`, `${copy}-wal`)
    damage(copy)
    let opened: OpenedDatabase
    try {
      opened = openDatabase(copy)
    } catch (error) {
      return toFailure(error).code
    }
    try {
      examine(opened)
      return 'opened'
    } finally {
      opened.database.close()
      opened.unlock()
    }
  }

  let copies = 0
  function temporaryFolderIn(path: string): string {
    const folder = `${path}-copy-${copies++}`
    mkdirSync(folder)
    return folder
  }

  function flipBit(file: string, position: number): void {
    const bytes = readFileSync(file)
    bytes[Math.floor(position / 8)]! ^= 1 << (position % 8)
    writeFileSync(file, bytes)
  }

  /** The envelopes that are there are the first ones, without a gap, and whole. */
  function expectPrefix({ database }: OpenedDatabase): void {
    expect(inconsistencies(database)).toEqual([])
    const seqs = database
      .rows<{ seq: number }>('SELECT seq FROM envelopes ORDER BY seq')
      .map((row) => row.seq)
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, index) => index + 1))
    for (const seq of seqs) {
      const record = acceptRecord(`${seq - 1}`)
      expect(getEnvelope(database, record.id)).toMatchObject({ seq, bytes: record.bytes })
    }
  }

  it('opens to a prefix of the commits when the log is torn off anywhere', async () => {
    const { path, log } = await filesAfterCommits()
    const size = statSync(log).size
    fc.assert(
      fc.property(fc.integer({ min: 0, max: size }), (length) => {
        expect(openCopy(path, (copy) => truncateSync(`${copy}-wal`, length), expectPrefix)).toBe('opened')
      }),
      { numRuns: 60 },
    )
  })

  it('opens to a prefix of the commits when a bit of the log is wrong', async () => {
    const { path, log } = await filesAfterCommits()
    const bits = statSync(log).size * 8
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bits - 1 }), (position) => {
        expect(openCopy(path, (copy) => flipBit(`${copy}-wal`, position), expectPrefix)).toBe('opened')
      }),
      { numRuns: 60 },
    )
  })

  it('refuses a database that was cut short', async () => {
    const { path } = await filesAfterCommits()
    openDatabase(path).database.close()
    const pages = statSync(path).size / 4096
    fc.assert(
      fc.property(fc.integer({ min: 1, max: pages - 1 }), fc.integer({ min: 0, max: 4095 }), (kept, odd) => {
        const damage = (copy: string) => truncateSync(copy, Math.min(kept * 4096 + odd, (pages - 1) * 4096))
        expect(openCopy(path, damage, () => {})).toBe('store-corrupt')
      }),
      { numRuns: 40 },
    )
  })

  it('refuses a database with a wrong bit, or reads it without any other failure', async () => {
    const { path } = await filesAfterCommits()
    openDatabase(path).database.close()
    const bits = statSync(path).size * 8
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bits - 1 }), (position) => {
        const outcome = openCopy(
          path,
          (copy) => flipBit(copy, position),
          ({ database }) => {
            for (let index = 0; index < COMMITS; index++) {
              try {
                getEnvelope(database, acceptRecord(`${index}`).id)
              } catch (error) {
                expect(toFailure(error).code).toBe('store-corrupt')
              }
            }
          },
        )
        expect(['opened', 'store-corrupt', 'store-newer']).toContain(outcome)
      }),
      { numRuns: 60 },
    )
  })
})
