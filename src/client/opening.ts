/**
 * From received bytes to a message, in the order of the design: shape, addressee, time, seen before, sender's device,
 * signature, and only then the key. Whatever carried the bytes is not believed in anything.
 */
import {
  decodeFrame,
  decodeSealed,
  directConversation,
  EnvelopeError,
  equalBytes,
  FRAME_KIND,
  type InnerContent,
  type OpeningKey,
  openSealed,
  type SealedEnvelope,
  toHex,
  utf8Decode,
  verifySealed,
} from '../envelope/index.ts'
import {
  certificateStatus,
  IdentityError,
  type TrustLevel,
  type VerifyWallet,
  verifyCertificate,
  verifyWalletSignature,
} from '../identity/index.ts'
import { attestationOf, requireTrustedGateway } from './attested.ts'
import { chainUnreachable, type Directory } from './directory.ts'
import { nothingRevoked, type RevokedConsents } from './enrolments.ts'
import { ClientError } from './errors.ts'
import { TEXT_TYPE } from './sealing.ts'
import type { SeenIds } from './seen.ts'
import type { Message } from './types.ts'

const MAX_FUTURE_MS = 120_000

export interface Opener {
  /**
   * Opens a sealed envelope. Null when this id was opened before. Rejects with `ClientError` or `EnvelopeError` when it
   * must not be shown; it may then be tried again, e.g. with the copy from another network.
   */
  sealed(bytes: Uint8Array, arrival: Arrival): Promise<Message | null>
  /** Opens a frame as it rode over a network. */
  frame(bytes: Uint8Array, arrival: Arrival): Promise<Message | null>
}

export interface Arrival {
  via: string
  cursor: string | null
  certificate: Uint8Array | null
  /** When the gateway or this client received it, Unix milliseconds: decides about revocations. */
  receivedAt: number
}

export function createOpener(options: {
  wallet: string
  openingKeys: () => OpeningKey[]
  /** Looks for keys that another process on the same storage made. True when there are any. */
  refreshKeys?: () => Promise<boolean>
  directory: Pick<Directory, 'peer'>
  /** Consents in hop mode that do not count any more. Default: none. */
  revoked?: RevokedConsents
  seen: SeenIds
  trustedDomains: () => readonly string[]
  /** Default: without smart accounts. */
  verifyWallet?: VerifyWallet
  now: () => number
}): Opener {
  const { wallet, directory, seen, now, revoked = nothingRevoked } = options
  const { verifyWallet = verifyWalletSignature } = options

  async function open(envelope: SealedEnvelope, arrival: Arrival): Promise<Message | null> {
    const { header } = envelope
    if (header.from !== wallet && !header.to.includes(wallet)) {
      throw new ClientError('message-not-ours', 'The envelope is not addressed to this wallet')
    }
    const [peer] = header.to
    // A sender names the conversation: without this rule anyone could write into one of two others.
    const attestation = attestationOf(envelope)
    const isPair = peer !== undefined && header.to.length === 1 && attestation === null
    const ofPair = isPair ? directConversation(header.from, peer) : null
    if (ofPair && !equalBytes(header.conversation, ofPair)) {
      throw new ClientError(
        'conversation-mismatch',
        'The envelope names a conversation that is not the one of its sender and recipient',
      )
    }
    if (header.created > now() + MAX_FUTURE_MS) {
      throw new ClientError('message-from-future', 'The envelope is dated in the future; check the clock')
    }
    if (header.ttl > 0 && now() > header.created + header.ttl * 1000) {
      throw new ClientError('message-expired', 'The envelope is over its time')
    }
    const id = toHex(envelope.id)
    if (!seen.add(id)) return null
    try {
      const trust = attestation?.attestedBy
        ? await requireTrustedGateway(envelope, arrival, { wallet, directory, revoked })
        : await trustSender(envelope, arrival)
      const content = await openBody(envelope)
      seen.saveSoon()
      return {
        id,
        mode: attestation ? 'hop' : 'sealed',
        attestation,
        from: header.from,
        trust,
        to: header.to,
        conversation: toHex(header.conversation),
        contentType: content.contentType,
        text: content.contentType === TEXT_TYPE ? utf8Decode(content.content) : null,
        content,
        replyTo: header.replyTo ? toHex(header.replyTo) : null,
        replaces: content.replaces ? toHex(content.replaces) : null,
        createdAt: header.created,
        via: arrival.via,
        direction: header.from === wallet ? 'sent' : 'received',
        cursor: arrival.cursor,
      }
    } catch (error) {
      seen.remove(id)
      throw error
    }
  }

  async function openBody(envelope: SealedEnvelope): Promise<InnerContent> {
    try {
      return await openSealed(envelope, { privateKeys: options.openingKeys() })
    } catch (error) {
      const noKey = error instanceof EnvelopeError && error.code === 'envelope-no-key'
      if (!noKey || !(await options.refreshKeys?.())) throw error
      return openSealed(envelope, { privateKeys: options.openingKeys() })
    }
  }

  async function trustSender(envelope: SealedEnvelope, arrival: Arrival): Promise<TrustLevel> {
    const trust = await certified(envelope, arrival)
    if (trust === null) {
      throw new ClientError(
        'sender-not-trusted',
        'The sender’s device is not certified by the sender’s wallet, or was revoked',
      )
    }
    if (!(await verifySealed(envelope))) {
      throw new ClientError('sender-not-trusted', 'The signature of the sender’s device does not verify')
    }
    return trust
  }

  /**
   * Who checked the device's certificate; null when there is none that holds. The key log decides where it can be had; the
   * certificate only for wallets of other gateways.
   */
  async function certified({ header }: SealedEnvelope, arrival: Arrival): Promise<TrustLevel | null> {
    const { log } = await directory.peer(header.from)
    if (log.head) {
      if (log.deviceStatus(header.device, arrival.receivedAt) === 'certified') return log.trust
      const fresh = (await directory.peer(header.from, { fresh: true })).log
      return fresh.deviceStatus(header.device, arrival.receivedAt) === 'certified' ? fresh.trust : null
    }
    if (!arrival.certificate) return null
    try {
      const device = await verifyCertificate(arrival.certificate, {
        wallet: header.from,
        device: header.device,
        trustedDomains: options.trustedDomains(),
        verifyWallet,
      })
      return certificateStatus(device, arrival.receivedAt) === 'certified' ? device.trust : null
    } catch (error) {
      if (!(error instanceof IdentityError)) throw error
      if (error.code === 'wallet-verification-unavailable') throw chainUnreachable(error)
      return null
    }
  }

  return {
    sealed: async (bytes, arrival) => open(decodeSealed(bytes), arrival),
    async frame(bytes, arrival) {
      const frame = decodeFrame(bytes)
      if (frame.kind !== FRAME_KIND.envelope) {
        throw new ClientError(
          'message-unsupported',
          'The frame holds a network’s own ciphertext, to be opened by its SDK',
        )
      }
      return open(decodeSealed(frame.bytes), {
        ...arrival,
        certificate: arrival.certificate ?? frame.certificate,
      })
    },
  }
}
