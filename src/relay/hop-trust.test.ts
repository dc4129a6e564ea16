/** What other gateways attest, heard on a network: whom a gateway believes for its wallets. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  decodeSealed,
  directConversation,
  type EnvelopeHeader,
  encodeFrame,
  encodeHopOrigin,
  encodeHopRequest,
  FLAGS,
  generateDeviceKey,
  type HopOrigin,
  SUITE,
  sealEnvelope,
  signerFromDeviceKey,
  utf8Encode,
} from '../envelope/index.ts'
import { type Consent, encodeHopCertificate, meaningHash, signConsent } from '../identity/index.ts'
import { createPerson, type Person, RelayBench, type TestGateway } from './testing/bench.ts'
import { heard } from './testing/scripted.ts'

const HOUR = 3_600_000
const OTHER_GATEWAY = 'another-gateway'

const bench = new RelayBench()
let gateway: TestGateway
let bob: Person
let carol: Person
let key: Uint8Array
let attesting: { publicKey: Uint8Array; privateKey: Uint8Array }
let remote = 0

beforeEach(async () => {
  bob = createPerson()
  carol = createPerson()
  attesting = generateDeviceKey()
  gateway = await bench.gateway({
    name: 'gateway-b',
    networks: { waku: bench.network(), trtc: bench.network(), xmtp: bench.network() },
    wallets: [bob, carol],
  })
  key = await gateway.publishPrekey(bob)
})

afterEach(() => bench.close())

interface Changes {
  origin?: Partial<HopOrigin>
  header?: Partial<EnvelopeHeader>
  consent?: Partial<Consent>
  /** Signs the consent; default: Bob's device. */
  consenting?: Uint8Array
  /** Signs the envelope; default: the attesting gateway. */
  signing?: Uint8Array
  certificate?: Uint8Array | null
}

async function attested(changes: Changes = {}) {
  const sender = `eip155:*:0x${'ab'.repeat(20)}`
  const origin: HopOrigin = {
    gateway: OTHER_GATEWAY,
    network: 'xmtp',
    id: `native-${++remote}`,
    conversation: 'native conversation',
    kind: 'direct',
    sender: 'inbox of the sender',
    known: true,
    own: false,
    ...changes.origin,
  }
  const suite = changes.header?.suite ?? SUITE.x25519
  const { bytes } = await sealEnvelope({
    header: {
      from: sender,
      device: attesting.publicKey,
      to: [bob.wallet],
      conversation: directConversation(sender, bob.wallet),
      contentType: 'xmtp.org/text:1.0',
      created: Date.now(),
      ttl: 0,
      nonce: crypto.getRandomValues(new Uint8Array(16)),
      replyTo: null,
      flags: FLAGS.hop,
      ext: encodeHopOrigin(origin),
      ...changes.header,
      suite,
    },
    content: {
      salt: crypto.getRandomValues(new Uint8Array(16)),
      replaces: null,
      topicId: new Uint8Array(),
      expires: null,
      inReplyTo: null,
      contentType: 'xmtp.org/text:1.0',
      parameters: {},
      fallback: null,
      content: utf8Encode('hello'),
    },
    recipients: suite === SUITE.none ? [] : [{ publicKey: key }],
    sign: signerFromDeviceKey(changes.signing ?? attesting.privateKey),
  })
  const now = Date.now()
  const consent = await signConsent(
    {
      gateway: OTHER_GATEWAY,
      gatewayDevice: attesting.publicKey,
      network: 'xmtp',
      wallet: bob.wallet,
      device: bob.device.publicKey,
      issuedAt: now,
      expiresAt: now + HOUR,
      meaning: meaningHash('The gateway reads and writes.'),
      ...changes.consent,
    },
    signerFromDeviceKey(changes.consenting ?? bob.device.privateKey),
  )
  const certificate =
    changes.certificate === undefined ? encodeHopCertificate({ consent, device: null }) : changes.certificate
  const { id } = decodeSealed(bytes)
  const frame = encodeFrame({ kind: 1, id, bytes, trace: [], mode: 'hop', certificate })
  return { id, bytes, result: await gateway.relay.hear('waku', heard(frame, `remote-${remote}`)) }
}

const refused = (code: string) => ({ outcome: 'refused', code })

describe('an attested message of another gateway', () => {
  it('is taken for the wallet that consented, and goes to its other networks', async () => {
    const { id, result } = await attested()
    expect(result).toMatchObject({ outcome: 'accepted' })
    expect(await gateway.inbox(bob)).toMatchObject([{ id, mode: 'hop', direction: 'received', via: 'waku' }])
    // Not to the network on which the wallet has it natively.
    const networks = (await gateway.deliveries(id)).map(({ network }) => network).sort()
    expect(networks).toEqual(['trtc', 'waku'])
  })

  it('does not stand in the inbox of the wallet that it names as sender', async () => {
    const header = { from: carol.wallet, conversation: directConversation(carol.wallet, bob.wallet) }
    const { result } = await attested({ header })
    expect(result).toMatchObject({ outcome: 'accepted' })
    expect(await gateway.inbox(carol)).toEqual([])
  })

  it('cannot be posted by anyone', async () => {
    const header = { from: carol.wallet, conversation: directConversation(carol.wallet, bob.wallet) }
    const { bytes } = await attested({ header, certificate: null })
    await expect(gateway.submit(carol, bytes)).rejects.toMatchObject({ code: 'envelope-header-invalid' })
  })

  it.each<[string, () => Changes]>([
    ['without a consent', () => ({ certificate: null })],
    ['with a certificate that is none', () => ({ certificate: utf8Encode('trust me') })],
    ['by a consent to another gateway', () => ({ consent: { gateway: 'a-third' } })],
    ['by a consent for another network', () => ({ consent: { network: 'push' } })],
    ['by a consent of another wallet', () => ({ consent: { wallet: carol.wallet } })],
    [
      'by a consent that is over',
      () => ({ consent: { issuedAt: Date.now() - 2 * HOUR, expiresAt: Date.now() - HOUR } }),
    ],
    [
      'by a consent from the future',
      () => ({ consent: { issuedAt: Date.now() + HOUR, expiresAt: Date.now() + 2 * HOUR } }),
    ],
    ['by a consent that the device did not sign', () => ({ consenting: generateDeviceKey().privateKey })],
    [
      'by a consent of a device that the wallet has not certified',
      () => {
        const { publicKey, privateKey } = generateDeviceKey()
        return { consent: { device: publicKey }, consenting: privateKey }
      },
    ],
    [
      'by a consent of another wallet’s device',
      () => ({ consent: { device: carol.device.publicKey }, consenting: carol.device.privateKey }),
    ],
  ])('is not believed %s', async (_, changes) => {
    expect((await attested(changes())).result).toEqual(refused('hop-not-trusted'))
    expect(await gateway.inbox(bob)).toEqual([])
  })

  it('is not believed by a consent to another key', async () => {
    const { result } = await attested({ consent: { gatewayDevice: generateDeviceKey().publicKey } })
    expect(result).toEqual(refused('hop-not-trusted'))
    expect(await gateway.inbox(bob)).toEqual([])
  })

  it('is not believed when the device that consented was revoked, also for a consent dated back', async () => {
    const before = Date.now()
    await gateway.revoke(bob)
    expect((await attested()).result).toEqual(refused('hop-not-trusted'))
    expect((await attested({ consent: { issuedAt: before, expiresAt: before + HOUR } })).result).toEqual(
      refused('hop-not-trusted'),
    )
  })

  it('is not believed under another’s signature', async () => {
    const { privateKey } = generateDeviceKey()
    expect((await attested({ signing: privateKey })).result).toEqual(refused('envelope-signature-invalid'))
  })

  it.each<[string, string, () => Changes]>([
    ['in the clear', 'envelope-mode-unsupported', () => ({ header: { suite: SUITE.none } })],
    ['that the wallet sent itself', 'envelope-mode-unsupported', () => ({ origin: { own: true } })],
    [
      'that is a request',
      'envelope-mode-unsupported',
      () => ({
        header: {
          ext: encodeHopRequest({
            gateway: 'gateway-b',
            network: 'xmtp',
            conversation: null,
            kind: 'direct',
          }),
        },
      }),
    ],
    ['for two wallets', 'envelope-header-invalid', () => ({ header: { to: [bob.wallet, carol.wallet] } })],
    [
      'in a conversation of others',
      'envelope-header-invalid',
      () => ({ header: { conversation: directConversation(bob.wallet, carol.wallet) } }),
    ],
    ['in no group', 'envelope-header-invalid', () => ({ origin: { kind: 'group' } })],
    ['from a wallet that it does not know', 'envelope-header-invalid', () => ({ origin: { known: false } })],
  ])('%s is refused: %s', async (_, code, changes) => {
    expect((await attested(changes())).result).toEqual(refused(code))
    expect(await gateway.inbox(bob)).toEqual([])
  })
})
