import { EnvelopeError } from './errors.ts'

/** Padded sizes in bytes. An observer learns the bucket of a message, not its length. */
export const PADDING_BUCKETS: readonly number[] = [256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]

const MARKER = 0x80

/** ISO/IEC 7816-4 padding: one byte 0x80, then zeros up to the smallest bucket that fits. Errors: `envelope-content-too-large`. */
export function padContent(content: Uint8Array): Uint8Array {
  const bucket = PADDING_BUCKETS.find((size) => size > content.length)
  if (bucket === undefined) {
    throw new EnvelopeError(
      'envelope-content-too-large',
      `${content.length} bytes exceed the largest bucket; send it as an encrypted remote attachment`,
    )
  }
  const padded = new Uint8Array(bucket)
  padded.set(content)
  padded[content.length] = MARKER
  return padded
}

/** Undoes {@link padContent}; a sender may have chosen a larger bucket than it needed. Errors: `envelope-padding-invalid`. */
export function unpadContent(padded: Uint8Array): Uint8Array {
  let end = padded.length - 1
  while (end >= 0 && padded[end] === 0) end--
  if (end < 0 || padded[end] !== MARKER || !PADDING_BUCKETS.includes(padded.length)) {
    throw new EnvelopeError(
      'envelope-padding-invalid',
      'The content is not padded to one of the buckets of version 1',
    )
  }
  return padded.slice(0, end)
}
