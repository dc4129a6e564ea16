/** Text, markdown and read receipts: the same bytes as XMTP's codecs. */
import type { Codec } from './codec.ts'
import { bytesInvalid } from './errors.ts'
import { type EncodedContent, TYPES } from './types.ts'
import { bytesOf, textOf } from './utf8.ts'

function readText({ bytes, parameters }: EncodedContent, what: string): string {
  const { encoding = 'UTF-8' } = parameters
  if (!/^utf-?8$/i.test(encoding)) throw bytesInvalid(what, 'its encoding is not UTF-8')
  return textOf(bytes, what)
}

const writeText = ({ text }: { text: string }) => ({
  parameters: { encoding: 'UTF-8' },
  fallback: null,
  bytes: bytesOf(text),
})

export const text: Codec<'text'> = {
  type: TYPES.text,
  read: (encoded) => ({ kind: 'text', text: readText(encoded, 'text') }),
  write: writeText,
}

export const markdown: Codec<'markdown'> = {
  type: TYPES.markdown,
  read: (encoded) => ({ kind: 'markdown', text: readText(encoded, 'markdown') }),
  write: writeText,
}

/** XMTP's receipt names no message: all before it have been read. */
export const readReceipt: Codec<'readReceipt'> = {
  type: TYPES.readReceipt,
  read: () => ({ kind: 'readReceipt' }),
  write: () => ({ parameters: {}, fallback: null, bytes: new Uint8Array() }),
}
