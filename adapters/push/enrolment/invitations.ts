/** Being asked into a group, which on Push is no message: it is shown as one, and answering into the group accepts it. */
import { z } from 'zod'
import type { NativeConversation, NativeInbound } from '../../../src/adapter/index.ts'
import { utf8Encode } from '../../../src/envelope/index.ts'
import { canonicalDid } from '../did.ts'
import { partyOf } from './conversations.ts'

/** JSON `{group, invitedBy}`: the group's id and the DID of who asks. */
export const INVITATION = 'push.org/groupInvitation:1.0'

export interface Invitation {
  chatId: string
  /** DID */
  invitedBy: string
  /** Unix milliseconds. */
  at: number
}

const eventSchema = z.looseObject({
  eventType: z.literal('request'),
  chatId: z.string().min(1),
  from: z.string(),
  to: z.array(z.string()),
  timestamp: z.coerce.number().int().nonnegative().catch(0),
})

/** The invitation that a `CHAT_GROUPS` event of the socket tells of; null for all others. */
export function invitationOf(event: unknown, own: string): Invitation | null {
  const { data } = eventSchema.safeParse(event)
  if (!data?.to.some((did) => canonicalDid(did) === own)) return null
  const invitedBy = canonicalDid(data.from)
  if (invitedBy === null || invitedBy === own) return null
  return { chatId: data.chatId, invitedBy, at: data.timestamp }
}

export function readInvitation(
  enrolment: string,
  { chatId, invitedBy, at }: Invitation,
  conversation: NativeConversation,
  via: NativeInbound['via'],
): NativeInbound {
  return {
    enrolment,
    remoteId: `invitation:${chatId}`,
    conversation,
    from: partyOf(invitedBy),
    own: false,
    remoteTime: at,
    via,
    content: {
      type: INVITATION,
      parameters: {},
      fallback: `An invitation to the group “${(conversation.name ?? '').toWellFormed().slice(0, 200)}”. Who answers into it joins.`,
      bytes: utf8Encode(JSON.stringify({ group: chatId.toWellFormed(), invitedBy })),
    },
    reference: null,
    replaces: null,
    transactionId: null,
  }
}
