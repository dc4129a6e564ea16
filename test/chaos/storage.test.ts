/** The disk under the whole gateway: torn and flipped tails of its log, no room, no permission. */
import { execFileSync } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { waitFor } from '../../src/adapter/testing/index.ts'
import { type Client, ClientError, type SealedMessage } from '../../src/client/index.ts'
import { toHex } from '../../src/envelope/index.ts'
import { StoreError } from '../../src/store/port.ts'
import { startTestGateway } from '../support/gateway.ts'
import { createGatewayProcess, freePort, type GatewayProcess } from './gateway-process.ts'
import { createInboxReader, createPerson, type Person } from './people.ts'
import { type SeededRandom, seededRandom } from './random.ts'

const values = { networks: { simulator: {} }, log: { level: 'error' }, limits: { walletBurst: 10_000 } }

let directory: string
const stopping: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-storage-'))
})

afterEach(async () => {
  for (const step of stopping.splice(0).reverse()) await step()
  await rm(directory, { recursive: true, force: true })
})

async function startProcess(before?: string): Promise<GatewayProcess> {
  const gateway = await createGatewayProcess({
    directory,
    port: await freePort(),
    values,
    ...(before === undefined ? {} : { before }),
  })
  stopping.push(() => gateway.kill())
  gateway.spawn()
  return gateway
}

async function twoPeople(url: string): Promise<[Person, Person]> {
  const people: [Person, Person] = [await createPerson('Ada', url), await createPerson('Ben', url)]
  stopping.push(() => Promise.all(people.map((person) => person.close())))
  return people
}

describe('a log that ends in damage', () => {
  /** What a disk does to the end of a file: cuts it off, flips bits in it, leaves what was there before. */
  const damages: [string, (log: Buffer, random: SeededRandom) => Buffer][] = [
    ['torn', (log, random) => log.subarray(0, random.between(0, log.length - 1))],
    ['torn within the last frame', (log, random) => log.subarray(0, log.length - random.between(1, 4_000))],
    [
      'a bit flipped in its last quarter',
      (log, random) => flipped(log, random.between(Math.floor(log.length * 0.75), log.length - 1), random),
    ],
    ['a bit flipped anywhere', (log, random) => flipped(log, random.between(0, log.length - 1), random)],
    [
      'zeroes at its end',
      (log, random) => {
        const hurt = Buffer.from(log)
        hurt.fill(0, log.length - random.between(1, log.length - 1))
        return hurt
      },
    ],
    [
      'garbage behind its end',
      (log, random) =>
        Buffer.concat([log, Buffer.from(Array.from({ length: 9_000 }, () => random.between(0, 255)))]),
    ],
  ]

  test('opens to a prefix of what was acknowledged, or refuses loudly', async () => {
    const gateway = await startProcess()
    await gateway.ready()
    const [ada, ben] = await twoPeople(gateway.url)
    // A reader keeps what comes from now on in the log: nothing of it may be copied into the database.
    const reader = new DatabaseSync(join(gateway.dataDirectory, 'causeway.db'), { readOnly: true })
    stopping.push(async () => reader.close())
    reader.exec('BEGIN; SELECT count(*) FROM sqlite_schema')
    const acknowledged: string[] = []
    for (let count = 0; count < 30; count++) {
      const { id } = await ada.client.send({ to: ben.client.account, text: `message ${count}` })
      acknowledged.push(id)
    }
    await gateway.kill()
    const data = gateway.dataDirectory
    const log = await readFile(join(data, 'causeway.db-wal'))
    const lengths: number[] = []
    for (const [name, damage] of damages) {
      for (const seed of [1, 2]) {
        const copy = join(directory, `${name} ${seed}`)
        await cp(data, copy, { recursive: true })
        await rm(join(copy, 'causeway.db-shm'), { force: true })
        await writeFile(join(copy, 'causeway.db-wal'), damage(log, seededRandom(seed)))
        const kept = await inboxOf(copy, ben.client.wallet)
        if (kept === null) continue
        expect(kept, `${name}, seed ${seed}`).toEqual(acknowledged.slice(0, kept.length))
        lengths.push(kept.length)
      }
    }
    // The damages were real, and not every one cost everything.
    expect(Math.min(...lengths)).toBeLessThan(acknowledged.length)
    expect(Math.max(...lengths)).toBeGreaterThan(0)
  }, 300_000)

  /** Ids in a wallet's inbox on this folder, oldest first; null when the gateway refuses it with the right code. */
  async function inboxOf(data: string, wallet: string): Promise<string[] | null> {
    try {
      const running = await startTestGateway({ ...values, data: { directory: data } })
      try {
        await running.gateway.store.probe()
        const { items } = await running.gateway.store.inbox({
          wallet,
          after: 0,
          limit: 1_000,
          conversation: null,
        })
        return items.map(({ id }) => toHex(id))
      } finally {
        await running.stop()
      }
    } catch (error) {
      if (error instanceof StoreError && error.code === 'store-corrupt') return null
      throw error
    }
  }
})

describe('a disk that takes no more', () => {
  test.each([
    ['has no room left', 0],
    ['refuses every write', -1],
  ])(
    '%s: refused with a code, nothing acknowledged; served again when there is room',
    async (_name, room) => {
      // A signal would end the process before the error reaches anyone.
      const gateway = await startProcess('trap "" XFSZ')
      await gateway.ready()
      const [ada, ben] = await twoPeople(gateway.url)
      const prepared = await seals(ada.client, ben.client.account, 400)
      const acknowledged: string[] = []
      for (const message of prepared.splice(0, 5)) acknowledged.push((await ada.client.submit(message)).id)

      const limit = room < 0 ? 0 : 700_000
      limitFiles(gateway, limit)
      const refused: SealedMessage[] = []
      let tries = 0
      while (refused.length < 5) {
        const message = prepared.shift()
        if (!message) throw new Error(`the limit of ${limit} bytes was not reached in ${tries} messages`)
        tries++
        try {
          acknowledged.push((await ada.client.submit(message)).id)
        } catch (error) {
          expect(error).toBeInstanceOf(ClientError)
          const { status, problem } = error as ClientError
          expect([status, problem]).toEqual([503, 'store-failed'])
          refused.push(message)
        }
      }
      if (room < 0) expect(tries).toBe(5)
      // It says so (for want of room once even a small row does not fit), and still reads.
      if (room < 0) await becomes(`${gateway.url}/readyz`, 503)
      expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)
      expect(await inboxIds(ben)).toEqual(acknowledged)

      limitFiles(gateway, null)
      for (const message of [...refused, ...prepared.splice(0, 5)]) {
        acknowledged.push((await ada.client.submit(message)).id)
      }
      await becomes(`${gateway.url}/readyz`, 200)
      expect(await inboxIds(ben)).toEqual(acknowledged)
      await gateway.kill()
      gateway.spawn()
      await gateway.ready()
      expect(await inboxIds(ben)).toEqual(acknowledged)
    },
    300_000,
  )

  test('a folder on a read-only disk: the start fails with words', async () => {
    // Read-only for root as well.
    const file = join(directory, 'read-only.yaml')
    await writeFile(file, JSON.stringify({ ...values, data: { directory: '/sys/causeway' } }))
    const failed = () =>
      execFileSync(process.execPath, ['src/cli/main.ts', 'start', '--config', file, '--port', '0'], {
        stdio: 'pipe',
        timeout: 120_000,
      })
    expect(failed).toThrow(/\/sys\/causeway|read-only|cannot be written/)
  }, 180_000)
})

function flipped(bytes: Buffer, at: number, random: SeededRandom): Buffer {
  const hurt = Buffer.from(bytes)
  hurt[at] = (hurt[at] as number) ^ (1 << random.between(0, 7))
  return hurt
}

/** Sealed before the disk is hurt: sealing asks the gateway for keys. */
async function seals(client: Client, to: string, count: number): Promise<SealedMessage[]> {
  const messages: SealedMessage[] = []
  for (let index = 0; index < count; index++)
    messages.push(await client.seal({ to, text: `message ${index}` }))
  return messages
}

/** Largest size of a file that the running process may write, in bytes; null: any. */
function limitFiles(gateway: GatewayProcess, bytes: number | null): void {
  execFileSync('prlimit', [`--pid=${gateway.pid()}`, `--fsize=${bytes ?? 'unlimited'}:unlimited`])
}

async function becomes(url: string, status: number): Promise<void> {
  await waitFor(async () => (await fetch(url)).status === status, { what: `${status} of ${url}` })
}

async function inboxIds(person: Person): Promise<string[]> {
  const reader = createInboxReader(person)
  await reader.readOn()
  return [...reader.ids.keys()]
}
