/** Stable codes of everything that `src/content` refuses. */
export type ContentErrorCode =
  /** The bytes are not what their content type says. */
  | 'content-bytes-invalid'
  /** A value that the content type cannot hold. */
  | 'content-value-invalid'

/** The one error class of this part. The message says what is wrong; it never holds content. */
export class ContentError extends Error {
  override readonly name = 'ContentError'
  readonly code: ContentErrorCode

  constructor(code: ContentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A `content-bytes-invalid` about one content type. */
export function bytesInvalid(what: string, reason: string, options?: ErrorOptions): ContentError {
  return new ContentError('content-bytes-invalid', `The ${what} cannot be read: ${reason}`, options)
}
