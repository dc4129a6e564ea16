import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AcceptRecord, InboxItem } from '../../port.ts'
import { acceptRecord, alice, bob, bytesOf, carol, newDelivery, walletOf } from '../../testing/records.ts'
import { openStore } from '../../testing/stores.ts'

describe('accept', () => {
  it('writes envelope, inbox items, deliveries, alias and first checkpoints', async () => {
    const store = await openStore({ clock: { now: () => 2_345, monotonic: () => 23.25 } })
    const record = acceptRecord('one', {
      via: 'waku',
      certificate: bytesOf('certificate'),
      alias: { network: 'waku', remoteId: 'hash' },
      deliveries: [
        newDelivery('one', 'trtc', { notBefore: 3_000 }),
        newDelivery('one', 'waku', { state: 'acknowledged', rank: 1 }),
      ],
    })
    const result = await store.accept(record)
    expect(result.outcome).toBe('accepted')
    expect(result.deliveries).toMatchObject([
      { network: 'trtc', state: 'pending', attempt: 0, nextAt: 3_000, envelopeSeq: result.seq, wallet: bob },
      { network: 'waku', state: 'acknowledged', remoteIds: [], reason: null, createdAt: 2_000 },
    ])
    expect(await store.deliveriesOf(record.id)).toEqual(result.deliveries)

    const { inbox: _inbox, deliveries: _deliveries, alias: _alias, monotonic: _monotonic, ...fields } = record
    expect(await store.getEnvelope(record.id)).toEqual({ ...fields, seq: result.seq, wallets: [bob, alice] })
    expect(await store.isTaken(record.id)).toBe(true)
    expect(await store.envelopeOfRemote('waku', 'hash')).toEqual(record.id)
    const common = { status: 'success', deliveryId: null, network: 'waku', wallet: null, detail: null }
    expect(await store.journey(record.id)).toEqual([
      { name: 'accepted', at: 2_000, monotonic: 20.5, ...common },
      { name: 'persisted', at: 2_345, monotonic: 23.25, ...common },
    ])
  })

  it('answers a known id as a duplicate with its deliveries, and notes the new alias only', async () => {
    const store = await openStore()
    const first = await store.accept(acceptRecord('one'))
    const again = acceptRecord('one', {
      via: 'trtc',
      bytes: bytesOf('other wraps'),
      inbox: [{ wallet: carol, direction: 'received' }],
      deliveries: [newDelivery('one', 'push')],
      alias: { network: 'trtc', remoteId: '17' },
    })
    expect(await store.accept(again)).toEqual({ ...first, outcome: 'duplicate' })
    expect(await store.envelopeOfRemote('trtc', '17')).toEqual(again.id)
    expect((await store.getEnvelope(again.id))?.bytes).toEqual(acceptRecord('one').bytes)
    expect((await store.inbox({ wallet: carol, after: 0, limit: 10, conversation: null })).items).toEqual([])
    expect(await store.journey(again.id)).toHaveLength(2)
    expect(await store.statistics()).toMatchObject({ envelopes: 1 })
  })

  it('adds deliveries for wallets without any, and keeps the copy with more key wraps', async () => {
    const store = await openStore()
    const { id, receivedAt } = acceptRecord('one')
    const first = await store.accept(acceptRecord('one'))
    const toCarol = newDelivery('two', 'waku', { wallet: carol })
    const more = {
      id,
      deliveries: [newDelivery('one', 'push'), toCarol],
      receivedAt,
      bytes: bytesOf('all wraps'),
    }
    const added = await store.addDeliveries(more)
    expect(added).toMatchObject([
      { wallet: carol, network: 'waku', state: 'pending', envelopeSeq: first.seq },
    ])
    expect(await store.deliveriesOf(id)).toEqual([...first.deliveries, ...added])
    expect((await store.getEnvelope(id))?.bytes).toEqual(bytesOf('all wraps'))
    expect(await store.addDeliveries({ ...more, bytes: undefined })).toEqual([])
    expect((await store.getEnvelope(id))?.bytes).toEqual(bytesOf('all wraps'))
    expect(await store.addDeliveries({ ...more, id: bytesOf('unknown') })).toEqual([])
  })

  it('accepts each of 100 ids exactly once out of 500 parallel accepts', async () => {
    const store = await openStore()
    const records = Array.from({ length: 500 }, (_, index) =>
      acceptRecord(`${index % 100}`, { alias: { network: 'waku', remoteId: `copy ${index}` } }),
    )
    const results = await Promise.all(records.map((record) => store.accept(record)))
    const accepted = results.filter((result) => result.outcome === 'accepted')
    expect(accepted).toHaveLength(100)
    expect(new Set(accepted.map((result) => result.seq)).size).toBe(100)
    expect(new Set(results.map((result) => result.seq)).size).toBe(100)
    expect(
      (await store.inbox({ wallet: bob, after: 0, limit: 1_000, conversation: null })).items,
    ).toHaveLength(100)
    const aliased = await Promise.all(
      records.map((_, index) => store.envelopeOfRemote('waku', `copy ${index}`)),
    )
    expect(aliased).toEqual(records.map((record) => record.id))
    expect((await store.statistics()).deliveries).toEqual([
      { network: 'trtc', state: 'pending', count: 100 },
      { network: 'waku', state: 'pending', count: 100 },
    ])
  })

  it('keeps one inbox item for a wallet that writes to itself', async () => {
    const store = await openStore()
    const inbox: AcceptRecord['inbox'] = [
      { wallet: alice, direction: 'received' },
      { wallet: alice, direction: 'sent' },
    ]
    const { id } = acceptRecord('note', { inbox })
    await store.accept(acceptRecord('note', { inbox }))
    expect(
      (await store.inbox({ wallet: alice, after: 0, limit: 10, conversation: null })).items,
    ).toHaveLength(1)
    expect((await store.getEnvelope(id))?.wallets).toEqual([alice])
  })

  it('takes bytes that are views of a shared buffer, and sends no more than them', async () => {
    const store = await openStore()
    const pool = new Uint8Array(1_000_000).fill(7)
    await store.accept(acceptRecord('view', { bytes: pool.subarray(10, 20), trace: Buffer.from([0x80]) }))
    const kept = await store.getEnvelope(acceptRecord('view').id)
    expect(kept?.bytes).toEqual(new Uint8Array(10).fill(7))
    expect(kept?.trace).toEqual(Uint8Array.of(0x80))
  })
})

describe('inbox', () => {
  it('gives an item with what a client needs to open it', async () => {
    const store = await openStore()
    const record = acceptRecord('one', { mode: 'opaque', kind: 2, flags: 3 })
    const { seq } = await store.accept(record)
    const { id, mode, from, conversation, contentType, flags, created, receivedAt, via, bytes, certificate } =
      record
    expect((await store.inbox({ wallet: alice, after: 0, limit: 10, conversation: null })).items).toEqual([
      {
        seq,
        id,
        direction: 'sent',
        mode,
        from,
        conversation,
        contentType,
        flags,
        created,
        receivedAt,
        via,
        bytes,
        certificate,
      },
    ])
  })

  it('neither skips nor repeats an item when pages are read while others arrive', async () => {
    const conversationNames = ['first', 'second', 'third']
    const step = fc.oneof(
      fc.record({ arrive: fc.constantFrom(...conversationNames), forReader: fc.boolean() }),
      fc.record({ read: fc.integer({ min: 1, max: 5 }) }),
    )
    const store = await openStore()
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 60 }),
        fc.option(fc.constantFrom(...conversationNames)),
        async (steps, only) => {
          const reader = walletOf(`reader of run ${run++}`)
          const conversation = only === null ? null : bytesOf(only)
          const read: InboxItem[] = []
          const arrivals: Promise<number | null>[] = []
          const page = async (limit: number) => {
            const after = read.at(-1)?.seq ?? 0
            const { items } = await store.inbox({ wallet: reader, after, limit, conversation })
            read.push(...items)
            return items.length
          }
          const arrive = async (name: string, conversationName: string, forReader: boolean) => {
            const { seq } = await store.accept(
              acceptRecord(name, {
                conversation: bytesOf(conversationName),
                inbox: [{ wallet: forReader ? reader : carol, direction: 'received' }],
              }),
            )
            return forReader && (only === null || only === conversationName) ? seq : null
          }
          for (const [index, current] of steps.entries()) {
            if ('read' in current) await page(current.read)
            else arrivals.push(arrive(`${run} ${index}`, current.arrive, current.forReader))
          }
          const expected = (await Promise.all(arrivals)).filter((seq) => seq !== null)
          while ((await page(3)) > 0);
          expect(read.map((item) => item.seq)).toEqual(expected)
        },
      ),
    )
  })

  it('tells between which seqs a cursor can be resumed', async () => {
    const store = await openStore()
    expect(await store.inboxBounds(bob)).toEqual({ first: 1, last: 0 })
    for (const name of ['a', 'b', 'c']) await store.accept(acceptRecord(name))
    expect(await store.inboxBounds(bob)).toEqual({ first: 1, last: 3 })
  })
})

describe('conversations', () => {
  it('lists them with the latest item first, in pages', async () => {
    const store = await openStore()
    const peers = Array.from({ length: 5 }, (_, index) => walletOf(`peer ${index}`))
    for (let round = 0; round < 2; round++) {
      for (const [index, from] of peers.entries()) {
        const inbox: AcceptRecord['inbox'] = [{ wallet: bob, direction: 'received' }]
        const name = `${round} ${index}`
        await store.accept(
          acceptRecord(name, {
            from,
            conversation: bytesOf(from),
            inbox,
            receivedAt: 2_000 + round * 10 + index,
          }),
        )
      }
    }
    const first = await store.conversations({ wallet: bob, limit: 3, before: null })
    const second = await store.conversations({ wallet: bob, limit: 3, before: first.next })
    const all = [...first.conversations, ...second.conversations]
    expect(all.map((summary) => summary.last.from)).toEqual([...peers].reverse())
    expect(second.next).toBe(null)
    expect(all[0]).toMatchObject({
      conversation: bytesOf(peers[4]!),
      last: { from: peers[4], seq: 10, id: acceptRecord('1 4').id, receivedAt: 2_014 },
      items: 2,
      unread: 2,
      readThrough: 0,
      consent: 'unknown',
      muted: false,
      marks: [{ via: 'http', mode: 'sealed' }],
    })
    expect(await store.conversations({ wallet: carol, limit: 3, before: null })).toEqual({
      conversations: [],
      next: null,
    })
  })
})
