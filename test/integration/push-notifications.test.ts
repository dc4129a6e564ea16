/** Notifications of channels on Push, into the unified inbox. Channels and their subscribers use the unmodified SDK. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type PushSandbox, startSandbox } from '../../adapters/push/sandbox/index.ts'
import { connectPushUser, type PushUser } from '../../adapters/push/sandbox/sdk-user.ts'
import { waitFor } from '../../src/adapter/testing/index.ts'
import { type Client, createClient, type Message, memoryStorage } from '../../src/client/index.ts'
import { readContent } from '../../src/content/index.ts'
import { utf8Decode } from '../../src/envelope/index.ts'
import { type RunningGateway, startGateway } from '../../src/main.ts'
import { createLog } from '../../src/observability/log.ts'
import { type RemoteWallet, startRemoteWallet } from '../support/remote-wallet.ts'

const TYPE = 'push.org/notification:1.0'
const PATIENCE = { timeoutMs: 60_000 }
const storage = memoryStorage()
const lines: string[] = []
let directory: string
let sandbox: PushSandbox
let gateway: RunningGateway
let aliceWallet: RemoteWallet
let alice: Client
let aliceUser: PushUser
let channel: PushUser
let enrolment: { id: string; network: string }

const caip = (did: string) => did.replace('eip155:', 'eip155:11155111:')

async function start(): Promise<void> {
  gateway = await startGateway({
    values: {
      server: { port: 0 },
      data: { directory },
      networks: { push: { ...sandbox.gatewayConfig, reconnectMaxMs: 1_000 } },
    },
    log: createLog({ level: 'trace', destination: { write: (line) => lines.push(line) } }),
  })
  await waitFor(() => gateway.gateway.networks.list().every(({ state }) => state === 'connected'), {
    what: 'Push to connect',
    ...PATIENCE,
  })
  alice = await createClient({ gateway: gateway.url, signer: aliceWallet, storage })
  await alice.signIn()
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-push-notifications-'))
  sandbox = await startSandbox()
  const baseUrl = String(sandbox.addresses.rest)
  aliceWallet = await startRemoteWallet()
  channel = await connectPushUser({ baseUrl, signer: Wallet.createRandom() })
  aliceUser = await connectPushUser({ baseUrl, signer: aliceWallet })
  await aliceUser.invoke('notification.subscribe', caip(channel.did))
  await start()
}, 120_000)

afterAll(async () => {
  await channel?.close()
  await aliceUser?.close()
  await gateway?.stop()
  await sandbox?.stop()
  await aliceWallet?.close()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

async function notify(title: string): Promise<void> {
  const payload = { title, body: `body of ${title}`, cta: 'https://channel.example/go' }
  const notification = { title: `short ${title}`, body: 'short' }
  await channel.invoke('channel.send', [caip(aliceUser.did)], { notification, payload })
}

const titleOf = ({ content }: Message) => (JSON.parse(utf8Decode(content.content)) as { title: string }).title

async function notifications(): Promise<Message[]> {
  const entries = await alice.inbox({ limit: 200 })
  return entries.flatMap(({ message }) => (message?.contentType === TYPE ? [message] : []))
}

const arrived = (title: string) =>
  waitFor(async () => (await notifications()).find((message) => titleOf(message) === title), {
    what: title,
    intervalMs: 200,
    ...PATIENCE,
  })

it('nothing is heard for a wallet that did not ask', async () => {
  await notify('before')
  const terms = await alice.enrolments.terms('push')
  expect(terms?.handover).toBe('key')
  expect(terms?.notifications?.meaning).toContain('no key')
  expect(await notifications()).toEqual([])
})

it('a wallet enrols for notifications alone, without a key, and finds them in its inbox', async () => {
  const begun = await alice.enrolments.begin('push', { covers: 'notifications' })
  expect(begun.text).toContain('No key is handed over')
  const completed = await alice.enrolments.complete(begun)
  expect(completed).toMatchObject({ state: 'active', address: aliceUser.did })
  enrolment = { id: begun.id, network: 'push' }
  await waitFor(
    async () => (await alice.enrolments.list()).find(({ id }) => id === begun.id)?.connection === 'connected',
    { what: 'the feed to be followed', ...PATIENCE },
  )
  await notify('live')
  const message = await arrived('live')
  expect(message).toMatchObject({
    mode: 'hop',
    via: 'push',
    direction: 'received',
    contentType: TYPE,
    attestation: { network: 'push', sender: channel.did, kind: 'direct', known: false },
  })
  expect(message.content.fallback).toBe('live\nbody of live')
  const { contentType: type, parameters, fallback, content: bytes } = message.content
  expect(readContent({ type, parameters, fallback, bytes })).toMatchObject({
    kind: 'notification',
    title: 'live',
    body: 'body of live',
    url: 'https://channel.example/go',
    channel: channel.did,
  })
})

it('one that came while the gateway was down is there after the restart, and each stands there once', async () => {
  await gateway.stop()
  await notify('meanwhile')
  await start()
  await arrived('meanwhile')
  await notify('again live')
  await arrived('again live')
  const titles = (await notifications()).map(titleOf).filter((title) => title !== 'before')
  expect(titles.toSorted()).toEqual(['again live', 'live', 'meanwhile'])
}, 240_000)

it('nothing can be sent by it', async () => {
  const sent = await alice.send({
    to: `eip155:*:${Wallet.createRandom().address.toLowerCase()}`,
    text: 'as the wallet',
    mode: 'hop',
    network: 'push',
  })
  await waitFor(
    async () => {
      const { deliveries } = await alice.journey(sent.id)
      return deliveries.some(({ state }) => state === 'dead')
    },
    { what: 'the delivery to be given up', ...PATIENCE },
  )
})

it('it gives way to an enrolment with the key, which brings notifications as well', async () => {
  await expect(alice.enrolments.begin('push')).rejects.toMatchObject({ problem: 'enrolment-exists' })
  expect(await alice.enrolments.revoke(enrolment)).toMatchObject({ remote: 'none' })
  await notify('between')
  const key = await aliceWallet.pushKey(String(sandbox.addresses.rest))
  const begun = await alice.enrolments.begin('push')
  await alice.enrolments.complete(begun, { handover: key })
  await notify('with the key')
  await arrived('with the key')
  await channel.sendText(aliceUser.did, 'and a message')
  await waitFor(
    async () => (await alice.inbox({ limit: 200 })).some(({ message }) => message?.text === 'and a message'),
    {
      what: 'the message',
      ...PATIENCE,
    },
  )
  expect((await notifications()).filter((message) => titleOf(message) === 'with the key')).toHaveLength(1)
}, 120_000)

it('no title, body or whole address of it stands in the logs', () => {
  const text = lines.join('\n')
  expect(text).not.toContain('body of')
  expect(text).not.toContain(channel.did.slice(7))
})
