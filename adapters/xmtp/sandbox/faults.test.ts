/** What unmodified SDK clients make of each switch. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { connectNode } from '../wire/client.ts'
import { groupMessageCodec } from '../wire/index.ts'
import { startSandbox, type XmtpSandbox } from './index.ts'
import { clientPool, hear, textsOf } from './testing/clients.ts'

const COUNT = 30
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

let sandbox: XmtpSandbox
const pool = clientPool()

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 11 })
  pool.later(() => sandbox.stop())
})

afterAll(() => pool.close(), 60_000)

/** Two clients that have heard of each other, and what the second one hears of the first. */
let pair: Awaited<ReturnType<typeof meet>>
beforeEach(async () => {
  reset()
  pair = await meet()
  return async () => {
    await pair.heard.end()
  }
}, 30_000)

/** A test that failed leaves no fault to the next. */
function reset(): void {
  const { faults } = sandbox
  for (const share of [faults.loss, faults.gaps, faults.duplication, faults.reordering]) share(0)
  faults.queryLag(0)
  faults.queryLimit(null)
  faults.latency(0)
  faults.migrated(false)
}

async function meet() {
  const apiUrl = sandbox.addresses.grpc
  const [alice, bob] = await Promise.all([pool.client(apiUrl), pool.client(apiUrl)])
  const heard = await hear(bob)
  const dm = await alice.conversations.createDm(bob.inboxId)
  await dm.sendText('first')
  await waitFor(() => heard.texts.length === 1)
  heard.texts.length = 0
  return { alice, bob, heard, dm, stored: () => textsOf(bob, dm.id) }
}

async function sendAll(): Promise<string[]> {
  const texts = Array.from({ length: COUNT }, (_, index) => `message ${index}`)
  for (const text of texts) await pair.dm.sendText(text)
  return texts
}

it('loss breaks subscriptions; the client takes them up again and has everything, in order', async () => {
  sandbox.faults.loss(0.3)
  const { SubscribeGroupMessages: before = 0 } = sandbox.calls()
  const texts = await sendAll()
  sandbox.faults.loss(0)
  await waitFor(() => pair.heard.texts.length >= COUNT)
  expect(pair.heard.texts).toEqual(texts)
  expect(sandbox.calls().SubscribeGroupMessages).toBeGreaterThan(before)
}, 60_000)

it('duplication and reordering reach the application neither twice nor out of order', async () => {
  sandbox.faults.duplication(0.5)
  sandbox.faults.reordering(0.5)
  const texts = await sendAll()
  await waitFor(() => pair.heard.texts.length >= COUNT)
  sandbox.faults.duplication(0)
  sandbox.faults.reordering(0)
  expect(pair.heard.texts).toEqual(texts)
}, 60_000)

it('a gap in the middle of a stream is not noticed, and no sync fills it', async () => {
  sandbox.faults.gaps(0.5)
  const texts = await sendAll()
  sandbox.faults.gaps(0)
  await pair.dm.sendText('last')
  await waitFor(() => pair.heard.texts.includes('last'))
  await pair.bob.conversations.syncAll()
  const stored = await pair.stored()
  const missing = texts.filter((text) => !stored.includes(text))
  expect(missing.length).toBeGreaterThan(0)
  expect(sandbox.groupMessages(pair.dm.id).length).toBeGreaterThan(stored.length)
}, 60_000)

it('a subscription goes mute: nothing is heard, a sync has it, and a cut ends the silence', async () => {
  sandbox.faults.muteSubscriptions()
  await pair.dm.sendText('unheard')
  await pair.bob.conversations.syncAll()
  expect(await pair.stored()).toContain('unheard')
  expect(pair.heard.texts).toEqual([])
  sandbox.faults.cutSubscriptions()
  await waitFor(
    async () => {
      await pair.dm.sendText('heard again')
      return pair.heard.texts.includes('heard again')
    },
    { intervalMs: 200, what: 'the subscription to be taken up again' },
  )
}, 60_000)

it('an answer that is lost, or a call that fails once, is made up for by the SDK', async () => {
  sandbox.faults.answerLost(1)
  await pair.dm.sendText('answer lost')
  for (const code of ['UNAVAILABLE', 'RESOURCE_EXHAUSTED'] as const) {
    sandbox.faults.failWith(code, 1, 'SendGroupMessages')
    await pair.dm.sendText(code)
  }
  await waitFor(() => pair.heard.texts.length === 3)
  expect(pair.heard.texts).toEqual(['answer lost', 'UNAVAILABLE', 'RESOURCE_EXHAUSTED'])
}, 60_000)

it('a query that lags or is cut short brings the rest later', async () => {
  await pair.heard.end()
  const texts = ['one', 'two', 'three']
  for (const text of texts) await pair.dm.sendText(text)
  sandbox.faults.queryLag(60_000)
  await pair.bob.conversations.syncAll()
  expect(await pair.stored()).toEqual(['first'])
  sandbox.faults.queryLag(0)
  sandbox.faults.queryLimit(1)
  await pair.bob.conversations.syncAll()
  expect((await pair.stored()).length).toBeLessThan(1 + texts.length)
  sandbox.faults.queryLimit(null)
  await pair.bob.conversations.syncAll()
  expect(await pair.stored()).toEqual(['first', ...texts])
}, 60_000)

it('a sender whose own query lags is told that it failed, though its message is on the network', async () => {
  const before = sandbox.groupMessages(pair.dm.id).length
  sandbox.faults.queryLag(60_000)
  await expect(pair.dm.sendText('uncertain')).rejects.toThrow('Sync failed to wait for intent')
  sandbox.faults.queryLag(0)
  expect(sandbox.groupMessages(pair.dm.id).length).toBe(before + 1)
  await waitFor(() => pair.heard.texts.length === 1)
  expect(pair.heard.texts).toEqual(['uncertain'])
}, 60_000)

it('an outage refuses everybody; afterwards the node is at the same address with all that it had', async () => {
  const address = sandbox.addresses.grpc
  await sandbox.faults.outage(true)
  await sandbox.faults.outage(true)
  const node = connectNode(address)
  await expect(node.call('GetInboxIds', { requests: [] })).rejects.toThrow('ECONNREFUSED')
  await pair.dm.sendText('written in the outage', { optimistic: true })
  await expect(pair.dm.sync()).rejects.toThrow()
  await sandbox.faults.outage(false)
  await sandbox.faults.outage(false)
  expect(sandbox.addresses.grpc).toBe(address)
  await pair.dm.sync()
  await pair.dm.sendText('after it')
  await waitFor(() => pair.heard.texts.length === 2)
  expect(pair.heard.texts).toEqual(['written in the outage', 'after it'])
  node.close()
}, 90_000)

it('bytes that a keyless subscriber mirrored are ingested while the node is down, and no sync doubles them', async () => {
  await pair.heard.end()
  const node = connectNode(sandbox.addresses.grpc)
  const ending = new AbortController()
  const mirrored: Uint8Array[] = []
  const known = sandbox.groupMessages(pair.dm.id)
  const mirror = (async () => {
    const filters = [{ groupId: Buffer.from(pair.dm.id, 'hex'), idCursor: known.at(-1)!.id }]
    for await (const { bytes } of node.subscribeGroupMessages(filters, ending.signal)) mirrored.push(bytes)
  })().catch((error: unknown) => error)
  const texts = await sendAll()
  await waitFor(() => mirrored.length === COUNT)
  const stored = sandbox.groupMessages(pair.dm.id).slice(-COUNT)
  expect(mirrored.map(hex)).toEqual(stored.map((v1) => hex(groupMessageCodec.encode({ v1 }))))
  await sandbox.faults.outage(true)
  const conversation = pair.bob.conversations.getDmByInboxId(pair.alice.inboxId)
  for (const bytes of mirrored) expect(await conversation!.processStreamedMessage(bytes)).toHaveLength(1)
  expect(await pair.stored()).toEqual(['first', ...texts])
  await sandbox.faults.outage(false)
  await pair.bob.conversations.syncAll()
  expect(await pair.stored()).toEqual(['first', ...texts])
  ending.abort()
  await mirror
  node.close()
}, 90_000)

it('latency is added to each call', async () => {
  sandbox.faults.latency(150)
  const node = connectNode(sandbox.addresses.grpc)
  const startedAt = performance.now()
  await node.call('GetInboxIds', { requests: [] })
  expect(performance.now() - startedAt).toBeGreaterThan(140)
  sandbox.faults.latency(0)
  node.close()
})

it('once the network has moved on, clients of V3 read and can no longer send; messages that are too large fail', async () => {
  sandbox.faults.migrated(true)
  await expect(pair.dm.sendText('too late')).rejects.toThrow()
  sandbox.faults.migrated(false)
  await expect(pair.dm.sendText('x'.repeat(1_200_000))).rejects.toThrow()
  await pair.dm.sendText('fits')
  await waitFor(() => pair.heard.texts.includes('fits'))
  expect(pair.heard.texts).not.toContain('too late')
}, 90_000)
