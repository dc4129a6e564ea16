/** What the client has to know of a mirrored Push message before the SDK opens it. */
import { getAddress } from 'ethers/address'
import { utf8Decode } from '../envelope/index.ts'
import type { PushSdkMessage } from './push-types.ts'

export interface PushHead {
  message: PushSdkMessage
  cid: string
  /** DID of the sender, by whose key the signature must hold. */
  from: string
  chat: string
  /** The signature, which is another for every message: a message that comes again under another cid is known by it. */
  proof: string
}

/** `eip155:0x<checksummed address>`, for an account in any form that Push writes; null when it is none. */
export function didOf(text: unknown): string | null {
  const address = /^(?:eip155:(?:\d+:)?)?(0x[0-9a-fA-F]{40})$/.exec(typeof text === 'string' ? text : '')?.[1]
  return address === undefined ? null : `eip155:${getAddress(address.toLowerCase())}`
}

/**
 * Reads a mirrored message for `account`, or says in a few words why nobody should open it. The SDK leaves these things open: it
 * takes the key of one field and shows the sender of another, takes what is not encrypted without looking at its signature,
 * and takes old signatures, which do not cover the part that is read.
 */
export function readPushMessage(bytes: Uint8Array, account: string): PushHead | string {
  const message = parsed(bytes)
  if (!message) return 'holds no Push message'
  const { cid, verificationProof: proof, encType } = message
  const from = didOf(message.fromDID)
  const to = didOf(message.toCAIP10)
  if (!cid || from === null) return 'names no id or no sender'
  if (from !== didOf(message.fromCAIP10)) return 'names two senders'
  // The signature covers `toCAIP10`, never `toDID`. The id of a group has one form only.
  if (to === null ? message.toCAIP10 !== message.toDID : to !== didOf(message.toDID))
    return 'names two recipients'
  if (to !== null && to !== account && from !== account) return 'is for another account'
  if (encType !== 'pgp' && encType !== 'pgpv1:group')
    return 'is not encrypted, so that the SDK does not check who wrote it'
  if (typeof message.messageObj !== 'string') return 'is not encrypted where it says so'
  // pgpv2 does not cover the session key of a group.
  const covers = encType === 'pgp' ? /^pgpv[23]:./s : /^pgpv3:./s
  if (!proof || !covers.test(proof)) return 'has a signature of a form that does not cover its content'
  return { message, cid, from, chat: to === account ? from : (to ?? message.toCAIP10), proof }
}

function parsed(bytes: Uint8Array): PushSdkMessage | null {
  try {
    const message: unknown = JSON.parse(utf8Decode(bytes))
    if (typeof message !== 'object' || message === null) return null
    const { cid, toDID, toCAIP10 } = message as Partial<PushSdkMessage>
    return [cid, toDID, toCAIP10].every((part) => typeof part === 'string')
      ? (message as PushSdkMessage)
      : null
  } catch {
    return null // the caller says so
  }
}
