/**
 * Attacks on messages. Each test carries out one attack twice: it succeeds against the article's construction and is refused
 * by this project's client. Numbers 8, 11, 12, 13, 20 and 21, on keys, stand in article-key-attacks.test.ts.
 */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { randomBytes } from '@noble/hashes/utils.js'
import { describe, expect, it } from 'vitest'
import {
  concatBytes,
  decodeSealed,
  type EnvelopeHeader,
  encodeContent,
  encodeFrame,
  encodeHeader,
  frameForEnvelope,
  fromBase64url,
  fromHex,
  openSealed,
  padContent,
  SUITE,
  sealEnvelope,
  signedBytes,
  stripWraps,
  toHex,
  utf8Encode,
  withHop,
} from '../../src/envelope/index.ts'
import { encodeSealed } from '../../src/envelope/seal.ts'
import { codeOf, textContent } from '../../src/envelope/testing/fixtures.ts'
import {
  ArticleServer,
  articleMessage,
  E2EEncryption,
  EncryptedMessenger,
  payloadOf,
} from './article-construction.ts'
import { type Attested, createAttested, DAY, KeyServer } from './attack-people.ts'

function article() {
  const server = new ArticleServer()
  const alice = new EncryptedMessenger(server, new E2EEncryption(), 'alice')
  const bob = new EncryptedMessenger(server, new E2EEncryption(), 'bob')
  const mallory = new E2EEncryption()
  return { server, alice, bob, mallory }
}

async function ours() {
  const server = new KeyServer()
  const [alice, bob, mallory] = await Promise.all([1, 2, 3].map(() => createAttested(server)))
  return { server, alice: alice!, bob: bob!, mallory: mallory! }
}

const notTrusted = { name: 'ClientError', code: 'sender-not-trusted' }

/** The header of a real message of Alice to Bob, to be misused. */
async function headerOf(sender: Attested, recipient: Attested): Promise<EnvelopeHeader> {
  return decodeSealed((await sender.seal(recipient, 'template')).sealed).header
}

/** Public keys of a person for the suite that two devices with both kinds of key agree on. */
function keysOf(...people: Attested[]): { publicKey: Uint8Array }[] {
  return people.flatMap((person) => person.keyring.current().filter(({ suite }) => suite === SUITE.xwing))
}

describe('1 impersonation', () => {
  it('succeeds in the article: the sender key comes from the payload, and nothing ties it to the name', () => {
    const { server, bob, mallory } = article()
    server.deliver(
      articleMessage('alice', 'bob', mallory.encrypt(bob.e2e.getPublicKeyHex(), 'send me 5 ETH')),
    )
    expect(bob.shown).toEqual([{ from: 'alice', content: 'send me 5 ETH' }])
  })

  it('is refused here, under Mallory’s own device and under Alice’s', async () => {
    const { alice, bob, mallory } = await ours()
    const header = await headerOf(alice, bob)
    const content = textContent('send me 5 ETH')
    for (const device of [mallory.keyring.device.publicKey, header.device]) {
      const forged = { header: { ...header, device }, content, recipients: keysOf(bob), sign: mallory.sign }
      await expect(bob.read((await sealEnvelope(forged)).bytes)).rejects.toMatchObject(notTrusted)
    }
  })
})

describe('2 reflection', () => {
  it('succeeds in the article: one key serves both directions, so that Alice reads her own words as Bob’s', () => {
    const { server, alice, bob } = article()
    const payload = payloadOf(alice.sendEncrypted('bob', 'I owe you 5 ETH'))
    server.deliver(articleMessage('bob', 'alice', { ...payload, senderPublicKey: bob.e2e.getPublicKeyHex() }))
    expect(alice.shown).toEqual([{ from: 'bob', content: 'I owe you 5 ETH' }])
  })

  it('is refused here; sent back unchanged it is what it is, a message that Alice sent', async () => {
    const { alice, bob } = await ours()
    const { sealed } = await alice.seal(bob, 'I owe you 5 ETH')
    const parts = decodeSealed(sealed)
    const reflected = { from: bob.wallet, to: [alice.wallet], device: bob.keyring.device.publicKey }
    const headerBytes = encodeHeader({ ...parts.header, ...reflected })
    await expect(alice.read(encodeSealed({ ...parts, headerBytes }))).rejects.toMatchObject(notTrusted)
    expect(await alice.read(sealed)).toMatchObject({ from: alice.wallet, direction: 'sent' })
  })
})

describe('3 replay', () => {
  it('succeeds in the article: the same message is shown as often as it is sent', () => {
    const { server, alice, bob } = article()
    const message = alice.sendEncrypted('bob', 'pay the invoice')
    server.deliver(message)
    server.deliver({ ...message, from: 'carol' })
    expect(bob.shown.map(({ content }) => content)).toEqual(Array(3).fill('pay the invoice'))
  })

  it('is shown once here, whatever copy comes again over whatever network', async () => {
    const { server, alice, bob } = await ours()
    const { sealed, frame } = await alice.seal(bob, 'pay the invoice')
    expect((await bob.read(sealed))?.text).toBe('pay the invoice')
    expect(await bob.read(sealed)).toBeNull()
    expect(
      await bob.read(
        stripWraps(
          sealed,
          bob.keyring.openingKeys().map(({ keyId }) => keyId),
        ),
      ),
    ).toBeNull()
    const hopped = withHop(frameForEnvelope(sealed, null), { gateway: 'g', network: 'trtc', at: 1 })
    for (const again of [frame, encodeFrame(hopped)]) {
      const arrival = { via: 'trtc', cursor: null, certificate: null, receivedAt: server.now }
      expect(await bob.opener.frame(again, arrival)).toBeNull()
    }
  })

  it('is refused here when it comes after its time', async () => {
    const { server, alice, bob } = await ours()
    const { sealed } = await alice.seal(bob, 'pay the invoice')
    server.now += 31 * DAY
    await expect(bob.read(sealed)).rejects.toMatchObject({ code: 'message-expired' })
  })
})

describe('4 context swap', () => {
  it('succeeds in the article: conversation, sender name, version and algorithm are not authenticated', () => {
    const { server, alice, bob } = article()
    const payload = payloadOf(alice.sendEncrypted('bob', 'yes'))
    const moved = { ...payload, version: 99, algorithm: 'x25519-aes256gcm' }
    server.deliver(articleMessage('another-conversation', 'bob', moved))
    expect(bob.shown.at(-1)).toEqual({ from: 'another-conversation', content: 'yes' })
  })

  const swaps: [string, (alice: Attested, bob: Attested, mallory: Attested) => Partial<EnvelopeHeader>][] = [
    ['suite', () => ({ suite: SUITE.x25519 })],
    ['unknown suite', () => ({ suite: 9 })],
    ['sender', (_, bob) => ({ from: bob.wallet })],
    ['device', (_, __, mallory) => ({ device: mallory.keyring.device.publicKey })],
    ['recipients', (_, bob, mallory) => ({ to: [bob.wallet, mallory.wallet] })],
    ['conversation', () => ({ conversation: new Uint8Array(32) })],
    ['content type', () => ({ contentType: 'xmtp.org/transactionReference:1.0' })],
    ['creation time', () => ({ created: 1_770_000_000_001 })],
    ['ttl', () => ({ ttl: 0 })],
    ['nonce', () => ({ nonce: new Uint8Array(16) })],
    ['answered message', () => ({ replyTo: new Uint8Array(32) })],
    ['flags', () => ({ flags: 2 })],
    ['extensions', () => ({ ext: { note: 1 } })],
  ]
  it.each(swaps)('is refused here: %s', async (_, swap) => {
    const { alice, bob, mallory } = await ours()
    const parts = decodeSealed((await alice.seal(bob, 'yes')).sealed)
    const headerBytes = encodeHeader({ ...parts.header, ...swap(alice, bob, mallory) })
    const swapped = () => bob.read(encodeSealed({ ...parts, headerBytes }))
    await expect(swapped()).rejects.toMatchObject({
      code: expect.stringMatching(/^(sender-not-trusted|conversation-mismatch|envelope-malformed)$/),
    })
    // Even a reader that skips the signature does not get at the content: the header is bound into every key wrap.
    const altered = { ...parts, headerBytes, header: { ...parts.header, ...swap(alice, bob, mallory) } }
    const privateKeys = bob.keyring.openingKeys()
    expect(await codeOf(() => openSealed(altered, { privateKeys }))).toMatch(
      /^envelope-(open-failed|suite-unsupported|key-invalid)$/,
    )
  })
})

describe('5 forgery by the recipient', () => {
  it('succeeds in the article: Bob holds the same key as Alice, and writes a message of hers', () => {
    const { server, alice, bob } = article()
    const asAlice = bob.e2e.encrypt(alice.e2e.getPublicKeyHex(), 'Alice: I accept')
    server.deliver(
      articleMessage('alice', 'bob', { ...asAlice, senderPublicKey: alice.e2e.getPublicKeyHex() }),
    )
    expect(bob.shown).toEqual([{ from: 'alice', content: 'Alice: I accept' }])
  })

  it('is refused here, from nothing and from the content key of a real message', async () => {
    const { alice, bob } = await ours()
    const header = await headerOf(alice, bob)
    const content = textContent('Alice: I accept')
    const forged = await sealEnvelope({ header, content, recipients: keysOf(bob), sign: bob.sign })
    await expect(bob.read(forged.bytes)).rejects.toMatchObject(notTrusted)

    // Bob knows this key because it is wrapped for him; here the test knows it by choosing it.
    const contentKey = randomBytes(32)
    const chosen = (length: number) => (length === 32 ? contentKey.slice() : randomBytes(length))
    const real = await sealEnvelope(
      { header, content: textContent('no'), recipients: keysOf(bob), sign: alice.sign },
      chosen,
    )
    const parts = decodeSealed(real.bytes)
    const padded = padContent(encodeContent(content))
    const ciphertext = chacha20poly1305(contentKey, new Uint8Array(12), parts.headerBytes).encrypt(padded)
    const body = concatBytes(parts.body.subarray(0, 32), ciphertext)
    const rewritten = decodeSealed(encodeSealed({ ...parts, body }))
    expect(rewritten.id).not.toEqual(parts.id)
    expect(signedBytes(rewritten)).not.toEqual(signedBytes(parts))
    await expect(bob.read(rewritten.bytes)).rejects.toMatchObject(notTrusted)
    expect((await bob.read(real.bytes))?.text).toBe('no')
  })
})

describe('6 no forward secrecy', () => {
  it('succeeds in the article: one stolen key opens everything that was ever recorded', () => {
    const { alice, bob } = article()
    const recorded = alice.sendEncrypted('bob', 'an old secret')
    const thief = new E2EEncryption()
    thief.privateKey = bob.e2e.privateKey
    expect(thief.decrypt(payloadOf(recorded))).toBe('an old secret')
  })

  it('is refused here once the prekeys of that time are deleted: the whole stolen device does not open it', async () => {
    const { server, alice, bob } = await ours()
    const recorded = decodeSealed((await alice.seal(bob, 'an old secret')).sealed)
    const privateKeys = bob.keyring.openingKeys()
    expect((await openSealed(recorded, { privateKeys })).content).toEqual(utf8Encode('an old secret'))
    server.now += 31 * DAY
    await bob.publish()
    const stolen = JSON.parse((await bob.storage.get('keyring'))!) as { prekeys: { privateKey: string }[] }
    const kept = stolen.prekeys.map(({ privateKey }) => privateKey)
    expect(kept).toHaveLength(2)
    for (const { privateKey } of privateKeys)
      expect(kept.map((key) => toHex(fromBase64url(key)))).not.toContain(toHex(privateKey))
    const thief = bob.keyring.openingKeys()
    expect(await codeOf(() => openSealed(recorded, { privateKeys: thief }))).toBe('envelope-no-key')
    // Not even under the right key id.
    const guesses = privateKeys.flatMap(({ keyId }) => thief.map(({ privateKey }) => ({ keyId, privateKey })))
    for (const guess of guesses) {
      expect(await codeOf(() => openSealed(recorded, { privateKeys: [guess] }))).toBe(
        recorded.wraps.some((wrap) => toHex(wrap.keyId) === toHex(guess.keyId))
          ? 'envelope-open-failed'
          : 'envelope-no-key',
      )
    }
  })
})

describe('7 key-compromise impersonation', () => {
  it('succeeds in the article: with Bob’s stolen key Mallory writes to Bob as anyone', () => {
    const { server, alice, bob, mallory } = article()
    mallory.privateKey = bob.e2e.privateKey
    const payload = mallory.encrypt(alice.e2e.getPublicKeyHex(), 'from a friend')
    server.deliver(
      articleMessage('alice', 'bob', { ...payload, senderPublicKey: alice.e2e.getPublicKeyHex() }),
    )
    expect(bob.shown).toEqual([{ from: 'alice', content: 'from a friend' }])
  })

  it('is refused here, even with Bob’s prekeys and Bob’s device key', async () => {
    const { alice, bob } = await ours()
    const header = await headerOf(alice, bob)
    const stolen = { sign: bob.sign, device: bob.keyring.device.publicKey }
    for (const device of [header.device, stolen.device]) {
      const forged = {
        header: { ...header, device },
        content: textContent('x'),
        recipients: keysOf(bob),
        sign: stolen.sign,
      }
      await expect(bob.read((await sealEnvelope(forged)).bytes)).rejects.toMatchObject(notTrusted)
    }
  })
})

describe('9 length leak', () => {
  const answers = ['no', 'yes', 'I have to ask my sister first', 'x'.repeat(100)]

  it('succeeds in the article: the ciphertext tells the exact length', () => {
    const { alice, bob } = article()
    const lengths = answers.map((text) => alice.e2e.encrypt(bob.e2e.getPublicKeyHex(), text).ciphertext)
    expect(lengths.map((text) => Buffer.from(text, 'base64').length - 16)).toEqual(
      answers.map((text) => text.length),
    )
  })

  it('shows the size bucket alone here', async () => {
    const { alice, bob } = await ours()
    const lengths = await Promise.all(
      answers.map(async (text) => (await alice.seal(bob, text)).sealed.length),
    )
    expect(new Set(lengths).size).toBe(1)
  })
})

describe('10 malformed hexadecimal', () => {
  it('succeeds in the article: a malformed key is cut short in silence and taken', () => {
    const { server, alice, bob } = article()
    const payload = payloadOf(alice.sendEncrypted('bob', 'hello'))
    const malformed = { ...payload, senderPublicKey: `${payload.senderPublicKey}zz not a key` }
    server.deliver(articleMessage('alice', 'bob', malformed))
    expect(bob.shown).toHaveLength(2)
  })

  it('is refused here: texts are read strictly, and keys are byte strings of exact length', async () => {
    const { alice, bob } = await ours()
    const [key] = keysOf(bob)
    expect(await codeOf(() => fromHex(`${toHex(key!.publicKey)}zz not a key`))).toBe('encoding-invalid')
    expect(await codeOf(() => fromBase64url('AAAA not a key'))).toBe('encoding-invalid')
    const header = await headerOf(alice, bob)
    for (const publicKey of [
      key!.publicKey.subarray(1),
      concatBytes(key!.publicKey, Uint8Array.of(0)),
      new Uint8Array(),
    ]) {
      const seal = () =>
        sealEnvelope({ header, content: textContent('x'), recipients: [{ publicKey }], sign: alice.sign })
      expect(await codeOf(seal)).toBe('envelope-key-invalid')
    }
    const device = header.device.subarray(1)
    expect(await codeOf(() => encodeHeader({ ...header, device }))).toBe('envelope-header-invalid')
  })
})

describe('19 algorithm downgrade', () => {
  it('succeeds in the article: the algorithm field is not authenticated, and ignored', () => {
    const { server, alice, bob } = article()
    const payload = payloadOf(alice.sendEncrypted('bob', 'hello'))
    server.deliver(articleMessage('alice', 'bob', { ...payload, algorithm: 'none' }))
    expect(bob.shown).toHaveLength(2)
  })

  it('is refused here: no suite can be put in the place of another', async () => {
    const { alice, bob } = await ours()
    const parts = decodeSealed((await alice.seal(bob, 'hello')).sealed)
    expect(parts.header.suite).toBe(SUITE.xwing)
    for (const suite of [SUITE.none, SUITE.x25519, 3]) {
      const headerBytes = encodeHeader({ ...parts.header, suite })
      await expect(bob.read(encodeSealed({ ...parts, headerBytes }))).rejects.toMatchObject({
        code: expect.stringMatching(/^(sender-not-trusted|envelope-malformed|envelope-padding-invalid)$/),
      })
    }
    // A plain text in Alice's name, which would need no key at all, needs her signature.
    const header = { ...parts.header, suite: SUITE.none }
    const plain = await sealEnvelope({
      header,
      content: textContent('hello'),
      recipients: [],
      sign: bob.sign,
    })
    await expect(bob.read(plain.bytes)).rejects.toMatchObject(notTrusted)
  })
})
