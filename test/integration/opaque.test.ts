/**
 * Opaque mirroring from end to end, on the real SDKs: plain XMTP clients write, the gateway follows their ciphertext, a real
 * TRTC client carries it, and the XMTP client that opens it is cut off from the XMTP node.
 */
import { Wallet } from 'ethers'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { connectClient } from '../../adapters/trtc/sandbox/index.ts'
import type { XmtpSandbox } from '../../adapters/xmtp/sandbox/index.ts'
import { clientPool, textsOf, walletSigner } from '../../adapters/xmtp/sandbox/testing/clients.ts'
import { waitFor } from '../../src/adapter/testing/index.ts'
import type { Client, Ingested, Message, Parcel } from '../../src/client/index.ts'
import { decodeFrame, FRAME_KIND } from '../../src/envelope/index.ts'
import { seededRandom } from '../chaos/random.ts'
import { startTcpProxy, type TcpProxy } from '../chaos/tcp-proxy.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

type Plain = Awaited<ReturnType<ReturnType<typeof clientPool>['client']>>

const pool = clientPool()
let gateway: TestGateway
let proxy: TcpProxy
let bob: Client
/** Bob's XMTP client; it reaches the node through the proxy. */
let bobSdk: Plain
/** Alice has a wallet at the gateway too; Carol has never heard of it. */
let alice: Client
let aliceSdk: Plain
let carolSdk: Plain
/** Frames that Bob's TRTC client got, and what became of the opaque ones. */
let frames: Uint8Array[] = []
let results: Ingested[] = []
let opened: Message[] = []
let failures: unknown[] = []

const names = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, index) => `${prefix} ${index}`)
const messages = () => results.filter(({ outcome }) => outcome === 'message')

beforeAll(async () => {
  gateway = await startTestGateway({ networks: { trtc: 'sandbox', xmtp: 'sandbox' } })
  await waitFor(() => gateway.gateway.networks.list().every(({ state }) => state === 'connected'), {
    what: 'all networks to connect',
    timeoutMs: 60_000,
  })
  const node = (gateway.sandboxes.get('xmtp') as XmtpSandbox).addresses.grpc
  proxy = await startTcpProxy(Number(new URL(node).port), seededRandom(1))
  const [bobWallet, aliceWallet] = [Wallet.createRandom(), Wallet.createRandom()]
  bob = await gateway.signIn({ signer: bobWallet })
  alice = await gateway.signIn({ signer: aliceWallet })
  bobSdk = await pool.client(`http://127.0.0.1:${proxy.port}`, walletSigner(new Wallet(bobWallet.privateKey)))
  aliceSdk = await pool.client(node, walletSigner(new Wallet(aliceWallet.privateKey)))
  carolSdk = await pool.client(node)
  bob.xmtp.attach(bobSdk, { onIngested: (result) => results.push(result) })
  await joinTrtc()
}, 120_000)

beforeEach(async () => {
  await proxy.heal()
  await bob.xmtp.unmirror().catch((error: { problem?: string }) => {
    if (error.problem !== 'mirror-unknown') throw error
  })
  frames = []
  results = []
  opened = []
  failures = []
})

afterAll(async () => {
  await pool.close()
  await proxy?.stop()
  await gateway?.stop()
}, 60_000)

async function joinTrtc(): Promise<void> {
  const { endpoints } = await bob.lookUp()
  const address = endpoints.find(({ network }) => network === 'trtc')?.address ?? ''
  const chat = await connectClient({ address, description: {}, credentials: await bob.credentials('trtc') })
  pool.later(() => chat.close())
  chat.onFrame((frame) => {
    frames.push(frame)
    const taken =
      decodeFrame(frame).kind === FRAME_KIND.opaque
        ? bob.xmtp.ingest(frame, { network: 'trtc' }).then((result) => results.push(result))
        : bob.receive(frame, { network: 'trtc' }).then((message) => message && opened.push(message))
    taken.catch((error: unknown) => failures.push(error))
  })
}

/** All parcels in Bob's inbox. */
async function parcels(): Promise<Parcel[]> {
  const found: Parcel[] = []
  for (let after: string | undefined; ; ) {
    const page = await bob.inbox(after === undefined ? { limit: 200 } : { limit: 200, after })
    found.push(...page.flatMap(({ parcel }) => parcel ?? []))
    after = page.at(-1)?.cursor
    if (page.length < 200) return found
  }
}

/** A DM of Alice and Bob and a group of the three, in which everybody has spoken and which Bob has mirrored. */
async function conversations() {
  const dm = await aliceSdk.conversations.createDm(bobSdk.inboxId)
  const group = await aliceSdk.conversations.createGroup([bobSdk.inboxId, carolSdk.inboxId])
  await dm.sendText('first')
  await group.sendText('first')
  await carolSdk.conversations.syncAll()
  const groupOfCarol = (await carolSdk.conversations.getConversationById(group.id))!
  await groupOfCarol.sendText('second')
  await bobSdk.conversations.syncAll()
  await bob.xmtp.mirror()
  await bobSdk.conversations.syncAll()
  return { dm, group, groupOfCarol }
}

it('200 messages of a DM and a group are read by an XMTP client without its node, in order and once', async () => {
  const { dm, group, groupOfCarol } = await conversations()
  const before = { dm: await textsOf(bobSdk, dm.id), group: await textsOf(bobSdk, group.id) }
  await proxy.apply({ kind: 'refuse' })
  const [inDm, inGroup] = [names(100, 'dm'), names(100, 'group')]
  for (let index = 0; index < 100; index++) {
    await dm.sendText(inDm[index]!)
    await (index % 2 === 0 ? group : groupOfCarol).sendText(inGroup[index]!)
  }
  await waitFor(() => messages().length >= 200 || failures.length > 0, {
    what: '200 ingested messages',
    timeoutMs: 60_000,
  })
  expect(failures).toEqual([])
  expect(results.filter(({ outcome }) => outcome !== 'message')).toEqual([])
  expect(new Set(messages().map(({ messageId }) => messageId)).size).toBe(200)
  expect(messages().some(({ duplicate }) => duplicate)).toBe(false)
  expect(await textsOf(bobSdk, dm.id)).toEqual([...before.dm, ...inDm])
  expect(await textsOf(bobSdk, group.id)).toEqual([...before.group, ...inGroup])
  for (const frame of frames) expect(Buffer.from(frame).includes('group 0')).toBe(false)

  // The node returns: neither a sync nor the same frames once more make a double.
  await proxy.heal()
  await waitFor(
    () =>
      bobSdk.conversations.syncAll().then(
        () => true,
        () => false,
      ),
    { timeoutMs: 60_000 },
  )
  const again = await bob.xmtp.ingest(frames[0]!, { network: 'trtc' })
  expect(again).toMatchObject({ outcome: 'message', duplicate: true })
  expect(await textsOf(bobSdk, dm.id)).toEqual([...before.dm, ...inDm])
  expect(await textsOf(bobSdk, group.id)).toEqual([...before.group, ...inGroup])
}, 180_000)

it('what Bob writes himself is not mirrored to him', async () => {
  const { dm } = await conversations()
  const own = (await bobSdk.conversations.getConversationById(dm.id))!
  await own.sendText('from Bob')
  await dm.sync()
  await dm.sendText('from Alice')
  await waitFor(() => messages().length > 0, { what: 'the message of Alice' })
  const [{ messageId }] = messages() as [Ingested]
  expect(messages().length).toBe(1)
  const stored = await own.messages()
  expect(stored.find(({ id }) => id === messageId)?.content).toBe('from Alice')
}, 60_000)

it('a change of the group waits for the node, with all that comes after it, and then nothing is missing', async () => {
  const { dm, group } = await conversations()
  await proxy.apply({ kind: 'refuse' })
  const dave = await pool.client((gateway.sandboxes.get('xmtp') as XmtpSandbox).addresses.grpc)
  await group.addMembers([dave.inboxId])
  const after = names(5, 'after the change')
  for (const text of after) await group.sendText(text)
  await dm.sendText('meanwhile')
  await waitFor(() => results.filter(({ outcome }) => outcome === 'queued').length >= 6, {
    what: 'six that wait',
    timeoutMs: 60_000,
  })
  await waitFor(() => messages().length === 1, { what: 'the DM, which waits for nothing' })
  await proxy.heal()
  await waitFor(() => bob.xmtp.retry().then((left) => left === 0), { intervalMs: 500, timeoutMs: 60_000 })
  expect((await textsOf(bobSdk, group.id)).slice(-5)).toEqual(after)
  const told = messages().filter(({ conversationId }) => conversationId === group.id)
  expect(told.length).toBeGreaterThanOrEqual(5)
  expect(new Set(told.map(({ messageId }) => messageId)).size).toBe(told.length)
  expect(failures).toEqual([])
}, 180_000)

it('a welcome wakes, and a large message comes as a notice whose parcel the gateway has', async () => {
  const { dm } = await conversations()
  const group = await aliceSdk.conversations.createGroup([bobSdk.inboxId])
  await waitFor(() => results.some(({ outcome }) => outcome === 'woken'), { what: 'the wake-up' })
  expect((await bobSdk.conversations.getConversationById(group.id))?.id).toBe(group.id)
  const large = 'large '.repeat(4_000)
  await dm.sendText(large)
  await waitFor(() => messages().length === 1, { what: 'the large message' })
  expect(decodeFrame(frames.at(-1)!).bytes.length).toBe(0)
  expect((await textsOf(bobSdk, dm.id)).at(-1)).toBe(large)
  expect((await parcels()).some(({ bytes }) => bytes.length > 20_000)).toBe(true)

  // Larger than the gateway keeps: a wake-up, upon which the SDK fetches it from its node.
  const huge = 'huge '.repeat(40_000)
  const woken = results.filter(({ outcome }) => outcome === 'woken').length
  await dm.sendText(huge)
  await waitFor(() => results.filter(({ outcome }) => outcome === 'woken').length > woken, {
    what: 'the wake-up',
  })
  expect((await textsOf(bobSdk, dm.id)).at(-1)).toBe(huge)
}, 90_000)

it('a content that is sent over both is shown once, whichever comes first and whichever fails', async () => {
  const { dm } = await conversations()
  const shown: string[] = []
  async function show(text: string): Promise<void> {
    const { messageId } = await alice.xmtp.dualSend({ to: bob.account, text }, dm)
    await waitFor(() => opened.some((message) => message.text === text), { what: `the envelope of ${text}` })
    await waitFor(() => messages().some((result) => result.messageId === messageId), {
      what: 'the native message',
    })
    const envelope = opened.find((message) => message.text === text)!
    const native = messages().find((result) => result.messageId === messageId)!
    const copies = [envelope, { messageId: native.messageId!, senderInboxId: native.senderInboxId! }]
    for (const copy of text.includes('native first') ? copies.reverse() : copies) {
      if (bob.xmtp.isFirst(copy)) shown.push(text)
    }
  }
  for (const text of ['envelope first', 'native first', 'envelope first again']) await show(text)
  expect(shown).toEqual(['envelope first', 'native first', 'envelope first again'])
  // An envelope stands for messages of its own sender alone: Carol's of the same id would be shown.
  const [message] = opened as [Message]
  const foreign = {
    messageId: message.content.parameters['xmtp-message-id']!,
    senderInboxId: carolSdk.inboxId,
  }
  expect(bob.xmtp.isFirst(foreign)).toBe(true)

  const failing = {
    prepare: async () => 'f'.repeat(64),
    publish: () => Promise.reject(new Error('the node is away')),
  }
  const half = await alice.xmtp.dualSend({ to: bob.account, text: 'without XMTP' }, failing)
  expect(half).toMatchObject({ published: false, errors: { gateway: null } })
  await waitFor(() => opened.some(({ text }) => text === 'without XMTP'), { what: 'the envelope alone' })
  const other = await alice.xmtp.dualSend(
    { to: Wallet.createRandom().address, text: 'without the gateway' },
    dm,
  )
  expect(other).toMatchObject({ published: true, envelope: null, errors: { xmtp: null } })
  await waitFor(() => messages().some(({ messageId }) => messageId === other.messageId), {
    what: 'the native message alone',
  })
  const both = alice.xmtp.dualSend({ to: Wallet.createRandom().address, text: 'neither' }, failing)
  await expect(both).rejects.toBeInstanceOf(AggregateError)
}, 90_000)

it('after the registration is taken back nothing more arrives', async () => {
  const { dm } = await conversations()
  await bob.xmtp.unmirror()
  const before = await parcels()
  const unseen = new Set<string | null>()
  for (const text of names(10, 'unseen')) unseen.add(await dm.sendText(text))
  const { id } = await alice.send({ to: bob.account, text: 'sent afterwards' })
  await waitFor(() => opened.some((message) => message.id === id), { what: 'an envelope, which still comes' })
  // What was on its way before may have come.
  expect(results.filter(({ messageId }) => unseen.has(messageId))).toEqual([])
  expect((await parcels()).length).toBe(before.length)
  await expect(bob.xmtp.unmirror()).rejects.toMatchObject({ problem: 'mirror-unknown' })
}, 60_000)
