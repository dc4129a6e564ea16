import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadKeyring } from '../client/keyring.ts'
import { toHex } from '../envelope/index.ts'
import { withFileLock } from './file-lock.ts'
import { fileStorage } from './file-storage.ts'

let root: string
let count = 0
const folder = () => join(root, String(count++))

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'causeway-file-storage-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('file storage', () => {
  it('keeps values over restarts, readable by the owner alone', async () => {
    const directory = folder()
    const storage = await fileStorage(directory)
    await storage.set('pin.solana:abc:Key', 'one')
    await storage.set('pin.solana:abc:key', 'two')
    const again = await fileStorage(directory)
    expect(await again.get('pin.solana:abc:Key')).toBe('one')
    expect(await again.get('pin.solana:abc:key')).toBe('two')
    expect(await again.get('absent')).toBeNull()
    await again.delete('pin.solana:abc:Key')
    await again.delete('absent')
    expect(await storage.get('pin.solana:abc:Key')).toBeNull()
    expect((await stat(directory)).mode & 0o077).toBe(0)
    for (const name of await readdir(directory)) {
      expect(name).toMatch(/^[a-z0-9.-]+$/)
      expect((await stat(join(directory, name))).mode & 0o077).toBe(0)
    }
  })

  it('holds the last of many writes, and nothing half written', async () => {
    const directory = folder()
    const [one, two] = [await fileStorage(directory), await fileStorage(directory)]
    const value = (n: number) => JSON.stringify(Array(500).fill(n))
    const writes = Array.from({ length: 40 }, (_, n) => (n % 2 ? one : two).set('seen', value(n)))
    for (let reads = 0; reads < 20; reads++) {
      const text = await one.get('seen')
      if (text !== null) expect(new Set(JSON.parse(text) as number[]).size).toBe(1)
    }
    await Promise.all(writes)
    expect([value(38), value(39)]).toContain(await one.get('seen'))
    expect(await readdir(directory)).toHaveLength(1)
  })

  it('loses no private half when two processes rotate at once', async () => {
    const directory = folder()
    const clients = await Promise.all([0, 1, 2].map(async () => loadKeyring(await fileStorage(directory))))
    expect(new Set(clients.map(({ device }) => toHex(device.publicKey))).size).toBe(1)
    for (let day = 1; day < 5; day++) {
      await Promise.all(clients.map((client) => client.rotate(day * 86_400_000)))
    }
    const kept = new Set((await loadKeyring(await fileStorage(directory))).openingKeys().map(keyText))
    expect(kept.size).toBe(8)
    for (const client of clients) for (const key of client.openingKeys()) expect(kept).toContain(keyText(key))
  })
})

const keyText = ({ keyId }: { keyId: Uint8Array }) => toHex(keyId)

describe('file lock', () => {
  it('lets one in at a time', async () => {
    const path = join(root, 'turns.lock')
    let inside = 0
    let most = 0
    const work = async () => {
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setTimeout(resolve, 2))
      inside--
    }
    await Promise.all(Array.from({ length: 12 }, () => withFileLock(path, work)))
    expect(most).toBe(1)
    await expect(withFileLock(path, () => Promise.reject(new Error('its own')))).rejects.toThrow('its own')
    expect(await withFileLock(path, async () => 'free again')).toBe('free again')
  })

  it('is taken over from a process that died', async () => {
    const path = join(root, 'dead.lock')
    const child = spawn(process.execPath, ['-e', ''])
    await new Promise((resolve) => child.once('close', resolve))
    await writeFile(path, `${hostname()} ${child.pid} left behind`)
    const taken = await Promise.all([1, 2, 3].map((n) => withFileLock(path, async () => n)))
    expect(taken).toEqual([1, 2, 3])
    expect((await readdir(root)).filter((name) => name.startsWith('dead.lock'))).toEqual([])
  })

  it('is respected between processes', async () => {
    const path = join(root, 'processes.lock')
    const file = join(root, 'counter')
    await writeFile(file, '0')
    const script = `
      import { readFile, writeFile } from 'node:fs/promises'
      import { withFileLock } from ${JSON.stringify(fileURLToPath(new URL('./file-lock.ts', import.meta.url)))}
      for (let n = 0; n < 20; n++)
        await withFileLock(process.argv[1], async () => {
          await writeFile(process.argv[2], String(Number(await readFile(process.argv[2], 'utf8')) + 1))
        })`
    const run = () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, path, file], {
        stdio: 'inherit',
      })
      return new Promise((resolve) => child.once('close', resolve))
    }
    expect(await Promise.all([run(), run()])).toEqual([0, 0])
    expect(await readFile(file, 'utf8')).toBe('40')
  })
})
