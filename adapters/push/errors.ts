/** Failures of the Push adapter and how each becomes an `AdapterError`, the only error that leaves it. */
import { AdapterError, type AdapterErrorClass } from '../../src/adapter/index.ts'

export type PushErrorCode =
  /** No connection came about: nothing was sent. */
  | 'unreachable'
  /** The connection ended before an answer. */
  | 'answer-lost'
  | 'timed-out'
  /** The service answered with an HTTP status that is none of success. */
  | 'refused'
  /** An answer that is not the protocol. */
  | 'malformed-answer'
  /** The wallet has no Push keys: the SDK would write to it in plaintext. */
  | 'wallet-without-keys'
  /** The wallet's signature does not cover the keys that the service gives for it. */
  | 'key-unverified'
  /** The service gives keys again that were replaced by newer ones. */
  | 'key-reverted'
  /** The SDK was about to send something that is not encrypted. */
  | 'plaintext-refused'
  /** The gateway's profile was there before and is not any more. */
  | 'profile-missing'
  /** The gateway's profile is there, but its key does not open with this wallet. */
  | 'profile-locked'
  /** What was handed over is not the key of this wallet's profile. */
  | 'handover-invalid'
  /** The signature is not the wallet's over the text that it was given. */
  | 'signature-invalid'
  /** No such enrolment waits for a signature here. */
  | 'enrolment-unknown'
  /** The profile has other keys now than the one that was handed over. */
  | 'key-replaced'
  /** Push has no message of this kind. */
  | 'content-invalid'
  /** There is no such conversation, or the account is not in it. */
  | 'conversation-unknown'
  /** Push knows no account of this kind of wallet. */
  | 'address-invalid'
  /** The SDK failed, or asked for something that the adapter does not let it have. */
  | 'sdk-failed'
  /** The thread of the SDK ended. */
  | 'sdk-ended'
  | 'not-connected'
  | 'aborted'

export interface PushErrorOptions {
  /** HTTP status. */
  status?: number
  retryAfterMs?: number
  cause?: unknown
}

export class PushError extends Error {
  override readonly name = 'PushError'
  readonly code: PushErrorCode
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined

  constructor(code: PushErrorCode, message: string, options: PushErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = options.status
    this.retryAfterMs = options.retryAfterMs
  }
}

/** Pause where the service limits us and names no time. */
const RATE_LIMIT_PAUSE_MS = 5_000

/**
 * The class by which the relay decides. `left` says that a message may have gone out when it failed: whatever does not
 * prove the opposite is then `uncertain`.
 */
export function toAdapterError(error: unknown, left: boolean): AdapterError {
  if (AdapterError.is(error)) return error
  const known = error instanceof PushError ? error : new PushError('sdk-failed', 'The Push SDK failed')
  const errorClass = classOf(known, left)
  return new AdapterError(errorClass, known.message, {
    remoteCode: known.status ?? known.code,
    ...(errorClass === 'rateLimited' ? { retryAfterMs: known.retryAfterMs ?? RATE_LIMIT_PAUSE_MS } : {}),
    // Causes of other origin may quote addresses or bodies.
    ...(error instanceof PushError ? {} : { cause: undefined }),
  })
}

function classOf({ code, status }: PushError, left: boolean): AdapterErrorClass {
  switch (code) {
    case 'refused':
      return classOfStatus(status ?? 0, left)
    case 'wallet-without-keys':
    case 'key-unverified':
    case 'key-reverted':
    case 'plaintext-refused':
    case 'handover-invalid':
    case 'signature-invalid':
    case 'enrolment-unknown':
    case 'key-replaced':
    case 'content-invalid':
    case 'conversation-unknown':
    case 'address-invalid':
      return 'permanent'
    case 'profile-locked':
      return 'auth'
    // It was there before, and one answer does not prove that it is gone. The connection's state tells the operator.
    case 'profile-missing':
    case 'unreachable':
    case 'not-connected':
      return 'retryable'
    default:
      return left ? 'uncertain' : 'retryable'
  }
}

/** The service's source is not public. A server error may come after the message was stored, so it proves nothing. */
function classOfStatus(status: number, left: boolean): AdapterErrorClass {
  if (status === 413) return 'tooLarge'
  if (status === 429) return 'rateLimited'
  if (status === 408 || status >= 500) return left ? 'uncertain' : 'retryable'
  return status >= 400 ? 'permanent' : 'retryable'
}
