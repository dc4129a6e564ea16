/** The people of the other targets, as test gateways take them. */
import { directConversation, SUITE, sealEnvelope, signerFromDeviceKey } from '../../../src/envelope/index.ts'
import type { Person as RelayPerson } from '../../../src/relay/testing/bench.ts'
import { contentFor, createPerson, fixed, type TestEnvelope } from './people.ts'

export async function relayPerson(name: string): Promise<RelayPerson> {
  const { wallet, signer, device, devicePrivateKey } = await createPerson(name)
  return { wallet, signer, device: { ...device, privateKey: devicePrivateKey }, certificate: null }
}

/** Envelopes of this moment, from one to the other, signed and not encrypted: what is tested is who may send. */
export function sealedFor(from: RelayPerson, to: RelayPerson): Promise<TestEnvelope[]> {
  const texts = ['one', 'two', 'three']
  return Promise.all(
    texts.map((text) =>
      sealEnvelope({
        header: {
          suite: SUITE.none,
          from: from.wallet,
          device: from.device.publicKey,
          to: [to.wallet],
          conversation: directConversation(from.wallet, to.wallet),
          contentType: 'xmtp.org/text:1.0',
          created: Date.now(),
          ttl: 0,
          nonce: fixed(text, 16),
          replyTo: null,
          flags: 0,
          ext: {},
        },
        content: contentFor(text),
        recipients: [],
        sign: signerFromDeviceKey(from.device.privateKey),
      }),
    ),
  )
}
