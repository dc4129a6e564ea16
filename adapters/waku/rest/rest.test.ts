/** The REST driver against a stand-in of nwaku's REST interface. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { sameBytes } from '../../../src/adapter/testing/bytes.ts'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { neverAborted, startAdapter, type TestAdapter, testIntent } from '../testing/adapter.ts'
import { testMessage } from '../testing/node.ts'
import { type NwakuRest, startNwakuRest } from '../testing/nwaku-rest.ts'

let nwaku: NwakuRest
let gateway: TestAdapter

beforeEach(async () => {
  nwaku = await startNwakuRest()
  gateway = await startAdapter({ driver: 'nwaku-rest', url: nwaku.url, pollIntervalMs: 50 })
})

afterEach(async () => {
  await gateway.stop()
  await nwaku.stop()
})

const heard = (id: string) => gateway.context.deliveries.some(({ inbound }) => inbound.remoteId === id)

it('publishes with an exact time, confirms in the Store, and does not hear its own message as new', async () => {
  const intent = testIntent()
  const receipt = await gateway.adapter.send(intent, neverAborted)
  const all = { contentTopics: [], forward: true, limit: 10, maxBytes: 1e9 }
  expect(receipt).toEqual({ remoteIds: nwaku.node.archive.page(all).messages.map(({ id }) => id) })
  const other = testMessage()
  await nwaku.node.node.publish(other)
  await waitFor(() => heard(other.id))
  expect(gateway.context.deliveries.map(({ inbound }) => inbound.remoteId)).toEqual([other.id])
  expect(gateway.context.deliveries[0]?.inbound.remoteTime).toBe(Number(other.timestamp / 1_000_000n))
})

it('a lost answer is settled by the Store: the message counts as sent, and is not sent twice', async () => {
  nwaku.failNextPublish(0)
  const receipt = await gateway.adapter.send(testIntent(), neverAborted)
  expect('remoteIds' in receipt && receipt.remoteIds).toHaveLength(1)
  expect(nwaku.node.archive.count()).toBe(1)
})

it.each([
  [400, 'permanent'],
  [413, 'tooLarge'],
  [429, 'rateLimited'],
  [503, 'retryable'],
  [504, 'retryable'],
])('a refusal with %i is %s', async (status, errorClass) => {
  nwaku.failNextPublish(status)
  await expect(gateway.adapter.send(testIntent(), neverAborted)).rejects.toMatchObject({ class: errorClass })
})

it('a node that was restarted is joined again, and what was missed is read from the Store', async () => {
  nwaku.forget()
  const missed = testMessage()
  nwaku.node.archive.put(missed)
  await waitFor(() => heard(missed.id))
  const next = testMessage()
  await nwaku.node.node.publish(next)
  await waitFor(() => heard(next.id))
})

it('more than 50 messages between two polls are not lost', async () => {
  const messages = Array.from({ length: 130 }, () => testMessage())
  for (const message of messages) await nwaku.node.node.publish(message)
  await waitFor(() => messages.every(({ id }) => heard(id)))
})

it('history is asked for in windows of 24 hours, page by page, and find knows a send', async () => {
  const messages = Array.from({ length: 120 }, (_, index) => testMessage({ at: Date.now() - index * 1_000 }))
  for (const message of messages) nwaku.node.archive.put(message)
  const found: string[] = []
  const query = { since: Date.now() - 30 * 3_600_000, pairs: [] }
  for await (const { remoteId } of gateway.adapter.history!.walk(query, neverAborted)) found.push(remoteId)
  expect(found).toEqual(messages.map(({ id }) => id).reverse())
  for (const parameters of nwaku.queries) {
    const length = BigInt(parameters.get('endTime') ?? 0) - BigInt(parameters.get('startTime') ?? 0)
    expect(length < 24n * 3_600_000_000_000n).toBe(true)
  }
  const intent = testIntent()
  const receipt = await gateway.adapter.send(intent, neverAborted)
  expect(await gateway.adapter.history!.find(intent, neverAborted)).toEqual(receipt)
  expect(await gateway.adapter.history!.find(testIntent(), neverAborted)).toBeNull()
})

it('publishes by Light Push where that is configured', async () => {
  const other = await startAdapter({ driver: 'nwaku-rest', url: nwaku.url, publish: 'lightpush' })
  const intent = testIntent()
  await other.adapter.send(intent, neverAborted)
  expect(nwaku.calls).toContain('POST /lightpush/v3/message')
  await waitFor(() =>
    gateway.context.deliveries.some(({ inbound }) => sameBytes(inbound.frame, intent.frame)),
  )
  await other.stop()
})

it('reports an nwaku that is away, with what to do, and comes back', async () => {
  const away = await startNwakuRest()
  const other = await startAdapter({ driver: 'nwaku-rest', url: away.url, pollIntervalMs: 50 })
  await away.stop()
  await waitFor(() => other.context.lastState() === 'transientDisconnect')
  expect(other.context.states.at(-1)?.userAction).toContain('nwaku')
  await expect(other.adapter.send(testIntent(), neverAborted)).rejects.toMatchObject({ class: 'retryable' })
  const findings = await other.adapter.doctor!.examine(neverAborted)
  expect(findings.filter(({ status }) => status === 'error').every(({ fix }) => fix)).toBe(true)
  await other.stop()
})
