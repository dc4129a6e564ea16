import { describe, expect, it } from 'vitest'
import { loadSeenIds } from './seen.ts'
import { memoryStorage } from './storage.ts'

const id = (n: number) => n.toString(16).padStart(8, '0').repeat(8)

describe('seen ids', () => {
  it('are known again after a restart, and can be taken back', async () => {
    const storage = memoryStorage()
    const seen = await loadSeenIds(storage)
    expect(seen.add(id(1))).toBe(true)
    expect(seen.add(id(1))).toBe(false)
    seen.add(id(2))
    seen.remove(id(2))
    await seen.save()
    const again = await loadSeenIds(storage)
    expect(again.add(id(1))).toBe(false)
    expect(again.add(id(2))).toBe(true)
  })

  it('take little room, and are written together', async () => {
    const storage = memoryStorage()
    let writes = 0
    const seen = await loadSeenIds({
      ...storage,
      set(key, value) {
        writes++
        return storage.set(key, value)
      },
    })
    for (let n = 0; n < 10_000; n++) {
      seen.add(id(n))
      seen.saveSoon()
    }
    expect(writes).toBe(0)
    await seen.save()
    expect(writes).toBe(1)
    const text = (await storage.get('seen')) ?? ''
    expect(text.length).toBeLessThan(160_000)
    const again = await loadSeenIds(storage)
    expect(again.add(id(9_999))).toBe(false)
    expect(again.add(id(0))).toBe(true)
  })

  it('are tried again when the storage refuses', async () => {
    const storage = memoryStorage()
    let full = true
    const seen = await loadSeenIds({
      ...storage,
      set: async (key, value) => {
        if (full) throw new Error('quota exceeded')
        await storage.set(key, value)
      },
    })
    seen.add(id(1))
    await expect(seen.save()).rejects.toThrow('quota')
    full = false
    await seen.save()
    expect((await loadSeenIds(storage)).add(id(1))).toBe(false)
  })
})
