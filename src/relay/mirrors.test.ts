import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { simulatorAddress } from '../../adapters/simulator/index.ts'
import { waitFor } from '../adapter/testing/wait.ts'
import { createCustody } from '../custody.ts'
import { decodeFrame, encodeFrame, FRAME_KIND, toHex, utf8Decode, utf8Encode } from '../envelope/index.ts'
import type { InboxItem } from '../store/port.ts'
import { PARCEL_TYPE, parcelConversation, parcelIdentifier, WAKE_TYPE } from './parcels.ts'
import { createPerson, type GatewayOptions, RelayBench } from './testing/bench.ts'
import { heard } from './testing/scripted.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

/** A gateway between `source`, whose topics are mirrored, and the fast transport. */
async function setUp(options: Partial<GatewayOptions> & { maxFrameBytes?: number } = {}) {
  const { maxFrameBytes, ...more } = options
  const [bob, carol] = [createPerson(), createPerson()]
  const source = bench.network()
  const trtc = bench.network(maxFrameBytes === undefined ? {} : { maxFrameBytes })
  const vault = createCustody({ key: new Uint8Array(randomBytes(32)), previous: [] })
  const gatewayOptions: GatewayOptions = {
    name: 'gw-a',
    networks: { source, trtc },
    wallets: [bob, carol],
    ...more,
    parts: { vault, ...more.parts },
  }
  const arrived: { frame: Uint8Array; remoteId: string }[] = []
  trtc.attachClient(simulatorAddress(bob.wallet), (frame, { remoteId }) => arrived.push({ frame, remoteId }))
  return {
    bob,
    carol,
    source,
    trtc,
    arrived,
    vault,
    gatewayOptions,
    gateway: await bench.gateway(gatewayOptions),
    texts: () => arrived.map(({ frame }) => utf8Decode(decodeFrame(frame).bytes)),
  }
}

const textsOf = (items: InboxItem[]) => items.map(({ bytes }) => utf8Decode(bytes))
const names = (count: number, prefix = 'm') =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)

test('a message is mirrored byte for byte to the fast transport and into the inbox, and not back', async () => {
  const { bob, source, gateway, arrived } = await setUp()
  const back: Uint8Array[] = []
  source.attachClient(simulatorAddress(bob.wallet), (frame) => back.push(frame))
  source.topics.post('t/1', utf8Encode('before the registration'))
  expect(await gateway.relay.mirrors.put(bob.wallet, 'source', { topics: ['t/1', 't/2'] })).toMatchObject({
    network: 'source',
    topics: 2,
    following: true,
  })
  const bytes = Uint8Array.from(randomBytes(700))
  source.topics.post('t/1', bytes, { silent: true })
  await waitFor(() => arrived.length === 1)

  const id = parcelIdentifier('source', bob.wallet, 't/1/2')
  const [{ frame, remoteId } = { frame: new Uint8Array(), remoteId: '' }] = arrived
  const [received] = await gateway.inbox(bob)
  expect(decodeFrame(frame)).toEqual({
    kind: FRAME_KIND.opaque,
    id,
    bytes,
    trace: [{ gateway: 'gw-a', network: 'source', at: received?.receivedAt }],
    mode: 'opaque',
    certificate: null,
  })
  expect(received).toMatchObject({
    id,
    mode: 'opaque',
    direction: 'received',
    from: bob.wallet,
    via: 'source',
    contentType: PARCEL_TYPE,
    flags: 2,
    conversation: parcelConversation('source', 't/1'),
    bytes,
  })
  const deliveries = await gateway.deliveries(id)
  expect(deliveries.map(({ network }) => network)).toEqual(['trtc'])
  await waitFor(async () => (await gateway.delivery(id, 'trtc')).remoteIds.includes(remoteId))
  expect(back).toEqual([])
  expect(gateway.problems).toEqual([])
})

test('live subscribers get it', async () => {
  const { bob, source, gateway } = await setUp()
  const live: InboxItem[] = []
  gateway.live.subscribe(bob.wallet, { item: (item) => live.push(item) > 0, dropped() {} })
  await gateway.relay.mirrors.put(bob.wallet, 'source', { topics: ['t'] })
  source.topics.post('t', utf8Encode('now'))
  await waitFor(() => live.length === 1)
  expect(live[0]).toMatchObject({ mode: 'opaque', contentType: PARCEL_TYPE })
})

test('heard twice it is one parcel; for two wallets it is two, and each sees its own alone', async () => {
  const { bob, carol, source, gateway, arrived } = await setUp()
  for (const { wallet } of [bob, carol]) await gateway.relay.mirrors.put(wallet, 'source', { topics: ['t'] })
  const [mirror] = await gateway.store.mirrorsOf(bob.wallet)
  const inbound = {
    mirror: mirror!.id,
    remoteId: 't/1',
    kind: 'message',
    bytes: utf8Encode('hello'),
    conversation: 't',
    remoteTime: null,
    silent: false,
    via: 'history',
  } as const
  const answers = await Promise.all([1, 2, 3].map(() => gateway.relay.hearOpaque('source', inbound)))
  expect(answers.map(({ outcome }) => outcome).sort()).toEqual(['accepted', 'duplicate', 'duplicate'])
  source.topics.post('t', utf8Encode('hello'))
  await waitFor(async () => (await gateway.inbox(carol)).length === 1)
  await waitFor(() => arrived.length === 1)
  expect(await gateway.relay.hearOpaque('source', inbound)).toMatchObject({ outcome: 'duplicate' })
  expect(textsOf(await gateway.inbox(bob))).toEqual(['hello'])
  const stored = await gateway.store.getEnvelope(parcelIdentifier('source', bob.wallet, 't/1'))
  expect(stored?.wallets).toEqual([bob.wallet])
})

test('the order of each topic is kept, whatever the gateway turns away meanwhile', async () => {
  const { bob, source, gateway, texts } = await setUp()
  await gateway.relay.mirrors.put(bob.wallet, 'source', { topics: ['a', 'b'] })
  for (const name of names(40))
    for (const topic of ['a', 'b']) source.topics.post(topic, utf8Encode(topic + name))
  await waitFor(() => texts().length === 80)
  for (const topic of ['a', 'b']) {
    const expected = names(40, `${topic}m`)
    expect(texts().filter((text) => text.startsWith(topic))).toEqual(expected)
    const items = textsOf(await gateway.inbox(bob))
    expect(items.filter((text) => text.startsWith(topic))).toEqual(expected)
  }
})

test('what is too large for the endpoint goes as a notice, and waits whole in the inbox', async () => {
  const { bob, source, gateway, arrived } = await setUp({ maxFrameBytes: 600 })
  await gateway.relay.mirrors.put(bob.wallet, 'source', { topics: ['t'] })
  const large = Uint8Array.from(randomBytes(2_000))
  source.topics.post('t', large)
  await waitFor(() => arrived.length === 1)
  const id = parcelIdentifier('source', bob.wallet, 't/1')
  expect(decodeFrame(arrived[0]!.frame)).toMatchObject({
    kind: 2,
    id,
    bytes: new Uint8Array(),
    mode: 'opaque',
  })
  expect((await gateway.store.getEnvelope(id))?.bytes).toEqual(large)
})

test('a wake-up has no bytes; neither has what is larger than this gateway keeps', async () => {
  const { bob, source, gateway, arrived } = await setUp()
  await gateway.relay.mirrors.put(bob.wallet, 'source', { topics: ['t'] })
  source.topics.post('t')
  source.topics.post('t', new Uint8Array(140_000).fill(1))
  await waitFor(() => arrived.length === 2)
  const items = await gateway.inbox(bob)
  expect(items.map(({ contentType, bytes }) => [contentType, bytes.length])).toEqual([
    [WAKE_TYPE, 0],
    [WAKE_TYPE, 0],
  ])
  expect(arrived.map(({ frame }) => decodeFrame(frame).bytes.length)).toEqual([0, 0])
})

test('what is over a wallet’s budget is not mirrored, and wakes it once a minute', async () => {
  const { bob, carol, source, gateway } = await setUp({
    settings: { mirrorBurst: 3, mirrorPerSecond: 0.001 },
  })
  for (const { wallet } of [bob, carol]) await gateway.relay.mirrors.put(wallet, 'source', { topics: ['t'] })
  for (const name of names(8)) source.topics.post('t', utf8Encode(name))
  const [mirror] = await gateway.store.mirrorsOf(bob.wallet)
  await waitFor(async () => (await gateway.inbox(bob)).some(({ contentType }) => contentType === WAKE_TYPE))
  await waitFor(async () => (await gateway.inbox(carol)).some(({ contentType }) => contentType === WAKE_TYPE))
  const inbound = {
    mirror: mirror!.id,
    conversation: 't',
    remoteTime: null,
    silent: false,
    via: 'stream',
  } as const
  const more = { ...inbound, remoteId: 't/99', kind: 'message', bytes: utf8Encode('more') } as const
  expect(await gateway.relay.hearOpaque('source', more)).toEqual({
    outcome: 'refused',
    code: 'mirror-rate-limited',
  })
  const items = await gateway.inbox(bob)
  expect(textsOf(items.filter(({ contentType }) => contentType === PARCEL_TYPE))).toEqual(names(3))
  // Two when a minute ended meanwhile.
  expect(items.filter(({ contentType }) => contentType === WAKE_TYPE).length).toBeLessThanOrEqual(2)
})

test('after a restart it goes on where it was, with what was posted meanwhile', async () => {
  const path = join(await bench.folder(), 'gateway.db')
  const { bob, source, gateway, gatewayOptions, texts } = await setUp({ path })
  await gateway.relay.mirrors.put(bob.wallet, 'source', { topics: ['t'] })
  source.topics.post('t', utf8Encode('before'))
  await waitFor(() => texts().length === 1)
  await gateway.stop()
  source.topics.post('t', utf8Encode('meanwhile'))
  const again = await bench.gateway({ ...gatewayOptions, wallets: [] })
  source.topics.post('t', utf8Encode('after'))
  await waitFor(() => texts().length === 3)
  expect(texts()).toEqual(['before', 'meanwhile', 'after'])
  expect(await again.relay.mirrors.list(bob.wallet)).toMatchObject([{ network: 'source', following: true }])
})

test('a restart of the adapter, an outage and a change of the registration lose nothing', async () => {
  const { bob, source, gateway, texts } = await setUp()
  const { mirrors } = gateway.relay
  await mirrors.put(bob.wallet, 'source', { topics: ['t'] })
  source.topics.post('t', utf8Encode('1'))
  await waitFor(() => texts().length === 1)
  await gateway.networks.restart('source')
  await waitFor(async () => (await mirrors.list(bob.wallet))[0]?.following === true)
  source.topics.post('t', utf8Encode('2'))
  await source.faults.outage(true)
  source.topics.post('t', utf8Encode('3'))
  await mirrors.put(bob.wallet, 'source', { topics: ['t', 'u'] })
  source.topics.post('u', utf8Encode('u1'))
  await source.faults.outage(false)
  await waitFor(() => texts().length === 4)
  expect(texts().filter((text) => text !== 'u1')).toEqual(['1', '2', '3'])
})

test('nothing arrives for a registration that was taken back', async () => {
  const { bob, carol, source, gateway, texts } = await setUp()
  const { mirrors } = gateway.relay
  await mirrors.put(bob.wallet, 'source', { topics: ['t'] })
  await mirrors.put(carol.wallet, 'source', { topics: ['t'] })
  const [mirror] = await gateway.store.mirrorsOf(bob.wallet)
  source.topics.post('t', utf8Encode('1'))
  await waitFor(() => texts().length === 1)
  await mirrors.remove(bob.wallet, 'source')
  source.topics.post('t', utf8Encode('2'))
  await waitFor(async () => (await gateway.inbox(carol)).length === 2)
  expect(texts()).toEqual(['1'])
  expect(textsOf(await gateway.inbox(bob))).toEqual(['1'])
  expect(await mirrors.list(bob.wallet)).toEqual([])
  const late = { mirror: mirror!.id, remoteId: 't/2', kind: 'wake', bytes: new Uint8Array() } as const
  expect(
    await gateway.relay.hearOpaque('source', {
      ...late,
      conversation: 't',
      remoteTime: null,
      silent: false,
      via: 'stream',
    }),
  ).toEqual({ outcome: 'refused', code: 'mirror-unknown' })
  await expect(mirrors.remove(bob.wallet, 'source')).rejects.toMatchObject({ code: 'mirror-unknown' })
})

test('what could not be sent before a registration was taken back is not sent afterwards', async () => {
  const { bob, source, trtc, gateway, arrived } = await setUp()
  await gateway.relay.mirrors.put(bob.wallet, 'source', { topics: ['t'] })
  await trtc.faults.outage(true)
  source.topics.post('t', utf8Encode('waits'))
  await waitFor(async () => (await gateway.inbox(bob)).length === 1)
  await gateway.relay.mirrors.remove(bob.wallet, 'source')
  await trtc.faults.outage(false)
  const id = parcelIdentifier('source', bob.wallet, 't/1')
  await waitFor(async () => (await gateway.delivery(id, 'trtc')).state === 'superseded')
  expect((await gateway.delivery(id, 'trtc')).reason).toBe('mirror-ended')
  expect(arrived).toEqual([])
})

test('registrations are refused with a code, and kept sealed', async () => {
  const { bob, gateway, vault } = await setUp({ settings: { mirrorTopics: 3 } })
  const { mirrors } = gateway.relay
  const codes = await Promise.all(
    [
      mirrors.put(bob.wallet, 'nowhere', { topics: [] }),
      mirrors.put(bob.wallet, 'source', { topics: ['has space'] }),
      mirrors.put(bob.wallet, 'source', { topics: names(4) }),
    ].map((put) =>
      put.then(
        () => 'taken',
        (error) => error.code,
      ),
    ),
  )
  expect(codes).toEqual(['network-unknown', 'mirror-registration-invalid', 'mirror-too-large'])
  await mirrors.put(bob.wallet, 'source', { topics: ['secret-topic'] })
  const [stored] = await gateway.store.mirrorsOf(bob.wallet)
  const purpose = { network: 'source', id: `mirror of ${bob.wallet}` }
  expect(utf8Decode(vault.unwrap(stored!.registration, purpose).secret)).toContain('secret-topic')
  expect(Buffer.from(stored!.registration).includes('secret-topic')).toBe(false)

  const other = { vault: createCustody({ key: new Uint8Array(randomBytes(32)), previous: [] }) }
  const path = join(await bench.folder(), 'gateway.db')
  const first = await setUp({ name: 'gw-b', path })
  await first.gateway.relay.mirrors.put(first.bob.wallet, 'source', { topics: ['t'] })
  await first.gateway.stop()
  // With another master key it cannot be opened: that is told, and the wallet can register anew or take it back.
  const again = await bench.gateway({ ...first.gatewayOptions, wallets: [], parts: other })
  expect(await again.relay.mirrors.list(first.bob.wallet)).toMatchObject([{ following: false }])
  expect(again.problems.map(({ text }) => text).join()).toContain('master key')
  await again.relay.mirrors.remove(first.bob.wallet, 'source')
  expect(await again.relay.mirrors.list(first.bob.wallet)).toEqual([])
})

test('a parcel that comes over a network is refused, whoever it claims to be from', async () => {
  const { bob, source, trtc, gateway, arrived } = await setUp()
  await gateway.relay.mirrors.put(bob.wallet, 'source', { topics: ['t'] })
  const forge = (id: Uint8Array, bytes: Uint8Array) =>
    encodeFrame({ kind: 2, id, bytes, trace: [], mode: 'opaque', certificate: null })
  const address = simulatorAddress(bob.wallet)
  const fresh = parcelIdentifier('source', bob.wallet, 't/9')
  const refused = { outcome: 'refused', code: 'envelope-mode-unsupported' }
  expect(
    await gateway.relay.hear('trtc', heard(forge(fresh, utf8Encode('x')), 'r1', { to: address })),
  ).toEqual(refused)
  expect(await gateway.store.isTaken(fresh)).toBe(false)

  // Nor does a forged copy stand for one that could not be sent yet.
  await trtc.faults.outage(true)
  source.topics.post('t', utf8Encode('real'))
  await waitFor(async () => (await gateway.inbox(bob)).length === 1)
  const id = parcelIdentifier('source', bob.wallet, 't/1')
  const { transactionId } = await gateway.delivery(id, 'trtc')
  const forged = heard(forge(id, utf8Encode('fake')), 'r2', { to: address, transactionId })
  await gateway.relay.hear('trtc', forged)
  expect(
    await gateway.relay.hear('trtc', heard(forge(id, utf8Encode('real')), 'r3', { to: address })),
  ).toEqual(refused)
  expect((await gateway.delivery(id, 'trtc')).state).not.toBe('acknowledged')
  await trtc.faults.outage(false)
  await waitFor(() => arrived.length === 1)
  expect(toHex(decodeFrame(arrived[0]!.frame).bytes)).toBe(toHex(utf8Encode('real')))
})

test('the echo of a send whose answer was lost settles it', async () => {
  const { bob, source, trtc, gateway, arrived } = await setUp()
  await gateway.relay.mirrors.put(bob.wallet, 'source', { topics: ['t'] })
  trtc.faults.answerLoss(1)
  source.topics.post('t', utf8Encode('once'))
  const id = parcelIdentifier('source', bob.wallet, 't/1')
  await waitFor(() => arrived.length === 1)
  await waitFor(async () => (await gateway.delivery(id, 'trtc')).state === 'acknowledged')
  expect(arrived.length).toBe(1)
})
