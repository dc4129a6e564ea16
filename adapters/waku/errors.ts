/** Errors of the Waku parts and how each becomes an `AdapterError`, the only error that leaves the adapter. */
import { AdapterError } from '../../src/adapter/index.ts'

export type WakuErrorCode =
  /** A listen address is taken or cannot be bound. */
  | 'listen-failed'
  /** No connected peer offers the protocol that was needed. */
  | 'no-peer'
  /** A peer answered with something that is not the protocol. */
  | 'malformed-answer'
  /** The request may have arrived; the connection ended before an answer came. */
  | 'answer-lost'
  /** A peer refused a request; `status` holds its status code. */
  | 'refused'
  /** A cursor or range of a Store query is not valid. */
  | 'query-invalid'

export interface WakuErrorOptions {
  /** Status code of Light Push, Filter, Store or REST. */
  status?: number
  cause?: unknown
}

/** Failure inside the Waku adapter. */
export class WakuError extends Error {
  override readonly name = 'WakuError'
  readonly code: WakuErrorCode
  readonly status: number | undefined

  constructor(code: WakuErrorCode, message: string, options: WakuErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = options.status
  }
}

/** Waits before the next try where a peer limits us and names no time. */
const RATE_LIMIT_WAIT_MS = 2_000

/** Maps a failed publish to the class by which the relay decides about a retry. */
export function toAdapterError(error: unknown): AdapterError {
  if (AdapterError.is(error)) return error
  if (!(error instanceof WakuError)) {
    const text = error instanceof Error ? error.message : String(error)
    return new AdapterError('uncertain', `Waku failed in a way that does not tell whether it sent: ${text}`, {
      cause: error,
    })
  }
  switch (error.code) {
    case 'answer-lost':
    case 'malformed-answer':
      return new AdapterError('uncertain', error.message, { cause: error })
    case 'refused':
      return refusal(error)
    case 'query-invalid':
      return new AdapterError('permanent', error.message, { cause: error })
    case 'no-peer':
    case 'listen-failed':
      return new AdapterError('retryable', error.message, { cause: error })
  }
}

/** Status codes are those of Light Push 3.0.0, which nwaku's REST interface passes on as HTTP status. */
function refusal(error: WakuError): AdapterError {
  const details = { cause: error, ...(error.status === undefined ? {} : { remoteCode: error.status }) }
  switch (error.status) {
    case 413:
      return new AdapterError('tooLarge', error.message, details)
    case 429:
      return new AdapterError('rateLimited', error.message, { ...details, retryAfterMs: RATE_LIMIT_WAIT_MS })
    case 401:
    case 403:
      return new AdapterError('auth', error.message, details)
    case 400:
    case 420:
    case 421:
      return new AdapterError('permanent', error.message, details)
    default:
      return new AdapterError('retryable', error.message, details)
  }
}
