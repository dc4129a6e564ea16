/** Stable codes of everything that `src/envelope` refuses. They are part of the HTTP API: never rename one. */
export type EnvelopeErrorCode =
  | 'encoding-invalid'
  | 'value-not-encodable'
  | 'envelope-too-large'
  | 'envelope-malformed'
  | 'envelope-not-canonical'
  | 'envelope-header-invalid'
  | 'envelope-version-unsupported'
  | 'envelope-suite-unsupported'
  | 'envelope-recipients-invalid'
  | 'envelope-key-invalid'
  | 'envelope-wrap-unlisted'
  | 'envelope-signature-invalid'
  | 'envelope-no-key'
  | 'envelope-open-failed'
  | 'envelope-commitment-mismatch'
  | 'envelope-padding-invalid'
  | 'envelope-content-too-large'
  | 'content-malformed'
  | 'frame-too-large'
  | 'frame-malformed'
  | 'frame-version-unsupported'
  | 'frame-kind-unsupported'
  | 'frame-hops-exceeded'
  | 'frame-id-mismatch'

/** The one error class of the envelope part. The message says what is wrong and what to do; it never holds message content or keys. */
export class EnvelopeError extends Error {
  override readonly name = 'EnvelopeError'
  readonly code: EnvelopeErrorCode

  constructor(code: EnvelopeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Runs `read` and reports its `from` errors under the code `to`: one decoder serves several formats, each with its own code. */
export function translateCodes<T>(
  codes: Partial<Record<EnvelopeErrorCode, EnvelopeErrorCode>>,
  read: () => T,
): T {
  try {
    return read()
  } catch (error) {
    const code = error instanceof EnvelopeError ? codes[error.code] : undefined
    if (code === undefined) throw error
    throw new EnvelopeError(code, (error as EnvelopeError).message, { cause: error })
  }
}
