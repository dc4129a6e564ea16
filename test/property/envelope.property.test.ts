import { createPublicKey, verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeCanonical,
  decodeContent,
  decodeFrame,
  decodeHeader,
  decodeSealed,
  EnvelopeError,
  encodeCanonical,
  encodeContent,
  encodeFrame,
  encodeHeader,
  equalBytes,
  frameForEnvelope,
  fromBase64url,
  fromHex,
  LIMITS,
  openSealed,
  padContent,
  sealEnvelope,
  stripWraps,
  toBase64url,
  toHex,
  unpadContent,
  type VerifyEd25519,
  verifySealed,
  withHop,
} from '../../src/envelope/index.ts'
import { createPerson, flipBit, headerFor, sealText } from '../../src/envelope/testing/fixtures.ts'
import * as arbitrary from './envelope-arbitraries.ts'

/** Mutated inputs per decoder; raise it for a long run. */
const FUZZ_RUNS = Number(process.env.FUZZ_RUNS ?? 10_000)

const nativeVerify: VerifyEd25519 = (signature, message, publicKey) => {
  const key = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: toBase64url(publicKey) },
    format: 'jwk',
  })
  return verify(null, message, key, signature)
}

/** The decoded value, or undefined when it was refused with a typed error. Any other error fails the test. */
function decoded<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof EnvelopeError) return undefined
    throw error
  }
}

describe('decode(encode(x)) is x', () => {
  it('for every value of the data model', () => {
    fc.assert(
      fc.property(arbitrary.encodable(5), (value) => {
        const bytes = encodeCanonical(value)
        expect(decodeCanonical(bytes, { maxBytes: bytes.length, maxDepth: 6 })).toEqual(value)
      }),
    )
  })

  it('for headers', () => {
    fc.assert(
      fc.property(arbitrary.header, (header) => {
        expect(decodeHeader(encodeHeader(header))).toEqual(header)
      }),
    )
  })

  it('for inner content, padded and not', () => {
    fc.assert(
      fc.property(arbitrary.innerContent, (content) => {
        const bytes = encodeContent(content)
        expect(decodeContent(bytes)).toEqual(content)
        expect(unpadContent(padContent(bytes))).toEqual(bytes)
      }),
    )
  })

  it('for hexadecimal and base64url', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(fromHex(toHex(bytes))).toEqual(bytes)
        expect(fromBase64url(toBase64url(bytes))).toEqual(bytes)
      }),
    )
  })

  it.each([0, 1, 2])('for sealed envelopes of suite %d and their frames', async (suite) => {
    const sender = await createPerson(suite)
    const recipients = suite === 0 ? [] : [await createPerson(suite), sender]
    await fc.assert(
      fc.asyncProperty(arbitrary.header, arbitrary.innerContent, async (header, content) => {
        const signed = { ...header, suite, device: sender.device }
        const { id, bytes } = await sealEnvelope({ header: signed, content, recipients, sign: sender.sign })
        const sealed = decodeSealed(bytes)
        expect(sealed.header).toEqual(signed)
        expect(sealed.id).toEqual(id)
        expect(await verifySealed(sealed, nativeVerify)).toBe(true)
        for (const { openingKey } of recipients.length > 0 ? recipients : [sender]) {
          expect(await openSealed(sealed, { privateKeys: [openingKey] })).toEqual(content)
        }
        const frame = frameForEnvelope(bytes, null)
        expect(decodeFrame(encodeFrame(frame))).toEqual(frame)
      }),
      { numRuns: 25 },
    )
  })

  it('for any subset of wraps, with the same id and signature', async () => {
    const people = await Promise.all(Array.from({ length: 5 }, () => createPerson()))
    const [sender, recipient] = people
    const { id, bytes } = await sealEnvelope({
      header: headerFor(sender!, recipient!),
      content: fc.sample(arbitrary.innerContent, { numRuns: 1, seed: 1 })[0]!,
      recipients: people,
      sign: sender!.sign,
    })
    await fc.assert(
      fc.asyncProperty(fc.subarray(people), async (kept) => {
        const copy = decodeSealed(
          stripWraps(
            bytes,
            kept.map((person) => person.openingKey.keyId),
          ),
        )
        expect(copy.wraps).toHaveLength(kept.length)
        expect(copy.id).toEqual(id)
        expect(await verifySealed(copy, nativeVerify)).toBe(true)
      }),
    )
  })
})

describe('a single flipped bit', () => {
  it.each([0, 1, 2])(
    'anywhere in an envelope of suite %d is refused or breaks the signature',
    async (suite) => {
      const sender = await createPerson(suite)
      const { bytes } = await sealText(sender, await createPerson(suite), 'hello')
      let carried = 0
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const altered = decoded(() => decodeSealed(flipBit(bytes, bit)))
        if (altered === undefined) continue
        carried++
        if (await verifySealed(altered, nativeVerify))
          expect.fail(`bit ${bit} was flipped and the envelope still verifies`)
      }
      // The body, the nonce and the signature decode whatever their bits are: the signature has to catch those.
      expect(carried).toBeGreaterThan(256 * 8)
    },
  )

  it('in header or body gives another id, and in a wrap is refused before any signature check', async () => {
    const { bytes } = await sealText(await createPerson(), await createPerson(), 'hello')
    const sealed = decodeSealed(bytes)
    const placeOf = (part: Uint8Array) => {
      const start = Buffer.from(bytes).indexOf(part)
      return { from: start * 8, to: (start + part.length) * 8 }
    }
    for (const part of [sealed.headerBytes, sealed.body]) {
      for (let { from, to } = placeOf(part); from < to; from++) {
        const altered = decoded(() => decodeSealed(flipBit(bytes, from)))
        if (altered !== undefined && equalBytes(altered.id, sealed.id))
          expect.fail(`bit ${from} keeps the id`)
      }
    }
    for (const part of sealed.wraps.flatMap((wrap) => [wrap.keyId, wrap.encapsulation, wrap.wrappedKey])) {
      for (let { from, to } = placeOf(part); from < to; from++) {
        expect(() => decodeSealed(flipBit(bytes, from))).toThrow(
          expect.objectContaining({ code: 'envelope-wrap-unlisted' }),
        )
      }
    }
  })

  it('in a frame is refused, breaks the signature, or touches the unsigned trace and certificate alone', async () => {
    const { bytes } = await sealText(await createPerson(), await createPerson(), 'hello')
    const frame = withHop(frameForEnvelope(bytes, new Uint8Array(40)), {
      gateway: 'g1',
      network: 'waku',
      at: 1,
    })
    const encoded = encodeFrame(frame)
    for (let bit = 0; bit < encoded.length * 8; bit++) {
      const altered = decoded(() => decodeFrame(flipBit(encoded, bit)))
      if (altered === undefined || equalBytes(altered.bytes, bytes)) continue
      const verified = await verifySealed(decodeSealed(altered.bytes), nativeVerify)
      if (verified) expect.fail(`bit ${bit} alters the envelope in the frame unseen`)
    }
  })
})

describe('canonical form', () => {
  it('has one encoding for each value: whatever decodes re-encodes to the same bytes', () => {
    const seeds = fc.sample(arbitrary.encodable(4), { numRuns: 60, seed: 7 }).map(encodeCanonical)
    fc.assert(
      fc.property(fc.oneof(arbitrary.mutationOf(seeds), fc.uint8Array({ maxLength: 40 })), (bytes) => {
        const value = decoded(() => decodeCanonical(bytes, { maxBytes: 4096, maxDepth: 6 }))
        if (value !== undefined) expect(encodeCanonical(value)).toEqual(bytes)
      }),
      { numRuns: FUZZ_RUNS },
    )
  })

  it('refuses every other encoding of a value with a typed error', () => {
    fc.assert(
      fc.property(arbitrary.encodable(3), fc.infiniteStream(fc.nat(99)), (value, choices) => {
        const bytes = encodeLoosely(value, () => choices.next().value)
        fc.pre(!equalBytes(bytes, encodeCanonical(value)))
        expect(() => decodeCanonical(bytes, { maxBytes: 1 << 16, maxDepth: 8 })).toThrow(EnvelopeError)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('hostile input', () => {
  it('is refused by every decoder with a typed error, never with another, and never verifies', async () => {
    const people = await Promise.all([0, 1, 2].map((suite) => createPerson(suite)))
    const sealed = await Promise.all(people.map((person) => sealText(person, person, 'seed')))
    const originals = new Set(sealed.map(({ bytes }) => toHex(bytes)))
    const seeds = sealed.flatMap(({ bytes }) => [
      bytes,
      decodeSealed(bytes).headerBytes,
      encodeFrame(
        withHop(frameForEnvelope(bytes, new Uint8Array(9)), { gateway: 'g', network: 'push', at: 5 }),
      ),
    ])
    const content = encodeContent(fc.sample(arbitrary.innerContent, { numRuns: 1, seed: 3 })[0]!)
    await fc.assert(
      fc.asyncProperty(arbitrary.mutationOf([...seeds, content.subarray(0, 400)]), async (bytes) => {
        decoded(() => decodeHeader(bytes))
        decoded(() => decodeContent(bytes))
        decoded(() => decodeFrame(bytes, { maxBytes: LIMITS.sealedBytes }))
        const envelope = decoded(() => decodeSealed(bytes))
        if (envelope === undefined || originals.has(toHex(bytes))) return
        // Dropping a whole wrap is the one change that a relay may make.
        if (await verifySealed(envelope, nativeVerify))
          expect(sealed.map(({ id }) => id)).toContainEqual(envelope.id)
      }),
      { numRuns: FUZZ_RUNS },
    )
  })
})

/** CBOR with choices that version 1 does not have: longer heads, indefinite lengths, floats, unsorted and repeated keys. */
function encodeLoosely(value: unknown, choose: () => number): Uint8Array {
  const head = (major: number, argument: number): number[] => {
    const widths = [1, 2, 4, 8].filter((width) => width > 6 || argument < 2 ** (8 * width))
    const pick = choose()
    if (argument < 24 && pick < 70) return [(major << 5) | argument]
    const width = widths[pick < 85 ? 0 : pick % widths.length]!
    const bytes = Array.from(
      { length: width },
      (_, index) => Math.floor(argument / 256 ** (width - 1 - index)) % 256,
    )
    return [(major << 5) | (24 + Math.log2(width)), ...bytes]
  }
  const write = (item: unknown): number[] => {
    if (item === null) return [choose() < 90 ? 0xf6 : 0xf7]
    if (typeof item === 'boolean') return [item ? 0xf5 : 0xf4]
    if (typeof item === 'number') {
      if (choose() < 10) return [0xfb, ...new Uint8Array(new Float64Array([item]).buffer).reverse()]
      return item < 0 ? head(1, -1 - item) : head(0, item)
    }
    const bytes = typeof item === 'string' ? new TextEncoder().encode(item) : item
    if (bytes instanceof Uint8Array) {
      const major = typeof item === 'string' ? 3 : 2
      if (choose() < 10) return [(major << 5) | 31, ...head(major, bytes.length), ...bytes, 0xff]
      return [...head(major, bytes.length), ...bytes]
    }
    const major = Array.isArray(item) ? 4 : 5
    const entries: number[][] = Array.isArray(item)
      ? item.map(write)
      : Object.entries(item as object).map(([key, entry]) => [...write(key), ...write(entry)])
    if (major === 5 && entries.length > 0 && choose() < 20) entries.push(entries[0]!)
    if (choose() < 10) return [(major << 5) | 31, ...entries.flat(), 0xff]
    return [...head(major, entries.length), ...entries.flat()]
  }
  return Uint8Array.from(write(value))
}
