import { describe, expect, it } from 'vitest'
import type { DeliveryState, PairCursor, PairPage } from '../../port.ts'
import { acceptRecord, alice, bob, endpoint, newDelivery } from '../../testing/records.ts'
import { openStore } from '../../testing/stores.ts'

const STATES: DeliveryState[] = [
  'standby',
  'pending',
  'dispatching',
  'uncertain',
  'acknowledged',
  'dead',
  'superseded',
]

it('a delivery that is claimed with the acceptance has its first try counted and noted in the journey', async () => {
  const store = await openStore()
  const claimed = newDelivery('claimed', 'trtc', { state: 'dispatching', notBefore: 9_000 })
  const record = acceptRecord('claimed', { deliveries: [claimed] })
  const { deliveries } = await store.accept(record)
  expect(deliveries).toMatchObject([{ state: 'dispatching', attempt: 1, nextAt: 9_000 }])
  expect(await store.deliveriesOf(record.id)).toEqual(deliveries)
  const [, persisted, dispatched] = await store.journey(record.id)
  expect(dispatched).toMatchObject({ name: 'dispatched', deliveryId: deliveries[0]!.id, at: persisted!.at })
  expect(await store.openDeliveries({ afterId: 0, limit: 10 })).toEqual(deliveries)
})

describe('moveDelivery', () => {
  it('moves, counts, notes network ids as aliases and writes the checkpoint', async () => {
    const store = await openStore()
    const record = acceptRecord('one')
    const [delivery] = (await store.accept(record)).deliveries
    const id = delivery!.id
    await store.moveDelivery({
      id,
      from: ['pending'],
      to: 'dispatching',
      attempt: 1,
      nextAt: 9_000,
      at: 3_000,
    })
    const moved = await store.moveDelivery({
      id,
      from: ['dispatching', 'uncertain'],
      to: 'acknowledged',
      nextAt: null,
      remoteIds: ['r1', 'r2'],
      checkpoint: {
        name: 'remoteAcknowledged',
        status: 'success',
        at: 4_000,
        monotonic: 40.5,
        detail: 'first',
      },
      at: 4_001,
    })
    expect(moved).toEqual({
      moved: true,
      delivery: {
        ...delivery,
        state: 'acknowledged',
        attempt: 1,
        nextAt: null,
        remoteIds: ['r1', 'r2'],
        updatedAt: 4_001,
      },
    })
    expect(await store.getDelivery(id)).toEqual(moved.delivery)
    expect(await store.envelopeOfRemote('trtc', 'r2')).toEqual(record.id)
    expect((await store.journey(record.id)).at(-1)).toEqual({
      name: 'remoteAcknowledged',
      status: 'success',
      at: 4_000,
      monotonic: 40.5,
      deliveryId: id,
      network: 'trtc',
      wallet: bob,
      detail: 'first',
    })
  })

  it('does nothing when the state is another, and says what it is', async () => {
    const store = await openStore()
    const record = acceptRecord('one')
    const [delivery] = (await store.accept(record)).deliveries
    const move = {
      id: delivery!.id,
      from: ['dispatching' as const],
      to: 'acknowledged' as const,
      remoteIds: ['r1'],
      checkpoint: { name: 'dispatched', status: 'success', at: 1, monotonic: 1, detail: null } as const,
      at: 3_000,
    }
    expect(await store.moveDelivery(move)).toEqual({ moved: false, delivery })
    expect(await store.envelopeOfRemote('trtc', 'r1')).toBeNull()
    expect(await store.journey(record.id)).toHaveLength(2)
    expect(await store.moveDelivery({ ...move, id: 12_345 })).toEqual({ moved: false, delivery: null })
  })

  it('lets one of many at once take a delivery', async () => {
    const store = await openStore()
    const [delivery] = (await store.accept(acceptRecord('one'))).deliveries
    const take = () =>
      store.moveDelivery({ id: delivery!.id, from: ['pending'], to: 'dispatching', attempt: 1, at: 3_000 })
    const taken = await Promise.all(Array.from({ length: 30 }, take))
    expect(taken.filter((result) => result.moved)).toHaveLength(1)
  })

  it('keeps what is not named, and clears what is null', async () => {
    const store = await openStore()
    const [delivery] = (await store.accept(acceptRecord('one'))).deliveries
    const id = delivery!.id
    await store.moveDelivery({
      id,
      from: ['pending'],
      to: 'uncertain',
      attempt: 2,
      nextAt: 5,
      reason: 'lost',
      at: 1,
    })
    const kept = await store.moveDelivery({
      id,
      from: ['uncertain'],
      to: 'uncertain',
      remoteIds: ['a'],
      at: 2,
    })
    expect(kept.delivery).toMatchObject({ attempt: 2, nextAt: 5, reason: 'lost', remoteIds: ['a'] })
    const cleared = await store.moveDelivery({
      id,
      from: ['uncertain'],
      to: 'pending',
      nextAt: null,
      reason: null,
      remoteIds: ['a', 'b'],
      at: 3,
    })
    expect(cleared.delivery).toMatchObject({ attempt: 2, nextAt: null, reason: null, remoteIds: ['a', 'b'] })
  })
})

describe('lists of deliveries', () => {
  /** One envelope for each state, and a standby one that waits for a failure only. */
  async function oneOfEach() {
    const store = await openStore()
    const ids = new Map<string, number>()
    for (const state of STATES) {
      const planned = newDelivery(state, state === 'dead' ? 'push' : 'trtc', {
        state: state === 'standby' ? 'standby' : 'pending',
        notBefore: 7_000,
      })
      const { deliveries } = await store.accept(acceptRecord(state, { deliveries: [planned] }))
      const id = deliveries[0]!.id
      ids.set(state, id)
      if (state !== 'standby') await store.moveDelivery({ id, from: ['pending'], to: state, at: 3_000 })
    }
    const idle = newDelivery('idle', 'trtc', { state: 'standby' })
    const { deliveries } = await store.accept(acceptRecord('idle', { deliveries: [idle] }))
    ids.set('idle', deliveries[0]!.id)
    return { store, ids }
  }

  it('gives the open ones, oldest first, in pages', async () => {
    const { store, ids } = await oneOfEach()
    const open = ['standby', 'pending', 'dispatching', 'uncertain'].map((name) => ids.get(name))
    const first = await store.openDeliveries({ afterId: 0, limit: 3 })
    const second = await store.openDeliveries({ afterId: first.at(-1)!.id, limit: 3 })
    expect([...first, ...second].map((delivery) => delivery.id)).toEqual(open)
    expect(first[0]).toMatchObject({ envelopeId: acceptRecord('standby').id, nextAt: 7_000 })
  })

  it('lists by state and network, newest first, in pages', async () => {
    const { store, ids } = await oneOfEach()
    const list = async (
      state: DeliveryState | null,
      network: string | null,
      beforeId: number | null = null,
    ) => (await store.listDeliveries({ state, network, limit: 3, beforeId })).map((delivery) => delivery.id)
    for (const state of STATES) {
      const expected = state === 'standby' ? [ids.get('idle'), ids.get('standby')] : [ids.get(state)]
      expect(await list(state, null)).toEqual(expected)
    }
    expect(await list(null, 'push')).toEqual([ids.get('dead')])
    expect(await list('dead', 'trtc')).toEqual([])
    const newest = [...ids.values()].reverse()
    const first = await list(null, null)
    expect(first).toEqual(newest.slice(0, 3))
    expect(await list(null, null, first.at(-1))).toEqual(newest.slice(3, 6))
  })

  it('counts them by network and state', async () => {
    const { store } = await oneOfEach()
    const { deliveries } = await store.statistics()
    expect(deliveries).toContainEqual({ network: 'push', state: 'dead', count: 1 })
    expect(deliveries).toContainEqual({ network: 'trtc', state: 'standby', count: 2 })
    expect(deliveries.reduce((sum, row) => sum + row.count, 0)).toBe(8)
  })
})

describe('journey', () => {
  it('keeps checkpoints in the order in which they were written', async () => {
    const store = await openStore()
    const record = acceptRecord('one')
    await store.accept(record)
    const checkpoint = (at: number, wallet: string | null) =>
      ({
        name: 'read',
        status: 'success',
        at,
        monotonic: at / 8,
        deliveryId: null,
        network: 'http',
        wallet,
        detail: null,
      }) as const
    await store.addCheckpoints(record.id, [checkpoint(9, bob), checkpoint(5, null)])
    await store.addCheckpoints(record.id, [checkpoint(7, bob)])
    await store.addCheckpoints(acceptRecord('unknown').id, [checkpoint(7, bob)])
    expect((await store.journey(record.id)).slice(2)).toEqual([
      checkpoint(9, bob),
      checkpoint(5, null),
      checkpoint(7, bob),
    ])
    expect(await store.journey(acceptRecord('unknown').id)).toEqual([])
  })
})

describe('what adapters keep', () => {
  it('keeps values by network and key', async () => {
    const store = await openStore()
    await store.setAdapterValue('waku', 'cursor', '1')
    await store.setAdapterValue('waku', 'cursor', '2')
    expect(await store.getAdapterValue('waku', 'cursor')).toBe('2')
    expect(await store.getAdapterValue('trtc', 'cursor')).toBeNull()
    await store.setAdapterValue('waku', 'cursor', null)
    expect(await store.getAdapterValue('waku', 'cursor')).toBeNull()
  })

  it('keeps the first envelope noted for a network message', async () => {
    const store = await openStore()
    const [first, second] = [acceptRecord('first').id, acceptRecord('second').id]
    await store.addAlias('waku', 'hash', first, 1)
    await store.addAlias('waku', 'hash', second, 2)
    expect(await store.envelopeOfRemote('waku', 'hash')).toEqual(first)
    expect(await store.envelopeOfRemote('trtc', 'hash')).toBeNull()
  })

  it('gives each pair of addresses that talked once, page by page', async () => {
    const store = await openStore()
    await store.putEndpoint(endpoint(alice, 'trtc', { address: 'alice on trtc' }))
    await store.putEndpoint(endpoint(bob, 'trtc', { address: 'bob on trtc' }))
    const at = 10_000_000
    await store.accept(acceptRecord('one', { receivedAt: at }))
    const answer = newDelivery('two', 'trtc', { wallet: alice, address: 'alice on trtc' })
    await store.accept(acceptRecord('two', { from: bob, receivedAt: at + 5, deliveries: [answer] }))
    const carol = 'eip155:*:0xcccccccccccccccccccccccccccccccccccccccc'
    await store.putEndpoint(endpoint(carol, 'trtc', { address: 'carol on trtc' }))
    await store.accept(acceptRecord('three', { from: carol, receivedAt: at + 9 }))
    const pairsSince = async (network: string, since: number) => {
      const found: string[] = []
      let after: PairCursor | null = null
      do {
        const page: PairPage = await store.recentPairs({ network, since, after, limit: 1 })
        found.push(...page.pairs.map((pair) => Object.values(pair).sort().join(', ')))
        after = page.next
      } while (after)
      return found
    }
    expect(await pairsSince('trtc', at)).toEqual(['alice on trtc, bob on trtc', 'bob on trtc, carol on trtc'])
    expect(await pairsSince('trtc', at + 3_600_000)).toEqual([])
    expect(await pairsSince('waku', at)).toEqual([])
  })
})
