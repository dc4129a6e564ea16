import { describe, expect, it } from 'vitest'
import { encodeCanonical } from './cbor.ts'
import { decodeContent, encodeContent, type InnerContent } from './content.ts'
import { PADDING_BUCKETS, padContent, unpadContent } from './padding.ts'
import { codeOf, textContent } from './testing/fixtures.ts'

describe('inner content', () => {
  const valid = textContent('hello', { expires: 5, fallback: 'a text', topicId: Uint8Array.of(1) })

  it('round-trips', () => {
    expect(decodeContent(encodeContent(valid))).toEqual(valid)
    const reply = {
      ...valid,
      replaces: new Uint8Array(32),
      inReplyTo: new Uint8Array(32),
      expires: null,
      fallback: null,
    }
    expect(decodeContent(encodeContent(reply))).toEqual(reply)
  })

  const invalid: [string, Partial<Record<keyof InnerContent, unknown>>][] = [
    ['a short salt', { salt: new Uint8Array(15) }],
    ['a short replaces', { replaces: new Uint8Array(31) }],
    ['a long topic', { topicId: new Uint8Array(65) }],
    ['a topic that is null', { topicId: null }],
    ['a negative expiry', { expires: -1 }],
    ['a short inReplyTo', { inReplyTo: new Uint8Array(1) }],
    ['a malformed content type', { contentType: 'text' }],
    ['a parameter that is a number', { parameters: { a: 1 } }],
    ['parameters that are null', { parameters: null }],
    ['a fallback that is a number', { fallback: 1 }],
    ['content that is text', { content: 'hello' }],
  ]
  it.each(invalid)('refuses %s, when writing and when reading', async (_, change) => {
    const changed = { ...valid, ...change } as InnerContent
    expect(await codeOf(() => encodeContent(changed))).toBe('content-malformed')
    expect(await codeOf(() => decodeContent(encodeCanonical(Object.values(changed))))).toBe(
      'content-malformed',
    )
  })

  it('refuses what is not inner content at all, and what no bucket holds', async () => {
    expect(await codeOf(() => decodeContent(encodeCanonical([])))).toBe('content-malformed')
    expect(await codeOf(() => decodeContent(Uint8Array.of(0x9f)))).toBe('content-malformed')
    expect(await codeOf(() => decodeContent(new Uint8Array(65536)))).toBe('content-malformed')
    expect(await codeOf(() => encodeContent({ ...valid, content: new Uint8Array(65536) }))).toBe(
      'envelope-content-too-large',
    )
  })
})

describe('padding', () => {
  it('fills the smallest bucket that leaves room for the marker, and comes off again', () => {
    for (const size of PADDING_BUCKETS) {
      for (const length of [size / 2, size - 2, size - 1]) {
        const content = new Uint8Array(length)
        expect(padContent(content).length).toBe(size)
        expect(unpadContent(padContent(content))).toEqual(content)
      }
    }
  })

  it('keeps zeros and markers at the end of the content', () => {
    const content = Uint8Array.of(1, 0x80, 0, 0x80, 0, 0)
    expect(unpadContent(padContent(content))).toEqual(content)
  })

  it('refuses a missing marker, a foreign size and too much content', async () => {
    expect(await codeOf(() => unpadContent(new Uint8Array(256)))).toBe('envelope-padding-invalid')
    expect(await codeOf(() => unpadContent(new Uint8Array(256).fill(1)))).toBe('envelope-padding-invalid')
    expect(await codeOf(() => unpadContent(Uint8Array.of(0x80)))).toBe('envelope-padding-invalid')
    expect(await codeOf(() => unpadContent(new Uint8Array()))).toBe('envelope-padding-invalid')
    expect(await codeOf(() => padContent(new Uint8Array(65536)))).toBe('envelope-content-too-large')
  })
})
