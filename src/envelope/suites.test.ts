import { Chacha20Poly1305 } from '@hpke/chacha20poly1305'
import { CipherSuite, HkdfSha256 } from '@hpke/core'
import { XWing } from '@hpke/hybridkem-x-wing'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex, utf8Decode, utf8Encode } from './bytes.ts'
import * as envelope from './index.ts'
import { requireKeyWrapSuite } from './suites.ts'
import { codeOf, createPerson, headerFor, textContent } from './testing/fixtures.ts'

describe('suite 1', () => {
  it('reproduces RFC 9180 appendix A.2.1 (base mode, sequence number 0)', async () => {
    const { hpke } = requireKeyWrapSuite(1)
    const info = fromHex('4f6465206f6e2061204772656369616e2055726e')
    const aad = fromHex('436f756e742d30')
    const plaintext = fromHex('4265617574792069732074727574682c20747275746820626561757479')
    const ciphertext =
      '1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28'
    const encapsulation = '1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a'

    const sender = await hpke.createSenderContext({
      recipientPublicKey: await hpke.kem.deserializePublicKey(
        fromHex('4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a'),
      ),
      info,
      ekm: fromHex('909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b'),
    })
    expect(toHex(new Uint8Array(sender.enc))).toBe(encapsulation)
    expect(toHex(new Uint8Array(await sender.seal(plaintext, aad)))).toBe(ciphertext)

    const recipient = await hpke.createRecipientContext({
      recipientKey: await hpke.kem.deserializePrivateKey(
        fromHex('8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb'),
      ),
      enc: fromHex(encapsulation),
      info,
    })
    expect(new Uint8Array(await recipient.open(fromHex(ciphertext), aad))).toEqual(plaintext)
  })
})

describe('encryption keys', () => {
  it.each([
    [1, 32, 32],
    [2, 1216, 32],
  ])('of suite %d are %d and %d raw bytes, fresh each time', async (suite, publicBytes, privateBytes) => {
    const first = await envelope.generateEncryptionKeyPair(suite)
    const second = await envelope.generateEncryptionKeyPair(suite)
    expect([first.publicKey.length, first.privateKey.length]).toEqual([publicBytes, privateBytes])
    expect(first.privateKey).not.toEqual(second.privateKey)
    expect(envelope.keyIdentifier(first.publicKey)).toHaveLength(16)
    expect(envelope.keyIdentifier(first.publicKey)).not.toEqual(envelope.keyIdentifier(second.publicKey))
  })

  it.each([0, 3, -1])('do not exist for suite %d', async (suite) => {
    expect(await codeOf(() => envelope.generateEncryptionKeyPair(suite))).toBe('envelope-suite-unsupported')
  })
})

describe('HPKE auth mode', () => {
  it('does not authenticate with X-Wing: a message of Mallory opens as one of Alice, with no error', async () => {
    const hpke = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Chacha20Poly1305() })
    const [alice, bob, mallory] = await Promise.all([1, 2, 3].map(() => hpke.kem.generateKeyPair()))
    const forged = await hpke.createSenderContext({
      recipientPublicKey: bob!.publicKey,
      senderKey: mallory!.privateKey,
    })
    const ciphertext = await forged.seal(utf8Encode('pay Mallory'))
    const opened = await hpke.createRecipientContext({
      recipientKey: bob!.privateKey,
      senderPublicKey: alice!.publicKey,
      enc: forged.enc,
    })
    expect(utf8Decode(new Uint8Array(await opened.open(ciphertext)))).toBe('pay Mallory')
  })

  it.each([1, 2])(
    'cannot be reached through this API in suite %d: a sender key given anyway changes nothing',
    async (suite) => {
      const alice = await createPerson(suite)
      const bob = await createPerson(suite)
      const unwanted = { senderKey: alice.openingKey.privateKey, psk: new Uint8Array(32) }
      const { bytes } = await envelope.sealEnvelope({
        header: headerFor(alice, bob),
        content: textContent('hi'),
        recipients: [bob],
        sign: alice.sign,
        ...unwanted,
      })
      // Opening is base mode without a pre-shared key; in suite 1 it fails if sealing was anything else.
      const opened = await envelope.openSealed(envelope.decodeSealed(bytes), {
        privateKeys: [bob.openingKey],
      })
      expect(utf8Decode(opened.content)).toBe('hi')
      expect(Object.keys(envelope).filter((name) => /auth|psk|senderKey/i.test(name))).toEqual([])
    },
  )
})
