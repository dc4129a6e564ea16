/**
 * Opaque mirroring of Push from end to end, on the real SDKs: a plain Push user writes, the gateway follows the ciphertext, a
 * real TRTC client carries it, and the Push SDK that opens it is cut off from the Push node.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as RestApi from '@pushprotocol/restapi'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { startSandbox as startPush } from '../../adapters/push/sandbox/index.ts'
import { connectPushUser, type PushUser } from '../../adapters/push/sandbox/sdk-user.ts'
import { connectClient, startSandbox as startTrtc } from '../../adapters/trtc/sandbox/index.ts'
import { waitFor } from '../../src/adapter/testing/index.ts'
import type { Client, PushIngested, PushSdk, ShownPushMessage } from '../../src/client/index.ts'
import { seededRandom } from '../chaos/random.ts'
import { startTcpProxy, type TcpProxy } from '../chaos/tcp-proxy.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

/** What is used of the SDK; its own types need a browser's. */
interface Sdk extends PushSdk {
  PushAPI: { initialize(signer: object, options: { env: string }): Promise<PushApi> }
  chat: PushSdk['chat'] & {
    conversationHash(options: object): Promise<{ threadHash: string }>
    history(options: object): Promise<(ShownPushMessage & { link: string | null })[]>
  }
}
interface PushApi {
  readmode(): boolean
  encryption: { info(): Promise<{ decryptedPgpPrivateKey: string }> }
  chat: {
    accept(from: string): Promise<unknown>
    send(to: string, message: { type: 'Text'; content: string }): Promise<{ cid: string }>
    history(peer: string, options: { limit: number }): Promise<ShownPushMessage[]>
    group: { join(chatId: string): Promise<unknown> }
  }
  initStream(
    listen: string[],
    options: object,
  ): Promise<{
    on(event: string, listener: (data: ShownPushMessage & { origin: string }) => void): void
    connect(): Promise<void>
    disconnect(): Promise<void>
  }>
}

const env = 'local'
const closing: (() => Promise<unknown>)[] = []
let push: Awaited<ReturnType<typeof startPush>>
/** The gateway's way to the node, and that of Bob's SDK. Alice has her own. */
let gatewayProxy: TcpProxy
let bobProxy: TcpProxy
let gateway: TestGateway
let restart: () => Promise<void>
let alice: PushUser
let bob: Client
let sdk: Sdk
let bobPush: PushApi
const results: PushIngested[] = []
const failures: unknown[] = []
const shown: string[] = []

const names = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `m${from + index}`)
const LONG = { timeoutMs: 120_000 }

beforeAll(async () => {
  for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, method).mockImplementation(() => undefined)
  }
  push = await startPush()
  closing.push(() => push.stop())
  const trtc = await startTrtc()
  closing.push(() => trtc.stop())
  const port = Number(new URL(push.addresses.rest ?? '').port)
  gatewayProxy = await startTcpProxy(port, seededRandom(1))
  closing.push(() => gatewayProxy.stop())
  bobProxy = await startTcpProxy(port, seededRandom(2))
  closing.push(() => bobProxy.stop())
  const directory = await mkdtemp(join(tmpdir(), 'causeway-push-opaque-'))
  closing.push(() => rm(directory, { recursive: true, force: true }))
  const url = `http://127.0.0.1:${gatewayProxy.port}/apis`
  const networks = { push: { ...push.gatewayConfig, url, reconnectMaxMs: 1_000 }, trtc: trtc.gatewayConfig }
  gateway = await startTestGateway({ networks, data: { directory } })
  closing.push(() => gateway.stop())
  restart = async () => {
    await gateway.stop()
    const server = { port: Number(new URL(gateway.url).port) }
    gateway = await startTestGateway({ networks, data: { directory }, server })
  }

  const wallet = Wallet.createRandom()
  alice = await connectPushUser({ baseUrl: push.addresses.rest ?? '', signer: Wallet.createRandom() })
  closing.push(() => alice.close())
  sdk = loadSdk(`http://127.0.0.1:${bobProxy.port}/apis`)
  bobPush = await sdk.PushAPI.initialize(new Wallet(wallet.privateKey), { env })
  expect(bobPush.readmode()).toBe(false)
  bob = await gateway.signIn({ signer: wallet })
  await joinTrtc()
}, 180_000)

afterAll(async () => {
  for (const close of closing.reverse()) await close()
  vi.restoreAllMocks()
}, 60_000)

/** The unmodified SDK, with its address for `local` set to this one. */
function loadSdk(baseUrl: string): Sdk {
  const load = createRequire(import.meta.url)
  const config = load('@pushprotocol/restapi/src/lib/config.js') as { API_BASE_URL: Record<string, string> }
  config.API_BASE_URL.local = baseUrl
  return load('@pushprotocol/restapi') as Sdk
}

async function joinTrtc(): Promise<void> {
  const credentials = await bob.credentials('trtc')
  const address = String(credentials.userId)
  const chat = await connectClient({ address, description: {}, credentials })
  closing.push(() => chat.close())
  chat.onFrame((frame) => {
    bob.push.ingest(frame, { network: 'trtc' }).then(take, (error: unknown) => failures.push(error))
  })
}

function take(result: PushIngested): void {
  results.push(result)
  const content = (result.message?.messageObj as { content?: unknown } | undefined)?.content
  if (result.outcome === 'message' && !result.duplicate) shown.push(String(content))
}

const send = async (texts: string[]) => {
  for (const text of texts) await alice.sendText(bobDid(), text)
}
const bobDid = () => `eip155:${bob.account.split(':').at(-1)}`

it('100 messages are read by a Push SDK without its node, in order and once, over an outage and a restart', async () => {
  await send(['before'])
  await bobPush.chat.accept(alice.did)
  const { decryptedPgpPrivateKey } = await bobPush.encryption.info()
  // By the SDK's own types: what an application writes.
  const { chat, user } = createRequire(import.meta.url)('@pushprotocol/restapi') as typeof RestApi
  bob.push.attach({ chat, user }, { pgpPrivateKey: decryptedPgpPrivateKey, env, onIngested: take })
  expect(await bob.push.mirror()).toMatchObject({ topics: 1 })
  // What Bob writes himself is not mirrored to him.
  await bobPush.chat.send(alice.did, { type: 'Text', content: 'from Bob' })
  await bobProxy.apply({ kind: 'refuse' })

  await send(names(0, 30))
  await waitFor(() => shown.length === 30, LONG)
  push.faults.plantBadlySigned(alice.did, bobDid())
  await gatewayProxy.apply({ kind: 'refuse' })
  await send(names(30, 50))
  await gatewayProxy.heal()
  await waitFor(() => shown.length === 50, LONG)
  const [, stopped] = await Promise.all([send(names(50, 70)), restart()])
  expect(stopped).toBeUndefined()
  await send(names(70, 100))
  await waitFor(() => shown.length >= 100 || failures.length > 0, LONG)
  expect(failures).toEqual([])
  expect(shown).toEqual(names(0, 100))
  const opened = results.filter(({ outcome }) => outcome === 'message')
  expect(opened.every(({ from, chat: peer }) => from === alice.did && peer === alice.did)).toBe(true)
  // Its node could have newer keys for the message that is badly signed, so that one waits, and holds nothing up.
  expect(results.filter(({ outcome }) => outcome === 'queued').length).toBe(1)

  // The node returns: neither the history nor the stream makes a double.
  await bobProxy.heal()
  await waitFor(() => bob.push.retry().then((left) => left === 0), { ...LONG, intervalMs: 500 })
  expect(results.filter(({ outcome }) => outcome === 'refused').length).toBe(1)
  expect(shown.length).toBe(100)
  const decrypted = await bobPush.chat.history(alice.did, { limit: 30 })
  expect(decrypted.length).toBe(30)
  expect(decrypted.some((message) => bob.push.isFirst(message))).toBe(false)
  expect((await storedByNode()).filter((message) => bob.push.isFirst(message)).length).toBe(2)
}, 400_000)

/** All messages of the chat as Bob's SDK reads them, undecrypted: `before` and what Bob wrote were not mirrored. */
async function storedByNode() {
  const account = bobDid()
  const { threadHash } = await sdk.chat.conversationHash({ account, conversationId: alice.did, env })
  const found: Awaited<ReturnType<Sdk['chat']['history']>> = []
  for (let threadhash: string | null = threadHash; threadhash; threadhash = found.at(-1)?.link ?? null) {
    found.push(...(await sdk.chat.history({ threadhash, account, env, limit: 30, toDecrypt: false })))
  }
  return found
}

it('a message that comes by the SDK’s own stream and mirrored is shown once; a large one comes as a notice', async () => {
  const stream = await bobPush.initStream(['STREAM.CHAT'], { raw: true })
  closing.push(() => stream.disconnect())
  const native: boolean[] = []
  stream.on('STREAM.CHAT', (event) => {
    if (event.origin === 'other') native.push(bob.push.isFirst(event))
  })
  await stream.connect()
  const before = results.length
  const large = 'large '.repeat(2_000)
  await send(['both ways', large])
  await waitFor(() => native.length === 2 && results.length === before + 2, LONG)
  const mirrored = results.slice(before)
  expect(mirrored.map(({ message }) => message?.messageObj)).toEqual([
    { content: 'both ways' },
    { content: large },
  ])
  expect(mirrored.map(({ duplicate }) => duplicate)).toEqual(native)
  expect(failures).toEqual([])
  await bob.push.unmirror()
  await send(['unseen'])
  await waitFor(() => native.length === 3, LONG)
  expect(results.length).toBe(before + 2)
}, 200_000)

it('messages of a private group are mirrored under its id, and registering anew begins from there', async () => {
  const options = { description: 'two of us', members: [bobDid()], private: true }
  const { chatId } = (await alice.invoke('chat.group.create', 'two', options)) as { chatId: string }
  await bobPush.chat.group.join(chatId)
  await alice.sendText(chatId, 'before')
  await bob.push.mirror({ chats: [{ id: chatId }] })
  const before = results.length
  await send(['not of the group'])
  for (const text of names(0, 3)) await alice.sendText(chatId, text)
  await waitFor(() => results.length >= before + 3 || failures.length > 0, LONG)
  expect(failures).toEqual([])
  expect(
    results
      .slice(before)
      .map(({ outcome, chat, from, message }) => [outcome, chat, from, message?.messageObj]),
  ).toEqual(names(0, 3).map((content) => ['message', chatId, alice.did, { content }]))
}, 200_000)
