/** What a wallet gives so that its XMTP messages are mirrored, and what can be told of a message with it alone. */
import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { equalBytes, fromBase64url, fromHex } from '../../../src/envelope/index.ts'
import type { GroupMessageV1 } from '../wire/index.ts'

/** The network allows an inbox so many installations. */
const MAX_INSTALLATIONS = 10
const MAX_CONVERSATIONS = 50_000
/** The SDK gives the keys of three epochs. */
const MAX_HMAC_KEYS = 8

/** A message's id at the node: a decimal number of 64 bits. */
const cursor = z.string().regex(/^(0|[1-9][0-9]{0,18})$/, 'must be a decimal number')
const hmacKey = z.strictObject({
  /** Number of the 30-day period in which it is used, counted from 1970. */
  epoch: z.number().int().min(0),
  key: z.string().regex(/^[A-Za-z0-9_-]{2,128}$/, 'must be base64url'),
})

/** What is in it decides what the gateway can do: tell that something was said, when and how long, but never what. */
export const registrationSchema = z.strictObject({
  /** Ids of the wallet's installations, hex: a welcome to one of them wakes the wallet. */
  installations: z.array(z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits')).max(MAX_INSTALLATIONS),
  conversations: z
    .array(
      z.strictObject({
        /** Id of the group or DM, hex. */
        id: z.string().regex(/^([0-9a-f]{2}){1,32}$/, 'must be hex digits'),
        /** Id of the newest message that the wallet's software has. Absent: what comes from now on is mirrored. */
        cursor: cursor.optional(),
        /** By which the wallet's own messages are known, and not mirrored to itself. */
        hmacKeys: z.array(hmacKey).max(MAX_HMAC_KEYS).default([]),
      }),
    )
    .max(MAX_CONVERSATIONS),
})

export type Registration = z.output<typeof registrationSchema>

/** A topic of the network, in the words of XMTP. */
export interface TopicName {
  kind: 'group' | 'welcome'
  /** Group id or installation key. */
  id: Uint8Array
  /** e.g. `/xmtp/mls/1/g-<group id>/proto` */
  text: string
}

export function groupTopic(id: string): TopicName {
  return { kind: 'group', id: fromHex(id), text: `/xmtp/mls/1/g-${id}/proto` }
}

export function welcomeTopic(installation: string): TopicName {
  return { kind: 'welcome', id: fromHex(installation), text: `/xmtp/mls/1/w-${installation}/proto` }
}

/** One topic of a registration. */
export interface Subscription {
  topic: TopicName
  /** Null: from now on. */
  cursor: bigint | null
  hmacKeys: Uint8Array[]
}

/** The topics of a registration, each once. */
export function subscriptionsOf({ installations, conversations }: Registration): Subscription[] {
  const all = [
    ...conversations.map(({ id, cursor, hmacKeys }) => ({
      topic: groupTopic(id),
      cursor: cursor === undefined ? null : BigInt(cursor),
      hmacKeys: hmacKeys.map(({ key }) => fromBase64url(key)),
    })),
    ...installations.map((id) => ({ topic: welcomeTopic(id), cursor: null, hmacKeys: [] })),
  ]
  return [...new Map(all.map((subscription) => [subscription.topic.text, subscription])).values()]
}

/** Whether the holder of the keys sent the message: XMTP puts HMAC-SHA256(key, data) beside it for this very purpose. */
export function isOwnMessage(
  { data, senderHmac }: Pick<GroupMessageV1, 'data' | 'senderHmac'>,
  hmacKeys: readonly Uint8Array[],
): boolean {
  return hmacKeys.some((key) => equalBytes(createHmac('sha256', key).update(data).digest(), senderHmac))
}
