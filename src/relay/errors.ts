/** Stable codes of everything that the relay refuses. They are part of the HTTP API: never rename one. */
export type RelayErrorCode =
  /** `created + ttl` has passed. */
  | 'envelope-expired'
  /** `created` lies further ahead of this gateway's clock than it tolerates. */
  | 'envelope-from-future'
  /** So old that its id may have been taken and forgotten. */
  | 'envelope-too-old'
  | 'envelope-too-many-recipients'
  /** An envelope to one wallet names another conversation than the pair's own. */
  | 'envelope-conversation-mismatch'
  /** This copy lacks the key wraps of a recipient, so that the recipient could not open it. */
  | 'envelope-wraps-missing'
  /** Mode `hop` needs an enrolment; a parcel of mode `opaque` is taken from this gateway's own mirrors alone. */
  | 'envelope-mode-unsupported'
  /** The wallet has not enrolled this gateway on the network of the request. */
  | 'hop-not-enrolled'
  /** A hop request is not sealed to the gateway that is to send it. */
  | 'hop-key-missing'
  /** Nobody whom the recipient trusts attests the envelope. */
  | 'hop-not-trusted'
  /** The enrolled wallet has no device to seal to; the message is taken later. */
  | 'hop-without-keys'
  | 'device-unknown'
  | 'device-expired'
  | 'device-revoked'
  | 'device-certificate-invalid'
  /** A smart account's certificate, and its chain cannot be asked now. */
  | 'device-unverified'
  /** The session's wallet is not the envelope's sender. */
  | 'sender-mismatch'
  /** The frame has passed this gateway before. */
  | 'frame-looped'
  /** A recipient is not served here and no network reaches it. */
  | 'recipient-unreachable'
  | 'delivery-unknown'
  /** Only dead and superseded deliveries of envelopes that have not expired can be sent again. */
  | 'delivery-not-replayable'
  | 'network-unknown'
  /** The network's adapter has no opaque facet, or this gateway has no key to keep registrations with. */
  | 'mirror-unsupported'
  | 'mirror-registration-invalid'
  /** More topics than this gateway follows for one wallet. */
  | 'mirror-too-large'
  | 'mirror-unknown'
  | 'conversation-unknown'
  /** The wallet has denied and muted as many conversations as there may be. */
  | 'conversation-choices-full'
  /** The gateway is shutting down; the same request may be made again later. */
  | 'relay-stopping'

/** The one error class of the relay. Messages name no wallet and hold no content. */
export class RelayError extends Error {
  override readonly name = 'RelayError'
  readonly code: RelayErrorCode

  constructor(code: RelayErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Not for what the message is: it is to come again. */
const LATER: ReadonlySet<string> = new Set<RelayErrorCode>(['relay-stopping', 'hop-without-keys'])

/**
 * The stable code of an error that refuses an envelope for what it is, or null for a failure of ours (store, network),
 * after which the same bytes must be tried again.
 */
export function refusalCode(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null
  if (error.name === 'RelayError') return LATER.has(error.code) ? null : error.code
  return error.name === 'EnvelopeError' || error.name === 'AdmissionError' ? error.code : null
}
