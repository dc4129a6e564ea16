/** Notifications of channels on the sandbox: unmodified SDK users send them, wallets without a key hear them. */
import { randomBytes } from 'node:crypto'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { AdapterError, type EnrolmentFacet, type NativeInbound } from '../../../src/adapter/index.ts'
import { createRecordingContext, type RecordingContext } from '../../../src/adapter/testing/context.ts'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { configSchema } from '../config.ts'
import { createRestClient } from '../rest.ts'
import { type PushSandbox, startSandbox } from '../sandbox/index.ts'
import { connectPushUser, type PushUser } from '../sandbox/sdk-user.ts'
import { neverAborted, startUser } from '../testing.ts'
import type { Notification } from './content.ts'
import { type StoppableEnrolments, withNotifications } from './enrolment.ts'
import { createFeeds } from './feeds.ts'

let sandbox: PushSandbox
let channel: PushUser
let ownChannel: PushUser
let subscriber: PushUser
/** The subscriber's wallet, whose key this gateway never gets. */
const signer = Wallet.createRandom()

beforeAll(async () => {
  sandbox = await startSandbox()
  channel = await startUser(sandbox)
  ownChannel = await startUser(sandbox)
  subscriber = await connectPushUser({ baseUrl: sandbox.addresses.rest ?? '', signer })
  for (const { did } of [channel, ownChannel]) {
    await subscriber.invoke('notification.subscribe', caip(did))
  }
}, 120_000)

afterAll(async () => {
  await channel?.close()
  await ownChannel?.close()
  await subscriber?.close()
  await sandbox?.stop()
})

/** What is asked of the other kind of enrolment. */
const asked: string[] = []
/** What a walk of the other kind fails with. */
let walkFailure: AdapterError | null = null
beforeEach(() => {
  asked.splice(0)
  walkFailure = null
})

const note = (what: string) => asked.push(what)
const messages: StoppableEnrolments = {
  terms: { meaning: 'everything', handover: 'key', groups: true },
  begin: async () => ({ text: `${note('begin')}` }),
  complete: async () => ({ address: subscriber.did, secret: Uint8Array.of(note('complete')) }),
  cancel: async () => void note('cancel'),
  open: async () => void note('open'),
  close: async () => void note('close'),
  revoke: async () => ({ remote: note('revoke') > 0 ? 'done' : 'none' }),
  send: async () => ({ remoteIds: [`${note('send')}`] }),
  find: async () => (note('find') > 0 ? null : null),
  async *walk() {
    note('walk')
    yield* []
    if (walkFailure) throw walkFailure
  },
  stop: async () => {},
}

const caip = (did: string) => did.replace('eip155:', 'eip155:11155111:')

interface Part {
  context: RecordingContext
  facet: StoppableEnrolments
  stop(): Promise<void>
}

function startPart(): Part {
  const context = createRecordingContext()
  const config = configSchema.parse({ ...sandbox.gatewayConfig, reconnectMaxMs: 300 })
  const rest = createRestClient({
    baseUrl: config.url ?? '',
    timeoutMs: 10_000,
    clock: context.clock,
    observe: () => {},
  })
  const life = new AbortController()
  const feeds = createFeeds({ config, rest, context, ownChannel: ownChannel.did })
  const facet = withNotifications(messages, { feeds, context, lifetime: () => life.signal })
  return {
    context,
    facet,
    async stop() {
      life.abort()
      await facet.stop()
    },
  }
}

async function enrol(
  { facet }: Part,
  wallet = signer,
): Promise<{ id: string; address: string; secret: Uint8Array }> {
  const id = randomBytes(16).toString('hex')
  const { text } = await facet.begin(requestOf(id, wallet.address), neverAborted)
  const signature = await wallet.signMessage(text)
  const result = await facet.complete({ id, signature, chainId: null, handover: null }, neverAborted)
  return { id, address: result.address, secret: result.secret ?? new Uint8Array() }
}

function requestOf(id: string, address: string) {
  const account = { kind: 'evm-account' as const, address, chainId: 1 }
  const wallet = `eip155:*:${address.toLowerCase()}`
  return { id, wallet, account, covers: 'notifications' as const, secret: new Uint8Array(32) }
}

async function notify(did: string, title: string, from = channel): Promise<void> {
  await from.invoke('channel.send', [caip(did)], { notification: { title, body: `body of ${title}` } })
}

const titleOf = ({ content }: NativeInbound) =>
  (JSON.parse(new TextDecoder().decode(content.bytes)) as Notification).title
const heard = ({ context }: Part) =>
  context.natives.filter(({ taken }) => taken).map(({ inbound }) => titleOf(inbound))
const arrived = (part: Part, title: string) =>
  waitFor(() => heard(part).includes(title), { what: title, timeoutMs: 60_000 })
const connected = (part: Part, count = 1) =>
  waitFor(
    () => part.context.enrolmentStates.filter(({ report }) => report.state === 'connected').length >= count,
    {
      what: 'the socket of the feed',
      timeoutMs: 60_000,
    },
  )

async function walked(part: Part, enrolment: string, since = 0): Promise<NativeInbound[]> {
  const found: NativeInbound[] = []
  for await (const inbound of part.facet.walk({ enrolment, since }, neverAborted)) found.push(inbound)
  return found
}

it('arrive live, in order and once, and stand in the feed for a walk', async () => {
  const part = startPart()
  const { id, address } = await enrol(part)
  expect(address).toBe(subscriber.did)
  await connected(part)
  for (const title of ['first', 'second']) await notify(subscriber.did, title)
  await arrived(part, 'second')
  expect(heard(part)).toEqual(['first', 'second'])
  expect((await walked(part, id)).map(titleOf)).toEqual(['first', 'second'])
  const [live] = part.context.natives
  const [kept] = await walked(part, id)
  // The same id by both ways is what the relay knows a repeat by.
  expect({ ...kept, via: 'stream' }).toEqual(live?.inbound)
  expect(live?.inbound).toMatchObject({ enrolment: id, from: { wallet: null, address: channel.did } })
  expect(asked).toEqual([])
  await part.stop()
})

it('of channels that the wallet does not subscribe to, and of the gateway’s own, are left out', async () => {
  const part = startPart()
  const { id } = await enrol(part)
  await connected(part)
  const stranger = await startUser(sandbox)
  await notify(subscriber.did, 'spam', stranger)
  await notify(subscriber.did, 'own', ownChannel)
  await notify(subscriber.did, 'wanted')
  await arrived(part, 'wanted')
  expect([heard(part), (await walked(part, id)).map(titleOf)].flat()).not.toEqual(
    expect.arrayContaining(['spam']),
  )
  expect((await walked(part, id)).map(titleOf)).not.toContain('own')
  expect(heard(part)).not.toContain('own')
  await stranger.close()
  await part.stop()
})

it('that came while the service was away, or the socket lost, are caught up with', async () => {
  const part = startPart()
  const { id } = await enrol(part)
  await connected(part)
  sandbox.faults.loss(1)
  await notify(subscriber.did, 'lost by the socket')
  sandbox.faults.loss(0)
  sandbox.faults.cutSockets()
  await arrived(part, 'lost by the socket')
  await sandbox.faults.outage(true)
  await waitFor(() => part.context.enrolmentStates.at(-1)?.report.state === 'transientDisconnect', {
    what: 'the outage to be seen',
    timeoutMs: 60_000,
  })
  await sandbox.faults.outage(false)
  await notify(subscriber.did, 'after the outage')
  await arrived(part, 'after the outage')
  expect(part.context.enrolmentStates.every(({ id: of }) => of === id)).toBe(true)
  await part.stop()
})

it('that could not be made durable come again with a walk', async () => {
  const part = startPart()
  const { id } = await enrol(part)
  await connected(part)
  part.context.rejectDeliveries(true)
  await notify(subscriber.did, 'turned away')
  await waitFor(
    () => part.context.natives.some(({ taken, inbound }) => !taken && titleOf(inbound) === 'turned away'),
    {
      what: 'the notification to be turned away',
      timeoutMs: 60_000,
    },
  )
  part.context.rejectDeliveries(false)
  expect((await walked(part, id)).map(titleOf)).toContain('turned away')
  await part.stop()
})

it('are read back over several pages, from the time that is asked for', async () => {
  const part = startPart()
  const { id } = await enrol(part)
  await connected(part)
  const titles = Array.from({ length: 35 }, (_, index) => `number ${index}`)
  for (const title of titles) await notify(subscriber.did, title)
  const found = (await walked(part, id)).map(titleOf)
  expect(found.slice(-35)).toEqual(titles)
  expect(new Set(found).size).toBe(found.length)
  expect(await walked(part, id, Date.now() + 3_600_000)).toEqual([])
  await part.stop()
}, 120_000)

it('enrol by the wallet’s own signature alone, and a restart goes on with what is stored', async () => {
  const first = startPart()
  const request = requestOf(randomBytes(16).toString('hex'), signer.address)
  const { text } = await first.facet.begin(request, neverAborted)
  expect(text).toContain(subscriber.did)
  expect(text).toContain(request.id)
  const completion = { id: request.id, chainId: null, handover: null }
  for (const signature of [await Wallet.createRandom().signMessage(text), '0x', 'nonsense']) {
    await expect(first.facet.complete({ ...completion, signature }, neverAborted)).rejects.toMatchObject({
      class: 'permanent',
    })
  }
  // A wrong one does not end it.
  const signature = await signer.signMessage(text)
  const { address, secret = new Uint8Array() } = await first.facet.complete(
    { ...completion, signature },
    neverAborted,
  )
  await first.stop()

  const second = startPart()
  const { id, wallet, account } = request
  await second.facet.open({ id, wallet, account, address, secret: Uint8Array.from(secret) }, neverAborted)
  await connected(second)
  await notify(subscriber.did, 'after the restart')
  await arrived(second, 'after the restart')
  const intent = { enrolment: id } as Parameters<EnrolmentFacet['send']>[0]
  await expect(second.facet.send(intent, neverAborted)).rejects.toMatchObject({ class: 'permanent' })
  await expect(second.facet.find(intent, neverAborted)).rejects.toMatchObject({ class: 'permanent' })

  const before = second.context.natives.length
  expect(await second.facet.revoke({ id, wallet, account, address, secret }, neverAborted)).toEqual({
    remote: 'none',
  })
  await notify(subscriber.did, 'after the end')
  expect(second.context.natives).toHaveLength(before)
  expect(asked).toEqual([])
  await second.stop()
})

it('of smart accounts are not read: they have no account of this form on Push', async () => {
  const part = startPart()
  const request = requestOf('0'.repeat(32), signer.address)
  const wallet = `eip155:1:${signer.address.toLowerCase()}`
  await expect(part.facet.begin({ ...request, wallet }, neverAborted)).rejects.toMatchObject({
    class: 'permanent',
  })
  await part.stop()
})

it('come beside its messages to a wallet that handed over its key', async () => {
  const part = startPart()
  const id = randomBytes(16).toString('hex')
  const { covers: _covers, ...request } = requestOf(id, signer.address)
  await part.facet.begin(request, neverAborted)
  const completion = { id, signature: '0x', chainId: null, handover: Uint8Array.of(1) }
  const { address, secret } = await part.facet.complete(completion, neverAborted)
  await notify(subscriber.did, 'beside messages')
  await arrived(part, 'beside messages')
  expect((await walked(part, id)).map(titleOf)).toContain('beside messages')
  walkFailure = new AdapterError('retryable', 'A chat cannot be read', { remoteCode: 404 })
  const found: string[] = []
  const walk = async () => {
    for await (const inbound of part.facet.walk({ enrolment: id, since: 0 }, neverAborted))
      found.push(titleOf(inbound))
  }
  await expect(walk()).rejects.toBe(walkFailure)
  expect(found).toContain('beside messages')
  // Its state is that of its messages.
  expect(part.context.enrolmentStates).toEqual([])
  await part.facet.close(id)
  await part.facet.open({ ...request, address, secret: secret! }, neverAborted)
  await notify(subscriber.did, 'opened again')
  await arrived(part, 'opened again')
  await part.facet.revoke({ ...request, address, secret: secret! }, neverAborted)
  expect(asked).toEqual(['begin', 'complete', 'walk', 'walk', 'close', 'open', 'revoke'])
  await part.stop()
})

it('are not followed any more when what was completed is cancelled', async () => {
  const part = startPart()
  const { id } = await enrol(part)
  await part.facet.cancel(id)
  expect(asked).toEqual(['cancel'])
  expect(await walked(part, id)).toEqual([])
  await part.stop()
})
