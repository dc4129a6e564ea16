/** From a message of the service to a native one: its signature checked, opened with the wallet's key, converted. */
import type { AdapterLog, NativeInbound } from '../../../src/adapter/index.ts'
import { decodeText } from '../carriage.ts'
import type { ChainMessage } from '../chain.ts'
import { abridged, canonicalDid } from '../did.ts'
import { PushError } from '../errors.ts'
import type { EnrolledAccount } from './account.ts'
import { readPushContent } from './content.ts'
import { directConversationOf, directId, type Groups, partyOf } from './conversations.ts'
import type { SentMessages } from './sent.ts'

/** Parameter of contents that anybody could read on the way. */
const UNENCRYPTED = 'push.org/unencrypted'

/** Failures that are the message's or its sender's own, and stay. */
const lasting = new Set(['wallet-without-keys', 'key-unverified', 'key-reverted', 'sdk-failed'])

/**
 * Whether a message is left out because of it. On the last try also for a refusal, e.g. of the key of a group that the account
 * is not in any more, and for what is no answer. Heard live it is the last try for the former alone: a later walk asks again.
 */
function isLeftOut({ code, status = 0 }: PushError, { via, isLastTry }: Try): boolean {
  const mayPass = status === 408 || status === 429 || status >= 500
  const isNoAnswer = code === 'malformed-answer' && via === 'history'
  return lasting.has(code) || (isLastTry && ((code === 'refused' && !mayPass) || isNoAnswer))
}

/** What a message is: an ordinary one, an envelope of Causeway, or nothing that can be shown. */
export type Reading =
  | { kind: 'native'; inbound: NativeInbound }
  | { kind: 'frame'; frame: Uint8Array; from: string }
  | null

export interface Try {
  via: NativeInbound['via']
  /** What the service refuses to give for a message is not asked for again: the message is left out. */
  isLastTry: boolean
}

export interface NativeReader {
  /** Rejects only for what may go well later: one message that cannot be read never stands in the way of others. */
  read(message: ChainMessage, attempt: Try, signal: AbortSignal): Promise<Reading>
}

/** Id of the conversation that a message is signed for; null for one that is not the account's. */
export function conversationIdOf({ fromCAIP10, toCAIP10 }: ChainMessage, own: string): string | null {
  const from = canonicalDid(fromCAIP10)
  if (from === null) return null
  const to = canonicalDid(toCAIP10)
  if (to === null) return toCAIP10 || null
  return from === own || to === own ? directId(from, to) : null
}

export function createNativeReader(parts: {
  enrolment: string
  account: EnrolledAccount
  groups: Groups
  sent: SentMessages
  log: AdapterLog
}): NativeReader {
  const { enrolment, account, groups, sent, log } = parts
  const { did: own } = account

  function omit({ fromDID }: ChainMessage, reason: string): null {
    log.warn({ enrolment, reason, account: abridged(fromDID) }, 'a native Push message was left out')
    return null
  }

  async function objectOf(message: ChainMessage, attempt: Try, signal: AbortSignal) {
    // The SDK takes the sender from one field, we from another; and older proofs do not cover all that is read.
    const proof = message.encType === 'PlainText' ? /^pgpv3:/ : /^pgpv[23]:/
    if (canonicalDid(message.fromDID) !== canonicalDid(message.fromCAIP10))
      return omit(message, 'badly-signed')
    if (!proof.test(message.verificationProof)) return omit(message, 'badly-signed')
    try {
      const { object, reason } = await account.open(message, signal)
      return object ?? omit(message, reason ?? 'undecryptable')
    } catch (error) {
      if (!(error instanceof PushError) || !isLeftOut(error, attempt)) throw error
      return omit(message, error.code)
    }
  }

  return {
    async read(message, attempt, signal) {
      const from = canonicalDid(message.fromCAIP10)
      if (from === null) return null
      const to = canonicalDid(message.toCAIP10)
      const object = await objectOf(message, attempt, signal)
      if (object === null) return null
      if (message.messageType === 'Text' && typeof object.content === 'string') {
        const frame = decodeText(object.content)
        if (frame) return { kind: 'frame', frame, from }
      }
      const isOwn = from === own
      const conversation =
        to === null
          ? await groups.describe(message.toCAIP10, signal)
          : directConversationOf(own, isOwn ? to : from)
      const { content, reference } = readPushContent(message.messageType, object)
      if (message.encType === 'PlainText') content.parameters = { ...content.parameters, [UNENCRYPTED]: '1' }
      return {
        kind: 'native',
        inbound: {
          enrolment,
          remoteId: message.cid,
          conversation,
          from: partyOf(from),
          own: isOwn,
          remoteTime: message.timestamp ?? 0,
          via: attempt.via,
          content,
          reference,
          replaces: null,
          transactionId: isOwn ? await sent.transactionOf(message.cid) : null,
        },
      }
    },
  }
}
