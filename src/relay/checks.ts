import type { Inbound } from '../adapter/index.ts'
import {
  directConversation,
  EnvelopeError,
  type EnvelopeHeader,
  equalBytes,
  type Hop,
  isHop,
  type SealedEnvelope,
  verifySealed,
} from '../envelope/index.ts'
import type { DeviceStatus } from '../identity/types.ts'
import { RelayError, type RelayErrorCode } from './errors.ts'
import type { Frames } from './frames.ts'
import { requireTrustedHop } from './hop-trust.ts'
import type { RelayContext } from './parts.ts'

/** An envelope on its way in. */
export interface Entry {
  envelope: SealedEnvelope
  via: string
  trace: Hop[]
  certificate: Uint8Array | null
  inbound: Inbound | null
  receivedAt: number
  monotonic: number
}

const DAY_MS = 24 * 60 * 60 * 1000

/**
 * How long after receipt the id of an envelope must be known, milliseconds. By then every further copy of it is refused for
 * its age; the day between is for clocks.
 */
export const IDS_KEPT_MS = 400 * DAY_MS

/** An envelope that was created longer ago is refused: its id may have been taken and forgotten. */
const MAX_AGE_MS = IDS_KEPT_MS - DAY_MS

const DEVICE_REFUSALS: Record<
  Exclude<DeviceStatus, 'certified'>,
  { code: RelayErrorCode; message: string }
> = {
  unknown: {
    code: 'device-unknown',
    message: 'The sender has not certified this device; sign in with it first',
  },
  expired: { code: 'device-expired', message: 'The certificate of this device has expired; sign in again' },
  revoked: { code: 'device-revoked', message: 'The sender has revoked this device' },
  certificateInvalid: {
    code: 'device-certificate-invalid',
    message: 'The certificate beside the envelope does not certify its device',
  },
  unverified: {
    code: 'device-unverified',
    message: 'The chain of the sender’s smart account cannot be asked about the device here',
  },
}

/**
 * A pair's conversation follows from its two wallets: anyone else who names it would write into it. Throws
 * `envelope-conversation-mismatch`. What a conversation of several follows from is not in the envelope.
 */
function requireOwnConversation(header: EnvelopeHeader): void {
  // In hop mode it may be that of a native group, which is checked where the native names are read.
  if (isHop(header)) return
  const { from, to, conversation } = header
  const [peer] = to
  if (to.length !== 1 || peer === undefined || equalBytes(conversation, directConversation(from, peer)))
    return
  throw new RelayError(
    'envelope-conversation-mismatch',
    'An envelope to one wallet belongs to the conversation of sender and recipient; it names another',
  )
}

/** What an envelope is checked for, each refusal with its own code. */
export interface Checks {
  /** Number of recipients, conversation, clock, age and ttl. */
  times(entry: Entry): void
  /** The sender certified the device, or the recipient trusts the gateway whose device it is; and it signed the envelope. */
  sender(entry: Entry): Promise<void>
  /**
   * A copy from which wraps were dropped on the way must still hold one for each recipient served here: it would take the
   * id, and a complete copy would then come as a duplicate.
   */
  wraps(entry: Entry, recipients: string[]): Promise<void>
}

export function createChecks(context: RelayContext, frames: Frames): Checks {
  const { trust, settings } = context

  function checkTimes({ envelope, receivedAt: now }: Entry): void {
    const { created, ttl, to } = envelope.header
    requireOwnConversation(envelope.header)
    if (to.length > settings.maxRecipients) {
      throw new RelayError(
        'envelope-too-many-recipients',
        `${to.length} recipients, this gateway takes ${settings.maxRecipients}; send several envelopes`,
      )
    }
    if (created > now + settings.maxFutureMs) {
      throw new RelayError('envelope-from-future', 'created lies in the future; set the clock of the device')
    }
    if (created < now - MAX_AGE_MS) {
      throw new RelayError(
        'envelope-too-old',
        'The envelope was created more than a year ago, so it may have been taken before; seal it anew',
      )
    }
    if (ttl !== 0 && created + ttl * 1000 <= now) {
      throw new RelayError('envelope-expired', 'The envelope has outlived its ttl; seal it anew')
    }
  }

  async function checkSender(entry: Entry): Promise<void> {
    const { envelope, inbound, certificate, receivedAt } = entry
    const { from: wallet, device } = envelope.header
    if (inbound && isHop(envelope.header)) return requireTrustedHop(context, entry)
    const status = await trust.deviceStatus({ wallet, device, certificate, receivedAt })
    if (status !== 'certified') {
      throw new RelayError(DEVICE_REFUSALS[status].code, DEVICE_REFUSALS[status].message)
    }
    if (!(await verifySealed(envelope, context.verify))) {
      throw new EnvelopeError(
        'envelope-signature-invalid',
        'The device that the header names did not sign this envelope',
      )
    }
  }

  async function checkWraps({ envelope, receivedAt }: Entry, recipients: string[]): Promise<void> {
    if (envelope.wraps.length === envelope.wrapDigests.length) return
    const opens = await Promise.all(
      recipients.map((wallet) => frames.opensFor(envelope.bytes, wallet, receivedAt)),
    )
    if (opens.includes(false)) {
      throw new RelayError(
        'envelope-wraps-missing',
        'This copy lacks key wraps of a recipient served here; send a complete one',
      )
    }
  }

  return { times: checkTimes, sender: checkSender, wraps: checkWraps }
}
