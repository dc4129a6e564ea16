/** Between what the store keeps and what the rest works with. */
import type { EnrolledAccount } from '../adapter/index.ts'
import { decodeCanonical, encodeCanonical } from '../envelope/index.ts'
import { decodeConsent, type SignedConsent } from '../identity/index.ts'
import type { StoredEnrolment } from '../store/port.ts'
import type { ActiveEnrolment, Connection, EnrolmentView } from './types.ts'

const MAX_RECORD_BYTES = 2_048

/** Purpose of what a client hands over, for `sealSecret`: it opens for this enrolment alone. */
export function handoverPurpose(of: {
  gateway: string
  network: string
  id: string
  wallet: string
}): unknown[] {
  return ['causeway/handover/1', of.gateway, of.network, of.id, of.wallet]
}

export function encodeConsentRecord({ bytes, signature }: SignedConsent): Uint8Array {
  return encodeCanonical([bytes, signature])
}

export function decodeConsentRecord(record: Uint8Array): SignedConsent {
  const [bytes, signature] = decodeCanonical(record, {
    maxBytes: MAX_RECORD_BYTES,
    maxDepth: 1,
  }) as Uint8Array[]
  return { bytes: bytes!, signature: signature! }
}

export function activeOf(stored: StoredEnrolment): ActiveEnrolment {
  const { id, wallet, network, address, expiresAt } = stored
  const consent = decodeConsentRecord(stored.consent)
  const account = JSON.parse(stored.account) as EnrolledAccount
  const { device } = decodeConsent(consent.bytes)
  return { id, wallet, network, account, address: address ?? '', consent, device, expiresAt }
}

export function viewOf(stored: StoredEnrolment, connection: Connection | null): EnrolmentView {
  const { id, network, address, meaning, createdAt, expiresAt, endedAt } = stored
  const ended = stored.state === 'ended'
  const report = ended || connection?.state === 'closed' ? null : connection
  return {
    id,
    network,
    state: ended ? 'ended' : 'active',
    address,
    connection: ended ? null : (connection?.state ?? 'closed'),
    reason: ended ? stored.reason : (report?.reason ?? null),
    userAction: report?.userAction ?? null,
    meaning,
    consent: decodeConsentRecord(stored.consent),
    createdAt,
    expiresAt,
    endedAt,
  }
}
