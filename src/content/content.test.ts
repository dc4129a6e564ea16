import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes } from '../envelope/index.ts'
import {
  type Content,
  ContentError,
  decodeEncodedContent,
  type EncodedContent,
  encodeEncodedContent,
  groupUpdatedNative,
  type KnownContent,
  reactionV2,
  readContent,
  readContentOrFallback,
  TYPES,
  writeContent,
} from './index.ts'
import { field, optionalField } from './protobuf.ts'
import { contentArbitrary } from './testing/arbitraries.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const encoded = (type: string, bytes: Uint8Array, parameters = {}): EncodedContent => ({
  type,
  parameters,
  fallback: null,
  bytes,
})

describe('contents', () => {
  it('reads what it wrote, for every kind', () => {
    fc.assert(
      fc.property(contentArbitrary, (content: Content) => {
        expect(readContent(writeContent(content))).toEqual(content)
      }),
      { numRuns: 500 },
    )
  })

  it('reads both versions of reactions, and both forms of changes of a group, as one', () => {
    const content: KnownContent = {
      kind: 'reaction',
      action: 'removed',
      schema: 'shortcode',
      content: ':tada:',
      reference: 'aa',
      referenceInboxId: '',
    }
    expect(readContent({ type: TYPES.reactionV2, ...reactionV2.write(content) })).toEqual(content)
    expect(readContent(writeContent(content))).toEqual(content)
    const change: KnownContent = {
      kind: 'groupUpdated',
      initiatedBy: 'a',
      added: ['b', 'c'],
      removed: [],
      left: ['d'],
      fields: [{ name: 'group_name', before: '', after: 'x' }],
      admins: { added: ['e'], removed: ['f'] },
      superAdmins: { added: ['g'], removed: ['h'] },
    }
    expect(readContent({ type: TYPES.groupUpdatedNative, ...groupUpdatedNative.write(change) })).toEqual(
      change,
    )
    expect(readContent(writeContent(change))).toEqual(change)
  })

  it('carries a type that it does not know, and reads later minor versions', () => {
    const drawing = encoded('example.org/drawing:1.0', Uint8Array.of(1, 2))
    expect(readContent(drawing)).toEqual({ kind: 'unknown', encoded: drawing })
    expect(writeContent(readContent(drawing))).toEqual(drawing)
    expect(readContent(encoded('xmtp.org/text:1.7', bytesOf('hi')))).toEqual({ kind: 'text', text: 'hi' })
    expect(readContent(encoded('xmtp.org/text:2.0', bytesOf('hi'))).kind).toBe('unknown')
    expect(readContent(encoded('constructor', bytesOf('hi'))).kind).toBe('unknown')
  })

  it.each([
    ['text that is not UTF-8', encoded(TYPES.text, Uint8Array.of(0xff))],
    ['text of another encoding', encoded(TYPES.text, bytesOf('a'), { encoding: 'UTF-16' })],
    ['JSON that is none', encoded(TYPES.reaction, bytesOf('{'))],
    ['JSON that is no object', encoded(TYPES.typing, bytesOf('[]'))],
    [
      'an action that there is not',
      encoded(TYPES.reaction, bytesOf('{"action":"x","schema":"unicode","content":"a"}')),
    ],
    [
      'a lone surrogate',
      encoded(TYPES.location, bytesOf('{"latitude":1,"longitude":1,"description":"\\ud800"}')),
    ],
    ['a place that there is not', encoded(TYPES.location, bytesOf('{"latitude":91,"longitude":1}'))],
    ['an endless number', encoded(TYPES.reactionV2, new Uint8Array(12).fill(0x80))],
    ['a field past the end', encoded(TYPES.delete, Uint8Array.of(0x0a, 0x7f, 0x61))],
    ['a text that is a number', encoded(TYPES.delete, Uint8Array.of(0x08, 0x01))],
    ['an enum value that there is not', encoded(TYPES.reactionV2, Uint8Array.of(0x18, 0x07, 0x28, 0x01))],
    ['a reply without a type', encoded(TYPES.reply, Uint8Array.of(0x22, 0x01, 0x61))],
    [
      'a secret that is not hexadecimal',
      encoded(TYPES.remoteAttachment, bytesOf('https://a'), { secret: 'zz' }),
    ],
    ['a composite without parts', encoded(TYPES.composite, new Uint8Array())],
    ['deep JSON', encoded(TYPES.notification, bytesOf(`${'['.repeat(50_000)}`))],
  ])('%s is refused, and shown by its fallback where that is asked for', (_what, hostile) => {
    expect(() => readContent(hostile)).toThrow(ContentError)
    expect(readContentOrFallback(hostile)).toEqual({ kind: 'unknown', encoded: hostile })
  })

  it('never fails with another error, whatever the bytes and parameters', () => {
    const hostile = fc.record({
      type: fc.constantFrom(...Object.values(TYPES)),
      parameters: fc.dictionary(
        fc.constantFrom('encoding', 'secret', 'salt', 'nonce', 'contentDigest', 'mimeType', '__proto__'),
        fc.string(),
      ),
      fallback: fc.option(fc.string()),
      bytes: fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.json().map(bytesOf),
        contentArbitrary.chain((content) => {
          const { bytes } = writeContent(content)
          return fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }).map((changes) => {
            const changed = bytes.slice()
            for (const [at, value] of changes) if (changed.length > 0) changed[at % changed.length] = value
            return changed
          })
        }),
      ),
    })
    fc.assert(
      fc.property(hostile, (content) => {
        try {
          // What was read can be written again: parts of what came in are passed on.
          writeContent(readContent(content))
        } catch (error) {
          expect(error).toBeInstanceOf(ContentError)
          expect(error).toHaveProperty('code', 'content-bytes-invalid')
        }
      }),
      { numRuns: 3_000 },
    )
  })

  it('refuses to write what a type cannot hold', () => {
    expect(() => writeContent({ kind: 'text', text: '\ud800' })).toThrow(ContentError)
    expect(() =>
      writeContent({ kind: 'location', latitude: Number.NaN, longitude: 0, description: null }),
    ).toThrow(ContentError)
    expect(() => writeContent({ kind: 'composite', parts: [] })).toThrow(ContentError)
    const nested = writeContent({
      kind: 'composite',
      parts: [writeContent({ kind: 'text', text: 'a' })],
    })
    expect(() => writeContent({ kind: 'composite', parts: [nested] })).toThrow(ContentError)
    const untyped = { ...nested, type: 'nothing' }
    expect(() => encodeEncodedContent(untyped)).toThrow(ContentError)
  })

  it('a composite is read aloud as the lines of its parts', () => {
    const parts = [
      writeContent({ kind: 'text', text: 'a caption' }),
      writeContent({
        kind: 'attachmentReference',
        url: 'https://example.org/a.png',
        media: 'image',
        mimeType: null,
        filename: 'a.png',
        size: null,
        width: null,
        height: null,
        duration: null,
        thumbnail: null,
      }),
    ]
    expect(writeContent({ kind: 'composite', parts }).fallback).toBe(
      'a caption\na.png: https://example.org/a.png',
    )
  })

  it('reads no content inside of another that it could not write again', () => {
    const number = fc.oneof(fc.nat(3), fc.integer({ min: 999_999_990, max: 2 ** 40 }))
    const name = fc.oneof(fc.constantFrom('', 'xmtp.org', 'text', 'a/b', 'a:1', 'a:1.2'), fc.string())
    const typed = fc.tuple(name, name, number, number)
    fc.assert(
      fc.property(typed, fc.uint8Array({ maxLength: 8 }), ([authority, type, major, minor], content) => {
        const named = [authority, type].map((text, place) => field(place + 1, new TextEncoder().encode(text)))
        const bytes = concatBytes(
          optionalField(1, concatBytes(...named, field(3, major), field(4, minor))),
          field(4, content),
        )
        let read: EncodedContent
        try {
          read = decodeEncodedContent(bytes, 'reply')
        } catch (error) {
          expect(error).toHaveProperty('code', 'content-bytes-invalid')
          return
        }
        expect(decodeEncodedContent(encodeEncodedContent(read), 'reply')).toEqual(read)
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([
    ['without an authority', ['', 'text', 1]],
    ['without a name', ['xmtp.org', '', 1]],
    ['of a version with ten digits', ['xmtp.org', 'text', 1_000_000_000]],
  ] as const)('a type %s makes the content around it unreadable', (_what, [authority, name, major]) => {
    const part = optionalField(1, concatBytes(field(1, authority), field(2, name), field(3, major)))
    expect(() => decodeEncodedContent(part, 'reply')).toThrow(
      expect.objectContaining({ code: 'content-bytes-invalid' }),
    )
    const composite = encoded(TYPES.composite, optionalField(1, optionalField(1, part)))
    expect(readContentOrFallback(composite)).toEqual({ kind: 'unknown', encoded: composite })
  })

  it('keeps compressed content inside of a reply from being read as if it were plain', () => {
    const plain = encodeEncodedContent(writeContent({ kind: 'text', text: 'a' }))
    const compressed = new Uint8Array([...plain, 0x28, 0x00])
    expect(decodeEncodedContent(plain, 'reply').type).toBe(TYPES.text)
    expect(() => decodeEncodedContent(compressed, 'reply')).toThrow(ContentError)
  })
})
