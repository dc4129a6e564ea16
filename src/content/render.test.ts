import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CONTENT_KINDS, type ContentKind } from '../adapter/content-support.ts'
import {
  type About,
  type Content,
  NETWORK_CONTENTS,
  pushContents,
  readContent,
  render,
  TYPES,
  trtcContents,
  writeContent,
  xmtpContents,
} from './index.ts'
import { contentArbitrary } from './testing/arbitraries.ts'
import { samples } from './testing/samples.ts'

const about = (content: Content, change: Partial<About> = {}): About => ({
  content: writeContent(content),
  reference: null,
  replaces: null,
  revises: false,
  ...change,
})
const text = (value: string) => ({ kind: 'text' as const, text: value })

/** A message of each kind, as it comes from a wallet. */
function messageOf(kind: ContentKind): About {
  switch (kind) {
    case 'reply':
      return about(text('yes'), { reference: 'native-1' })
    case 'edit':
      return about(text('corrected'), { replaces: 'native-1', revises: true })
    case 'delete':
      return about(samples.delete, { replaces: 'native-1', revises: true })
    case 'reaction':
    case 'readReceipt':
      return about(samples[kind], { reference: 'native-1' })
    case 'other':
      return {
        ...about(text('')),
        content: {
          type: 'example.org/drawing:1.0',
          parameters: {},
          fallback: 'A drawing',
          bytes: Uint8Array.of(1),
        },
      }
    default:
      return about(samples[kind])
  }
}

const cells = Object.entries(NETWORK_CONTENTS).flatMap(([network, support]) =>
  CONTENT_KINDS.map((kind) => ({ network, support, kind, rendering: support.kinds[kind] })),
)

describe('the table of conversions', () => {
  it.each(cells)('$network: $kind is $rendering', ({ support, kind, rendering }) => {
    const message = messageOf(kind)
    const rendered = render(support, message)
    // The parts of the sample of a composite are text and a file by URL.
    const expected =
      kind === 'composite' && rendering === 'converted' ? support.kinds.attachmentReference : rendering
    expect(rendered.rendering).toBe(expected === 'native' && kind === 'composite' ? 'converted' : expected)
    const { outgoing } = rendered
    if (rendering === 'dropped') return expect(outgoing).toBe(null)
    if (rendering === 'fallback') {
      expect(outgoing?.content.type).toBe(TYPES.text)
      expect(outgoing?.replaces).toBe(null)
      return expect(readContent(outgoing!.content)).not.toEqual({ kind: 'text', text: '' })
    }
    expect(outgoing?.replaces).toBe(message.replaces)
    expect(outgoing?.reference).toBe(message.reference)
    const isText = kind === 'markdown' && rendering === 'converted'
    if (isText) expect(outgoing?.content).toEqual(writeContent(text(samples.markdown.text)))
    else if (kind !== 'composite') expect(outgoing?.content).toEqual(message.content)
  })

  it('says where an edit or a deletion goes that a network does not have', () => {
    const correction = about(text('4 pm'), { replaces: 'm1', revises: true })
    expect(render(xmtpContents, correction)).toEqual({
      rendering: 'fallback',
      outgoing: { content: writeContent(text('Edited: 4 pm')), reference: 'm1', replaces: null },
    })
    expect(render(xmtpContents, { ...correction, replaces: null })).toEqual({
      rendering: 'fallback',
      outgoing: { content: writeContent(text('Edited: 4 pm')), reference: null, replaces: null },
    })
    expect(render(trtcContents, { ...correction, replaces: null }).rendering).toBe('fallback')
    const removal = about(samples.delete, { replaces: 'm1', revises: true })
    expect(render(xmtpContents, removal).outgoing?.reference).toBe('m1')
    expect(render(xmtpContents, { ...removal, replaces: null })).toEqual({
      rendering: 'dropped',
      outgoing: null,
    })
  })

  it('an edit is as good as its new content', () => {
    const revises = { replaces: 'm1', revises: true }
    expect(render(trtcContents, about(samples.markdown, revises)).rendering).toBe('converted')
    expect(render(trtcContents, about(samples.notification, revises)).rendering).toBe('fallback')
    expect(render(trtcContents, about(samples.groupUpdated, revises)).rendering).toBe('dropped')
    const form = about({ kind: 'edit', messageId: 'x', content: writeContent(text('b')) }, revises)
    expect(render(trtcContents, form).outgoing?.content).toEqual(writeContent(text('b')))
  })

  it.each([
    ['👍', 'added', 'native'],
    ['❤', 'added', 'native'],
    ['🎉', 'added', 'fallback'],
    ['👍', 'removed', 'fallback'],
  ] as const)('Push: the reaction %s, %s, is %s', (content, action, rendering) => {
    const rendered = render(
      pushContents,
      about({ ...samples.reaction, content, action }, { reference: 'cid' }),
    )
    expect(rendered.rendering).toBe(rendering)
    expect(rendered.outgoing?.reference).toBe('cid')
  })

  it('a reaction to a message that the network does not have is text, a receipt for one is dropped where it must name it', () => {
    expect(render(xmtpContents, about(samples.reaction))).toEqual({
      rendering: 'fallback',
      outgoing: { content: writeContent(text('👍')), reference: null, replaces: null },
    })
    expect(render(pushContents, about(samples.readReceipt)).rendering).toBe('dropped')
    expect(render(xmtpContents, about(samples.readReceipt)).rendering).toBe('native')
  })

  it('a reply is as good as its content, in XMTP’s own form too', () => {
    expect(render(pushContents, about(samples.markdown, { reference: 'm1' })).rendering).toBe('converted')
    const form = about(samples.reply, { reference: 'm1' })
    expect(render(trtcContents, form)).toEqual({
      rendering: 'native',
      outgoing: { content: samples.reply.content, reference: 'm1', replaces: null },
    })
  })

  it('a composite keeps the parts that the network has', () => {
    const parts = [
      writeContent(text('see')),
      writeContent(samples.typing),
      writeContent(samples.notification),
    ]
    const { rendering, outgoing } = render(xmtpContents, about({ kind: 'composite', parts }))
    expect(rendering).toBe('fallback')
    expect(readContent(outgoing!.content)).toMatchObject({
      kind: 'composite',
      parts: [{ type: TYPES.text }, { type: TYPES.text }],
    })
    expect(
      render(xmtpContents, about({ kind: 'composite', parts: [writeContent(samples.typing)] })).rendering,
    ).toBe('dropped')
  })

  it('what has nothing to read and no place is dropped', () => {
    const silent = { ...messageOf('other').content, fallback: null }
    expect(render(pushContents, { ...messageOf('other'), content: silent }).rendering).toBe('dropped')
    expect(render(xmtpContents, { ...messageOf('other'), content: silent }).rendering).toBe('native')
  })

  it('asks nothing of a network that it does not have, whatever the content', () => {
    const anything = fc.record({
      content: contentArbitrary.map(writeContent),
      reference: fc.option(fc.constant('m1')),
      replaces: fc.option(fc.constant('m2')),
      revises: fc.boolean(),
    })
    for (const support of Object.values(NETWORK_CONTENTS)) {
      fc.assert(
        fc.property(anything, (message) => {
          const { rendering, outgoing } = render(support, message)
          expect(outgoing === null).toBe(rendering === 'dropped')
          if (outgoing === null) return
          const { kind } = readContent(outgoing.content)
          expect(['native', 'converted']).toContain(support.kinds[kind === 'unknown' ? 'other' : kind])
          if (outgoing.replaces !== null) {
            expect(['native', 'converted']).toContain(support.kinds[kind === 'delete' ? 'delete' : 'edit'])
          }
        }),
      )
    }
  })
})
