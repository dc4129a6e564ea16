/** What goes wrong with XMTP, and how each failure becomes an `AdapterError`, the only error that leaves the adapter. */
import { AdapterError, type AdapterErrorClass } from '../../src/adapter/index.ts'

export type XmtpErrorCode =
  /** The SDK's native library does not load on this machine. */
  | 'native-binding-missing'
  /** The database was written with another key. */
  | 'database-key-wrong'
  /** The local database is locked, full or not connected. */
  | 'database-failed'
  /** The inbox has as many installations as the network allows. */
  | 'installation-limit'
  /** This installation was revoked, or the network never knew it. */
  | 'installation-revoked'
  /** The network left protocol V3, and this SDK speaks no other. */
  | 'protocol-retired'
  /** The node cannot be reached, or does not answer in time. */
  | 'unavailable'
  | 'rate-limited'
  /** The recipient's inbox is not registered on XMTP. */
  | 'recipient-not-registered'
  /** The conversation takes no messages of this installation any more. */
  | 'conversation-inactive'
  | 'too-large'
  | 'address-invalid'
  /** A native message that XMTP has no such content for. */
  | 'content-invalid'
  /** The signature is not the wallet's. */
  | 'signature-invalid'
  /** The enrolment was not begun here, or has ended. */
  | 'enrolment-unknown'
  /** The inbox is not open, or was closed meanwhile. */
  | 'closed'
  /** The caller gave up. */
  | 'aborted'
  /** Stored here, not yet seen on the network; the next send or look-up publishes it. */
  | 'unpublished'
  | 'failed'

export interface XmtpErrorOptions {
  cause?: unknown
  retryAfterMs?: number
}

/** Failure inside the XMTP adapter. Its message names no inbox and no wallet; `cause` may. */
export class XmtpError extends Error {
  override readonly name = 'XmtpError'
  readonly code: XmtpErrorCode
  readonly retryAfterMs: number | undefined

  constructor(code: XmtpErrorCode, message: string, options: XmtpErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryAfterMs = options.retryAfterMs
  }
}

/** Pause after a refusal for rate, where the network names none; its buckets are counted by the minute. */
const RATE_LIMIT_WAIT_MS = 15_000

/** libxmtp gives texts and no codes. Checked in this order against text of version 1.11. */
const known: readonly (readonly [RegExp, XmtpErrorCode, string])[] = [
  [
    /PRAGMA key or salt has incorrect value/,
    'database-key-wrong',
    'The database was written with another key',
  ],
  [
    /already registered \d+\/\d+ installations|Cannot register a new installation|TooManyInstallations/i,
    'installation-limit',
    'The inbox has as many installations as the network allows',
  ],
  [
    /no longer available\. Please upgrade your client/i,
    'protocol-retired',
    'The network has left the protocol that this version speaks',
  ],
  [
    /UnknownSigner|Signature validation failed|Invalid signature/i,
    'signature-invalid',
    'The signature is not the wallet’s',
  ],
  [/GroupInactive|group is inactive/i, 'conversation-inactive', 'The conversation is not active any more'],
  [
    /SequenceId not found in local db|InboxId\w* not found|Missing identity update|no installations/i,
    'recipient-not-registered',
    'The recipient is not registered on XMTP',
  ],
  [
    /resource has been exhausted|rate ?limit|too many requests/i,
    'rate-limited',
    'XMTP limits the rate of calls',
  ],
  [
    /message too large|exceeds? (the )?(max|limit|size)|payload too large/i,
    'too-large',
    'Too large for XMTP',
  ],
  [
    /service is currently unavailable|tcp connect error|transport error|error trying to connect|Deadline expired|timed? ?out|broken pipe|connection (reset|closed|refused)|h2 protocol error|operation was cancelled|dns error/i,
    'unavailable',
    'XMTP cannot be reached',
  ],
  [
    /Pool needs to +reconnect|database is locked|disk is full|disk I\/O/i,
    'database-failed',
    'The local database failed',
  ],
]

/** Reads a failure of the SDK. */
export function toXmtpError(error: unknown): XmtpError {
  if (error instanceof XmtpError) return error
  const text = error instanceof Error ? error.message : String(error)
  for (const [pattern, code, message] of known) {
    if (pattern.test(text)) return new XmtpError(code, message, { cause: error })
  }
  const kind = /^\[([\w:]+)\]/.exec(text)?.[1]
  return new XmtpError('failed', kind ? `The XMTP SDK failed: ${kind}` : 'The XMTP SDK failed', {
    cause: error,
  })
}

/** What is certain of each failure when a message was not handed to the network yet. */
const classes: Readonly<Record<XmtpErrorCode, AdapterErrorClass>> = {
  'native-binding-missing': 'auth',
  'database-key-wrong': 'auth',
  'database-failed': 'retryable',
  'installation-limit': 'auth',
  'installation-revoked': 'auth',
  'protocol-retired': 'auth',
  unavailable: 'retryable',
  'rate-limited': 'rateLimited',
  'recipient-not-registered': 'permanent',
  'conversation-inactive': 'permanent',
  'too-large': 'tooLarge',
  'address-invalid': 'permanent',
  'content-invalid': 'permanent',
  'signature-invalid': 'permanent',
  'enrolment-unknown': 'permanent',
  closed: 'retryable',
  aborted: 'retryable',
  unpublished: 'uncertain',
  failed: 'retryable',
}

/**
 * `stage` says how far a message had come. Once it is `stored` in the local database a later sync publishes it, so that
 * no failure is certain any more but those of messages that the network will never take.
 */
export function toAdapterError(error: unknown, stage: 'before' | 'stored' = 'before'): AdapterError {
  if (AdapterError.is(error)) return error
  const failure = toXmtpError(error)
  const ofCode = classes[failure.code]
  const errorClass =
    stage === 'stored' && ofCode !== 'permanent' && ofCode !== 'tooLarge' ? 'uncertain' : ofCode
  return new AdapterError(errorClass, failure.message, {
    remoteCode: failure.code,
    cause: failure,
    ...(errorClass === 'rateLimited' ? { retryAfterMs: failure.retryAfterMs ?? RATE_LIMIT_WAIT_MS } : {}),
  })
}

/** What an operator can do about a failure that does not pass by itself. */
export function operatorAction(code: XmtpErrorCode): string | undefined {
  switch (code) {
    case 'native-binding-missing':
      return 'Run the gateway on Linux with glibc 2.25 or newer (Debian 10, Ubuntu 18.04 and later), macOS or Windows, and reinstall the packages there; or remove networks.xmtp.'
    case 'database-key-wrong':
      return 'Set databaseKey (or walletKey, from which it is derived) to the value that the database was written with, or restore the database that belongs to it.'
    case 'installation-limit':
      return 'Restore the database of an earlier installation from a backup, or revoke installations that are not used any more with the gateway’s wallet (docs.xmtp.org, “Revoke installations”).'
    case 'installation-revoked':
      return 'If the revocation was meant, remove networks.xmtp. If not, move the database folder away and start again: the gateway registers a new installation.'
    case 'protocol-retired':
      return 'Upgrade the gateway to a version that speaks the new protocol of XMTP.'
    case 'database-failed':
      return 'Check that the disk has room and that no second gateway uses the same database folder.'
    default:
      return undefined
  }
}
