/** The unified inbox end to end: one conversation over several networks, its read state and its consent, on several devices. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  createSimulatedNetwork,
  type NativeMessage,
  type SimulatedNetwork,
  simulatorAddress,
  simulatorSignature,
} from '../../adapters/simulator/index.ts'
import { randomHex, waitFor } from '../../src/adapter/testing/index.ts'
import { type Client, type ConversationState, memoryStorage } from '../../src/client/index.ts'
import { directConversation, toHex, utf8Encode } from '../../src/envelope/index.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

const READ_RECEIPT = 'xmtp.org/readReceipt:1.0'

let directory: string
let network: SimulatedNetwork
let gateway: TestGateway
let alice: Client
let phone: Client
let bob: Client
/** What Bob's own client on the network hears. */
const heardByBob: NativeMessage[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-inbox-'))
  network = createSimulatedNetwork({ name: `inbox-${process.pid}-${randomHex(4)}` })
  gateway = await startTestGateway({
    data: { directory },
    networks: { simulator: { network: network.name } },
    enrolments: { walkIntervalMs: 1_000, wakeIntervalMs: 1_000 },
  })
  const signer = Wallet.createRandom()
  alice = await gateway.signIn({ signer, storage: memoryStorage() })
  phone = await gateway.signIn({ signer, storage: memoryStorage(), deviceLabel: 'Telephone' })
  bob = await gateway.signIn()
  const begun = await alice.enrolments.begin('simulator')
  await alice.enrolments.complete(begun, { signature: simulatorSignature(alice.wallet, begun.text) })
  const address = network.natives.register(bob.wallet)
  network.natives.join({ id: 'client of bob', address, receive: async (one) => void heardByBob.push(one) })
}, 60_000)

afterAll(async () => {
  await gateway?.stop()
  network?.close()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

/** Bob writes with an application of the network's own, which knows nothing of gateways. */
function writesNatively(text: string, type = 'xmtp.org/text:1.0'): NativeMessage {
  const address = simulatorAddress(bob.wallet)
  const { id } = network.natives.direct(address, simulatorAddress(alice.wallet))
  const content = { type, parameters: {}, fallback: null, bytes: utf8Encode(text) }
  return network.natives.post({ address, client: 'client of bob' }, id, { content })
}

const arrived = (text: string) =>
  waitFor(async () => (await alice.inbox({ limit: 200 })).find(({ message }) => message?.text === text), {
    what: `"${text}" in the inbox`,
  })

it('what two wallets write over several networks is one conversation, each item with its mark', async () => {
  await bob.send({ to: alice.wallet, text: 'sealed' })
  writesNatively('native')
  await arrived('native')
  await alice.send({ to: bob.wallet, text: 'sealed answer' })
  await alice.send({ to: bob.wallet, text: 'native answer', mode: 'hop', network: 'simulator' })

  const { conversations, next } = await phone.conversations.list()
  expect(next).toBe(null)
  expect(conversations).toHaveLength(1)
  expect(conversations[0]).toMatchObject({
    conversation: toHex(directConversation(alice.wallet, bob.wallet)),
    peer: bob.wallet,
    consent: 'allowed',
    muted: false,
    unread: 2,
    items: 4,
    marks: [
      { via: 'http', mode: 'hop' },
      { via: 'http', mode: 'sealed' },
      { via: 'simulator', mode: 'hop' },
    ],
  })
  const entries = await phone.inbox({ conversation: conversations[0]!.conversation, order: 'newest' })
  expect(entries.map(({ message }) => [message?.text, message?.mode, message?.attestation?.network])).toEqual(
    [
      ['native answer', 'hop', 'simulator'],
      ['sealed answer', 'sealed', undefined],
      ['native', 'hop', 'simulator'],
      ['sealed', 'sealed', undefined],
    ],
  )
})

it('reading is shared with the other devices, told to senders, and natively where the network can', async () => {
  const native = writesNatively('read me')
  const { id } = await bob.send({ to: alice.wallet, text: 'me too' })
  await arrived('read me')
  const states: ConversationState[] = []
  const ended = new AbortController()
  const listening = (async () => {
    const options = { signal: ended.signal, onConversation: (state: ConversationState) => states.push(state) }
    for await (const entry of phone.messages(options)) expect(entry.error).toBe(null)
  })()
  try {
    await waitFor(() => gateway.gateway.live.subscribers > 0, { what: 'the telephone to listen' })
    const state = await alice.conversations.read(bob.wallet)
    expect(state).toMatchObject({ unread: 0, consent: 'allowed' })
    await waitFor(() => states.some(({ readThrough }) => readThrough === state.readThrough), {
      what: 'the telephone to be told',
    })
    // It never goes back.
    const first = (await alice.inbox({ limit: 1 }))[0]!
    expect(await alice.conversations.read(bob.wallet, first.id)).toEqual(state)
    await waitFor(async () => (await bob.journey(id)).checkpoints.some((point) => point.name === 'read'), {
      what: 'the sender to be told by the journey',
    })
    await waitFor(() => heardByBob.some(({ content }) => content.type === READ_RECEIPT), {
      what: 'a native read receipt',
    })
    const receipt = heardByBob.find(({ content }) => content.type === READ_RECEIPT)
    expect(receipt?.conversation).toBe(native.conversation)
  } finally {
    ended.abort()
    await listening
  }
  // The gateway's own receipt comes back on the stream, and is no message of the wallet's.
  const kinds = (await alice.inbox({ type: 'xmtp.org/readReceipt' })).map(({ id: one }) => one)
  expect(kinds).toEqual([])
})

it('a native read receipt ends in the journey of what was sent natively, and is not unread', async () => {
  const { id } = await alice.send({ to: bob.wallet, text: 'seen?', mode: 'hop', network: 'simulator' })
  await waitFor(
    async () => (await alice.journey(id)).checkpoints.some(({ name }) => name === 'remoteAcknowledged'),
    { what: 'the message to be sent' },
  )
  writesNatively('', READ_RECEIPT)
  const read = await waitFor(
    async () => (await alice.journey(id)).checkpoints.find(({ name }) => name === 'read'),
    { what: 'the receipt in the journey' },
  )
  expect(read).toMatchObject({ network: 'simulator', wallet: bob.wallet, detail: 'network-clock' })
  expect(await alice.conversations.get(bob.wallet)).toMatchObject({ unread: 0 })
})

it('a denied wallet is kept from every device, its envelopes are kept, and allowing it shows them', async () => {
  const eve = await gateway.signIn()
  await eve.send({ to: alice.wallet, text: 'first' })
  expect((await alice.conversations.list({ consent: 'unknown' })).conversations).toMatchObject([
    { peer: eve.wallet, unread: 1, last: { message: { text: 'first' } } },
  ])
  expect(await phone.conversations.deny(eve.wallet)).toMatchObject({ consent: 'denied' })

  const shown: string[] = []
  await waitFor(() => gateway.gateway.live.subscribers === 0, { what: 'earlier streams to end' })
  const ended = new AbortController()
  const listening = (async () => {
    for await (const { message } of alice.messages({ signal: ended.signal })) shown.push(message?.text ?? '')
  })()
  try {
    await waitFor(() => gateway.gateway.live.subscribers > 0, { what: 'a device to listen' })
    const sent = await eve.send({ to: alice.wallet, text: 'denied' })
    expect(sent).toMatchObject({ duplicate: false, deliveries: [] })
    await bob.send({ to: alice.wallet, text: 'after it' })
    await waitFor(() => shown.includes('after it'), { what: 'what came later' })
  } finally {
    ended.abort()
    await listening
  }
  expect(shown).toEqual(['after it'])
  const texts = async (client: Client) =>
    (await client.inbox({ limit: 200 })).map(({ message }) => message?.text)
  expect(await texts(alice)).not.toContain('first')
  expect(await texts(alice)).not.toContain('denied')
  const peers = async (client: Client) =>
    (await client.conversations.list()).conversations.map(({ peer }) => peer)
  expect(await peers(alice)).toEqual([bob.wallet])
  const { conversations } = await alice.conversations.list({ consent: 'denied' })
  expect(conversations).toMatchObject([{ peer: eve.wallet, last: { message: { text: 'denied' } } }])

  await alice.conversations.allow(eve.wallet)
  expect(await texts(phone)).toEqual(expect.arrayContaining(['first', 'denied']))
  expect(await peers(phone)).toContain(eve.wallet)
})

it('finds items by type and sender, and conversations by peer, type and unread items', async () => {
  const content = { contentType: 'example.org/order:1.0', bytes: utf8Encode('1') }
  const { id } = await bob.send({ to: alice.wallet, content })
  const ids = async (filter: Parameters<Client['inbox']>[0]) =>
    (await alice.inbox(filter)).map((entry) => entry.id)
  expect(await ids({ type: 'example.org/order' })).toEqual([id])
  expect(await ids({ type: 'example.org/order:1.0', from: bob.wallet })).toEqual([id])
  expect(await ids({ type: 'example.org/order:2.0' })).toEqual([])
  expect(await ids({ type: 'example.org/order', from: alice.wallet })).toEqual([])
  const peers = async (filter: Parameters<Client['conversations']['list']>[0]) =>
    (await alice.conversations.list(filter)).conversations.map(({ peer }) => peer)
  expect(await peers({ type: 'example.org/order' })).toEqual([bob.wallet])
  expect(await peers({ peer: bob.wallet, unread: true })).toEqual([bob.wallet])
  await alice.conversations.read(bob.wallet)
  expect(await peers({ peer: bob.wallet, unread: true })).toEqual([])
})

it('a sender without a wallet keeps a conversation of its own', async () => {
  const address = network.natives.register(null, 'sim:nobody')
  const { id } = network.natives.direct(address, simulatorAddress(alice.wallet))
  const content = { type: 'xmtp.org/text:1.0', parameters: {}, fallback: null, bytes: utf8Encode('who am I') }
  network.natives.post({ address, client: 'client of nobody' }, id, { content })
  const entry = await arrived('who am I')
  const found = await alice.conversations.get(entry.message!.conversation)
  expect(found).toMatchObject({ items: 1, consent: 'unknown', peer: entry.message!.from })
  expect(await alice.conversations.mute(found.conversation)).toMatchObject({ muted: true })
})
