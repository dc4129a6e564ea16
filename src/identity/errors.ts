/** Stable codes of everything that `src/identity` refuses. They are part of the HTTP API: never rename one. */
export type IdentityErrorCode =
  | 'account-malformed'
  | 'account-checksum'
  | 'identity-namespace-unsupported'
  /** The account is controlled by a private key and a contract was claimed, or the other way round. */
  | 'account-kind-mismatch'
  /** No node of the smart account's chain is configured. */
  | 'chain-not-configured'
  /** The node of the smart account's chain gave no answer: nothing is known against the signature. */
  | 'wallet-verification-unavailable'
  | 'domain-malformed'
  | 'device-key-malformed'
  | 'device-label-malformed'
  | 'device-unknown'
  | 'challenge-unknown'
  | 'challenge-expired'
  | 'challenge-superseded'
  | 'wallet-signature-invalid'
  | 'key-entry-malformed'
  | 'key-entry-lifetime'
  | 'key-action-unsupported'
  /** The wallet has certified too many devices lately. */
  | 'key-log-busy'
  | 'key-log-broken'
  | 'key-log-forked'
  | 'key-log-untrusted-domain'
  | 'certificate-malformed'
  | 'certificate-untrusted-domain'
  | 'consent-malformed'
  | 'consent-signature-invalid'
  /** It names another gateway, network, wallet or meaning than it is used for, or a device that the wallet has not certified. */
  | 'consent-mismatch'
  | 'consent-expired'
  /** Each consent counts once. */
  | 'consent-used'
  | 'prekey-malformed'
  | 'prekey-foreign'
  | 'prekey-signature-invalid'
  | 'prekey-lifetime'
  | 'endpoint-taken'
  | 'endpoint-address-invalid'
  | 'network-not-enabled'
  | 'route-invalid'

/**
 * The one error class of the identity part. The message says what is wrong and what to do; it never holds keys, tokens,
 * signatures or whole wallet addresses.
 */
export class IdentityError extends Error {
  override readonly name = 'IdentityError'
  readonly code: IdentityErrorCode

  constructor(code: IdentityErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
