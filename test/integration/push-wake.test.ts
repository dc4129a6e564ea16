/** The gateway's own channel on Push wakes wallets that nothing else tells of a message. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type PushSandbox, startSandbox } from '../../adapters/push/sandbox/index.ts'
import {
  connectPushUser,
  type PushUser,
  type PushUserNotification,
} from '../../adapters/push/sandbox/sdk-user.ts'
import { waitFor } from '../../src/adapter/testing/index.ts'
import type { Client } from '../../src/client/index.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

const PATIENCE = { timeoutMs: 60_000 }
const owner = Wallet.createRandom()
const channel = `eip155:11155111:${owner.address}`
const bobSigner = Wallet.createRandom()
const shown: PushUserNotification[] = []
let directory: string
let sandbox: PushSandbox
let gateway: TestGateway
let alice: Client
let bob: Client
let bobUser: PushUser

async function connected(running: TestGateway): Promise<void> {
  await waitFor(() => running.gateway.networks.list().every(({ state }) => state === 'connected'), {
    what: 'the networks to connect',
    ...PATIENCE,
  })
}

async function start(name: string, others: Record<string, unknown> = {}): Promise<TestGateway> {
  const push = { ...sandbox.gatewayConfig, channel: { address: owner.address, key: owner.privateKey } }
  const running = await startTestGateway({
    networks: { push, ...others },
    data: { directory: join(directory, name) },
  })
  await connected(running)
  return running
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-push-wake-'))
  sandbox = await startSandbox()
  gateway = await start('first')
  alice = await gateway.signIn()
  bob = await gateway.signIn({ signer: bobSigner })
  bobUser = await connectPushUser({ baseUrl: String(sandbox.addresses.rest), signer: bobSigner })
  await bobUser.invoke('notification.subscribe', channel)
  await bobUser.onNotification((notification) => shown.push(notification))
}, 120_000)

beforeEach(() => void shown.splice(0))

afterAll(async () => {
  await bobUser?.close()
  await gateway?.stop()
  await sandbox?.stop()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

const asked = () => sandbox.calls.get('GET /v1/users/:account/subscriptions') ?? 0
const told = () => sandbox.calls.get('POST /v1/payloads/') ?? 0

/** A message that is durable, and what it may lead to asked for. */
async function send(text: string, options: { silent?: boolean } = {}): Promise<string> {
  const { id } = await alice.send({ to: bob.account, text, ...options })
  await waitFor(
    async () =>
      (await alice.journey(id)).deliveries.every(
        ({ state }) => state !== 'pending' && state !== 'dispatching',
      ),
    {
      what: 'the delivery to be over',
      ...PATIENCE,
    },
  )
  return id
}

it('names its channel, so that wallets can subscribe to it', async () => {
  const status = gateway.gateway.networks.list().find(({ network }) => network === 'push')
  expect(status?.description.channel).toBe(channel)
  const findings = await gateway.gateway.networks
    .get('push')
    ?.adapter.doctor?.examine(AbortSignal.timeout(30_000))
  expect(findings).toContainEqual({
    check: 'channel',
    status: 'ok',
    message: 'The key is that of the channel',
  })
})

it('tells a wallet that is away that something waits: on its stream and in its feed, and not what or from whom', async () => {
  const text = 'the content is nobody’s business'
  const id = await send(text)
  await waitFor(() => shown.length > 0, { what: 'the notification', ...PATIENCE })
  expect(shown).toEqual([{ title: 'New message', body: 'You have a new message', spam: false }])
  const feed = JSON.stringify(await bobUser.invoke('notification.list', 'INBOX', { raw: true }))
  expect(feed).toContain('You have a new message')
  for (const secret of [text, id, alice.account.split(':').at(-1)!]) {
    expect(feed.toLowerCase()).not.toContain(secret.toLowerCase())
  }
})

it('tells it once, until it was here again', async () => {
  const before = told()
  await send('a second')
  await send('a third')
  expect(told()).toBe(before)
  await bob.inbox()
  await send('after it was here')
  await waitFor(() => shown.length > 0, { what: 'the notification', ...PATIENCE })
  expect(told()).toBe(before + 1)
})

it('leaves a wallet alone that listens, for silent messages, and for what it sent itself', async () => {
  const before = told()
  const away = new AbortController()
  const received: string[] = []
  const listening = (async () => {
    for await (const { message } of bob.messages({ signal: away.signal }))
      if (message) received.push(message.text ?? '')
  })()
  await waitFor(() => gateway.gateway.live.subscribers > 0, { what: 'the stream to begin', ...PATIENCE })
  await send('to a listener')
  await waitFor(() => received.includes('to a listener'), { what: 'the message', ...PATIENCE })
  away.abort()
  await listening
  await waitFor(() => gateway.gateway.live.subscribers === 0, { what: 'the stream to be over', ...PATIENCE })
  await bob.inbox()
  await send('silent', { silent: true })
  await bob.send({ to: alice.account, text: 'from Bob' })
  expect(told()).toBe(before)
})

it('asks the service once about a wallet that did not subscribe, and sends it nothing', async () => {
  const stranger = await gateway.signIn()
  const before = { asked: asked(), told: told() }
  for (const text of ['one', 'two', 'three']) await alice.send({ to: stranger.account, text })
  await waitFor(() => asked() > before.asked, { what: 'the subscription to be asked for', ...PATIENCE })
  await send('something else meanwhile', { silent: true })
  expect({ asked: asked(), told: told() }).toEqual({ asked: before.asked + 1, told: before.told })
})

it('holds nobody up when the service hangs', async () => {
  const stranger = await gateway.signIn()
  sandbox.faults.hang(2, { method: 'GET', path: '/subscriptions' })
  const { id } = await alice.send({ to: stranger.account, text: 'in spite of it' })
  await waitFor(async () => (await stranger.inbox()).some(({ message }) => message?.id === id), {
    what: 'the message',
    ...PATIENCE,
  })
  sandbox.faults.healCalls()
})

it('leaves wallets alone that another network notifies', async () => {
  const second = await start('second', { trtc: 'sandbox' })
  const [sender, receiver] = [await second.signIn(), await second.signIn({ signer: bobSigner })]
  const before = { asked: asked(), told: told() }
  const { id } = await sender.send({ to: receiver.account, text: 'TRTC pushes this' })
  await waitFor(
    async () =>
      (await sender.journey(id)).deliveries.some(
        ({ network, state }) => network === 'trtc' && state === 'acknowledged',
      ),
    { what: 'the delivery', ...PATIENCE },
  )
  expect({ asked: asked(), told: told() }).toEqual(before)
  await second.stop()
}, 120_000)
