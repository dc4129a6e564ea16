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
  walletOf,
} from '../../testing/records.ts'
import { openStore } from '../../testing/stores.ts'
import { USE_RESOLUTION_MS } from '../database.ts'

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
    const removed = await store.prune({
      envelopesBefore: 5_000,
      aliasesBefore: NEVER,
      idsBefore: NEVER,
      now: NEVER,
    })
    expect(removed).toMatchObject({ envelopes: 1, inbox: 2, deliveries: 2, ids: 0 })

    const { id } = acceptRecord('old')
    expect(await store.getEnvelope(id)).toBeNull()
    expect(await store.deliveriesOf(id)).toEqual([])
    expect(await store.journey(id)).toEqual([])
    const { items } = await store.inbox({ wallet: bob, after: 0, limit: 10, conversation: null })
    expect(items.map((item) => item.id)).toEqual([acceptRecord('new').id])
    expect(await store.conversations({ wallet: bob, limit: 10, before: null })).toMatchObject({
      conversations: [{ items: 1, last: { seq: 2 } }],
    })
    expect(await store.statistics()).toMatchObject({
      envelopes: 1,
      deliveries: [
        { network: 'trtc', state: 'acknowledged', count: 1 },
        { network: 'waku', state: 'acknowledged', count: 1 },
      ],
    })
    expect(await store.inboxBounds(bob)).toEqual({ first: 2, last: 2 })
  })

  it('gives up what is still open, lets that be seen, and removes it with the next call', async () => {
    const store = await openStore()
    const { deliveries } = await store.accept(acceptRecord('open', { receivedAt: 1_000 }))
    await acceptDone(store, 'done', { receivedAt: 1_001, conversation: bytesOf('another') })
    const sending = { from: ['pending' as const], to: 'dispatching' as const, nextAt: 9_000, at: 1_000 }
    await store.moveDelivery({ id: deliveries[0]!.id, ...sending })
    const limits = { envelopesBefore: 5_000, aliasesBefore: NEVER, idsBefore: NEVER, now: NEVER }
    expect(await store.prune(limits)).toMatchObject({ envelopes: 1, deliveriesEnded: 2 })

    const { id } = acceptRecord('open')
    expect(await store.getEnvelope(id)).not.toBeNull()
    const ended = { state: 'dead', reason: 'retention', nextAt: null }
    expect(await store.deliveriesOf(id)).toMatchObject([ended, ended])
    expect(await store.openDeliveries({ afterId: 0, limit: 10 })).toEqual([])
    expect((await store.journey(id)).slice(2)).toMatchObject([
      { name: 'dispatched', status: 'failure', detail: 'retention', network: 'trtc', wallet: bob },
      { name: 'dispatched', status: 'failure', detail: 'retention', network: 'waku', wallet: bob },
    ])
    const sent = { from: ['dispatching' as const], to: 'acknowledged' as const, at: 6_000 }
    expect(await store.moveDelivery({ id: deliveries[0]!.id, ...sent })).toMatchObject({ moved: false })

    expect(await store.prune(limits)).toMatchObject({ envelopes: 1, deliveries: 2, deliveriesEnded: 0 })
    expect(await store.getEnvelope(id)).toBeNull()
    expect(await store.prune(limits)).toMatchObject({ envelopes: 0 })
  })

  it('keeps an id taken after its envelope and the network message ids are gone, for as long as it is told', async () => {
    const store = await openStore()
    await acceptDone(store, 'old', { receivedAt: 1_000, alias: { network: 'waku', remoteId: 'hash' } })
    const { id } = acceptRecord('old')
    const earlier = { envelopesBefore: 5_000, now: NEVER }
    await store.prune({ ...earlier, aliasesBefore: 900, idsBefore: 900 })
    expect(await store.isTaken(id)).toBe(true)
    expect(await store.envelopeOfRemote('waku', 'hash')).toEqual(id)
    expect(await store.accept(acceptRecord('old'))).toEqual({ outcome: 'duplicate', seq: 1, deliveries: [] })

    expect(await store.prune({ ...earlier, aliasesBefore: 1_001, idsBefore: 900 })).toMatchObject({
      ids: 0,
      aliases: 1,
    })
    expect(await store.envelopeOfRemote('waku', 'hash')).toBeNull()
    expect(await store.isTaken(id)).toBe(true)
    expect(await store.accept(acceptRecord('old'))).toMatchObject({ outcome: 'duplicate' })

    expect(await store.prune({ ...earlier, aliasesBefore: 1_001, idsBefore: 2_001 })).toMatchObject({
      ids: 1,
    })
    expect(await store.isTaken(id)).toBe(false)
    expect(await store.accept(acceptRecord('old'))).toMatchObject({ outcome: 'accepted', seq: 2 })
  })

  it('never gives a seq out again, not even when everything is gone', async () => {
    const store = await openStore()
    await acceptDone(store, 'a', { receivedAt: 1_000 })
    await acceptDone(store, 'b', { receivedAt: 1_000 })
    await store.prune({ envelopesBefore: 5_000, aliasesBefore: 5_000, idsBefore: 5_000, now: NEVER })
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
    const removed = await store.prune({
      envelopesBefore: NEVER,
      aliasesBefore: NEVER,
      idsBefore: NEVER,
      now: 10_000,
    })
    expect(removed).toMatchObject({ challenges: 1, sessions: 1, prekeys: 1, envelopes: 0 })
    expect(await store.getChallenge('young')).not.toBeNull()
    expect(await store.prekeys(alice, 2_000)).toHaveLength(1)
    expect(await store.keyLog(alice)).toEqual([entry])
  })

  it('removes wallets and conversations that nothing names any more, and keeps the others', async () => {
    const store = await openStore()
    const day = USE_RESOLUTION_MS
    const strangers = Array.from({ length: 450 }, (_, index) => walletOf(`stranger ${index}`))
    await store.putChallenge(challenge('alice'))
    await store.completeChallenge({
      challengeId: 'alice',
      entry: keyEntry(0),
      session: session('alice'),
      at: 1_000,
    })
    for (const wallet of strangers) {
      const fields = { receivedAt: 1_000, deliveries: [], conversation: bytesOf(wallet) }
      await store.accept(
        acceptRecord(wallet, { ...fields, inbox: [{ wallet, direction: 'received' as const }] }),
      )
    }
    await acceptDone(store, 'first', { receivedAt: 1_000 })
    await acceptDone(store, 'last', { receivedAt: 3 * day })
    expect(await store.statistics()).toMatchObject({ wallets: 452 })

    const limits = { aliasesBefore: NEVER, idsBefore: NEVER, now: NEVER }
    const early = await store.prune({ ...limits, envelopesBefore: day })
    expect(early).toMatchObject({ envelopes: 451, wallets: 0, conversations: 0 })
    const removed = await store.prune({ ...limits, envelopesBefore: 2 * day })
    expect(removed).toMatchObject({ envelopes: 0, wallets: 450, conversations: 450 })
    expect(await store.statistics()).toMatchObject({ wallets: 2 })
    const query = { after: 0, limit: 10, conversation: null }
    expect((await store.inbox({ wallet: bob, ...query })).items).toMatchObject([{ from: alice }])
    expect(await store.servedAmong([alice])).toEqual([alice])

    // One that comes back is another row, whatever the writer remembered.
    const [back] = strangers
    const inbox = [{ wallet: back!, direction: 'received' as const }]
    await store.accept(acceptRecord('again', { receivedAt: 3 * day, inbox }))
    expect((await store.inbox({ wallet: back!, ...query })).items).toMatchObject([{ from: alice }])
    expect((await store.inbox({ wallet: strangers[1]!, ...query })).items).toEqual([])
    expect(await store.prune({ ...limits, envelopesBefore: 9 * day })).toMatchObject({ envelopes: 1 })
    expect(await store.prune({ ...limits, envelopesBefore: 9 * day })).toMatchObject({ envelopes: 1 })
    expect(await store.statistics()).toMatchObject({ wallets: 1, envelopes: 0 })
    expect(await store.keyLog(alice)).toHaveLength(1)
  })

  it('works in slices between which others get their turn', async () => {
    const store = await openStore()
    const names = Array.from({ length: 1_100 }, (_, index) => `${index}`)
    await Promise.all(
      names.map((name) => store.accept(acceptRecord(name, { receivedAt: 1_000, deliveries: [] }))),
    )
    let pruned = false
    const pruning = store
      .prune({ envelopesBefore: 5_000, aliasesBefore: NEVER, idsBefore: NEVER, now: NEVER })
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
