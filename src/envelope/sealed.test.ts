import { createPublicKey, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { toBase64url, toHex, utf8Decode } from './bytes.ts'
import { encodeCanonical } from './cbor.ts'
import { encodeContent } from './content.ts'
import { keyCommitment, signatureInput, wrapDigest, wrapInfo } from './digests.ts'
import type { VerifyEd25519 } from './ed25519.ts'
import { encodeHeader } from './header.ts'
import { LIMITS } from './limits.ts'
import { openSealed } from './open.ts'
import { encodeSealed, sealEnvelope } from './seal.ts'
import { decodeSealed, type SealedEnvelope, signedBytes, stripWraps, verifySealed } from './sealed.ts'
import { requireKeyWrapSuite } from './suites.ts'
import { codeOf, createPerson, headerFor, type Person, sealText, textContent } from './testing/fixtures.ts'

async function openText(person: Person, sealed: SealedEnvelope): Promise<string> {
  return utf8Decode((await openSealed(sealed, { privateKeys: [person.openingKey] })).content)
}

describe.each([1, 2])('suite %d', async (suite) => {
  const alice = await createPerson(suite)
  const bob = await createPerson(suite)
  const mallory = await createPerson(suite)
  const { id, bytes } = await sealText(alice, bob, 'hello')
  const sealed = decodeSealed(bytes)

  it('opens for the recipient and for the sender, and for nobody else', async () => {
    expect(await openText(bob, sealed)).toBe('hello')
    expect(await openText(alice, sealed)).toBe('hello')
    expect(await codeOf(() => openText(mallory, sealed))).toBe('envelope-no-key')
    expect(await codeOf(() => openSealed(sealed, { privateKeys: [] }))).toBe('envelope-no-key')
  })

  it('picks the key that has a wrap among several', async () => {
    const privateKeys = [mallory.openingKey, bob.openingKey]
    expect(utf8Decode((await openSealed(sealed, { privateKeys })).content)).toBe('hello')
  })

  it('verifies with the JavaScript and the native implementation', async () => {
    const native: VerifyEd25519 = (signature, message, publicKey) => {
      const key = createPublicKey({
        key: { kty: 'OKP', crv: 'Ed25519', x: toBase64url(publicKey) },
        format: 'jwk',
      })
      return verify(null, message, key, signature)
    }
    expect(await verifySealed(sealed)).toBe(true)
    expect(await verifySealed(sealed, native)).toBe(true)
    expect(
      await verifySealed({ ...sealed, header: { ...sealed.header, device: mallory.device } }, native),
    ).toBe(false)
  })

  it('keeps id and signature when wraps are stripped', async () => {
    const copy = stripWraps(bytes, [bob.openingKey.keyId, mallory.openingKey.keyId])
    const stripped = decodeSealed(copy)
    expect(copy.length).toBeLessThan(bytes.length)
    expect(stripped.id).toEqual(id)
    expect(stripped.wraps).toHaveLength(1)
    expect(stripped.signature).toEqual(sealed.signature)
    expect(signedBytes(stripped)).toEqual(signedBytes(sealed))
    expect(await verifySealed(stripped)).toBe(true)
    expect(await openText(bob, stripped)).toBe('hello')
    expect(await codeOf(() => openText(alice, stripped))).toBe('envelope-no-key')
    expect(decodeSealed(stripWraps(bytes, [])).wraps).toEqual([])
    expect(
      stripWraps(
        bytes,
        sealed.wraps.map((wrap) => wrap.keyId),
      ),
    ).toEqual(bytes)
  })

  it('refuses a wrap that the sender did not sign, wraps out of order and a wrap twice', async () => {
    const other = decodeSealed((await sealText(alice, bob, 'hello')).bytes)
    const [first, second] = sealed.wraps
    expect(await codeOf(() => decodeSealed(encodeSealed({ ...sealed, wraps: [other.wraps[0]!] })))).toBe(
      'envelope-wrap-unlisted',
    )
    expect(await codeOf(() => decodeSealed(encodeSealed({ ...sealed, wraps: [second!, first!] })))).toBe(
      'envelope-wrap-unlisted',
    )
    expect(await codeOf(() => decodeSealed(encodeSealed({ ...sealed, wraps: [first!, first!] })))).toBe(
      'envelope-malformed',
    )
    const listedTwice = [...sealed.wrapDigests, sealed.wrapDigests[0]!]
    expect(await codeOf(() => decodeSealed(encodeSealed({ ...sealed, wrapDigests: listedTwice })))).toBe(
      'envelope-malformed',
    )
    expect(await codeOf(() => decodeSealed(encodeSealed({ ...sealed, wraps: [], wrapDigests: [] })))).toBe(
      'envelope-malformed',
    )
  })

  it('refuses parts of the wrong size', async () => {
    const [wrap] = sealed.wraps
    for (const change of [
      { wraps: [{ ...wrap!, keyId: wrap!.keyId.subarray(1) }] },
      { wraps: [{ ...wrap!, encapsulation: new Uint8Array(31) }] },
      { wraps: [{ ...wrap!, wrappedKey: new Uint8Array(47) }] },
      { signature: new Uint8Array(63) },
      { wrapDigests: [new Uint8Array(15)] },
    ]) {
      expect(await codeOf(() => decodeSealed(encodeSealed({ ...sealed, ...change })))).toBe(
        'envelope-malformed',
      )
    }
    for (const body of [new Uint8Array(), sealed.body.subarray(1), new Uint8Array(70000)]) {
      expect(await codeOf(() => decodeSealed(encodeSealed({ ...sealed, body })))).toBe(
        'envelope-padding-invalid',
      )
    }
    expect(await codeOf(() => decodeSealed(bytes, { maxBytes: bytes.length - 1 }))).toBe('envelope-too-large')
    expect(await codeOf(() => decodeSealed(encodeCanonical([1, 2])))).toBe('envelope-malformed')
    expect(await codeOf(() => decodeSealed(encodeCanonical([1, 2, 3, 4, sealed.signature])))).toBe(
      'envelope-malformed',
    )
  })

  it('wraps once for a key given twice, and refuses no key or a key of another suite', async () => {
    const seal = (recipients: { publicKey: Uint8Array }[]) =>
      sealEnvelope({ header: headerFor(alice, bob), content: textContent('x'), recipients, sign: alice.sign })
    expect(decodeSealed((await seal([bob, bob])).bytes).wraps).toHaveLength(1)
    expect(await codeOf(() => seal([]))).toBe('envelope-recipients-invalid')
    expect(await codeOf(() => seal([{ publicKey: new Uint8Array(33) }]))).toBe('envelope-key-invalid')
  })

  it('refuses content over 8 KiB, and says what to do', async () => {
    const seal = (length: number) =>
      sealEnvelope({
        header: headerFor(alice, bob),
        content: textContent('', { content: new Uint8Array(length) }),
        recipients: [bob],
        sign: alice.sign,
      })
    const overhead = encodeContent(textContent('', { content: new Uint8Array(8000) })).length - 8000
    expect(decodeSealed((await seal(LIMITS.inlineContentBytes - overhead)).bytes).body.length).toBe(
      16384 + 48,
    )
    await expect(seal(LIMITS.inlineContentBytes - overhead + 1)).rejects.toMatchObject({
      code: 'envelope-content-too-large',
      message: expect.stringContaining('encrypted remote attachment'),
    })
  })

  it('refuses a private key of the wrong size or the wrong person under the right key id', async () => {
    const { keyId } = bob.openingKey
    const open = (privateKey: Uint8Array) => openSealed(sealed, { privateKeys: [{ keyId, privateKey }] })
    expect(await codeOf(() => open(new Uint8Array(31)))).toBe('envelope-key-invalid')
    expect(await codeOf(() => open(mallory.openingKey.privateKey))).toBe('envelope-open-failed')
  })

  it('commits to the content key: a body made under another key is refused before it is opened', async () => {
    // The sender is the attacker here: it signs everything and lies in the commitment only.
    const commitment = keyCommitment(new Uint8Array(32), sealed.headerBytes)
    const body = new Uint8Array([...commitment, ...sealed.body.subarray(32)])
    expect(await codeOf(() => openText(bob, { ...sealed, body }))).toBe('envelope-open-failed')
    const rewrapped = await rewrap(sealed, body, bob)
    expect(await codeOf(() => openText(bob, rewrapped))).toBe('envelope-commitment-mismatch')
  })
})

/** Makes a valid wrap of a zero key for `body`, as a dishonest sender can. */
async function rewrap(sealed: SealedEnvelope, body: Uint8Array, recipient: Person): Promise<SealedEnvelope> {
  const { hpke } = requireKeyWrapSuite(sealed.header.suite)
  const { keyId } = recipient.openingKey
  const recipientPublicKey = await hpke.kem.deserializePublicKey(recipient.publicKey)
  const sender = await hpke.createSenderContext({
    recipientPublicKey,
    info: wrapInfo(sealed.header.suite, sealed.headerBytes, body, keyId),
  })
  const wrappedKey = new Uint8Array(await sender.seal(new Uint8Array(32).fill(1), sealed.headerBytes))
  const wraps = [{ keyId, encapsulation: new Uint8Array(sender.enc), wrappedKey }]
  return { ...sealed, body, wraps, wrapDigests: wraps.map(wrapDigest) }
}

describe('suite 0', async () => {
  const alice = await createPerson(0)
  const bob = await createPerson(0)

  it('is readable by all, signed, padded, and takes no recipient keys', async () => {
    const { bytes } = await sealText(alice, bob, 'to everyone')
    const sealed = decodeSealed(bytes)
    expect(sealed.body.length).toBe(256)
    expect([sealed.wraps, sealed.wrapDigests]).toEqual([[], []])
    expect(await verifySealed(sealed)).toBe(true)
    expect(utf8Decode((await openSealed(sealed, { privateKeys: [] })).content)).toBe('to everyone')
    const seal = sealEnvelope({
      header: headerFor(alice, bob),
      content: textContent('x'),
      recipients: [bob],
      sign: alice.sign,
    })
    await expect(seal).rejects.toMatchObject({ code: 'envelope-recipients-invalid' })
  })
})

describe('an unknown suite', async () => {
  const alice = await createPerson()
  const bob = await createPerson()
  const headerBytes = encodeHeader({ version: 1, ...headerFor(alice, bob, { suite: 7 }) })
  const body = new Uint8Array(1000).fill(7)
  const wrap = {
    keyId: new Uint8Array(16),
    encapsulation: new Uint8Array(100),
    wrappedKey: new Uint8Array(60),
  }
  const wrapDigests = [wrapDigest(wrap)]
  const signature = await alice.sign(signatureInput(headerBytes, body, wrapDigests))
  const bytes = encodeSealed({ headerBytes, body, wraps: [wrap], wrapDigests, signature })

  it('is carried and verified, and not opened', async () => {
    const sealed = decodeSealed(bytes)
    expect(await verifySealed(sealed)).toBe(true)
    expect(await codeOf(() => openText(bob, sealed))).toBe('envelope-suite-unsupported')
    expect(
      await codeOf(() => openSealed(sealed, { privateKeys: [{ ...bob.openingKey, keyId: wrap.keyId }] })),
    ).toBe('envelope-suite-unsupported')
    expect(toHex(decodeSealed(stripWraps(bytes, [])).id)).toBe(toHex(sealed.id))
  })

  it('has its parts bounded all the same, and cannot be sealed', async () => {
    const large = { ...wrap, encapsulation: new Uint8Array(LIMITS.unknownSuiteFieldBytes + 1) }
    expect(
      await codeOf(() =>
        decodeSealed(encodeSealed({ headerBytes, body, wraps: [large], wrapDigests, signature })),
      ),
    ).toBe('envelope-malformed')
    const header = headerFor(alice, bob, { suite: 7 })
    const seal = () =>
      sealEnvelope({ header, content: textContent('x'), recipients: [bob], sign: alice.sign })
    expect(await codeOf(seal)).toBe('envelope-suite-unsupported')
  })
})

describe('sealEnvelope', () => {
  it('refuses a signer that returns no signature, and more keys than an envelope may carry', async () => {
    const alice = await createPerson(2)
    const header = headerFor(alice, alice)
    const content = textContent('x')
    const sign = () => new Uint8Array(32)
    const seal = sealEnvelope({ header, content, recipients: [alice], sign })
    await expect(seal).rejects.toMatchObject({ code: 'envelope-signature-invalid' })
    const many = Array.from({ length: 513 }, (_, index) => ({
      publicKey: new Uint8Array(1216).fill(index).fill(index >> 8, 0, 1),
    }))
    expect(await codeOf(() => sealEnvelope({ header, content, recipients: many, sign: alice.sign }))).toBe(
      'envelope-recipients-invalid',
    )
  })
})
