/** Text and bytes, with this part's own errors. */
import { EnvelopeError, utf8Decode, utf8Encode } from '../envelope/index.ts'
import { bytesInvalid, ContentError } from './errors.ts'

/** Reads UTF-8 without replacing anything. Throws `content-bytes-invalid`. */
export function textOf(bytes: Uint8Array, what: string): string {
  try {
    return utf8Decode(bytes)
  } catch (cause) {
    if (!(cause instanceof EnvelopeError)) throw cause
    throw bytesInvalid(what, 'it is not UTF-8', { cause })
  }
}

/** Throws `content-value-invalid` for text with a lone surrogate, which has no UTF-8 form. */
export function bytesOf(text: string): Uint8Array {
  try {
    return utf8Encode(text)
  } catch (cause) {
    if (!(cause instanceof EnvelopeError)) throw cause
    throw new ContentError('content-value-invalid', 'The text is not well-formed Unicode', { cause })
  }
}

/** Text for people, whatever the bytes are: what is not UTF-8 is replaced. For fallbacks alone. */
export function readableText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
