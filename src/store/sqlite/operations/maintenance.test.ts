import { describe, expect, it } from 'vitest'
import type { AcceptRecord } from '../../port.ts'
import {
  acceptRecord,
  alice,
  bob,
  bytesOf,
  carol,
  challenge,
  keyEntry,
  prekey,
  session,
} from '../../testing/records.ts'
import { openStore } from '../../testing/stores.ts'

const NEVER = 0

/** Accepts an envelope whose deliveries are all done. */
async function acceptDone(
  store: Awaited<ReturnType<typeof openStore>>,
  name: string,
  fields: Partial<AcceptRecord>,
) {
  const { deliveries } = await store.accept(acceptRecord(name, fields))
  await Promise.all(
    deliveries.map(({ id }) => store.moveDelivery({ id, from: ['pending'], to: 'acknowledged', at: 1 })),
  )
}

describe('prune', () => {
  it('removes old envelopes with all that belongs to them, and leaves the rest', async () => {
    const store = await openStore()
    await acceptDone(store, 'old', { receivedAt: 1_000 })
    await acceptDone(store, 'new', { receivedAt: 5_000 })
    const removed = await store.prune({ envelopesBefore: 5_000, aliasesBefore: NEVER, now: NEVER })
    expect(removed).toMatchObject({ envelopes: 1, inbox: 2, deliveries: 2, ids: 0 })

    const { id } = acceptRecord('old')
    expect(await store.getEnvelope(id)).toBeNull()
    expect(await store.deliveriesOf(id)).toEqual([])
    expect(await store.journey(id)).toEqual([])
    const items = await store.inbox({ wallet: bob, after: 0, limit: 10, conversation: null })
    expect(items.map((item) => item.id)).toEqual([acceptRecord('new').id])
    expect(await store.conversations({ wallet: bob, limit: 10, before: null })).toMatchObject([
      { items: 1, lastSeq: 2 },
    ])
    expect(await store.statistics()).toMatchObject({
      envelopes: 1,
      deliveries: [
        { network: 'trtc', state: 'acknowledged', count: 1 },
        { network: 'waku', state: 'acknowledged', count: 1 },
      ],
    })
    expect(await store.inboxBounds(bob)).toEqual({ first: 2, last: 2 })
  })

  it('keeps an envelope with an open delivery, and steps over it to others', async () => {
    const store = await openStore()
    await store.accept(acceptRecord('open', { receivedAt: 1_000 }))
    await acceptDone(store, 'done', { receivedAt: 1_001, conversation: bytesOf('another') })
    const limits = { envelopesBefore: 5_000, aliasesBefore: NEVER, now: NEVER }
    expect(await store.prune(limits)).toMatchObject({ envelopes: 1 })
    expect(await store.getEnvelope(acceptRecord('open').id)).not.toBeNull()
    expect(await store.conversations({ wallet: bob, limit: 10, before: null })).toMatchObject([
      { lastSeq: 1 },
    ])
    expect(await store.prune(limits)).toMatchObject({ envelopes: 0 })
  })

  it('keeps an id taken after its envelope is gone, until networks cannot deliver it again', async () => {
    const store = await openStore()
    await acceptDone(store, 'old', { receivedAt: 1_000, alias: { network: 'waku', remoteId: 'hash' } })
    const { id } = acceptRecord('old')
    await store.prune({ envelopesBefore: 5_000, aliasesBefore: 900, now: NEVER })
    expect(await store.isTaken(id)).toBe(true)
    expect(await store.envelopeOfRemote('waku', 'hash')).toEqual(id)
    expect(await store.accept(acceptRecord('old'))).toEqual({ outcome: 'duplicate', seq: 1, deliveries: [] })

    const removed = await store.prune({ envelopesBefore: 5_000, aliasesBefore: 1_001, now: NEVER })
    expect(removed).toMatchObject({ ids: 1, aliases: 1 })
    expect(await store.isTaken(id)).toBe(false)
    expect(await store.envelopeOfRemote('waku', 'hash')).toBeNull()
    expect(await store.accept(acceptRecord('old'))).toMatchObject({ outcome: 'accepted', seq: 2 })
  })

  it('never gives a seq out again, not even when everything is gone', async () => {
    const store = await openStore()
    await acceptDone(store, 'a', { receivedAt: 1_000 })
    await acceptDone(store, 'b', { receivedAt: 1_000 })
    await store.prune({ envelopesBefore: 5_000, aliasesBefore: 5_000, now: NEVER })
    expect(await store.statistics()).toMatchObject({ envelopes: 0, deliveries: [] })
    expect(await store.inboxBounds(bob)).toEqual({ first: 3, last: 2 })
    expect(await store.accept(acceptRecord('c'))).toMatchObject({ seq: 3 })
  })

  it('removes what expired by now: challenges, sessions, prekeys', async () => {
    const store = await openStore()
    await store.putChallenge(challenge('used', { expiresAt: 10_000 }))
    await store.putChallenge(challenge('old', { expiresAt: 10_000 }))
    await store.putChallenge(challenge('young', { expiresAt: 10_001 }))
    const entry = keyEntry(0)
    await store.completeChallenge({
      challengeId: 'used',
      entry,
      session: session('a', { expiresAt: 10_000 }),
      at: 1,
    })
    await store.putPrekeys([prekey('old', { notAfter: 10_000 }), prekey('young', { notAfter: 10_001 })])
    const removed = await store.prune({ envelopesBefore: NEVER, aliasesBefore: NEVER, now: 10_000 })
    expect(removed).toMatchObject({ challenges: 1, sessions: 1, prekeys: 1, envelopes: 0 })
    expect(await store.getChallenge('young')).not.toBeNull()
    expect(await store.prekeys(alice, 2_000)).toHaveLength(1)
    expect(await store.keyLog(alice)).toEqual([entry])
  })

  it('works in slices between which others get their turn', async () => {
    const store = await openStore()
    const names = Array.from({ length: 1_100 }, (_, index) => `${index}`)
    await Promise.all(
      names.map((name) => store.accept(acceptRecord(name, { receivedAt: 1_000, deliveries: [] }))),
    )
    let pruned = false
    const pruning = store
      .prune({ envelopesBefore: 5_000, aliasesBefore: NEVER, now: NEVER })
      .then((removed) => {
        pruned = true
        return removed
      })
    await store.accept(acceptRecord('in between', { receivedAt: 6_000 }))
    expect(pruned).toBe(false)
    expect(await pruning).toMatchObject({ envelopes: 1_100, inbox: 2_200 })
    expect(await store.statistics()).toMatchObject({ envelopes: 1 })
  })
})

describe('statistics and probe', () => {
  it('counts envelopes, wallets and bytes', async () => {
    const store = await openStore()
    const before = await store.statistics()
    expect(before).toMatchObject({ envelopes: 0, wallets: 0, deliveries: [] })
    const bytes = new Uint8Array(100_000)
    await store.accept(acceptRecord('one', { bytes, inbox: [{ wallet: carol, direction: 'received' }] }))
    const after = await store.statistics()
    expect(after).toMatchObject({ envelopes: 1, wallets: 3 })
    expect(after.bytes - before.bytes).toBeGreaterThan(90_000)
  })

  it('answers a probe that was written', async () => {
    const store = await openStore()
    await expect(store.probe()).resolves.toBeUndefined()
  })
})
