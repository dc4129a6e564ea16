/** From a message of the service to a frame: checked, decrypted, and only what is ours. */
import type { AdapterLog, Inbound } from '../../src/adapter/index.ts'
import type { Account } from './account.ts'
import { decodeText } from './carriage.ts'
import { type ChainMessage, peerOf } from './chain.ts'
import { abridged, canonicalDid } from './did.ts'
import { PushError } from './errors.ts'

/** Why a message was left out. */
export type Omission = 'badly-signed' | 'undecryptable' | 'plaintext' | 'untrusted-sender' | 'not-a-frame'

export interface Reader {
  /**
   * The frame of a message to or from the gateway, or null. Rejects only for what may go well later: one message that
   * cannot be read never stands in the way of others.
   */
  read(message: ChainMessage, via: Inbound['via'], signal: AbortSignal): Promise<Inbound | null>
  /** Messages left out since the start, by reason. */
  omissions(): Readonly<Record<Omission, number>>
}

/** Failures that are the message's or its sender's own, and stay. */
const untrusted = new Set(['wallet-without-keys', 'key-unverified', 'key-reverted'])

export function createReader(account: Account, log: AdapterLog): Reader {
  const omissions: Record<Omission, number> = {
    'badly-signed': 0,
    undecryptable: 0,
    plaintext: 0,
    'untrusted-sender': 0,
    'not-a-frame': 0,
  }

  function omit(message: ChainMessage, reason: Omission): null {
    omissions[reason]++
    const details = { reason, account: abridged(message.fromDID) }
    if (reason === 'not-a-frame') log.debug(details, 'a Push message carries no frame')
    else log.warn(details, 'a Push message was left out')
    return null
  }

  return {
    async read(message, via, signal) {
      const peer = peerOf(message, account.did)
      const from = canonicalDid(message.fromDID)
      if (peer === null || from === null) return null
      if (message.messageType !== 'Text') return omit(message, 'not-a-frame')
      // Text that is not encrypted is not signed either, whoever it says it is from.
      if (message.encType !== 'pgp' || typeof message.messageObj !== 'string') {
        return omit(message, 'plaintext')
      }
      // Older proofs do not cover the part that is read. The SDK takes the sender from one field, we from another.
      if (!message.verificationProof.startsWith('pgpv3:') || from !== canonicalDid(message.fromCAIP10)) {
        return omit(message, 'badly-signed')
      }
      try {
        const { object, reason } = await account.open(message, signal)
        if (reason !== null) return omit(message, reason)
        const content = object?.content
        const frame = typeof content === 'string' ? decodeText(content) : null
        if (!frame) return omit(message, 'not-a-frame')
        return {
          frame,
          remoteId: message.cid,
          to: canonicalDid(message.toCAIP10),
          from,
          via,
          remoteTime: message.timestamp,
          transactionId: null,
        }
      } catch (error) {
        if (!(error instanceof PushError)) throw error
        if (untrusted.has(error.code)) return omit(message, 'untrusted-sender')
        // The SDK fails on messages whose fields are not what it expects.
        if (error.code === 'sdk-failed') return omit(message, 'undecryptable')
        throw error
      }
    },
    omissions: () => omissions,
  }
}
