/** Push's messages and native contents, both ways. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NativeContent } from '../../../src/adapter/index.ts'
import { type Content, readContent, writeContent } from '../../../src/content/index.ts'
import { PushError } from '../errors.ts'
import { readPushContent, writePushContent } from './content.ts'

const read = (type: string, object: object) => {
  const { content, reference } = readPushContent(type, { ...object })
  return { content: readContent(content), reference }
}
const written = (content: Content, reference: string | null = null) =>
  writePushContent(writeContent(content), reference)
const part = (messageType: string, content: unknown) => ({ messageType, messageObj: { content } })
const link = { kind: 'attachmentReference', mimeType: null, filename: null, size: null } as const
const nothingElse = { width: null, height: null, duration: null, thumbnail: null }

describe('what comes from Push', () => {
  it.each<[string, object, object]>([
    ['Text', { content: 'hello' }, { kind: 'text', text: 'hello' }],
    ['Text', { content: 'half of \ud83d' }, { kind: 'text', text: 'half of \ufffd' }],
    [
      'MediaEmbed',
      { content: 'https://example.org/a.gif' },
      { ...link, ...nothingElse, media: 'image', url: 'https://example.org/a.gif' },
    ],
    [
      'File',
      { content: '{"content":"https://example.org/a.pdf","name":"a.pdf","type":"application/pdf","size":9}' },
      {
        ...link,
        ...nothingElse,
        media: 'file',
        url: 'https://example.org/a.pdf',
        filename: 'a.pdf',
        mimeType: 'application/pdf',
        size: 9,
      },
    ],
    [
      'Image',
      { content: '{"content":"data:image/png;base64,AAEC","name":"a.png"}' },
      { kind: 'attachment', filename: 'a.png', mimeType: 'image/png', bytes: Uint8Array.of(0, 1, 2) },
    ],
    ['Receipt', { content: 'READ_RECEIPT', reference: 'c1' }, { kind: 'readReceipt' }],
    ['Reply', { content: part('Text', 'yes'), reference: 'c1' }, { kind: 'text', text: 'yes' }],
  ])('%s', (type, object, content) => {
    expect(read(type, object)).toEqual({
      content,
      reference: 'reference' in object ? object.reference : null,
    })
  })

  it('Reaction names its message', () => {
    expect(read('Reaction', { content: '🔥', reference: 'c1' })).toMatchObject({
      content: { kind: 'reaction', action: 'added', schema: 'unicode', content: '🔥', reference: 'c1' },
      reference: 'c1',
    })
  })

  it('Composite keeps its parts', () => {
    const { content } = read('Composite', { content: [part('Text', 'look'), part('Meta', 'x')] })
    expect(content).toMatchObject({
      kind: 'composite',
      parts: [{ type: 'xmtp.org/text:1.0' }, { type: 'push.org/meta:1.0', fallback: 'x' }],
    })
  })

  it.each([
    ['Meta', { content: 'CREATE_GROUP', info: { affected: [] } }, 'push.org/meta:1.0', 'CREATE_GROUP'],
    [
      'Composite',
      { content: Array.from({ length: 33 }, () => part('Text', 'x')) },
      'push.org/composite:1.0',
      'A message of Push’s type composite',
    ],
    ['Payment', { content: '' }, 'push.org/payment:1.0', 'A message of Push’s type payment'],
    ['File', { content: 'neither JSON nor a URL' }, 'push.org/file:1.0', 'neither JSON nor a URL'],
    ['Receipt', { content: 'SEEN' }, 'push.org/receipt:1.0', 'SEEN'],
    ['no/type:9 at all', { content: 'x' }, 'push.org/unknown:1.0', 'x'],
  ])('%s without a counterpart has its object and a fallback', (type, object, contentType, fallback) => {
    const { content } = readPushContent(type, { ...object })
    expect(content).toMatchObject({ type: contentType, fallback })
    expect(JSON.parse(new TextDecoder().decode(content.bytes))).toEqual(object)
  })

  it.each(['Text', 'Reply', 'Composite', 'Meta'])('%s that is nested too deeply has no object', (type) => {
    const object = JSON.parse(`{"content":${'['.repeat(50_000)}${']'.repeat(50_000)}}`) as object
    const { content } = readPushContent(type, { ...object, reference: 'c1' })
    expect(new TextDecoder().decode(content.bytes)).toBe('{}')
    expect(content.fallback).toBe(`A message of Push’s type ${type.toLowerCase()}`)
  })

  it('anything at all is a content with a type of the usual form, and an error of nobody', () => {
    const types = fc.oneof(
      fc.constantFrom('Text', 'Image', 'File', 'Reply', 'Reaction', 'Receipt', 'Composite', 'Meta'),
      fc.string({ unit: 'binary' }),
    )
    const location = fc.oneof(
      fc.webUrl(),
      fc.constant('data:image/png;base64,%%%'),
      fc.json(),
      fc.string({ unit: 'binary' }),
    )
    const objects = fc.oneof(
      fc.record({ content: location, reference: fc.string() }),
      fc.record({ content: fc.array(fc.record({ messageType: types, messageObj: fc.object() })) }),
      fc.object() as fc.Arbitrary<Record<string, unknown>>,
    )
    fc.assert(
      fc.property(types, objects, (type, object) => {
        const { content } = readPushContent(type, object)
        expect(content.type).toMatch(/^[a-z.]+\/[A-Za-z0-9-]+:\d\.\d$/)
        expect(content.fallback?.isWellFormed() ?? true).toBe(true)
        readContent(content)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('what goes to Push', () => {
  it.each<[string, Content, string | null, object]>([
    ['text', { kind: 'text', text: 'hi' }, null, { type: 'Text', content: 'hi' }],
    ['markdown', { kind: 'markdown', text: '**hi**' }, null, { type: 'Text', content: '**hi**' }],
    [
      'a reply',
      { kind: 'text', text: 'hi' },
      'c1',
      { type: 'Reply', content: { type: 'Text', content: 'hi' }, reference: 'c1' },
    ],
    [
      'a receipt',
      { kind: 'readReceipt' },
      'c1',
      { type: 'Receipt', content: 'READ_RECEIPT', reference: 'c1' },
    ],
    [
      'an image elsewhere',
      { ...link, ...nothingElse, media: 'image', url: 'https://example.org/a.png' },
      null,
      { type: 'MediaEmbed', content: 'https://example.org/a.png' },
    ],
    [
      'an image',
      { kind: 'attachment', filename: 'a.png', mimeType: 'image/png', bytes: Uint8Array.of(0, 1, 2) },
      null,
      {
        type: 'Image',
        content: '{"content":"data:image/png;base64,AAEC","name":"a.png","type":"image/png","size":3}',
      },
    ],
  ])('%s', (_, content, reference, message) => {
    expect(written(content, reference)).toEqual(message)
  })

  it('a reaction that Push has', () => {
    const reaction = { kind: 'reaction', action: 'added', schema: 'unicode', content: '❤' } as const
    const named = { ...reaction, reference: '', referenceInboxId: '' }
    expect(written(named, 'c1')).toEqual({ type: 'Reaction', content: '❤️', reference: 'c1' })
    for (const [change, reference] of [
      [{ content: '🎉' }, 'c1'],
      [{ action: 'removed' as const }, 'c1'],
      [{}, null],
    ] as const) {
      expect(() => written({ ...named, ...change }, reference)).toThrow(PushError)
    }
  })

  it.each<[string, NativeContent, string | null]>([
    [
      'a type that is not known',
      { type: 'a/b:1.0', parameters: {}, fallback: 'x', bytes: new Uint8Array() },
      null,
    ],
    ['a receipt of nothing', writeContent({ kind: 'readReceipt' }), null],
    ['an empty text', writeContent({ kind: 'text', text: '' }), null],
    ['typing', writeContent({ kind: 'typing', state: 'started' }), null],
  ])('%s is refused', (_, content, reference) => {
    expect(() => writePushContent(content, reference)).toThrow(
      expect.objectContaining({ code: 'content-invalid' }),
    )
  })

  it('files come back as they went', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom('image/png', 'application/pdf', 'text/plain'),
        fc.string().filter((name) => name.isWellFormed()),
        (bytes, mimeType, filename) => {
          const content = { kind: 'attachment', filename, mimeType, bytes } as const
          const message = written(content)
          expect(read(message.type, { content: message.content }).content).toEqual(content)
        },
      ),
    )
  })
})
