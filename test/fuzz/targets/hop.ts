/** Hop mode: consents, the certificates that carry them, hop headers, secrets that were handed over or wrapped. */
import { CustodyError, createCustody } from '../../../src/custody.ts'
import {
  decodeHeader,
  deriveEncryptionKeyPair,
  directConversation,
  EnvelopeError,
  type EnvelopeHeader,
  encodeCanonical,
  encodeHeader,
  encodeHopOrigin,
  encodeHopRequest,
  FLAGS,
  type HopOrigin,
  type HopRequest,
  nativeGroupConversation,
  openSecret,
  readHopOrigin,
  readHopRequest,
  SUITE,
  sealSecret,
} from '../../../src/envelope/index.ts'
import {
  type Consent,
  decodeHopCertificate,
  encodeHopCertificate,
  IdentityError,
  meaningHash,
  type SignedConsent,
  signConsent,
  verifyConsent,
} from '../../../src/identity/index.ts'
import { codeOfClass, defineTarget } from '../target.ts'
import { createPerson, fixed, START } from './people.ts'

const alice = `eip155:*:0x${'a1'.repeat(20)}`
const bob = `eip155:*:0x${'b2'.repeat(20)}`
const same = (left: Uint8Array, right: Uint8Array) => Buffer.compare(left, right) === 0
const purpose = { id: 'ab'.repeat(16), network: 'xmtp' }
const secret = fixed('secret of an enrolment', 32)

async function signedConsent(): Promise<SignedConsent> {
  const { wallet, device, sign } = await createPerson('alice')
  const consent: Consent = {
    gateway: 'gateway-a',
    gatewayDevice: fixed('gateway', 32),
    network: 'xmtp',
    wallet,
    device: device.publicKey,
    issuedAt: START,
    expiresAt: START + 86_400_000,
    meaning: meaningHash('The gateway reads and writes.'),
  }
  return signConsent(consent, sign)
}

const certificate = defineTarget<Uint8Array>({
  name: 'identity/hop-certificate',
  format: 'cbor',
  testInputs: 400,
  async open() {
    const consent = await signedConsent()
    return {
      seeds: [
        encodeHopCertificate({ consent, device: null }),
        encodeHopCertificate({ consent, device: fixed('certificate', 400) }),
      ],
      run: async (input) => {
        const read = decodeHopCertificate(input)
        await verifyConsent(read.consent)
        return read
      },
      typed: codeOfClass(IdentityError),
      forged: (input, accepted) => {
        const read = accepted as ReturnType<typeof decodeHopCertificate>
        if (!same(encodeHopCertificate(read), input)) return 'it has another encoding'
        return same(read.consent.bytes, consent.bytes) ? null : 'a consent that nobody signed'
      },
    }
  },
})

function header(changes: Partial<EnvelopeHeader>): Uint8Array {
  return encodeHeader({
    version: 1,
    suite: SUITE.x25519,
    from: alice,
    device: fixed('device', 32),
    to: [bob],
    conversation: directConversation(alice, bob),
    contentType: 'xmtp.org/text:1.0',
    created: START,
    ttl: 0,
    nonce: fixed('nonce', 16),
    replyTo: null,
    flags: FLAGS.hop,
    ext: {},
    ...changes,
  })
}

const origin: HopOrigin = {
  gateway: 'gateway-a',
  network: 'xmtp',
  id: 'native-1',
  conversation: 'conversation-1',
  kind: 'direct',
  sender: 'inbox of alice',
  known: true,
  own: false,
}
const request: HopRequest = { gateway: 'gateway-a', network: 'xmtp', conversation: null, kind: 'direct' }

const headers = defineTarget<Uint8Array>({
  name: 'envelope/hop-header',
  format: 'cbor',
  testInputs: 2_000,
  async open() {
    const group = { ...request, conversation: 'group-1', kind: 'group' as const }
    return {
      seeds: [
        header({ ext: encodeHopOrigin(origin) }),
        header({ ext: encodeHopRequest(request) }),
        header({
          to: [alice],
          conversation: nativeGroupConversation('xmtp', 'group-1'),
          ext: encodeHopRequest(group),
        }),
      ],
      run: (input) => {
        const read = decodeHeader(input)
        const { hop } = read.ext
        const isOrigin = typeof hop === 'object' && hop !== null && 'id' in hop
        return isOrigin ? readHopOrigin(read) : readHopRequest(read)
      },
      typed: codeOfClass(EnvelopeError),
      forged: (input, accepted) => {
        const { ext, to, conversation, from } = decodeHeader(input)
        if (!same(encodeCanonical(ext.hop), encodeCanonical(accepted))) return 'it says something else'
        const { kind, network, conversation: native } = accepted as HopOrigin
        const own =
          kind === 'group' ? nativeGroupConversation(network, native) : directConversation(from, to[0]!)
        return same(conversation, own) ? null : 'it stands in a conversation of others'
      },
    }
  },
})

const handedOver = defineTarget<Uint8Array>({
  name: 'envelope/secret',
  format: 'cbor',
  testInputs: 400,
  async open() {
    const { publicKey, privateKey } = await deriveEncryptionKeyPair(fixed('gateway encryption', 32))
    const named = ['causeway/handover/1', 'gateway-a', 'push', purpose.id, alice]
    return {
      seeds: [await sealSecret({ secret, publicKey, purpose: named })],
      run: (sealed) => openSecret({ sealed, privateKey, purpose: named }),
      typed: codeOfClass(EnvelopeError),
      forged: (_, opened) => (same(opened as Uint8Array, secret) ? null : 'a secret that nobody sealed'),
    }
  },
})

const wrapped = defineTarget<Uint8Array>({
  name: 'custody/wrapped',
  format: 'cbor',
  testInputs: 2_000,
  async open() {
    const custody = createCustody({ key: fixed('master key', 32), previous: [fixed('earlier key', 32)] })
    const earlier = createCustody({ key: fixed('earlier key', 32), previous: [] })
    return {
      seeds: [custody.wrap(secret, purpose), earlier.wrap(secret, purpose)],
      run: (input) => custody.unwrap(input, purpose).secret,
      typed: codeOfClass(CustodyError),
      forged: (_, opened) => (same(opened as Uint8Array, secret) ? null : 'a secret that nobody wrapped'),
    }
  },
})

export const hopTargets = [certificate, headers, handedOver, wrapped]
