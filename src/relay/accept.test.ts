import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { simulatorAddress } from '../../adapters/simulator/index.ts'
import { waitFor } from '../adapter/testing/wait.ts'
import {
  decodeFrame,
  decodeSealed,
  encodeCanonical,
  FLAGS,
  generateEncryptionKeyPair,
  SUITE,
  stripWraps,
  toHex,
} from '../envelope/index.ts'
import type { InboxItem } from '../store/port.ts'
import { IDS_KEPT_MS } from './checks.ts'
import { AdmissionError } from './parts.ts'
import {
  createPerson,
  nativeFrame,
  type Person,
  RelayBench,
  type SealOptions,
  seal,
} from './testing/bench.ts'
import { scripted } from './testing/scripted.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

async function setUp() {
  const [alice, bob] = [createPerson(), createPerson()]
  const waku = bench.network()
  const gateway = await bench.gateway({ name: 'gw-a', networks: { waku }, wallets: [alice, bob] })
  let remote = 0
  return {
    alice,
    bob,
    waku,
    gateway,
    /** The code with which the gateway refuses the bytes over HTTP, and over a network. */
    async refusals(from: Person, bytes: Uint8Array) {
      const submitted = await gateway.submit(from, bytes).then(
        () => 'taken',
        (error) => error.code,
      )
      const heard = await gateway.relay.hear('waku', {
        frame: nativeFrame(from, bytes),
        remoteId: `refused-${++remote}`,
        to: null,
        from: null,
        via: 'stream',
        remoteTime: null,
        transactionId: null,
      })
      return [submitted, 'code' in heard ? heard.code : heard.outcome]
    },
  }
}

test.each<[string, (now: number) => SealOptions]>([
  ['envelope-expired', (now) => ({ created: now - 10_000, ttl: 9 })],
  ['envelope-too-old', (now) => ({ created: now - 400 * 24 * 60 * 60 * 1000 })],
  ['envelope-from-future', (now) => ({ created: now + 125_000 })],
  ['envelope-header-invalid', () => ({ flags: FLAGS.hop })],
])('%s', async (code, options) => {
  const { alice, bob, gateway, refusals } = await setUp()
  const { id, bytes } = await seal(alice, [bob], options(Date.now()))
  expect(await refusals(alice, bytes)).toEqual([code, code])
  expect(await gateway.store.isTaken(id)).toBe(false)
})

test('a clock that runs ahead within bounds is taken', async () => {
  const { alice, bob, gateway } = await setUp()
  const { bytes } = await seal(alice, [bob], { created: Date.now() + 100_000 })
  expect((await gateway.submit(alice, bytes)).duplicate).toBe(false)
})

test('size, form, recipients', async () => {
  const { alice, bob, gateway, refusals } = await setUp()
  await expect(gateway.submit(alice, new Uint8Array(140_000))).rejects.toMatchObject({
    code: 'envelope-too-large',
  })
  await expect(gateway.submit(alice, encodeCanonical([1]))).rejects.toMatchObject({
    code: 'envelope-malformed',
  })
  const crowd = Array.from({ length: 9 }, createPerson)
  const { bytes } = await seal(alice, [bob, ...crowd.slice(2)])
  expect((await gateway.submit(alice, bytes)).deliveries.length).toBe(8)
  const many = await seal(alice, [bob, ...crowd])
  expect(await refusals(alice, many.bytes)).toEqual([
    'envelope-too-many-recipients',
    'envelope-too-many-recipients',
  ])
})

test('a device that is unknown, a signature that is wrong, a sender that is another', async () => {
  const { alice, bob, refusals } = await setUp()
  const mallory = createPerson()
  const asAlice = { ...mallory, wallet: alice.wallet, certificate: alice.certificate }
  const foreign = await seal(asAlice, [bob])
  expect(await refusals(asAlice, foreign.bytes)).toEqual(['device-unknown', 'device-unknown'])

  const { bytes } = await seal(alice, [bob])
  const { headerBytes, body } = decodeSealed(bytes)
  const forged = encodeCanonical([headerBytes, body, [], [], new Uint8Array(64)])
  expect(await refusals(alice, forged)).toEqual(['envelope-signature-invalid', 'envelope-signature-invalid'])
})

test('a revoked device is refused from the moment of its revocation', async () => {
  const { alice, bob, gateway, refusals } = await setUp()
  const before = await seal(alice, [bob])
  await gateway.submit(alice, before.bytes)
  const after = await seal(alice, [bob])
  await gateway.revoke(alice)
  expect(await refusals(alice, after.bytes)).toEqual(['device-revoked', 'device-revoked'])
  expect((await gateway.inbox(bob)).length).toBe(1)
})

test('another wallet may not submit, nor learn of, an envelope that is not its own', async () => {
  const { alice, bob, gateway } = await setUp()
  const { bytes } = await seal(alice, [bob])
  await expect(gateway.submit(bob, bytes)).rejects.toMatchObject({ code: 'sender-mismatch' })
  await gateway.submit(alice, bytes)
  await expect(gateway.submit(bob, bytes)).rejects.toMatchObject({ code: 'sender-mismatch' })
  expect(await gateway.submit(alice, bytes)).toMatchObject({
    duplicate: true,
    deliveries: [{ network: 'waku' }],
  })
})

test('no open relay: a heard frame goes to wallets of this gateway only, a submitted one to anyone reachable', async () => {
  const { alice, gateway, waku, refusals } = await setUp()
  const stranger = createPerson()
  const heard = await seal(alice, [stranger])
  expect((await refusals(createPerson(), heard.bytes))[1]).toBe('recipient-unreachable')
  const accepted = await gateway.submit(alice, heard.bytes)
  expect(accepted.deliveries).toEqual([{ network: 'waku', wallet: stranger.wallet, state: 'dispatching' }])
  await waitFor(() => waku.kept().some(({ to }) => to === simulatorAddress(stranger.wallet)))
  expect(await gateway.inbox(stranger)).toEqual([])
})

test('what was heard before its sender posts it goes on to strangers then, with all key wraps', async () => {
  const { alice, bob, gateway, waku } = await setUp()
  const stranger = createPerson()
  const keys = [await gateway.publishPrekey(bob), (await generateEncryptionKeyPair(SUITE.x25519)).publicKey]
  const { id, bytes } = await seal(alice, [bob, stranger], { keys })
  const heard = stripWraps(bytes, [decodeSealed(bytes).wraps[0]!.keyId])
  waku.inject({ frame: nativeFrame(alice, heard), to: simulatorAddress(bob.wallet) })
  await waitFor(async () => (await gateway.inbox(bob)).length === 1)
  expect((await gateway.deliveries(id)).map(({ wallet }) => wallet)).toEqual([bob.wallet])

  const accepted = await gateway.submit(alice, bytes)
  expect(accepted).toMatchObject({
    duplicate: true,
    deliveries: [{ wallet: bob.wallet }, { wallet: stranger.wallet }],
  })
  const sent = await waitFor(() => waku.kept().find(({ to }) => to === simulatorAddress(stranger.wallet)))
  expect(decodeFrame(sent.frame).bytes).toEqual(bytes)
  expect((await gateway.submit(alice, bytes)).deliveries).toHaveLength(2)
})

test.each([
  ['reaches', { capabilities: { reachesAnyone: false } }],
  ['shares with the recipient’s gateway', { federates: false }],
])('a recipient whom no network %s is refused, not lost', async (_, script) => {
  const [alice, stranger] = [createPerson(), createPerson()]
  const closed = scripted(script)
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { xmtp: closed.definition },
    wallets: [alice],
  })
  const { bytes } = await seal(alice, [stranger])
  await expect(gateway.submit(alice, bytes)).rejects.toMatchObject({ code: 'recipient-unreachable' })
})

test('a stranger’s frame is taken by its certificate, and refused without', async () => {
  const alice = createPerson()
  const elsewhere = await bench.gateway({ name: 'gw-b', networks: {}, wallets: [alice] })
  await elsewhere.stop()
  const { bob, gateway, refusals } = await setUp()
  const { bytes } = await seal(alice, [bob])
  expect((await refusals({ ...alice, certificate: null }, bytes))[1]).toBe('device-unknown')
  expect((await refusals({ ...alice, certificate: new Uint8Array([1]) }, bytes))[1]).toBe(
    'device-certificate-invalid',
  )
  expect((await refusals(alice, bytes))[1]).toBe('accepted')
  expect((await gateway.inbox(bob))[0]!.certificate).toEqual(alice.certificate)
  expect(await gateway.inbox(alice)).toEqual([])
})

test('admission comes after the signature and may refuse with its own code', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const asked: unknown[] = []
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku: bench.network() },
    wallets: [alice, bob],
    parts: {
      admission: {
        admit(request) {
          asked.push(request)
          throw new AdmissionError('sender-blocked', 'The recipient takes nothing from this sender')
        },
      },
    },
  })
  const { id, bytes } = await seal(alice, [bob])
  await expect(gateway.submit(alice, bytes)).rejects.toMatchObject({ code: 'sender-blocked' })
  expect(asked).toEqual([
    { from: alice.wallet, to: [bob.wallet], via: 'http', bytes: bytes.length, stranger: null },
  ])
  expect(await gateway.store.isTaken(id)).toBe(false)
})

test('nothing is published live before it is durable, and what could not be kept is not acknowledged', async () => {
  const { alice, bob, gateway } = await setUp()
  const published: InboxItem[] = []
  const takenWhenPublished: Promise<boolean>[] = []
  gateway.live.subscribe(bob.wallet, {
    item(item) {
      published.push(item)
      takenWhenPublished.push(gateway.store.isTaken(item.id))
      return true
    },
    dropped() {},
  })
  const { bytes } = await seal(alice, [bob])
  await gateway.submit(alice, bytes)
  expect(await Promise.all(takenWhenPublished)).toEqual([true])
  expect(published).toEqual(await gateway.inbox(bob))

  await gateway.store.close()
  const lost = await seal(alice, [bob])
  await expect(gateway.submit(alice, lost.bytes)).rejects.toMatchObject({ code: 'store-closed' })
  const frame = nativeFrame(alice, lost.bytes)
  const heard = {
    frame,
    remoteId: 'r',
    to: null,
    from: null,
    via: 'stream' as const,
    remoteTime: null,
    transactionId: null,
  }
  await expect(gateway.relay.hear('waku', heard)).rejects.toMatchObject({ code: 'store-closed' })
  expect(published.length).toBe(1)
})

test('a relay that has stopped takes nothing, so that networks keep what they have', async () => {
  const { alice, bob, gateway } = await setUp()
  await gateway.stop()
  const { bytes } = await seal(alice, [bob])
  await expect(gateway.submit(alice, bytes)).rejects.toMatchObject({ code: 'relay-stopping' })
})

test('receipts: noted once, per network, by recipients only', async () => {
  const { alice, bob, gateway } = await setUp()
  const { id, bytes } = await seal(alice, [bob])
  await gateway.submit(alice, bytes)
  const unknown = await seal(alice, [bob])
  const receipts = [
    { id, network: 'waku', kind: 'delivered' as const, at: 11 },
    { id, network: 'http', kind: 'read' as const, at: 12 },
    { id, network: 'http', kind: 'read' as const, at: 13 },
    { id, network: 'nowhere', kind: 'read' as const, at: 14 },
    { id: unknown.id, network: 'http', kind: 'read' as const, at: 15 },
  ]
  expect(await gateway.relay.receipts(alice.wallet, receipts)).toBe(0)
  expect(await gateway.relay.receipts(createPerson().wallet, receipts)).toBe(0)
  expect(await gateway.relay.receipts(bob.wallet, receipts)).toBe(2)
  expect(await gateway.relay.receipts(bob.wallet, receipts)).toBe(0)
  const { checkpoints, deliveries } = await gateway.relay.journey(id)
  const noted = checkpoints.filter(({ name }) => name === 'delivered' || name === 'read')
  expect(noted).toMatchObject([
    { name: 'delivered', network: 'waku', deliveryId: deliveries[0]!.id, at: 11, wallet: bob.wallet },
    { name: 'read', network: 'http', deliveryId: null, at: 12 },
  ])
})

test('a note to oneself is one item and goes to one’s own endpoints', async () => {
  const { alice, gateway } = await setUp()
  const { id, bytes } = await seal(alice, [alice])
  await gateway.submit(alice, bytes)
  expect((await gateway.inbox(alice)).map((item) => [toHex(item.id), item.direction])).toEqual([
    [toHex(id), 'received'],
  ])
  expect((await gateway.deliveries(id)).length).toBe(1)
})

test('a copy that comes after its envelope was removed is a duplicate', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const path = join(await bench.folder(), 'causeway.db')
  const definition = { name: 'gw-a', networks: { waku: bench.network() }, path }
  const first = await bench.gateway({ ...definition, wallets: [alice, bob] })
  const { id, bytes } = await seal(alice, [bob])
  await first.submit(alice, bytes)
  const later = Date.now() + 1_000
  const limits = { envelopesBefore: later, aliasesBefore: later, idsBefore: later - IDS_KEPT_MS, now: later }
  await waitFor(async () => {
    await first.store.prune(limits)
    return (await first.store.getEnvelope(id)) === null
  })
  await first.stop()

  const { relay, inbox, store } = await bench.gateway({ ...definition, wallets: [] })
  const heard = await relay.hear('waku', {
    frame: nativeFrame(alice, bytes),
    remoteId: 'an old message of the network',
    to: null,
    from: null,
    via: 'history',
    remoteTime: null,
    transactionId: null,
  })
  expect(heard).toEqual({ outcome: 'duplicate', id: toHex(id) })
  expect(await inbox(bob)).toEqual([])
  expect(await store.deliveriesOf(id)).toEqual([])
})
