/** The envelope: everything that arrives over a network is decoded here first. */
import { createHash } from 'node:crypto'
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
  type Frame,
  frameForEnvelope,
  fromBase64url,
  fromHex,
  type InnerContent,
  LIMITS,
  opaqueIdentifier,
  openSealed,
  type SealedEnvelope,
  stripWraps,
  toBase64url,
  toHex,
  utf8Decode,
  utf8Encode,
  verifySealed,
  withHop,
} from '../../../src/envelope/index.ts'
import { codeOfClass, defineTarget } from '../target.ts'
import { bytesOrEmpty, packParts, partsOf } from './container.ts'
import { contentFor, createPerson, fixed, headerFor, START, testEnvelopes } from './people.ts'

const typed = codeOfClass(EnvelopeError)

async function material() {
  const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map(createPerson))
  if (!alice || !bob || !carol) throw new Error('unreachable: three names give three persons')
  const envelopes = await testEnvelopes(alice, [bob, carol])
  return { alice, bob, carol, envelopes, seeds: envelopes.map(({ bytes }) => bytes) }
}

const same = (left: Uint8Array, right: Uint8Array) => Buffer.compare(left, right) === 0

/** The id by a second implementation: SHA-256 over tag and parts, each after its length in 4 bytes. */
function idOf({ headerBytes, body }: SealedEnvelope): Uint8Array {
  const hash = (tag: string, ...parts: Uint8Array[]) => {
    const digest = createHash('sha256')
    for (const part of [Buffer.from(tag), ...parts]) {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(part.length)
      digest.update(length).update(part)
    }
    return digest.digest()
  }
  return hash('causeway/envelope-id/1', headerBytes, hash('causeway/body/1', body))
}

/** Says in what an envelope that verifies differs from the one that was signed, dropped wraps apart. */
function forgery(sealed: SealedEnvelope, originals: readonly SealedEnvelope[]): string | null {
  const original = originals.find(({ id }) => same(id, sealed.id))
  if (!original) return 'an envelope that nobody signed verifies'
  if (!same(original.headerBytes, sealed.headerBytes))
    return 'the header differs from the one that was signed'
  if (!same(original.body, sealed.body)) return 'the body differs from the one that was signed'
  if (!same(original.signature, sealed.signature)) return 'the signature has a second spelling'
  const digests = (envelope: SealedEnvelope) => envelope.wrapDigests.map(toHex).join()
  if (digests(original) !== digests(sealed)) return 'the wrap digests differ from those that were signed'
  const spelled = (envelope: SealedEnvelope) =>
    envelope.wraps.map((wrap) => toHex(encodeCanonical([wrap.keyId, wrap.encapsulation, wrap.wrappedKey])))
  const known = new Set(spelled(original))
  return spelled(sealed).every((wrap) => known.has(wrap)) ? null : 'a wrap was altered or added'
}

export const envelopeTargets = [
  defineTarget<Uint8Array>({
    name: 'cbor',
    format: 'cbor',
    async open() {
      const nested = [1, [2, [3, [4, { a: [5] }]]]]
      const many = {
        text: 'é',
        bytes: new Uint8Array(300),
        list: Array.from({ length: 30 }, (_, index) => index - 5),
      }
      return {
        seeds: [nested, many, { a: { b: { c: true } } }, [null, false, Number.MAX_SAFE_INTEGER]].map(
          encodeCanonical,
        ),
        hostile: [new Uint8Array(0), new Uint8Array(100_000).fill(0x81), new Uint8Array(200_000).fill(0xa1)],
        run: (input) => decodeCanonical(input, { maxBytes: 256 * 1024, maxDepth: 8 }),
        typed,
        forged: (input, value) =>
          same(encodeCanonical(value), input) ? null : 'one value has two encodings',
      }
    },
  }),
  defineTarget<string>({
    name: 'texts',
    format: 'text',
    async open() {
      return {
        seeds: [toHex(fixed('a', 32)), toBase64url(fixed('b', 31)), 'aé😀\ufeff', ''],
        /** Each reader of text: what it takes it must write again. */
        run(input) {
          const readers = [
            () => toHex(fromHex(input)) === input,
            () => toBase64url(fromBase64url(input)) === input,
            () => utf8Decode(utf8Encode(input)) === input,
          ]
          let refusal: unknown = null
          const read = readers.map((reader) => {
            try {
              return reader()
            } catch (error) {
              if (typed(error) === null) throw error
              refusal = error
              return null
            }
          })
          if (read.every((result) => result === null)) throw refusal
          return read
        },
        typed,
        forged: (_input, read) =>
          (read as (boolean | null)[]).includes(false) ? 'read as something else than it says' : null,
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'envelope-header',
    format: 'cbor',
    async open() {
      const { alice, bob, carol } = await material()
      const ext = { 'example.org/x': [1, { y: 'z' }] }
      const headers = [
        headerFor(alice, [bob]),
        headerFor(alice, [bob, carol], { ext, ttl: 60, replyTo: fixed('x', 32) }),
        headerFor(alice, [], {
          suite: 7,
          to: ['solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv'],
        }),
      ]
      return {
        seeds: headers.map((header) => encodeHeader({ version: 1, ...header })),
        run: decodeHeader,
        typed,
        forged: (input, header) =>
          same(encodeHeader(header as ReturnType<typeof decodeHeader>), input)
            ? null
            : 'one header has two encodings',
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'envelope-content',
    format: 'cbor',
    async open() {
      const contents = [
        contentFor('hello'),
        contentFor('edit', {
          replaces: fixed('r', 32),
          topicId: fixed('t', 8),
          expires: START,
          fallback: 'é',
        }),
        contentFor('many', {
          inReplyTo: fixed('i', 32),
          parameters: { a: 'b', 'c d': '' },
          content: new Uint8Array(9000),
        }),
      ]
      return {
        seeds: contents.map(encodeContent),
        run: decodeContent,
        typed,
        forged: (input, content) =>
          same(encodeContent(content as InnerContent), input) ? null : 'one content has two encodings',
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'envelope-sealed',
    format: 'cbor',
    async open() {
      const { seeds } = await material()
      return {
        seeds,
        hostile: [new Uint8Array(LIMITS.sealedBytes + 1), new Uint8Array(LIMITS.sealedBytes).fill(0x81)],
        run: (input) => decodeSealed(input),
        typed,
        forged(input, value) {
          const sealed = value as SealedEnvelope
          if (!same(sealed.id, idOf(sealed))) return 'the id is not that of header and body'
          const wraps = sealed.wraps.map((wrap) => [wrap.keyId, wrap.encapsulation, wrap.wrappedKey])
          const again = encodeCanonical([
            sealed.headerBytes,
            sealed.body,
            wraps,
            sealed.wrapDigests,
            sealed.signature,
          ])
          return same(again, input) ? null : 'one envelope has two encodings'
        },
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'envelope-signature',
    format: 'cbor',
    testInputs: 4_000,
    async open() {
      const { seeds } = await material()
      const originals = seeds.map((seed) => decodeSealed(seed))
      return {
        seeds,
        async run(input) {
          const sealed = decodeSealed(input)
          if (await verifySealed(sealed)) return sealed
          throw new EnvelopeError('envelope-signature-invalid', 'not signed')
        },
        typed,
        forged: (_input, sealed) => forgery(sealed as SealedEnvelope, originals),
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'envelope-open',
    format: 'cbor',
    inputs: 50_000,
    testInputs: 1_500,
    async open() {
      const { seeds, bob, carol } = await material()
      const privateKeys = [bob, carol].flatMap(({ encryption }) =>
        [...encryption.values()].map(({ openingKey }) => openingKey),
      )
      const originals = new Map<string, string>()
      const spelled = (content: InnerContent) => toHex(encodeContent(content))
      for (const seed of seeds) {
        const sealed = decodeSealed(seed)
        originals.set(toHex(sealed.id), spelled(await openSealed(sealed, { privateKeys })))
      }
      return {
        seeds,
        async run(input) {
          const sealed = decodeSealed(input)
          return { sealed, content: await openSealed(sealed, { privateKeys }) }
        },
        typed,
        /** What is not encrypted opens without any key: its signature alone protects it. */
        forged(_input, value) {
          const { sealed, content } = value as { sealed: SealedEnvelope; content: InnerContent }
          if (sealed.header.suite === 0) return null
          const original = originals.get(toHex(sealed.id))
          if (original === undefined) return 'opens although nobody sealed it'
          return original === spelled(content) ? null : 'opens to another content than was sealed'
        },
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'envelope-strip',
    format: 'cbor-container',
    async open() {
      const { seeds, bob, carol, alice } = await material()
      const keyIds = [bob, carol, alice].flatMap(({ encryption }) =>
        [...encryption.values()].map(({ openingKey }) => openingKey.keyId),
      )
      const read = (input: Uint8Array) => {
        const [bytes, keep] = partsOf(input)
        const list = Array.isArray(keep) ? keep.filter((item) => item instanceof Uint8Array) : []
        return { bytes: bytesOrEmpty(bytes), keep: list }
      }
      return {
        seeds: seeds.flatMap((seed) => [
          packParts(seed, []),
          packParts(seed, keyIds.slice(0, 2)),
          packParts(seed, keyIds),
        ]),
        run(input) {
          const { bytes, keep } = read(input)
          return stripWraps(bytes, keep)
        },
        typed,
        forged(input, copy) {
          const before = decodeSealed(read(input).bytes)
          const after = decodeSealed(copy as Uint8Array)
          return (
            forgery(after, [before]) ??
            (after.wraps.length <= before.wraps.length ? null : 'a copy has more wraps')
          )
        },
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'frame',
    format: 'cbor',
    async open() {
      const { seeds } = await material()
      const hop = { gateway: 'gateway-1', network: 'waku', at: START }
      const frames: Frame[] = [
        ...seeds.slice(0, 4).map((seed) => frameForEnvelope(seed, fixed('certificate', 32))),
        withHop(withHop(frameForEnvelope(seeds[5]!, null), hop), { ...hop, network: 'trtc' }),
        {
          kind: 2,
          id: opaqueIdentifier('xmtp', 'abc'),
          bytes: fixed('parcel', 32),
          trace: [hop],
          mode: 'opaque',
          certificate: null,
        },
      ]
      return {
        seeds: frames.map(encodeFrame),
        run: (input) => decodeFrame(input),
        typed,
        forged(input, value) {
          const frame = value as Frame
          if (!same(encodeFrame(frame), input)) return 'one frame has two encodings'
          if (frame.kind === 1 && !same(frame.id, idOf(decodeSealed(frame.bytes))))
            return 'the frame has the id of another envelope'
          return null
        },
      }
    },
  }),
]
