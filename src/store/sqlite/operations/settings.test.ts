import { DatabaseSync } from 'node:sqlite'
import { expect, it, vi } from 'vitest'
import { MOST_CHOICES } from '../../port.ts'
import { acceptRecord, alice, bob, bytesOf, carol } from '../../testing/records.ts'
import { openStore, temporaryFolder } from '../../testing/stores.ts'
import { runGroup } from '../group.ts'
import { migrations } from '../migrations/index.ts'
import { openDatabase } from '../open.ts'
import { conversations } from './conversations.ts'
import { inbox } from './inbox.ts'
import { chooseConversation, consentOf, inboxRules } from './settings.ts'

const conversation = bytesOf('alice and bob')
const EVER = Number.MAX_SAFE_INTEGER
const DAY = 24 * 60 * 60 * 1000

it('whom a wallet answered stays allowed when the messages are pruned; read state alone goes', async () => {
  const store = await openStore({ indexBatch: 1 })
  await store.putInboxSettings(alice, { unknownSenders: 'relay', sendReadReceipts: 'never' })
  await store.putInboxSettings(bob, { unknownSenders: 'hold', sendReadReceipts: 'always' })
  await store.accept(acceptRecord('old', { deliveries: [], receivedAt: 1_000 }))
  await store.markRead({ wallet: bob, conversation, through: EVER, at: 2_000 })
  expect(await store.consentOf(alice, conversation)).toBe('allowed')
  expect(await store.consentOf(bob, conversation)).toBe('unknown')
  const limits = { envelopesBefore: 9 * DAY, aliasesBefore: 0, idsBefore: 0, now: 0 }
  expect(await store.prune(limits)).toMatchObject({ envelopes: 1, conversation_settings: 1 })
  expect(await store.conversation(alice, conversation)).toBe(null)
  expect(await store.consentOf(alice, conversation)).toBe('allowed')
  expect(await store.consentOf(bob, conversation)).toBe('unknown')
  expect(await store.inboxRules(bob)).toEqual({
    unknownSenders: 'hold',
    sendReadReceipts: 'always',
    denied: [],
    muted: [],
  })
})

it('a read receipt and typing answer nobody', async () => {
  for (const indexBatch of [1, 1_000]) {
    const store = await openStore({ indexBatch })
    const consents = async () => ({
      told: await store.consentOf(alice, conversation),
      shown: (await store.conversation(alice, conversation))?.consent,
    })
    const contentType = 'xmtp.org/readReceipt:1.0'
    await store.accept(acceptRecord('receipt', { contentType, deliveries: [] }))
    await store.accept(acceptRecord('typing', { flags: 1, deliveries: [] }))
    expect(await consents()).toEqual({ told: 'unknown', shown: 'unknown' })
    await store.accept(acceptRecord('answer', { deliveries: [] }))
    await store.accept(acceptRecord('receipt 2', { contentType, deliveries: [] }))
    expect(await consents()).toEqual({ told: 'allowed', shown: 'allowed' })
  }
})

it('a choice is kept for each wallet, one thing at a time, and taken back', async () => {
  const store = await openStore()
  const choose = (choice: { consent?: 'unknown' | 'allowed' | 'denied'; muted?: boolean }) =>
    store.chooseConversation({ wallet: bob, conversation, peer: alice, at: 1_000, ...choice })
  expect(await choose({ consent: 'denied' })).toMatchObject({ consent: 'denied', muted: false })
  expect(await choose({ muted: true })).toMatchObject({ consent: 'denied', muted: true })
  expect(await store.inboxRules(bob)).toMatchObject({
    denied: [{ conversation, peer: alice }],
    muted: [conversation],
  })
  expect(await store.inboxRules(alice)).toMatchObject({ denied: [], muted: [] })
  expect(await choose({ consent: 'unknown', muted: false })).toMatchObject({
    consent: 'unknown',
    muted: false,
  })
  expect(await store.inboxRules(bob)).toMatchObject({ denied: [], muted: [] })
})

it('a wallet denies and mutes so many and no more; what it has it may change', () => {
  const { database, unlock } = openDatabase(`${temporaryFolder()}/store.db`)
  const walletId = database.memberId(bob)
  database.run(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
     INSERT INTO conversation_settings (wallet_id, conversation, muted, updated_at)
     SELECT ?, CAST(printf('%032d', i) AS BLOB), 1, 0 FROM n`,
    MOST_CHOICES,
    walletId,
  )
  const choice = { wallet: bob, conversation, peer: null, at: 1_000 }
  const kept = new TextEncoder().encode('1'.padStart(32, '0'))
  expect(chooseConversation(database, { ...choice, consent: 'denied' })).toBe('full')
  expect(chooseConversation(database, { ...choice, consent: 'allowed' })).toMatchObject({
    consent: 'allowed',
  })
  const again = { ...choice, conversation: kept }
  expect(chooseConversation(database, { ...again, consent: 'denied' })).toMatchObject({ consent: 'denied' })
  expect(inboxRules(database, bob).muted).toHaveLength(MOST_CHOICES)
  database.close()
  unlock()
})

it('a filtered page ends before it has looked at too much, and says where to go on', async () => {
  const store = await openStore()
  const accepts = Array.from({ length: 2_100 }, (_, number) =>
    store.accept(
      acceptRecord(`${number}`, {
        contentType: number === 0 || number === 2_099 ? 'example.org/rare:1.0' : 'xmtp.org/text:1.0',
        deliveries: [],
      }),
    ),
  )
  await Promise.all(accepts)
  const query = { wallet: bob, limit: 10, conversation: null, contentType: 'example.org/rare' }
  const first = await store.inbox({ ...query, after: 0 })
  expect(first).toMatchObject({ items: [{ seq: 1 }], complete: false })
  const second = await store.inbox({ ...query, after: first.through })
  expect(second).toMatchObject({ items: [{ seq: 2_100 }], complete: true })
  const back = await store.inbox({ ...query, after: first.through, order: 'newest' })
  expect(back).toMatchObject({ items: [{ seq: 1 }], complete: true })
})

it('newest first, a page ends where it was told to, in the indexes and before', async () => {
  for (const indexBatch of [1, 1_000]) {
    const store = await openStore({ indexBatch })
    for (let number = 1; number <= 6; number++)
      await store.accept(acceptRecord(`${number}`, { deliveries: [] }))
    const query = { wallet: bob, limit: 10, order: 'newest' as const, after: 6, downTo: 2 }
    for (const of of [null, conversation]) {
      const page = await store.inbox({ ...query, conversation: of })
      expect(page.items.map(({ seq }) => seq)).toEqual([5, 4, 3])
      expect(page.complete).toBe(true)
    }
  }
})

it('consent is told without a walk through items, and what a list leaves out is not counted', () => {
  const { database, unlock } = openDatabase(`${temporaryFolder()}/store.db`)
  const record = (number: number) =>
    acceptRecord(`${number}`, { conversation: bytesOf(`conversation ${number}`), deliveries: [] })
  const calls = Array.from({ length: 150 }, (_, number) => ({
    name: 'accept' as const,
    input: record(number),
  }))
  runGroup(database, calls, { at: 3_000, monotonic: 30 })
  const items = vi.spyOn(database.recent, 'items')
  const first = { conversation: record(0).conversation }
  expect(consentOf(database, { ...first, wallet: alice })).toBe('allowed')
  expect(consentOf(database, { ...first, wallet: bob })).toBe('unknown')
  expect(items).not.toHaveBeenCalled()
  chooseConversation(database, { ...first, wallet: alice, peer: bob, consent: 'denied', at: 4_000 })
  items.mockClear()
  expect(consentOf(database, { ...first, wallet: alice })).toBe('denied')
  expect(items).not.toHaveBeenCalled()

  const reads = [vi.spyOn(database, 'row'), vi.spyOn(database, 'each')]
  const counts = () =>
    reads.flatMap(({ mock }) => mock.calls).filter(([sql]) => sql.includes('notable')).length
  const list = (wallet: string, filter: { consent?: 'allowed'; unread?: boolean; before?: number | null }) =>
    conversations(database, { wallet, limit: 200, before: null, ...filter })
  expect(list(bob, { consent: 'allowed' })).toEqual({ conversations: [], next: null })
  expect(counts()).toBe(0)
  const none = list(alice, { unread: true })
  expect(none).toMatchObject({ conversations: [], next: expect.any(Number) })
  expect(counts()).toBe(100)
  expect(list(alice, { unread: true, before: none.next })).toEqual({ conversations: [], next: null })
  expect(list(bob, { unread: true }).conversations).toHaveLength(100)
  database.close()
  unlock()
})

it('a conversation of a sender who uses very many content types is found by each of them', async () => {
  const store = await openStore({ indexBatch: 8 })
  for (let number = 0; number < 60; number++) {
    await store.accept(
      acceptRecord(`${number}`, { contentType: `example.org/t${number}:1.0`, deliveries: [] }),
    )
  }
  for (const contentType of ['example.org/t0', 'example.org/t59:1.0']) {
    const query = { wallet: bob, limit: 10, before: null, contentType }
    expect((await store.conversations(query)).conversations).toHaveLength(1)
  }
})

it('a database of the schema before shows the same as a new one', () => {
  const path = `${temporaryFolder()}/store.db`
  // Carol only told that she had read.
  const read = bytesOf('carol and others')
  const old = new DatabaseSync(path)
  for (const { sql } of migrations.slice(0, 4)) old.exec(sql)
  old.exec(`
    PRAGMA application_id = ${applicationId()};
    PRAGMA user_version = 4;
    INSERT INTO wallets (id, wallet) VALUES (1, '${alice}'), (2, '${bob}'), (3, '${carol}');
    INSERT INTO conversations VALUES (1, x'${Buffer.from(conversation).toString('hex')}', 1000),
      (2, x'${Buffer.from(read).toString('hex')}', 1000);
    INSERT INTO envelopes (seq, id, kind, mode, from_id, conversation_id, content_type, flags, created, expires_at, via,
      received_at, accepted_monotonic, persisted_at, persisted_monotonic, holders, device, trace, certificate, bytes)
    SELECT value, randomblob(32), 1, iif(value = 2, 'hop', 'sealed'), iif(value = 5, 3, iif(value = 3, 2, 1)),
      iif(value = 5, 2, 1),
      iif(value > 3, 'xmtp.org/readReceipt:1.0', 'xmtp.org/text:1.0'), 0, 1000, 0, iif(value = 2, 'xmtp', 'http'), 1000, 1, 1000,
      1, iif(value = 5, '[-3]', iif(value = 3, '[1,-2]', '[2,-1]')), x'00', x'80', NULL, x'00'
    FROM json_each('[1,2,3,4,5]');
    INSERT INTO inbox SELECT 2, seq, 1, seq = 3 FROM envelopes WHERE seq < 5
      UNION ALL SELECT 1, seq, 1, seq <> 3 FROM envelopes WHERE seq < 5 UNION ALL SELECT 3, 5, 2, 1;
    INSERT INTO inbox_conversations VALUES (1, 1, 4, 4), (2, 1, 4, 4), (3, 2, 5, 1);
    UPDATE totals SET indexed_through = 5;
  `)
  old.close()
  const { database, unlock } = openDatabase(path)
  const shown = conversations(database, { wallet: bob, limit: 10, before: null })
  expect(shown.conversations).toMatchObject([
    {
      conversation,
      consent: 'allowed',
      items: 4,
      unread: 2,
      marks: [
        { via: 'http', mode: 'sealed' },
        { via: 'xmtp', mode: 'hop' },
      ],
    },
  ])
  expect(consentOf(database, { wallet: alice, conversation })).toBe('allowed')
  expect(consentOf(database, { wallet: carol, conversation: read })).toBe('unknown')
  const ofType = { wallet: bob, after: 0, limit: 10, conversation: null, contentType: 'xmtp.org/readReceipt' }
  expect(inbox(database, ofType).items.map(({ seq }) => seq)).toEqual([4])
  expect(inbox(database, { ...ofType, contentType: 'xmtp.org/text', from: alice }).items).toHaveLength(2)
  database.close()
  unlock()
})

/** As a new database has it. */
function applicationId(): number {
  const path = `${temporaryFolder()}/other.db`
  const { database, unlock } = openDatabase(path)
  const id = database.row<{ application_id: number }>('PRAGMA application_id')?.application_id ?? 0
  database.close()
  unlock()
  return id
}
