/** What makes a consent good enough to enrol by, and to go on by. */
import { equalBytes, type VerifyEd25519 } from '../envelope/index.ts'
import {
  CLOCK_SKEW_MS,
  type Consent,
  IdentityError,
  meaningHash,
  type SignedConsent,
  verifyConsent,
} from '../identity/index.ts'
import type { Session } from '../identity/types.ts'
import type { EnrolmentGateway } from './types.ts'

/** A consent is handed in at most this long after it was signed, milliseconds: a stolen old one is worth nothing. */
const FRESH_MS = 10 * 60_000

/**
 * Errors: `consent-malformed`, `consent-signature-invalid`, `consent-mismatch`, `consent-expired`.
 */
export async function requireConsent(
  signed: SignedConsent,
  expected: { session: Session; gateway: EnrolmentGateway; network: string; meaning: string; now: number },
  verify: VerifyEd25519,
): Promise<Consent> {
  const { session, gateway, network, meaning, now } = expected
  const consent = await verifyConsent(signed, verify)
  const mismatch = mismatchOf(consent, { session, gateway, network, meaning })
  if (mismatch) throw new IdentityError('consent-mismatch', `The consent is for another ${mismatch}`)
  const isFresh = consent.issuedAt <= now + CLOCK_SKEW_MS && consent.issuedAt > now - FRESH_MS
  if (!isFresh || consent.expiresAt <= now) {
    throw new IdentityError('consent-expired', 'The consent is too old, over, or dated in the future')
  }
  return consent
}

function mismatchOf(
  consent: Consent,
  {
    session,
    gateway,
    network,
    meaning,
  }: { session: Session; gateway: EnrolmentGateway; network: string; meaning: string },
): string | null {
  if (consent.gateway !== gateway.id || !equalBytes(consent.gatewayDevice, gateway.device)) return 'gateway'
  if (consent.network !== network) return 'network'
  if (consent.wallet !== session.wallet) return 'wallet'
  if (!equalBytes(consent.device, session.device)) return 'device'
  return equalBytes(consent.meaning, meaningHash(meaning)) ? null : 'meaning than the network’s terms'
}
