import type { ProblemCode } from './problems.ts'

/** Stable codes of what the HTTP layer itself refuses. They are part of the API: never rename one. */
export type HttpErrorCode =
  | 'request-invalid'
  | 'body-not-json'
  | 'body-too-large'
  | 'body-timeout'
  | 'body-incomplete'
  | 'media-type-unsupported'
  | 'unauthenticated'
  | 'session-invalid'
  | 'wallet-mismatch'
  | 'not-found'
  | 'method-not-allowed'
  | 'rate-limited'
  | 'cursor-invalid'
  | 'cursor-expired'
  | 'envelope-not-found'
  | 'admission-refused'
  | 'network-failed'
  | 'network-unavailable'
  | 'network-rate-limited'
  | 'credentials-unsupported'
  | 'endpoint-missing'
  | 'admin-token-invalid'
  | 'streams-exhausted'
  | 'upgrade-required'
  | 'socket-frame-invalid'
  | 'not-ready'
  | 'shutting-down'
  | 'internal-error'

/** Stable codes with which adapters refuse calls of their network's webhooks. */
export type WebhookErrorCode =
  | 'webhook-secret-invalid'
  | 'webhook-signature-invalid'
  | 'webhook-stale'
  | 'webhook-replayed'
  | 'webhook-malformed'
  | 'webhook-application-mismatch'
  | 'webhook-refused'

export interface HttpErrorOptions {
  cause?: unknown
  /** Seconds after which the caller may try again; becomes `Retry-After`. */
  retryAfterSeconds?: number
  /** Further headers of the answer, e.g. `Allow`. */
  headers?: Record<string, string>
  /** What is wrong with which part of the request. */
  errors?: InvalidPart[]
}

export interface InvalidPart {
  /** Where: `body.device.publicKey`, `query.limit`. */
  path: string
  message: string
}

/** An answer that is not a success. `message` is shown to the caller as `detail`. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly code: ProblemCode
  readonly options: HttpErrorOptions

  constructor(code: ProblemCode, message: string, options: HttpErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.options = options
  }
}
