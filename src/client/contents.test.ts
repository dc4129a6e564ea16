import { expect, it } from 'vitest'
import { samples } from '../content/testing/samples.ts'
import { contentFor, contentOf } from './index.ts'

it.each(Object.values(samples))('sends and reads $kind as a value', (sample) => {
  const { contentType, bytes, parameters, fallback } = contentFor(sample)
  const content = {
    salt: new Uint8Array(16),
    replaces: null,
    topicId: new Uint8Array(),
    expires: null,
    inReplyTo: null,
    contentType,
    parameters: parameters ?? {},
    fallback: fallback ?? null,
    content: bytes,
  }
  expect(contentOf({ content })).toEqual(sample)
  const broken = { ...content, content: Uint8Array.of(0xff, 0xff) }
  expect(() => contentOf({ content: broken })).not.toThrow()
})
