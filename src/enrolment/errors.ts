/** Stable codes of everything that `src/enrolment` refuses. They are part of the HTTP API: never rename one. */
export type EnrolmentErrorCode =
  /** The network has no hop mode. */
  | 'enrolment-unsupported'
  /** There is none of this id for the wallet. */
  | 'enrolment-unknown'
  /** The wallet has one on this network. */
  | 'enrolment-exists'
  /** The wallet, or the gateway, has as many as it may. */
  | 'enrolment-limit'
  /** The text waited too long for its signature. */
  | 'enrolment-expired'
  /** The network does not take the signature, or what was handed over. */
  | 'enrolment-signature-refused'
  /** The network will not have the wallet. */
  | 'enrolment-refused'
  /** A key has to be handed over and was not, or the other way round, or it does not open. */
  | 'enrolment-handover-invalid'

/** The one error class of the enrolment part. Messages name no wallet and hold no key. */
export class EnrolmentError extends Error {
  override readonly name = 'EnrolmentError'
  readonly code: EnrolmentErrorCode

  constructor(code: EnrolmentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
