/** Following a node without keys, over its wire and its faults. The core of the gateway is the recording context. */
import { createHmac, randomBytes } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import type { AdapterStorage } from '../../../src/adapter/index.ts'
import { createMemoryStorage, createRecordingContext } from '../../../src/adapter/testing/context.ts'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { startSandbox, type XmtpSandbox } from '../sandbox/index.ts'
import { groupInput, mlsMessage } from '../sandbox/testing/messages.ts'
import { connectNode } from '../wire/client.ts'
import { groupMessageCodec } from '../wire/index.ts'
import { repeatedField } from '../wire/protobuf.ts'
import { createOpaqueMirrors } from './index.ts'

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const names = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `m${from + index}`)
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const never = new AbortController().signal

async function setUp() {
  const sandbox = await startSandbox()
  closing.push(() => sandbox.stop())
  const node = connectNode(sandbox.addresses.grpc)
  closing.push(() => node.close())
  return {
    sandbox,
    async post(group: Uint8Array, bodies: string[], more: object = {}) {
      for (const body of bodies) {
        const { v1 } = groupInput(group, body) as { v1: object }
        await node.call('SendGroupMessages', { messages: [{ v1: { shouldPush: true, ...v1, ...more } }] })
      }
    },
    node,
  }
}

function follower(sandbox: XmtpSandbox, storage: AdapterStorage = createMemoryStorage()) {
  const context = createRecordingContext({ storage })
  const mirrors = createOpaqueMirrors({ apiUrl: sandbox.addresses.grpc, sweepIntervalMs: 1_000 }, context)
  closing.push(() => mirrors.stop())
  mirrors.start()
  const taken = (mirror: string) =>
    context.parcels
      .filter((parcel) => parcel.taken && parcel.inbound.mirror === mirror)
      .map(({ inbound }) => inbound)
  return {
    context,
    mirrors,
    storage,
    taken,
    bodies: (mirror: string, group: Uint8Array) =>
      taken(mirror).flatMap(({ bytes, kind }) => {
        const message = kind === 'message' ? groupMessageCodec.decode(bytes).v1 : null
        if (!message || hex(message.groupId) !== hex(group)) return []
        return [
          Buffer.from(message.data)
            .subarray(14 + group.length)
            .toString(),
        ]
      }),
    follow: (
      id: string,
      groups: Uint8Array[],
      more: { hmacKeys?: Uint8Array[]; installations?: Uint8Array[] } = {},
    ) => {
      const registration = mirrors.registration.parse({
        installations: (more.installations ?? []).map(hex),
        conversations: groups.map((group) => ({
          id: hex(group),
          hmacKeys: (more.hmacKeys ?? []).map((key) => ({
            epoch: 1,
            key: Buffer.from(key).toString('base64url'),
          })),
        })),
      })
      return mirrors.follow({ id, wallet: 'eip155:*:0x00', registration }, never)
    },
  }
}

const group = () => Uint8Array.from(randomBytes(16))

test('what is posted from the registration on arrives in order, byte for byte as the node sends it', async () => {
  const { sandbox, post, node } = await setUp()
  const [one, two] = [group(), group()]
  await post(one, ['before'])
  const { follow, taken, bodies } = follower(sandbox)
  await follow('a', [one, two])
  await post(one, names(30))
  await post(two, names(30))
  await waitFor(() => taken('a').length === 60)
  expect(bodies('a', one)).toEqual(names(30))
  expect(bodies('a', two)).toEqual(names(30))
  const stream = node.subscribeGroupMessages([{ groupId: one, idCursor: '0' }], AbortSignal.timeout(20_000))
  const sent: string[] = []
  for await (const { bytes } of stream) if (sent.push(hex(bytes)) === 31) break
  const text = `/xmtp/mls/1/g-${hex(one)}/proto`
  const heard = taken('a').filter(({ conversation }) => conversation === text)
  expect(heard.map(({ bytes }) => hex(bytes))).toEqual(sent.slice(1))
  expect(heard[0]).toMatchObject({ kind: 'message', silent: false, via: 'stream' })
  expect(heard[0]?.remoteId).toBe(`${text}/${sandbox.groupMessages(hex(one))[1]?.id}`)
})

test('a query gives the very bytes that a stream gives', async () => {
  const { post, node } = await setUp()
  const one = group()
  await post(one, names(3))
  const paged = await node.readGroupMessages({
    groupId: one,
    pagingInfo: { direction: 1, limit: 9, idCursor: '0' },
  })
  const streamed: string[] = []
  const stream = node.subscribeGroupMessages([{ groupId: one, idCursor: '0' }], AbortSignal.timeout(20_000))
  for await (const { bytes } of stream) if (streamed.push(hex(bytes)) === 3) break
  expect(paged.map(({ bytes }) => hex(bytes))).toEqual(streamed)
  expect(() => repeatedField(Uint8Array.of(0x0a, 5, 1), 1)).toThrow(RangeError)
})

test('the wallet’s own messages are left out, should_push is passed on, welcomes wake', async () => {
  const { sandbox, post, node } = await setUp()
  const [one, key, installation] = [
    group(),
    Uint8Array.from(randomBytes(42)),
    Uint8Array.from(randomBytes(32)),
  ]
  const { follow, taken, bodies } = follower(sandbox)
  await follow('a', [one], { hmacKeys: [key], installations: [installation] })
  const own = mlsMessage(one, 'own')
  await post(one, ['own'], { senderHmac: createHmac('sha256', key).update(own).digest() })
  await post(one, ['quiet'], { shouldPush: false })
  const welcome = { installationKey: installation, data: Buffer.from('w'), hpkePublicKey: Buffer.from('h') }
  await node.call('SendWelcomeMessages', { messages: [{ v1: welcome }] })
  await waitFor(() => taken('a').length === 2)
  expect(bodies('a', one)).toEqual(['quiet'])
  expect(taken('a').find(({ kind }) => kind === 'message')?.silent).toBe(true)
  expect(taken('a').find(({ kind }) => kind === 'wake')).toMatchObject({
    bytes: new Uint8Array(),
    conversation: `/xmtp/mls/1/w-${hex(installation)}/proto`,
  })
})

test('a stream that breaks, goes mute or is overtaken by an outage loses nothing and repeats nothing', async () => {
  const { sandbox, post } = await setUp()
  const one = group()
  const { follow, bodies } = follower(sandbox)
  await follow('a', [one])
  await post(one, names(10))
  sandbox.faults.cutSubscriptions()
  await post(one, names(150, 10))
  await waitFor(() => bodies('a', one).length === 160)
  sandbox.faults.muteSubscriptions()
  await post(one, names(10, 160))
  await waitFor(() => bodies('a', one).length === 170)
  await sandbox.faults.outage(true)
  await sandbox.faults.outage(false)
  await post(one, names(10, 170))
  await waitFor(() => bodies('a', one).length === 180)
  expect(bodies('a', one)).toEqual(names(180))
})

test('several mirrors share a subscription; joining and leaving loses nothing of the others', async () => {
  const { sandbox, post } = await setUp()
  const groups = Array.from({ length: 6 }, group)
  const { follow, bodies, mirrors, taken } = follower(sandbox)
  await follow('a', groups)
  const posting = (async () => {
    for (let round = 0; round < 20; round++) for (const one of groups) await post(one, names(1, round))
  })()
  for (const [index, one] of groups.entries()) await follow(`b${index}`, [one, group()])
  await mirrors.unfollow('b0', never)
  const left = taken('b0').length
  await posting
  await waitFor(() => taken('a').length === 120)
  for (const one of groups) expect(bodies('a', one)).toEqual(names(20))
  const late = bodies('b5', groups[5]!)
  await waitFor(() => bodies('b5', groups[5]!).at(-1) === 'm19')
  expect(late.length === 0 || late[0] === `m${20 - bodies('b5', groups[5]!).length}`).toBe(true)
  expect(taken('b0').length).toBe(left)
  expect(sandbox.subscriptions()).toBeLessThanOrEqual(2)
})

test('after a restart it goes on from the stored place; what the gateway turns away is delivered again', async () => {
  const { sandbox, post } = await setUp()
  const one = group()
  const first = follower(sandbox)
  await first.follow('a', [one])
  await post(one, names(5))
  await waitFor(() => first.bodies('a', one).length === 5)
  first.context.rejectDeliveries(true)
  await post(one, names(2, 5))
  await waitFor(() => first.context.parcels.some(({ taken }) => !taken))
  await first.mirrors.stop()
  await post(one, names(3, 7))
  const second = follower(sandbox, first.storage)
  await second.follow('a', [one])
  await waitFor(() => second.bodies('a', one).at(-1) === 'm9')
  expect(second.bodies('a', one).slice(-5)).toEqual(names(5, 5))
  await second.mirrors.unfollow('a', never)
  expect(await second.storage.get(`opaque/a//xmtp/mls/1/g-${hex(one)}/proto`)).toBeNull()
})

test('it starts without a node, and follows once there is one', async () => {
  const { sandbox, post } = await setUp()
  const one = group()
  await post(one, ['before'])
  await sandbox.faults.outage(true)
  const { follow, bodies, context } = follower(sandbox)
  const cursor = sandbox.groupMessages(hex(one))[0]?.id
  await Promise.race([follow('a', [one]), waitFor(() => context.logs.some(({ level }) => level === 'warn'))])
  expect(cursor).toBeDefined()
  await sandbox.faults.outage(false)
  await waitFor(async () => {
    await post(one, names(1, Date.now()))
    return bodies('a', one).length > 0
  })
})

test('a backlog that is larger than what may wait is caught up with, in order', async () => {
  const { sandbox, node } = await setUp()
  const one = group()
  for (let from = 0; from < 2_600; from += 200) {
    await node.call('SendGroupMessages', { messages: names(200, from).map((body) => groupInput(one, body)) })
  }
  const { mirrors, bodies } = follower(sandbox)
  const registration = mirrors.registration.parse({
    installations: [],
    conversations: [{ id: hex(one), cursor: '0' }],
  })
  await mirrors.follow({ id: 'a', wallet: 'eip155:*:0x00', registration }, never)
  await waitFor(() => bodies('a', one).length === 2_600, { intervalMs: 200, timeoutMs: 60_000 })
  expect(bodies('a', one)).toEqual(names(2_600))
})

test('registrations that are out of shape are refused', () => {
  const { registration, topics } = createOpaqueMirrors(
    { apiUrl: 'http://127.0.0.1:1' },
    createRecordingContext(),
  )
  const valid = {
    installations: ['ab'.repeat(32)],
    conversations: [{ id: 'ab', hmacKeys: [] }, { id: 'ab' }],
  }
  expect(topics(registration.parse(valid))).toBe(2)
  for (const wrong of [
    {},
    { ...valid, more: 1 },
    { ...valid, installations: ['AB'.repeat(32)] },
    { ...valid, installations: Array.from({ length: 11 }, () => 'ab'.repeat(32)) },
    { ...valid, conversations: [{ id: 'abc' }] },
    { ...valid, conversations: [{ id: 'ab', cursor: '01' }] },
    { ...valid, conversations: [{ id: 'ab', hmacKeys: [{ epoch: 1, key: '+/' }] }] },
  ]) {
    expect(registration.safeParse(wrong).success).toBe(false)
  }
})
