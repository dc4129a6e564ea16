import { afterEach, expect, test } from 'vitest'
import { waitFor } from '../adapter/testing/index.ts'
import { directConversation, groupConversation, toHex } from '../envelope/index.ts'
import type { ConversationState, InboxItem } from '../store/port.ts'
import { createPerson, nativeFrame, type Person, RelayBench, seal } from './testing/bench.ts'
import { heard, scripted } from './testing/scripted.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

async function setUp(...more: Person[]) {
  const [alice, bob] = [createPerson(), createPerson()]
  const [waku, trtc] = [scripted(), scripted()]
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku: waku.definition, trtc: trtc.definition },
    wallets: [alice, bob, ...more],
  })
  const shown: InboxItem[] = []
  const states: ConversationState[] = []
  gateway.live.subscribe(bob.wallet, {
    item: (item) => shown.push(item) > 0,
    conversation: (state) => states.push(state) > 0,
    dropped() {},
  })
  const { conversations } = gateway.relay
  const choose = (peer: Person, choice: { consent?: 'unknown' | 'allowed' | 'denied'; muted?: boolean }) =>
    conversations.choose({
      wallet: bob.wallet,
      conversation: directConversation(bob.wallet, peer.wallet),
      peer: peer.wallet,
      ...choice,
    })
  const send = async (from: Person, to: Person[] = [bob], options: Parameters<typeof seal>[2] = {}) => {
    const { id, bytes } = await seal(from, to, options)
    return { id, bytes, accepted: await gateway.submit(from, bytes) }
  }
  const sentTo = (id: Uint8Array) =>
    [waku, trtc].map(({ sends }) => sends.filter((intent) => toHex(intent.envelopeId) === toHex(id)).length)
  return { gateway, alice, bob, waku, trtc, shown, states, choose, send, sentTo, conversations }
}

test('what a denied wallet sends is acknowledged and kept, and neither relayed nor shown live', async () => {
  const { gateway, alice, bob, waku, shown, choose, send, sentTo } = await setUp()
  expect(await choose(alice, { consent: 'denied' })).toMatchObject({ consent: 'denied' })
  const posted = await send(alice)
  expect(posted.accepted).toMatchObject({ duplicate: false, deliveries: [] })

  // Heard on a network, and again from a copy with other wraps, it is treated alike.
  const { id, bytes } = await seal(alice, [bob])
  const result = await waku.context().deliver(heard(nativeFrame(alice, bytes), 'r-1'))
  expect(result.outcome).toBe('accepted')
  expect(await gateway.submit(alice, posted.bytes)).toMatchObject({ duplicate: true, deliveries: [] })

  expect(await gateway.inbox(bob)).toEqual([])
  expect(shown).toEqual([])
  expect([sentTo(posted.id), sentTo(id)]).toEqual([
    [0, 0],
    [0, 0],
  ])
  const conversation = directConversation(alice.wallet, bob.wallet)
  const kept = await gateway.store.inbox({ wallet: bob.wallet, after: 0, limit: 10, conversation })
  expect(kept.items.map((item) => toHex(item.id))).toEqual([toHex(posted.id), toHex(id)])
})

test('a denied wallet is not heard in a group either; others there are', async () => {
  const carol = createPerson()
  const { gateway, alice, bob, shown, choose, send, conversations } = await setUp(carol)
  await choose(alice, { consent: 'denied' })
  const conversation = groupConversation(carol.wallet, new Uint8Array(16))
  await send(alice, [bob, carol], { conversation })
  const { id } = await send(carol, [bob, alice], { conversation })
  expect(shown.map((item) => toHex(item.id))).toEqual([toHex(id)])
  expect((await gateway.inbox(bob)).map((item) => toHex(item.id))).toEqual([toHex(id)])
  expect((await gateway.inbox(carol)).map(({ direction }) => direction)).toEqual(['received', 'sent'])

  // Nor is it shown, or counted, by the group's conversation; and what was the last thing written stays so.
  await send(alice, [bob, carol], { conversation })
  const { store } = gateway
  const ofGroup = { wallet: bob.wallet, after: 0, limit: 10, conversation }
  expect((await store.inbox(ofGroup)).items.map((item) => toHex(item.id))).toEqual([toHex(id)])
  const group = async () =>
    (await store.conversations({ wallet: bob.wallet, limit: 10, before: null })).conversations
  expect(await group()).toMatchObject([{ unread: 1, last: { id } }])
  const [last] = (await group()).map(({ last: { seq } }) => seq)
  await conversations.read(bob.wallet, conversation, last!)
  expect(await group()).toMatchObject([{ unread: 0, last: { id } }])

  // Whoever allows her again sees all of it; and whoever denies the group, and asks for it, too.
  await choose(alice, { consent: 'allowed' })
  expect(await group()).toMatchObject([{ unread: 1, items: 3 }])
  expect((await store.inbox(ofGroup)).items).toHaveLength(3)
  await choose(alice, { consent: 'denied' })
  await conversations.choose({ wallet: bob.wallet, conversation, peer: null, consent: 'denied' })
  expect(await group()).toEqual([])
  expect((await store.inbox(ofGroup)).items).toHaveLength(3)
})

test('messages of unknown senders are held in the inbox until the sender is allowed, then sent on once', async () => {
  const { alice, bob, shown, choose, conversations, send, sentTo } = await setUp()
  await conversations.setSettings(bob.wallet, { unknownSenders: 'hold', sendReadReceipts: 'allowed' })
  const held = await send(alice)
  expect(held.accepted.deliveries).toEqual([])
  expect(shown).toHaveLength(1)
  expect(sentTo(held.id)).toEqual([0, 0])

  await choose(alice, { consent: 'allowed' })
  await waitFor(() => sentTo(held.id).join() === '1,1', { what: 'what was held to be sent' })
  await choose(alice, { consent: 'unknown' })
  await choose(alice, { consent: 'allowed' })
  const later = await send(alice)
  await waitFor(() => sentTo(later.id).join() === '1,1', { what: 'what came later to be sent' })
  expect(sentTo(held.id)).toEqual([1, 1])
})

test('what was held is sent on over the network on which it was heard, too', async () => {
  const { alice, bob, waku, choose, conversations, sentTo } = await setUp()
  await conversations.setSettings(bob.wallet, { unknownSenders: 'hold', sendReadReceipts: 'allowed' })
  const { id, bytes } = await seal(alice, [bob])
  await waku.context().deliver(heard(nativeFrame(alice, bytes), 'r-1', { to: 'at:the gateway' }))
  await choose(alice, { consent: 'allowed' })
  await waitFor(() => sentTo(id).join() === '1,1', { what: 'a copy on both networks' })
})

test('each time a sender is allowed, what is still held is sent on; a failure is told', async () => {
  const { gateway, alice, bob, choose, conversations, send, sentTo } = await setUp()
  await conversations.setSettings(bob.wallet, { unknownSenders: 'hold', sendReadReceipts: 'allowed' })
  const held = await send(alice)
  // From an answer it follows that the sender is allowed, without a choice.
  await send(bob, [alice])
  const { store } = gateway
  const add = store.addDeliveries
  store.addDeliveries = async () => Promise.reject(new Error('the disk is gone'))
  await expect(choose(alice, { consent: 'allowed' })).rejects.toThrow('the disk is gone')
  store.addDeliveries = add
  await choose(alice, { consent: 'allowed' })
  expect(await gateway.deliveries(held.id)).toHaveLength(2)
  await waitFor(() => sentTo(held.id).join() === '1,1', { what: 'what was held to be sent' })
})

test('what is taken while its sender is being allowed is sent on', async () => {
  const { gateway, alice, bob, choose, conversations, send, sentTo } = await setUp()
  await conversations.setSettings(bob.wallet, { unknownSenders: 'hold', sendReadReceipts: 'allowed' })
  const { store } = gateway
  const accept = store.accept
  // The choice falls between the verdict and the transaction.
  store.accept = async (record) => {
    store.accept = accept
    await choose(alice, { consent: 'allowed' })
    return store.accept(record)
  }
  const { id } = await send(alice)
  await waitFor(() => sentTo(id).join() === '1,1', { what: 'the message to be sent' })
})

test('an answer allows the sender', async () => {
  const { alice, bob, conversations, send, sentTo } = await setUp()
  await conversations.setSettings(bob.wallet, { unknownSenders: 'hold', sendReadReceipts: 'allowed' })
  await send(alice)
  await send(bob, [alice])
  const { id } = await send(alice)
  await waitFor(() => sentTo(id).join() === '1,1', { what: 'the message to be sent' })
})

test('a muted conversation is relayed silently, and its devices are told of the choice', async () => {
  const { alice, waku, states, choose, send } = await setUp()
  for (const [index, choice] of [null, { muted: true }, { muted: false }].entries()) {
    if (choice) await choose(alice, choice)
    await send(alice)
    await waitFor(() => waku.sends.length === index + 1, { what: 'the message to be sent' })
  }
  expect(waku.sends.map(({ silent }) => silent)).toEqual([false, true, false])
  expect(states.map(({ muted, unread }) => [muted, unread])).toEqual([
    [true, 1],
    [false, 2],
  ])
})

test('choices outlive a restart, and are there before the first message', async () => {
  const path = `${await bench.folder()}/store.db`
  const [alice, bob] = [createPerson(), createPerson()]
  const options = { name: 'gw-a', networks: {}, wallets: [alice, bob], path }
  const first = await bench.gateway(options)
  const conversation = directConversation(alice.wallet, bob.wallet)
  await first.relay.conversations.choose({ wallet: bob.wallet, conversation, peer: null, consent: 'denied' })
  await first.stop()
  const gateway = await bench.gateway(options)
  const { bytes } = await seal(alice, [bob])
  await gateway.submit(alice, bytes)
  expect(await gateway.inbox(bob)).toEqual([])
})
