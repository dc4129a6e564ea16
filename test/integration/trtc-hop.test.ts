/** Hop mode on TRTC: an enrolled wallet, and people with plain `@tencentcloud/chat` clients that know nothing of gateways. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ChatClient, connectChatClient } from '../../adapters/trtc/sandbox/chat-client.ts'
import { startSandbox, type TrtcSandbox } from '../../adapters/trtc/sandbox/index.ts'
import { waitFor } from '../../src/adapter/testing/index.ts'
import {
  type Client,
  contentFor,
  contentOf,
  createClient,
  type KnownContent,
  type Message,
  memoryStorage,
} from '../../src/client/index.ts'
import { trtcContents, writeContent } from '../../src/content/index.ts'
import { samples } from '../../src/content/testing/samples.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

const WAIT = { timeoutMs: 40_000, intervalMs: 100 }
const signer = new Wallet(Wallet.createRandom().privateKey)
const storage = memoryStorage()

let directory: string
let sandbox: TrtcSandbox
let gateway: TestGateway
let alice: Client
let bob: Client
let bobApp: ChatClient
let aliceApp: ChatClient

async function start(): Promise<void> {
  gateway = await startTestGateway({
    data: { directory },
    networks: { trtc: sandbox.gatewayConfig },
    enrolments: { walkIntervalMs: 1_000, wakeIntervalMs: 1_000 },
  })
  sandbox.connectGateway({ baseUrl: gateway.url })
  await waitFor(() => gateway.gateway.networks.list().every(({ state }) => state === 'connected'), {
    ...WAIT,
    what: 'TRTC to connect',
  })
  alice = await createClient({ gateway: gateway.url, signer, storage })
  await alice.signIn()
}

/** A plain client with the credentials that the gateway issues to the wallet. */
async function appOf(client: Client): Promise<ChatClient> {
  const { sdkAppId, userId, userSig, proxyServer } = await client.credentials('trtc')
  return connectChatClient({
    sdkAppId: Number(sdkAppId),
    userId: String(userId),
    userSig: String(userSig),
    proxyServer: String(proxyServer),
  })
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-trtc-hop-'))
  sandbox = await startSandbox()
  await start()
  bob = await gateway.signIn()
  bobApp = await appOf(bob)
  aliceApp = await appOf(alice)
  const begun = await alice.enrolments.begin('trtc')
  expect(begun.text).toContain('Let this gateway read and write my messages on Tencent RTC Chat.')
  await alice.enrolments.complete(begun)
}, 120_000)

afterAll(async () => {
  await Promise.all([bobApp?.close(), aliceApp?.close()])
  await gateway?.stop()
  await sandbox?.stop()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

async function messages(): Promise<Message[]> {
  const entries = await alice.inbox({ limit: 200 })
  expect(entries.filter(({ error }) => error)).toEqual([])
  return entries.flatMap(({ message }) => message ?? [])
}

const shown = (fits: (message: Message) => boolean, what: string): Promise<Message> =>
  waitFor(async () => (await messages()).find(fits), { ...WAIT, what })
const said = (text: string) => shown((message) => message.text === text, `"${text}"`)

/** Sent by the gateway as the wallet's user; `rendering` as the delivery tells it. */
async function hop(message: Parameters<Client['send']>[0], state = 'acknowledged') {
  const { id } = await alice.send({ to: bob.wallet, mode: 'hop', network: 'trtc', ...message })
  const delivery = await waitFor(
    async () => (await alice.journey(id)).deliveries.find((one) => one.state === state),
    { ...WAIT, what: `the delivery to be ${state}` },
  )
  return { id, rendering: delivery.rendering }
}

it('elements of a plain user stand in the inbox as contents, with the wallet that the address map knows', async () => {
  const sent = await bobApp.sendText(aliceApp.userId, 'hello from an app')
  const text = await said('hello from an app')
  expect(text).toMatchObject({
    mode: 'hop',
    from: bob.wallet,
    direction: 'received',
    attestation: {
      network: 'trtc',
      remoteId: sent.messageKey,
      kind: 'direct',
      sender: bobApp.userId,
      known: true,
    },
  })
  await bobApp.sendPayload(aliceApp.userId, { index: 1, data: '[smile]' })
  await bobApp.sendPayload(aliceApp.userId, { description: 'Munich', latitude: 48.1, longitude: 11.5 })
  await bobApp.sendPayload(aliceApp.userId, { data: 'order', description: 'An order', extension: 'shop' })
  await said('[smile]')
  const place = await shown(({ contentType }) => contentType === 'causeway/location:1.0', 'the location')
  expect(contentOf(place)).toEqual(samples.location)
  const order = await shown(
    ({ contentType }) => contentType === 'tencent.com/custom:1.0',
    'the custom element',
  )
  expect(order.content.fallback).toBe('An order')
  expect(place.conversation).toBe(text.conversation)
})

it('a reply of a plain user is about the message that it quotes', async () => {
  const question = await hop({ text: 'shall we?' })
  const received = await bobApp.waitFor(({ text }) => text === 'shall we?')
  expect(received.from).toBe(aliceApp.userId)
  const cloudCustomData = JSON.stringify({ messageReply: { messageID: received.id, version: '1' } })
  await bobApp.sendText(aliceApp.userId, 'we shall', { cloudCustomData })
  expect((await said('we shall')).replyTo).toBe(question.id)
})

it('an answer quotes the message as the kits of the service do', async () => {
  const asked = await bobApp.sendText(aliceApp.userId, 'are you there?')
  const question = await said('are you there?')
  expect(await hop({ text: 'I am', replyTo: question.id })).toMatchObject({ rendering: 'native' })
  const { cloudCustomData } = await bobApp.waitFor(({ text }) => text === 'I am')
  expect(JSON.parse(cloudCustomData)).toMatchObject({
    messageReply: {
      messageID: asked.id,
      messageAbstract: 'are you there?',
      messageSender: bobApp.userId,
    },
  })
})

const outward: [keyof typeof samples, string, RegExp][] = [
  ['text', 'TIMTextElem', /hello/],
  ['markdown', 'TIMTextElem', /\*\*hello\*\*/],
  ['reaction', 'TIMTextElem', /👍/],
  ['attachment', 'TIMTextElem', /a\.txt/],
  ['remoteAttachment', 'TIMTextElem', /x\.png/],
  ['multiRemoteAttachment', 'TIMTextElem', /attachments/],
  ['attachmentReference', 'TIMImageElem', /files\.example\.org\/a\.png/],
  ['location', 'TIMLocationElem', /Munich/],
  ['notification', 'TIMTextElem', /A vote begins/],
  ['transactionReference', 'TIMTextElem', /0xdead/],
  ['walletSendCalls', 'TIMTextElem', /Transaction request/],
]

it.each(outward)(
  '%s arrives at a plain client as %s, and the sender is told how',
  async (kind, type, shows) => {
    const before = bobApp.messages.length
    const { rendering } = await hop({ content: contentFor(samples[kind]) })
    expect(rendering).toBe(trtcContents.kinds[kind as keyof typeof trtcContents.kinds])
    const arrived = await waitFor(
      () => bobApp.messages.slice(before).find((message) => message.type === type),
      {
        ...WAIT,
        what: `the ${type}`,
      },
    )
    expect(JSON.stringify(arrived.payload)).toMatch(shows)
  },
)

it('a content of another type arrives as a custom element, and what is nothing to people is dropped', async () => {
  const drawing = { contentType: 'example.org/drawing:1.0', bytes: Uint8Array.of(1), fallback: 'A drawing' }
  expect((await hop({ content: drawing })).rendering).toBe('converted')
  await bobApp.waitFor(({ custom }) => custom?.description === 'A drawing')
  const change = await hop({ content: contentFor(samples.groupUpdated) }, 'superseded')
  expect(change.rendering).toBe('dropped')
})

it('typing reaches clients that are online, and is not kept', async () => {
  expect(await hop({ content: contentFor(samples.typing) })).toMatchObject({ rendering: 'native' })
  await bobApp.waitFor(({ custom }) => custom?.data.includes('user_typing_status') ?? false)
  const kept = await bobApp.messageList(aliceApp.userId)
  expect(kept.some(({ custom }) => custom?.data.includes('user_typing_status'))).toBe(false)
})

it('an edit changes the message, a deletion takes it back, and neither touches what others wrote', async () => {
  const sent = await hop({ text: 'a tpyo' })
  const received = await bobApp.waitFor(({ text }) => text === 'a tpyo')
  expect((await hop({ replaces: sent.id, text: 'a typo' })).rendering).toBe('native')
  await waitFor(
    async () =>
      (await bobApp.messageList(aliceApp.userId)).some(
        ({ text, messageKey }) => messageKey === received.messageKey && text === 'a typo',
      ),
    { ...WAIT, what: 'the edit' },
  )
  const removal = contentFor({ kind: 'delete', messageId: sent.id })
  expect((await hop({ replaces: sent.id, content: removal })).rendering).toBe('native')
  await waitFor(() => bobApp.revoked.includes(received.messageKey), { ...WAIT, what: 'the recall' })
  const others = await said('hello from an app')
  const forbidden = await alice.send({
    to: bob.wallet,
    mode: 'hop',
    network: 'trtc',
    replaces: others.id,
    content: removal,
  })
  await waitFor(
    async () => (await alice.journey(forbidden.id)).deliveries.find(({ state }) => state === 'dead'),
    { ...WAIT, what: 'the refusal' },
  )
  expect(bobApp.revoked).toHaveLength(1)
})

it('what a plain user takes back or has read is told', async () => {
  const sent = await bobApp.sendText(aliceApp.userId, 'forget this')
  const message = await said('forget this')
  await bobApp.revoke(sent.id)
  const gone = await shown(({ contentType }) => contentType === 'xmtp.org/deleteMessage:1.0', 'the recall')
  expect(
    (await messages()).filter(({ replaces, from }) => replaces === message.id && from === bob.wallet),
  ).toHaveLength(1)
  expect(gone.mode).toBe('hop')
  const read = await hop({ content: contentFor(samples.readReceipt) })
  expect(read.rendering).toBe('native')
})

it('an attachment with a caption becomes two messages, and what is said about either is about the one', async () => {
  const sent = await hop({ content: contentFor(samples.composite as KnownContent) })
  expect(sent.rendering).toBe('converted')
  const picture = await waitFor(() => bobApp.messages.findLast(({ type }) => type === 'TIMImageElem'), WAIT)
  const caption = await bobApp.waitFor(({ text }) => text === 'a caption')
  for (const [answer, { id }] of [
    ['to the picture', picture],
    ['to the caption', caption],
  ] as const) {
    const cloudCustomData = JSON.stringify({ messageReply: { messageID: id, version: '1' } })
    await bobApp.sendText(aliceApp.userId, answer, { cloudCustomData })
    expect((await said(answer)).replyTo, answer).toBe(sent.id)
  }
  // The echoes of both are known: nothing of it is shown as another message of the wallet.
  expect((await messages()).filter(({ text }) => text === 'a caption')).toEqual([])
})

it('what the wallet writes with its own app is shown as sent, once', async () => {
  await aliceApp.sendText(bobApp.userId, 'from my own app')
  expect(await said('from my own app')).toMatchObject({ direction: 'sent', from: alice.wallet })
  await hop({ text: 'a mark after it' })
  const all = (await messages()).map(({ text }) => text)
  expect(all.filter((text) => text === 'from my own app')).toHaveLength(1)
  expect(all.filter((text) => text === 'a mark after it')).toHaveLength(1)
})

it('a group has one conversation, in which the gateway hears and writes as the wallet', async () => {
  await bobApp.createGroup('saturday', 'Saturday')
  await aliceApp.joinGroup('saturday')
  await bobApp.sendText('saturday', 'who comes?', { isGroup: true })
  const question = await said('who comes?')
  expect(question).toMatchObject({ from: bob.wallet, attestation: { kind: 'group', sender: bobApp.userId } })
  expect(question.content.parameters['causeway/group-name']).toBe('Saturday')
  const conversation = question.attestation?.conversation ?? ''
  const answer = await hop({
    to: alice.wallet,
    native: { conversation, kind: 'group' },
    text: 'I do',
    replyTo: question.id,
  })
  const heard = await bobApp.waitFor(({ text, isGroup }) => isGroup && text === 'I do')
  expect(heard.from).toBe(aliceApp.userId)
  expect((await messages()).filter(({ text }) => text === 'I do')).toMatchObject([{ id: answer.id }])
})

it('frames are no native messages', async () => {
  const sealed = await bob.seal({ to: alice.wallet, text: 'sealed, over the same network' })
  await bobApp.sendFrame(aliceApp.userId, sealed.frame)
  expect(await said('sealed, over the same network')).toMatchObject({ mode: 'sealed', id: sealed.id })
  const carried = (await messages()).filter(({ content }) => content.fallback === '[Encrypted message]')
  expect(carried).toEqual([])
})

it('reads what no webhook told, keeps ids over a restart, and shows each message once', async () => {
  const before = await hop({
    content: contentFor({
      kind: 'composite',
      parts: [writeContent(samples.location), writeContent({ kind: 'text', text: 'a caption of before' })],
    }),
  })
  const caption = await bobApp.waitFor(({ text }) => text === 'a caption of before')
  await gateway.stop()
  const quoting = JSON.stringify({ messageReply: { messageID: caption.id, version: '1' } })
  await bobApp.sendText(aliceApp.userId, 'while you were away', { cloudCustomData: quoting })
  await start()
  expect((await said('while you were away')).replyTo).toBe(before.id)
  // Edits name what was sent before the restart.
  expect((await hop({ replaces: before.id, text: 'only a text now' })).rendering).toBe('native')
  const texts = (await messages()).flatMap(({ text }) => text ?? [])
  expect(texts.filter((text) => text === 'while you were away')).toHaveLength(1)
  expect(texts.filter((text) => text === 'hello from an app')).toHaveLength(1)
})

it('ends: the gateway writes and reads no more', async () => {
  const [enrolment] = (await alice.enrolments.list()).filter(({ state }) => state === 'active')
  const ended = await alice.enrolments.revoke({ network: 'trtc', id: enrolment?.id ?? '' })
  expect(ended).toMatchObject({ remote: 'none' })
  await bobApp.sendText(aliceApp.userId, 'too late')
  await sandbox.idle()
  expect((await messages()).some(({ text }) => text === 'too late')).toBe(false)
  await expect(
    alice.send({ to: bob.wallet, text: 'no more', mode: 'hop', network: 'trtc' }),
  ).rejects.toThrow()
})
