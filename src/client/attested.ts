/** Hop envelopes: whom to believe, and what they say of where they come from. */
import {
  type HopOrigin,
  isHop,
  readHopOrigin,
  readHopRequest,
  type SealedEnvelope,
  SUITE,
  verifySealed,
} from '../envelope/index.ts'
import { decodeHopCertificate, IdentityError, type TrustLevel, verifyConsent } from '../identity/index.ts'
import type { Directory } from './directory.ts'
import { consentMatches, type RevokedConsents } from './enrolments.ts'
import { ClientError } from './errors.ts'
import type { Attestation } from './types.ts'

/** How far clocks may differ, milliseconds. */
const CLOCK_SKEW_MS = 120_000

/** What a hop envelope is to this wallet. Null: it is not in hop mode. Errors: `message-unsupported`, `EnvelopeError`. */
export function attestationOf({ header }: SealedEnvelope): Attestation | null {
  if (!isHop(header)) return null
  if (header.suite === SUITE.none)
    throw new ClientError('message-unsupported', 'The hop envelope is not sealed')
  const { hop } = header.ext
  if (typeof hop === 'object' && hop !== null && !('id' in hop)) {
    const { gateway, network, conversation, kind } = readHopRequest(header)
    return {
      attestedBy: null,
      gateway,
      network,
      remoteId: null,
      conversation,
      kind,
      sender: null,
      known: true,
    }
  }
  const origin = readHopOrigin(header)
  const { gateway, network, id, conversation, kind, sender, known } = origin
  return { attestedBy: gateway, gateway, network, remoteId: id, conversation, kind, sender, known }
}

/**
 * Requires that a certified device of this wallet has consented to the gateway's device that signed. The consent comes along;
 * the wallet's key log decides about the device. Rejects with `gateway-not-trusted`.
 */
export async function requireTrustedGateway(
  envelope: SealedEnvelope,
  arrival: { certificate: Uint8Array | null; receivedAt: number },
  options: { wallet: string; directory: Pick<Directory, 'peer'>; revoked: RevokedConsents },
): Promise<TrustLevel> {
  const { wallet, directory, revoked } = options
  const { header } = envelope
  const origin = readHopOrigin(header)
  requireOwn(origin, header, wallet)
  if (!arrival.certificate) throw untrusted('nobody says that this wallet trusts it')
  try {
    const { consent: signed } = decodeHopCertificate(arrival.certificate)
    const consent = await verifyConsent(signed)
    const expected = {
      gateway: origin.gateway,
      gatewayDevice: header.device,
      network: origin.network,
      wallet,
    }
    if (!consentMatches(signed, expected)) throw untrusted('the consent is for something else')
    const { receivedAt } = arrival
    if (consent.issuedAt > receivedAt + CLOCK_SKEW_MS || consent.expiresAt <= receivedAt) {
      throw untrusted('the consent is over, or has not begun')
    }
    if (!revoked.stands(signed.bytes, receivedAt)) throw untrusted('the consent was taken back')
    if (!(await devicesStands(directory, wallet, consent.device, consent.issuedAt))) {
      throw untrusted('the device that consented is not certified by this wallet')
    }
  } catch (error) {
    if (error instanceof IdentityError) throw untrusted(error.message)
    throw error
  }
  if (!(await verifySealed(envelope))) throw untrusted('its signature does not verify')
  return 'gateway'
}

async function devicesStands(
  directory: Pick<Directory, 'peer'>,
  wallet: string,
  device: Uint8Array,
  issuedAt: number,
): Promise<boolean> {
  const stands = async (fresh: boolean) => {
    const { log } = await directory.peer(wallet, { fresh })
    const isRevoked = log.devices().some((known) => known.revokedAt !== null && sameKey(known.device, device))
    return !isRevoked && log.deviceStatus(device, issuedAt) === 'certified'
  }
  return (await stands(false)) || stands(true)
}

function sameKey(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index])
}

function requireOwn(origin: HopOrigin, header: SealedEnvelope['header'], wallet: string): void {
  const isOurs = origin.own ? header.from === wallet : header.to[0] === wallet
  if (!isOurs) throw new ClientError('message-not-ours', 'The envelope is not addressed to this wallet')
}

function untrusted(reason: string): ClientError {
  return new ClientError(
    'gateway-not-trusted',
    `The gateway that attests this message is not trusted: ${reason}`,
  )
}
