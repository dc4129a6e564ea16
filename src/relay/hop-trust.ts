/**
 * What another gateway attests, heard on a network. It counts only for a wallet whose own certified device consented to that
 * gateway's device, and says so in the certificate beside the envelope; nobody else can make one.
 */
import { EnvelopeError, equalBytes, isHop, readHopOrigin, SUITE, verifySealed } from '../envelope/index.ts'
import { CLOCK_SKEW_MS, decodeHopCertificate, IdentityError, verifyConsent } from '../identity/index.ts'
import type { Entry } from './checks.ts'
import { RelayError } from './errors.ts'
import { isHopRequest } from './hop-out.ts'
import type { RelayContext } from './parts.ts'

/** Refuses what nobody puts on a network: requests to a gateway, and what a wallet sent itself. Throws `envelope-mode-unsupported`. */
export function requireRelayable({ envelope }: Pick<Entry, 'envelope'>): void {
  if (!isHop(envelope.header)) return
  if (isHopRequest(envelope) || readHopOrigin(envelope.header).own || envelope.header.suite === SUITE.none) {
    throw new RelayError(
      'envelope-mode-unsupported',
      'Such an envelope is between a wallet and its own gateway',
    )
  }
}

/** Throws `hop-not-trusted` unless the recipient's wallet trusts the gateway that signed; `envelope-signature-invalid`. */
export async function requireTrustedHop(
  { trust, verify }: Pick<RelayContext, 'trust' | 'verify'>,
  { envelope, certificate, receivedAt }: Entry,
): Promise<void> {
  const { header } = envelope
  const origin = readHopOrigin(header)
  const wallet = header.to[0]!
  if (certificate === null) throw untrusted('no consent came along')
  try {
    const { consent: signed, device: deviceCertificate } = decodeHopCertificate(certificate)
    const consent = await verifyConsent(signed, verify)
    const { device } = consent
    if (
      consent.wallet !== wallet ||
      consent.gateway !== origin.gateway ||
      consent.network !== origin.network ||
      !equalBytes(consent.gatewayDevice, header.device)
    ) {
      throw untrusted('the consent is for something else')
    }
    if (consent.issuedAt > receivedAt + CLOCK_SKEW_MS || consent.expiresAt <= receivedAt) {
      throw untrusted('the consent is over, or has not begun')
    }
    const ask = { wallet, device, certificate: deviceCertificate }
    const [then, now] = await Promise.all([
      trust.deviceStatus({ ...ask, receivedAt: consent.issuedAt }),
      trust.deviceStatus({ ...ask, receivedAt }),
    ])
    if (then !== 'certified' || now === 'revoked')
      throw untrusted('the device that consented is not certified')
  } catch (error) {
    if (error instanceof IdentityError) throw untrusted(error.message)
    throw error
  }
  if (!(await verifySealed(envelope, verify))) {
    throw new EnvelopeError(
      'envelope-signature-invalid',
      'The gateway that the consent names did not sign this envelope',
    )
  }
}

function untrusted(reason: string): RelayError {
  return new RelayError(
    'hop-not-trusted',
    `The recipient does not trust the gateway that attests this: ${reason}`,
  )
}
