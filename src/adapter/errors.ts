/**
 * How the relay must treat a failed call to a network.
 *
 * - `retryable`: the network certainly did not take the message; the same intent may be tried again later.
 * - `permanent`: the network refused it and will refuse it again (bad recipient, content rejected).
 * - `uncertain`: it may have been taken, the answer was lost. It is looked up through history or an echo before any resend.
 * - `rateLimited`: refused for now; try again after `retryAfterMs`.
 * - `auth`: the gateway's own credentials were refused; an operator has to act.
 * - `unsupported`: this network cannot do what was asked.
 * - `tooLarge`: over the network's size limit; another network may carry it.
 */
export type AdapterErrorClass =
  | 'retryable'
  | 'permanent'
  | 'uncertain'
  | 'rateLimited'
  | 'auth'
  | 'unsupported'
  | 'tooLarge'

/** Marks the class across duplicate copies of this module, where `instanceof` would fail. */
const MARKER = Symbol.for('causeway.AdapterError')

export interface AdapterErrorOptions {
  /** The network's own error code or HTTP status, for operators. Never a secret or a whole address. */
  remoteCode?: string | number
  /** Milliseconds to wait; required for `rateLimited`, ignored elsewhere. */
  retryAfterMs?: number
  cause?: unknown
}

/**
 * The only error that an adapter may throw from a contract method.
 *
 * @example throw new AdapterError('rateLimited', 'TRTC allows 200 requests a second', { retryAfterMs: 1000, remoteCode: 60011 })
 */
export class AdapterError extends Error {
  override readonly name = 'AdapterError'
  readonly class: AdapterErrorClass
  readonly remoteCode: string | number | undefined
  readonly retryAfterMs: number | undefined
  readonly [MARKER] = true

  constructor(errorClass: AdapterErrorClass, message: string, options: AdapterErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.class = errorClass
    this.remoteCode = options.remoteCode
    this.retryAfterMs = options.retryAfterMs
  }

  static is(value: unknown): value is AdapterError {
    return typeof value === 'object' && value !== null && MARKER in value
  }
}
