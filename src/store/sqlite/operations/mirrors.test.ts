import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { StoredMirror } from '../../port.ts'
import { alice, bob, bytesOf } from '../../testing/records.ts'
import { openStore, temporaryFolder } from '../../testing/stores.ts'

function mirror(id: string, fields: Partial<StoredMirror> = {}): StoredMirror {
  return {
    id,
    wallet: alice,
    network: 'xmtp',
    topics: 2,
    registration: bytesOf(id),
    createdAt: 1_000,
    updatedAt: 1_000,
    ...fields,
  }
}

describe('mirrors', () => {
  it('keeps one of a wallet for a network, with its first id and age, whatever is put later', async () => {
    const store = await openStore()
    expect(await store.putMirror(mirror('a1'))).toEqual(mirror('a1'))
    const changed = mirror('a2', { topics: 3, createdAt: 2_000, updatedAt: 2_000 })
    const kept = { ...changed, id: 'a1', createdAt: 1_000 }
    expect(await store.putMirror(changed)).toEqual(kept)
    await store.putMirror(mirror('b1', { network: 'push' }))
    await store.putMirror(mirror('c1', { wallet: bob }))

    expect(await store.mirrorsOf(alice)).toEqual([mirror('b1', { network: 'push' }), kept])
    expect(await store.mirrorsOf(bob)).toEqual([mirror('c1', { wallet: bob })])
  })

  it('lists all of them page by page, and none that was deleted', async () => {
    const store = await openStore()
    for (const [id, network] of [
      ['03', 'xmtp'],
      ['01', 'push'],
      ['02', 'waku'],
    ] as const)
      await store.putMirror(mirror(id, { network }))
    const first = await store.listMirrors({ afterId: '', limit: 2 })
    expect(first.map(({ id }) => id)).toEqual(['01', '02'])
    expect((await store.listMirrors({ afterId: '02', limit: 2 })).map(({ id }) => id)).toEqual(['03'])
    expect(await store.deleteMirror('02')).toBe(true)
    expect(await store.deleteMirror('02')).toBe(false)
    expect((await store.listMirrors({ afterId: '', limit: 9 })).map(({ id }) => id)).toEqual(['01', '03'])
  })

  it('are there again after a restart', async () => {
    const path = join(temporaryFolder(), 'store.db')
    const before = await openStore({ path })
    await before.putMirror(mirror('a1'))
    await before.close()
    const after = await openStore({ path })
    expect(await after.mirrorsOf(alice)).toEqual([mirror('a1')])
  })
})
