import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SimulatedNetwork } from '../../adapters/simulator/index.ts'
import type { NativeInbound } from '../adapter/index.ts'
import { waitFor } from '../adapter/testing/index.ts'
import type { ActiveEnrolment } from '../enrolment/types.ts'
import {
  decodeFrame,
  decodeSealed,
  directConversation,
  encodeContent,
  generateDeviceKey,
  generateEncryptionKeyPair,
  keyIdentifier,
  LIMITS,
  nativeGroupConversation,
  openSealed,
  readHopOrigin,
  SUITE,
  signerFromDeviceKey,
  utf8Decode,
  utf8Encode,
  verifySealed,
} from '../envelope/index.ts'
import { decodeHopCertificate, meaningHash, signConsent } from '../identity/index.ts'
import { acceptRecord, newDelivery } from '../store/testing/records.ts'
import { nativeAlias } from './hop.ts'
import { innerOf } from './hop-content.ts'
import { createPerson, type Person, RelayBench, type TestGateway } from './testing/bench.ts'

const bench = new RelayBench()
const device = generateDeviceKey()
const writer = { wallet: `eip155:*:0x${'cd'.repeat(20)}`, address: 'inbox of the writer' }
let networks: Record<string, SimulatedNetwork>
let gateway: TestGateway
let bob: Person
let keys: { publicKey: Uint8Array; privateKey: Uint8Array }
let withKeys: boolean

beforeEach(async () => {
  bob = createPerson()
  withKeys = true
  keys = await generateEncryptionKeyPair(SUITE.x25519)
  networks = { xmtp: bench.network(), waku: bench.network(), trtc: bench.network() }
  const now = Date.now()
  const consent = await signConsent(
    {
      gateway: 'gateway-a',
      gatewayDevice: device.publicKey,
      network: 'xmtp',
      wallet: bob.wallet,
      device: bob.device.publicKey,
      issuedAt: now,
      expiresAt: now + 3_600_000,
      meaning: meaningHash('x'),
    },
    signerFromDeviceKey(bob.device.privateKey),
  )
  const enrolment: ActiveEnrolment = {
    id: 'enrolment of bob',
    wallet: bob.wallet,
    network: 'xmtp',
    account: { kind: 'evm-account', address: bob.signer.address, chainId: 1 },
    address: 'inbox of bob',
    consent,
    device: bob.device.publicKey,
    expiresAt: now + 3_600_000,
  }
  gateway = await bench.gateway({
    name: 'gateway-a',
    networks,
    wallets: [bob],
    parts: {
      hop: {
        device: { publicKey: device.publicKey, sign: signerFromDeviceKey(device.privateKey) },
        openingKey: { keyId: new Uint8Array(16), privateKey: new Uint8Array(32) },
        enrolments: {
          get: (id) => (id === enrolment.id ? enrolment : null),
          of: () => enrolment,
          use: async () => Promise.reject(new Error('nothing is sent in these tests')),
          touched: () => undefined,
          holds: async () => true,
        },
        devicesOf: async () => (withKeys ? [{ prekeys: [{ suite: SUITE.x25519, ...keys }] }] : []),
      },
    },
  })
})

afterEach(() => bench.close())

function native(remoteId: string, changes: Partial<NativeInbound> = {}): NativeInbound {
  return {
    enrolment: 'enrolment of bob',
    remoteId,
    conversation: { remoteId: 'conversation', kind: 'direct', name: null, peer: writer },
    from: writer,
    own: false,
    remoteTime: Date.now() - 5_000,
    via: 'stream',
    content: { type: 'xmtp.org/text:1.0', parameters: {}, fallback: null, bytes: utf8Encode('hello') },
    reference: null,
    replaces: null,
    transactionId: null,
    ...changes,
  }
}

describe('a native message', () => {
  it('is sealed to the wallet, signed by the gateway, and mirrored to its other networks with the consent', async () => {
    const result = await gateway.relay.hearNative('xmtp', native('1'))
    const [item] = await gateway.inbox(bob)
    expect(result).toMatchObject({ outcome: 'accepted', id: Buffer.from(item!.id).toString('hex') })
    const envelope = decodeSealed(item!.bytes)
    expect(await verifySealed(envelope)).toBe(true)
    expect(envelope.header).toMatchObject({ from: writer.wallet, to: [bob.wallet], device: device.publicKey })
    expect(readHopOrigin(envelope.header)).toMatchObject({ id: '1', gateway: 'gateway-a', network: 'xmtp' })
    const opened = await openSealed(envelope, {
      privateKeys: [{ keyId: keyIdentifier(keys.publicKey), privateKey: keys.privateKey }],
    })
    expect(utf8Decode(opened.content)).toBe('hello')
    const mirrored = await waitFor(
      () => {
        const frames = ['waku', 'trtc'].flatMap((name) =>
          networks[name]!.kept().map(({ frame }) => decodeFrame(frame)),
        )
        return frames.length === 2 && frames
      },
      { what: 'a copy on both other networks' },
    )
    for (const { mode, id, certificate } of mirrored) {
      expect({ mode, id }).toEqual({ mode: 'hop', id: item!.id })
      expect(decodeHopCertificate(certificate!).device).toEqual(bob.certificate)
    }
    expect(networks.xmtp!.kept()).toEqual([])
  })

  it('is one item, however often and at once it comes, and each other one is another', async () => {
    const hear = (remoteId: string, via: NativeInbound['via']) =>
      gateway.relay.hearNative('xmtp', native(remoteId, { via }))
    const results = await Promise.all(
      ['1', '2', '1', '1', '2', '3', '1'].flatMap((id) => [hear(id, 'stream'), hear(id, 'history')]),
    )
    expect(results.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(3)
    expect(results.filter(({ outcome }) => outcome === 'duplicate')).toHaveLength(11)
    expect(await gateway.inbox(bob)).toHaveLength(3)
  })

  it('is known by its other names, and sent on, from the moment at which it is durable', async () => {
    const { store } = gateway
    store.addAlias = async () => Promise.reject(new Error('the disk is gone'))
    const result = await gateway.relay.hearNative('xmtp', native('1', { otherIds: ['one', 'uno'] }))
    expect(result).toMatchObject({ outcome: 'accepted' })
    const [item] = await gateway.inbox(bob)
    for (const remoteId of ['1', 'one', 'uno']) {
      expect(await store.envelopeOfRemote('xmtp', nativeAlias('enrolment of bob', remoteId))).toEqual(
        item!.id,
      )
    }
    for (const name of ['waku', 'trtc']) {
      await waitFor(() => networks[name]!.kept().length === 1, { what: `a copy on ${name}` })
    }
  })

  it('that is a read receipt speaks for what was sent over its own network', async () => {
    const { store } = gateway
    const from = { wallet: bob.wallet, address: 'inbox of bob' }
    await gateway.relay.hearNative('xmtp', native('1', { own: true, from }))
    const [own] = await gateway.inbox(bob)
    // Later, over another network, once with a receipt of that one.
    const elsewhere = ['unread', 'read'].map((name) =>
      acceptRecord(name, {
        mode: 'hop',
        from: bob.wallet,
        conversation: directConversation(bob.wallet, writer.wallet),
        inbox: [{ wallet: bob.wallet, direction: 'sent' }],
        deliveries: [newDelivery(name, 'trtc', { wallet: writer.wallet, state: 'acknowledged' })],
      }),
    )
    for (const record of elsewhere) await store.accept(record)
    const read = { name: 'read', status: 'success', at: 1_000, monotonic: 1, detail: null } as const
    const there = { deliveryId: null, network: 'trtc', wallet: writer.wallet }
    await store.addCheckpoints(elsewhere[1]!.id, [{ ...read, ...there }])

    const content = { ...native('2').content, type: 'xmtp.org/readReceipt:1.0' }
    await gateway.relay.hearNative('xmtp', native('2', { content, remoteTime: Date.now() }))
    const networksOfReads = async (id: Uint8Array) =>
      (await store.journey(id)).filter(({ name }) => name === 'read').map(({ network }) => network)
    const reads = [own!, ...elsewhere].map(({ id }) => networksOfReads(id))
    expect(await Promise.all(reads)).toEqual([['xmtp'], [], ['trtc']])
  })

  it('that the wallet sent itself is a sent item and goes nowhere', async () => {
    const from = { wallet: bob.wallet, address: 'inbox of bob' }
    await gateway.relay.hearNative('xmtp', native('1', { own: true, from }))
    const [item] = await gateway.inbox(bob)
    expect(item).toMatchObject({ direction: 'sent', mode: 'hop', from: bob.wallet })
    expect(await gateway.deliveries(item!.id)).toEqual([])
  })

  it('of a group stands in the conversation that follows from network and native id', async () => {
    const conversation = { remoteId: 'group', kind: 'group' as const, name: 'Climbing', peer: null }
    await gateway.relay.hearNative('xmtp', native('1', { conversation }))
    const [item] = await gateway.inbox(bob)
    expect(item!.conversation).toEqual(nativeGroupConversation('xmtp', 'group'))
  })

  it('waits while the wallet has no keys, and is taken when it comes again', async () => {
    withKeys = false
    await expect(gateway.relay.hearNative('xmtp', native('1'))).rejects.toMatchObject({
      code: 'hop-without-keys',
    })
    expect(await gateway.inbox(bob)).toEqual([])
    withKeys = true
    expect(await gateway.relay.hearNative('xmtp', native('1'))).toMatchObject({ outcome: 'accepted' })
  })

  it('of nobody who is enrolled, of another network, or without a side is refused', async () => {
    const refused = (code: string) => ({ outcome: 'refused', code })
    const { relay } = gateway
    expect(await relay.hearNative('xmtp', native('1', { enrolment: 'other' }))).toEqual(
      refused('enrolment-unknown'),
    )
    expect(await relay.hearNative('waku', native('1'))).toEqual(refused('enrolment-unknown'))
    const conversation = { remoteId: 'c', kind: 'direct' as const, name: null, peer: null }
    expect(await relay.hearNative('xmtp', native('1', { own: true, conversation }))).toEqual(
      refused('native-malformed'),
    )
    expect(await relay.hearNative('xmtp', native('x'.repeat(300)))).toEqual(
      refused('envelope-header-invalid'),
    )
    expect(await gateway.inbox(bob)).toEqual([])
  })
})

it('native contents of any kind fit an envelope', () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 })
  const contents = fc.record({
    type: fc.oneof(text, fc.constantFrom('xmtp.org/text:1.0', 'xmtp.org/markdown:1.0')),
    parameters: fc.dictionary(text, text, { maxKeys: 5, noNullPrototype: true }),
    fallback: fc.option(fc.string({ unit: 'binary', maxLength: 3_000 })),
    bytes: fc.uint8Array({ maxLength: 12_000, size: 'max' }),
  })
  fc.assert(
    fc.property(contents, fc.option(text), (content, name) => {
      const conversation = { remoteId: 'c', kind: 'group' as const, name, peer: null }
      const inner = innerOf({ content, conversation }, { inReplyTo: null, replaces: null })
      expect(encodeContent(inner).length).toBeLessThanOrEqual(LIMITS.inlineContentBytes)
    }),
    { numRuns: 200 },
  )
})
