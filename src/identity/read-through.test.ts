import { describe, expect, it } from 'vitest'
import { ReadThrough } from './read-through.ts'

describe('ReadThrough', () => {
  it('shares one look-up among callers and keeps its value', async () => {
    let loads = 0
    const cache = new ReadThrough({ max: 10, load: async (key) => `${key}${++loads}` })
    expect(await Promise.all([cache.get('a'), cache.get('a'), cache.get('b')])).toEqual(['a1', 'a1', 'b2'])
    expect(await cache.get('a')).toBe('a1')
  })

  it('gives later readers the new value while an older look-up is under way', async () => {
    let value = 'old'
    const open = Promise.withResolvers<void>()
    const cache = new ReadThrough({
      max: 10,
      async load() {
        const seen = value
        if (seen === 'old') await open.promise
        return seen
      },
    })
    const before = cache.get('a')
    value = 'new'
    cache.forget('a')
    const after = cache.get('a')
    open.resolve()
    expect(await Promise.all([before, after])).toEqual(['old', 'new'])
    expect(await cache.get('a')).toBe('new')
  })

  it('keeps neither failures nor declined values, and no more than its bound', async () => {
    let loads = 0
    const cache = new ReadThrough<number | null>({
      max: 2,
      async load(key) {
        loads++
        if (key === 'broken') throw new Error('no')
        return key === 'none' ? null : loads
      },
      keep: (value) => value !== null,
    })
    for (const key of ['broken', 'broken']) await expect(cache.get(key)).rejects.toThrow('no')
    expect([await cache.get('none'), await cache.get('none')]).toEqual([null, null])
    expect(loads).toBe(4)
    for (const key of ['a', 'b', 'c', 'a']) await cache.get(key)
    expect(loads).toBe(8)
    cache.forgetAll()
    await cache.get('c')
    expect(loads).toBe(9)
  })

  it('is bounded by the size of the values too, the least recently used goes first', async () => {
    const loads: string[] = []
    const cache = new ReadThrough({
      max: 100,
      load: async (key) => {
        loads.push(key)
        return key
      },
      size: { max: 10, of: (value) => value.length },
    })
    for (const key of ['aaaa', 'bbbb', 'aaaa', 'cccc', 'aaaa', 'cccc', 'bbbb']) await cache.get(key)
    expect(loads).toEqual(['aaaa', 'bbbb', 'cccc', 'bbbb'])
    const tooLarge = 'd'.repeat(11)
    for (const key of [tooLarge, tooLarge]) expect(await cache.get(key)).toBe(key)
    expect(loads.slice(4)).toEqual([tooLarge, tooLarge])
  })
})
