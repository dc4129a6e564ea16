import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NativeContent } from '../../../src/adapter/index.ts'
import { CONTENT_KINDS } from '../../../src/adapter/index.ts'
import {
  encodeEncodedContent,
  type KnownContent,
  readContent,
  trtcContents,
  writeContent,
} from '../../../src/content/index.ts'
import { samples } from '../../../src/content/testing/samples.ts'
import { toBase64url, utf8Encode } from '../../../src/envelope/index.ts'
import { readCloudData, writeCloudData } from './cloud-data.ts'
import { directId, placeOf } from './conversations.ts'
import { CUSTOM_TYPE, readElements, writeElements } from './elements.ts'

const file = samples.attachmentReference
const media: KnownContent[] = [
  file,
  { ...file, media: 'video', duration: 7, thumbnail: 'https://files.example.org/t.jpg' },
  { ...file, media: 'audio', duration: 3 },
  { ...file, media: 'file' },
]

describe('elements', () => {
  const kept = CONTENT_KINDS.filter(
    (kind) =>
      trtcContents.kinds[kind] === 'native' &&
      !['reply', 'edit', 'delete', 'readReceipt', 'typing'].includes(kind),
  ) as (keyof typeof samples)[]

  it.each(kept)('%s is written and read again', (kind) => {
    const native = writeContent(samples[kind])
    const [element, ...others] = writeElements(native)
    expect(others).toEqual([])
    const read = readContent(readElements([element])!)
    expect(read).toMatchObject({ kind })
  })

  it.each(media)('a file by URL keeps its URL and what the element has room for: $media', (content) => {
    const read = readContent(readElements(writeElements(writeContent(content)))!)
    expect(read).toMatchObject({
      kind: 'attachmentReference',
      url: file.url,
      media: (content as typeof file).media,
      size: 1_000,
    })
  })

  it('a content of another type rides in a custom element, and is itself again on the other side', () => {
    const drawing: NativeContent = {
      type: 'example.org/drawing:1.0',
      parameters: { colour: 'red' },
      fallback: 'A drawing',
      bytes: Uint8Array.of(1, 2),
    }
    expect(readElements(writeElements(drawing))).toEqual(drawing)
    const own = [{ MsgType: 'TIMCustomElem', MsgContent: { Data: '{"a":1}', Desc: 'An order', Ext: 'shop' } }]
    const custom = readElements(own)
    expect(custom).toMatchObject({ type: CUSTOM_TYPE, fallback: 'An order' })
    expect(writeElements(custom!)).toEqual(own)
  })

  it('a composite is one element for each part, and several elements are a composite', () => {
    const elements = writeElements(writeContent(samples.composite))
    expect(elements.map(({ MsgType }) => MsgType)).toEqual(['TIMImageElem', 'TIMTextElem'])
    expect(readContent(readElements(elements)!)).toMatchObject({ kind: 'composite' })
  })

  const carried = (encoded: Uint8Array) => ({
    MsgType: 'TIMCustomElem',
    MsgContent: { Data: toBase64url(encoded), Desc: 'Drawn', Ext: 'causeway-content/1' },
  })
  const said = { MsgType: 'TIMTextElem', MsgContent: { Text: 'a caption' } }

  it('a carried composite is itself when it comes alone, and among others its parts are theirs', () => {
    const composite = writeContent(samples.composite)
    const element = carried(encodeEncodedContent(composite))
    expect(readElements([element])).toEqual(composite)
    const together = readContent(readElements([element, said])!)
    expect(together).toEqual({
      kind: 'composite',
      parts: [...samples.composite.parts, writeContent({ kind: 'text', text: 'a caption' })],
    })
    const most = readContent(readElements(Array.from({ length: 32 }, () => element))!)
    expect(most).toMatchObject({ kind: 'composite', parts: { length: 32 } })
  })

  it('a composite that cannot be read is no part, and of one that is left alone there is no composite', () => {
    const empty = encodeEncodedContent({
      type: 'xmtp.org/composite:1.0',
      parameters: {},
      fallback: null,
      bytes: new Uint8Array(),
    })
    expect(readElements([carried(empty), said])).toEqual(writeContent({ kind: 'text', text: 'a caption' }))
    expect(readElements([carried(empty), carried(empty)])).toBe(null)
  })

  it('carried content that nobody could write is an element of another application', () => {
    // A type of `name` alone: no authority.
    const nameless = Uint8Array.of(0x0a, 0x06, 0x12, 0x04, ...utf8Encode('text'))
    expect(readElements([carried(nameless)])).toMatchObject({ type: CUSTOM_TYPE, fallback: 'Drawn' })
    expect(readContent(readElements([carried(nameless), said])!)).toMatchObject({
      kind: 'composite',
      parts: [{ type: CUSTOM_TYPE }, { type: 'xmtp.org/text:1.0' }],
    })
  })

  it.each([
    ['a face', { MsgType: 'TIMFaceElem', MsgContent: { Index: 3, Data: 'smile' } }, '[smile]'],
    ['a face without a name', { MsgType: 'TIMFaceElem', MsgContent: { Index: 3 } }, '[face 3]'],
  ])('%s is text', (_what, element, shown) => {
    expect(readContent(readElements([element])!)).toEqual({ kind: 'text', text: shown })
  })

  it('an element that is not known, or not as it should be, is named', () => {
    for (const element of [
      { MsgType: 'TIMRelayElem', MsgContent: { Title: 'x' } },
      { MsgType: 'TIMLocationElem', MsgContent: { Latitude: 91, Longitude: 0 } },
    ]) {
      const name = element.MsgType === 'TIMRelayElem' ? 'relay' : 'location'
      expect(readElements([element])).toMatchObject({ type: `tencent.com/${name}:1.0` })
    }
  })

  it('content that is nested deeper than anybody writes is named as well', () => {
    const deep = JSON.parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`) as unknown
    const element = { MsgType: 'TIMCustomElem', MsgContent: { Data: deep } }
    expect(readElements([element])).toMatchObject({ type: 'tencent.com/custom:1.0', fallback: '[Custom]' })
  })

  it('frames, signals and bodies that are none are no messages', () => {
    expect(readElements(writeElements(writeContent(samples.typing)))).toBe(null)
    expect(
      readElements([{ MsgType: 'TIMCustomElem', MsgContent: { Data: 'AAAA', Desc: '', Ext: 'causeway/1' } }]),
    ).toBe(null)
    for (const body of [undefined, null, [], 'x', [1], [{ MsgType: 1 }]])
      expect(readElements(body)).toBe(null)
  })

  it('what no message holds is refused as too large', () => {
    expect(() => writeElements(writeContent({ kind: 'text', text: 'a'.repeat(12_000) }))).toThrow('12 KB')
  })

  it('never fails, whatever a client sends', () => {
    const element = fc.record({
      MsgType: fc.constantFrom(
        'TIMTextElem',
        'TIMImageElem',
        'TIMFileElem',
        'TIMCustomElem',
        'TIMFaceElem',
        '__proto__',
      ),
      MsgContent: fc.oneof(
        fc.dictionary(
          fc.constantFrom('Text', 'Data', 'Desc', 'Ext', 'Url', 'ImageInfoArray', 'Index'),
          fc.oneof(fc.string({ unit: 'binary' }), fc.anything(), fc.constant('causeway-content/1')),
        ),
        fc.anything(),
      ),
    })
    // Contents of other types as they are carried, with types that may be none.
    const name = fc.constantFrom('', 'xmtp.org', 'composite', 'text', 'a:b')
    const named = fc.tuple(name, name, fc.nat(2 ** 31))
    const foreign = named.map(([authority, type, major]) => {
      const fields = [authority, type].flatMap((value, place) => [
        place * 8 + 0x0a,
        value.length,
        ...utf8Encode(value),
      ])
      const version = [0x18, ...(major % 2 === 0 ? [1] : [0xff, 0xff, 0xff, 0xff, 0x0f])]
      return carried(Uint8Array.of(0x0a, fields.length + version.length, ...fields, ...version))
    })
    const any = fc.oneof(element, foreign)
    fc.assert(
      fc.property(fc.array(any, { maxLength: 3 }), fc.anything(), (body, cloud) => {
        const read = readElements(body)
        if (read) {
          expect(read.type).toMatch(/^[^/]+\/[^:]+:\d+\.\d+$/)
          encodeEncodedContent(read)
        }
        readCloudData(cloud)
        readCloudData(JSON.stringify({ messageReply: cloud, causeway: cloud }) ?? '')
      }),
      { numRuns: 1_000 },
    )
  })
})

it('CloudCustomData says what is answered and which transaction it was', () => {
  const answered = { messageId: 'a-1-2', sequence: 7, time: 1, sender: 'bob', abstract: 'hi' }
  const transaction = { id: 'ab'.repeat(16), part: 1, more: true }
  expect(readCloudData(writeCloudData(transaction, answered))).toEqual({
    reply: { messageId: 'a-1-2', sequence: 7 },
    transaction,
  })
  expect(readCloudData(writeCloudData(transaction, null)).reply).toBe(null)
  for (const other of ['', 'plain', '{}', '{"causeway":{"tx":"x"}}', 7]) {
    expect(readCloudData(other)).toEqual({ reply: null, transaction: null })
  }
})

it('a conversation has one name for both sides, and nobody else is in it', () => {
  const id = directId('bob:with:colons', 'alice')
  expect(directId('alice', 'bob:with:colons')).toBe(id)
  expect(placeOf(id, 'alice')).toEqual({ peer: 'bob:with:colons' })
  expect(placeOf(id, 'bob:with:colons')).toEqual({ peer: 'alice' })
  expect(() => placeOf(id, 'carol')).toThrow('no such conversation')
})
