import { describe, expect, it } from 'vitest'
import { alice, bob, carol, endpoint } from '../../testing/records.ts'
import { openStore } from '../../testing/stores.ts'

describe('endpoints', () => {
  it('keeps one endpoint a network and finds the wallet back by its address', async () => {
    const store = await openStore()
    expect(await store.putEndpoint(endpoint(alice, 'trtc'))).toBe('done')
    expect(await store.putEndpoint(endpoint(alice, 'waku', { exclusive: false }))).toBe('done')
    const changed = endpoint(alice, 'trtc', {
      address: 'new',
      enabled: false,
      source: 'chosen',
      updatedAt: 2_000,
    })
    expect(await store.putEndpoint(changed)).toBe('done')

    expect(await store.endpoints(alice)).toEqual([changed, endpoint(alice, 'waku', { exclusive: false })])
    expect(await store.walletsAt('trtc', 'new')).toEqual([alice])
    expect(await store.walletsAt('trtc', endpoint(alice, 'trtc').address)).toEqual([])
    expect(await store.walletsAt('waku', 'new')).toEqual([])
  })

  it('lets one wallet only have an exclusive address, whoever asked for it first', async () => {
    const store = await openStore()
    const at = (wallet: string, exclusive: boolean) =>
      endpoint(wallet, 'push', { address: 'same', exclusive })
    expect(await Promise.all([store.putEndpoint(at(alice, true)), store.putEndpoint(at(bob, true))])).toEqual(
      ['done', 'taken'],
    )
    expect(await store.putEndpoint(at(bob, false))).toBe('taken')
    expect(await store.putEndpoint(at(alice, true))).toBe('done')
    expect(await store.walletsAt('push', 'same')).toEqual([alice])
  })

  it('lets wallets share an address on purpose, and none of them take it for itself', async () => {
    const store = await openStore()
    const at = (wallet: string, exclusive: boolean) =>
      endpoint(wallet, 'waku', { address: 'bucket', exclusive })
    await store.putEndpoint(at(alice, false))
    await store.putEndpoint(at(bob, false))
    expect(await store.putEndpoint(at(carol, true))).toBe('taken')
    expect(await store.walletsAt('waku', 'bucket')).toEqual([alice, bob])
  })
})

describe('routes', () => {
  it('has none until the wallet chooses one, then the last one', async () => {
    const store = await openStore()
    expect(await store.getRoute(alice)).toBeNull()
    await store.putRoute(alice, { policy: 'mirror', order: 'ranked', fallbackAfterMs: 100 })
    await store.putRoute(alice, { policy: 'fallback', order: ['trtc', 'waku'], fallbackAfterMs: 2_000 })
    expect(await store.getRoute(alice)).toEqual({
      policy: 'fallback',
      order: ['trtc', 'waku'],
      fallbackAfterMs: 2_000,
    })
    expect(await store.getRoute(bob)).toBeNull()
  })
})
