export type ClientErrorCode =
  /** The gateway answered with a problem; `problem` is its code. */
  | 'gateway-refused'
  /** No answer: connection refused, reset or timed out. */
  | 'gateway-unreachable'
  /** An answer that does not follow the API. */
  | 'gateway-answer-invalid'
  /** The text to sign is not the one that this device asked for. */
  | 'challenge-not-ours'
  | 'not-signed-in'
  /** The peer has no device that could read a message. */
  | 'peer-unreachable'
  /** The peer's key log or prekeys do not verify, or differ from what was seen before. */
  | 'peer-not-trusted'
  /** The peer is a smart account whose keys the gateway alone has checked, and that is not enough to seal to it. */
  | 'peer-not-verified'
  /** The node of a smart account's chain (`ClientOptions.chains`) gave no answer. */
  | 'chain-unreachable'
  /** A received message is not for this wallet. */
  | 'message-not-ours'
  /** A received message claims to belong to a conversation of others. */
  | 'conversation-mismatch'
  | 'message-expired'
  | 'message-from-future'
  /** The sender's device is not certified by the sender's wallet, or was revoked. */
  | 'sender-not-trusted'
  /** No device of this wallet has consented to the gateway that attests a message, or the consent is over. */
  | 'gateway-not-trusted'
  /** The gateway has no hop mode, or not on this network. */
  | 'hop-unsupported'
  /** `xmtp.attach` was not called. */
  | 'xmtp-not-attached'
  /** The XMTP SDK refuses a mirrored message. */
  | 'xmtp-refused'
  /** `push.attach` was not called. */
  | 'push-not-attached'
  /** A mirrored Push message is not signed by its sender, not encrypted, or not for this wallet; or its sender's keys are not. */
  | 'push-refused'
  /** The kind of frame cannot be opened by this version of the client. */
  | 'message-unsupported'

/** Every error of the client library, besides `EnvelopeError` and `IdentityError` of its building blocks. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: ClientErrorCode
  /** HTTP status, for `gateway-refused`. */
  readonly status: number | undefined
  /** Stable problem code of the gateway, for `gateway-refused`. */
  readonly problem: string | undefined
  /** How long the gateway asks to be left alone (`Retry-After`), milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(
    code: ClientErrorCode,
    message: string,
    options: { cause?: unknown; status?: number; problem?: string; retryAfterMs?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = options.status
    this.problem = options.problem
    this.retryAfterMs = options.retryAfterMs
  }
}

/** The same call may succeed later: no answer, a failure inside the gateway, or too many requests. */
export function isTransient(error: unknown): error is ClientError {
  if (!(error instanceof ClientError)) return false
  if (error.code === 'gateway-unreachable' || error.code === 'chain-unreachable') return true
  return error.code === 'gateway-refused' && (error.status === 429 || (error.status ?? 0) >= 500)
}
