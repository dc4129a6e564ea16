import { afterEach, expect, test } from 'vitest'
import { simulatorAddress } from '../../adapters/simulator/index.ts'
import type { Inbound } from '../adapter/index.ts'
import { waitFor } from '../adapter/testing/wait.ts'
import {
  decodeFrame,
  decodeSealed,
  encodeFrame,
  frameForEnvelope,
  generateEncryptionKeyPair,
  stripWraps,
  toHex,
  withHop,
} from '../envelope/index.ts'
import { createLoopGuard } from './loop-guard.ts'
import { createSignatureVerifier } from './signatures.ts'
import { createPerson, nativeFrame, RelayBench, seal } from './testing/bench.ts'
import { failure, scripted, scriptedAddress } from './testing/scripted.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

const inbound = (frame: Uint8Array, remoteId: string, more: Partial<Inbound> = {}): Inbound => ({
  frame,
  remoteId,
  to: null,
  from: null,
  via: 'stream',
  remoteTime: null,
  transactionId: null,
  ...more,
})

test('200 envelopes, each over HTTP and two networks at once in random order: each once everywhere', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const [trtc, waku, xmtp] = [bench.network(), bench.network(), bench.network()]
  const verify = createSignatureVerifier()
  let verifications = 0
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { trtc, waku, xmtp },
    wallets: [alice, bob],
    parts: {
      verify: (...input) => {
        verifications++
        return verify(...input)
      },
    },
  })
  const published: string[] = []
  gateway.live.subscribe(bob.wallet, { item: (item) => published.push(toHex(item.id)) > 0, dropped() {} })
  const to = simulatorAddress(bob.wallet)
  const sealed = await Promise.all(Array.from({ length: 200 }, () => seal(alice, [bob])))
  const ways = sealed
    .flatMap(({ bytes }) => [
      async () => void (await gateway.submit(alice, bytes)),
      async () => void trtc.inject({ frame: nativeFrame(alice, bytes), to }),
      async () => void waku.inject({ frame: nativeFrame(alice, bytes), to }),
    ])
    .map((way) => ({ way, order: Math.random() }))
    .toSorted((left, right) => left.order - right.order)
  await Promise.all(ways.map(({ way }) => way()))

  const ids = sealed.map(({ id }) => toHex(id)).toSorted()
  await waitFor(async () => {
    const { deliveries } = await gateway.store.statistics()
    return deliveries.every(({ state, count }) => state === 'acknowledged' || count === 0)
  })
  expect((await gateway.inbox(bob)).map(({ id }) => toHex(id)).toSorted()).toEqual(ids)
  expect((await gateway.inbox(alice)).length).toBe(200)
  expect(published.toSorted()).toEqual(ids)
  expect(verifications, 'copies cost a look-up, not a verification').toBe(200)
  for (const network of [trtc, waku, xmtp]) {
    const ours = network.kept().filter((message) => message.gateway === 'gw-a')
    expect(new Set(ours.map(({ transactionId }) => transactionId)).size).toBe(ours.length)
  }
  expect(
    xmtp
      .kept()
      .map(({ frame }) => toHex(decodeFrame(frame).id))
      .toSorted(),
  ).toEqual(ids)
  expect(gateway.problems).toEqual([])
})

test('a copy that arrives where a delivery waits makes the send needless', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const [trtc, waku] = [scripted({ send: failure('retryable', 'busy') }), scripted()]
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { trtc: trtc.definition, waku: waku.definition },
    wallets: [alice, bob],
  })
  const { id, bytes } = await seal(alice, [bob])
  await gateway.submit(alice, bytes)
  await waitFor(() => trtc.sends.length > 0)
  const copy = inbound(nativeFrame(alice, bytes), 'r-1', { to: scriptedAddress(bob.wallet) })
  expect(await trtc.context().deliver(copy)).toEqual({ outcome: 'duplicate', id: toHex(id) })
  expect(await gateway.delivery(id, 'trtc')).toMatchObject({ state: 'acknowledged', remoteIds: ['r-1'] })
})

test('a delivery that was settled while it queued is not claimed any more', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const trtc = scripted()
  const networks = { trtc: trtc.definition }
  const gateway = await bench.gateway({ name: 'gw-a', networks, wallets: [alice, bob], idle: true })
  const { id, bytes } = await seal(alice, [bob])
  const later = await seal(alice, [bob])
  await gateway.submit(alice, bytes)
  await gateway.submit(alice, later.bytes)
  const copy = inbound(nativeFrame(alice, bytes), 'r-1', { to: scriptedAddress(bob.wallet) })
  expect(await trtc.context().deliver(copy)).toEqual({ outcome: 'duplicate', id: toHex(id) })
  await gateway.networks.start()
  await waitFor(async () => (await gateway.delivery(later.id, 'trtc')).state === 'acknowledged')
  expect(trtc.sends.map(({ envelopeId }) => toHex(envelopeId))).toEqual([toHex(later.id)])
})

test('of two accepted at once the second waits for its lane, and is not sent either once a copy has settled it', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const first = Promise.withResolvers<void>()
  const trtc = scripted({ send: () => first.promise.then(() => ({ remoteIds: ['r'] })) })
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { trtc: trtc.definition },
    wallets: [alice, bob],
  })
  await waitFor(() => gateway.networks.list()[0]?.state === 'connected')
  const sealed = await Promise.all([seal(alice, [bob]), seal(alice, [bob])])
  // Together: one alone gets the lane with its acceptance.
  const accepted = await Promise.all(sealed.map(({ bytes }) => gateway.submit(alice, bytes)))
  const states = accepted.flatMap(({ deliveries }) => deliveries.map(({ state }) => state))
  expect(states.toSorted()).toEqual(['dispatching', 'pending'])
  await waitFor(() => trtc.sends.length === 1)
  const sent = toHex(trtc.sends[0]!.envelopeId)
  const waiting = sealed.find(({ id }) => toHex(id) !== sent)!
  const copy = inbound(nativeFrame(alice, waiting.bytes), 'r-1', { to: scriptedAddress(bob.wallet) })
  await trtc.context().deliver(copy)
  expect((await gateway.delivery(waiting.id, 'trtc')).state).toBe('acknowledged')
  first.resolve()
  const later = await seal(alice, [bob])
  await gateway.submit(alice, later.bytes)
  await waitFor(async () => (await gateway.delivery(later.id, 'trtc')).state === 'acknowledged')
  expect(trtc.sends.map(({ envelopeId }) => toHex(envelopeId))).toEqual([sent, toHex(later.id)])
})

test('a copy without the recipient’s wraps, or altered, stands for nothing', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const trtc = scripted({ send: failure('retryable', 'busy') })
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { trtc: trtc.definition },
    wallets: [alice, bob],
  })
  const [bobs, alices] = [await generateEncryptionKeyPair(1), await generateEncryptionKeyPair(1)]
  const { id, bytes } = await seal(alice, [bob], { keys: [bobs.publicKey, alices.publicKey] })
  await gateway.submit(alice, bytes)
  await waitFor(() => trtc.sends.length > 0)
  const crippled = encodeFrame(frameForEnvelope(stripWraps(bytes, []), alice.certificate))
  const { transactionId } = await gateway.delivery(id, 'trtc')
  const forged = inbound(crippled, 'forged', { to: scriptedAddress(bob.wallet), transactionId })
  await trtc.context().deliver(forged)
  expect((await gateway.delivery(id, 'trtc')).state).not.toBe('acknowledged')
  const whole = inbound(nativeFrame(alice, bytes), 'whole', { to: scriptedAddress(bob.wallet) })
  await trtc.context().deliver(whole)
  expect((await gateway.delivery(id, 'trtc')).state).toBe('acknowledged')
})

test('a crippled copy does not take the id of an envelope that was not seen yet', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const waku = bench.network()
  const gateway = await bench.gateway({ name: 'gw-a', networks: { waku }, wallets: [alice, bob] })
  const [bobs, alices] = [await gateway.publishPrekey(bob), await gateway.publishPrekey(alice)]
  const { id, bytes } = await seal(alice, [bob], { keys: [bobs, alices] })
  const [first, second] = decodeSealed(bytes).wraps.map(({ keyId }) => stripWraps(bytes, [keyId]))
  const hear = (copy: Uint8Array, remoteId: string) =>
    gateway.relay.hear('waku', inbound(encodeFrame(frameForEnvelope(copy, alice.certificate)), remoteId))
  const prekeys = (await gateway.identity.keys(bob.wallet)).prekeys
  const bobsFirst = toHex(decodeSealed(first!).wraps[0]!.keyId) === toHex(prekeys[0]!.keyId)
  const [forBob, forAlice] = bobsFirst ? [first!, second!] : [second!, first!]
  expect(await hear(forAlice, 'r-1')).toEqual({ outcome: 'refused', code: 'envelope-wraps-missing' })
  expect(await hear(stripWraps(bytes, []), 'r-2')).toEqual({
    outcome: 'refused',
    code: 'envelope-wraps-missing',
  })
  expect(await hear(forBob, 'r-3')).toEqual({ outcome: 'accepted', id: toHex(id) })
})

// ---------------------------------------------------------------- the four layers, each by what it alone can tell

test('layer 1: the transaction id tells an echo where the network says neither address nor known message', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const retry = { scheduleMs: [60_000], growth: 1, maxMs: 60_000, maxAttempts: 3, spread: 0 }
  const trtc = scripted({ send: failure('uncertain', 'lost'), capabilities: { echo: true } })
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { trtc: trtc.definition },
    wallets: [alice, bob],
    settings: { retry },
  })
  const { id, bytes } = await seal(alice, [bob])
  await gateway.submit(alice, bytes)
  await waitFor(async () => (await gateway.delivery(id, 'trtc')).state === 'uncertain')
  const { frame, transactionId } = trtc.sends[0]!
  expect((await trtc.context().deliver(inbound(frame, 'r-0'))).outcome).toBe('duplicate')
  expect((await gateway.delivery(id, 'trtc')).state).toBe('uncertain')
  const misplaced = inbound(frame, 'r-1', { transactionId, to: 'at:elsewhere' })
  expect((await trtc.context().deliver(misplaced)).outcome).toBe('duplicate')
  expect((await gateway.delivery(id, 'trtc')).state).toBe('uncertain')
  expect((await trtc.context().deliver(inbound(frame, 'r-2', { transactionId }))).outcome).toBe('echo')
  expect((await gateway.delivery(id, 'trtc')).state).toBe('acknowledged')
})

test('layer 2: the network’s message id tells an echo whatever the message looks like when it comes back', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const trtc = scripted({ send: async () => ({ remoteIds: ['m-1', 'm-1b'] }) })
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { trtc: trtc.definition },
    wallets: [alice, bob],
  })
  const { id, bytes } = await seal(alice, [bob])
  await gateway.submit(alice, bytes)
  await waitFor(async () => (await gateway.delivery(id, 'trtc')).state === 'acknowledged')
  const garbled = new Uint8Array([1, 2, 3])
  const echoes = ['m-1', 'm-1b', 'm-1', 'm-1b'].map((remoteId) =>
    trtc.context().deliver(inbound(garbled, remoteId)),
  )
  for (const echo of await Promise.all(echoes)) {
    expect(echo).toEqual({
      outcome: 'echo',
      id: toHex(id),
    })
  }
  const { checkpoints } = await gateway.relay.journey(id)
  expect(checkpoints.filter(({ name }) => name === 'remoteEcho').length).toBe(1)
  expect((await trtc.context().deliver(inbound(garbled, 'm-2'))).outcome).toBe('refused')
})

test('layer 3: the envelope id tells a copy that came under another message id by another network', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const [trtc, waku] = [scripted(), scripted()]
  let verifications = 0
  const verify = createSignatureVerifier()
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { trtc: trtc.definition, waku: waku.definition },
    wallets: [alice, bob],
    parts: {
      verify: (...input) => {
        verifications++
        return verify(...input)
      },
    },
  })
  const { id, bytes } = await seal(alice, [bob])
  const frame = nativeFrame(alice, bytes)
  expect((await trtc.context().deliver(inbound(frame, 'r-1'))).outcome).toBe('accepted')
  const copies = [trtc, waku, waku].map((network, index) =>
    network.context().deliver(inbound(frame, `copy-${index}`)),
  )
  for (const copy of await Promise.all(copies)) expect(copy).toEqual({ outcome: 'duplicate', id: toHex(id) })
  expect(verifications).toBe(1)
  expect((await gateway.inbox(bob)).length).toBe(1)
})

test('layer 4: the hop trace tells a frame that has been here, though nothing of it is remembered', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const waku = scripted()
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku: waku.definition },
    wallets: [alice, bob],
  })
  const { id, bytes } = await seal(alice, [bob])
  const frame = frameForEnvelope(bytes, alice.certificate)
  const hop = (name: string) => ({ gateway: name, network: 'waku', at: 1 })
  const looped = encodeFrame(withHop(withHop(frame, hop('gw-a')), hop('gw-b')))
  expect(await waku.context().deliver(inbound(looped, 'r-1'))).toEqual({
    outcome: 'refused',
    code: 'frame-looped',
  })
  const foreign = encodeFrame(withHop(frame, hop('gw-b')))
  expect(await waku.context().deliver(inbound(foreign, 'r-2'))).toEqual({
    outcome: 'accepted',
    id: toHex(id),
  })
  await waitFor(async () => (await gateway.delivery(id, 'waku')).state === 'acknowledged')
  expect(decodeFrame(waku.sends[0]!.frame).trace.map(({ gateway: name }) => name)).toEqual(['gw-b', 'gw-a'])
})

test('a frame at the end of its trace reaches the inbox and goes no further; a longer trace is refused', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const waku = scripted()
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku: waku.definition },
    wallets: [alice, bob],
  })
  const { id, bytes } = await seal(alice, [bob])
  let frame = frameForEnvelope(bytes, alice.certificate)
  for (let hop = 0; hop < 8; hop++) frame = withHop(frame, { gateway: `gw-${hop}`, network: 'waku', at: hop })
  expect((await waku.context().deliver(inbound(encodeFrame(frame), 'r-1'))).outcome).toBe('accepted')
  expect((await gateway.inbox(bob)).length).toBe(1)
  expect(await gateway.deliveries(id)).toEqual([])
})

test('the layers answer for themselves', async () => {
  const guard = createLoopGuard('gw-a', {
    envelopeOfRemote: async (network, remoteId) =>
      network === 'waku' && remoteId === 'known' ? new Uint8Array(32) : null,
    isTaken: async (id) => id[0] === 1,
  })
  expect(await guard.byRemoteId('waku', 'known')).not.toBeNull()
  expect(await guard.byRemoteId('trtc', 'known')).toBeNull()
  expect(await guard.byEnvelopeId(new Uint8Array([1]))).toBe(true)
  expect(() => guard.byTrace([{ gateway: 'gw-a', network: 'waku', at: 1 }])).toThrow(
    expect.objectContaining({ code: 'frame-looped' }),
  )
  expect(() => guard.byTrace([{ gateway: 'gw-ab', network: 'waku', at: 1 }])).not.toThrow()
})
