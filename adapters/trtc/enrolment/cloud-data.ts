/** `CloudCustomData` of native messages: what a message answers, as the service's user interface kits write it, and our transaction. */
import { z } from 'zod'

export interface CloudData {
  /** `MsgId` of the message that is answered, and its `MsgSeq`; null where it does not say. */
  reply: { messageId: string | null; sequence: number | null } | null
  transaction: Transaction | null
}

/** Transaction id of the gateway that sent it, which of its messages this is, and whether more come after it. */
export interface Transaction {
  id: string
  part: number
  more: boolean
}

/** A message that is answered. */
export interface Answered {
  messageId: string
  sequence: number
  /** Unix seconds. */
  time: number
  sender: string
  abstract: string
}

const schema = z.looseObject({
  messageReply: z
    .looseObject({ messageID: z.string().nullish(), messageSequence: z.number().nullish() })
    .nullish()
    .catch(null),
  causeway: z
    .looseObject({
      tx: z.string().regex(/^[0-9a-f]{32}$/),
      part: z.int().min(0).max(31),
      more: z.boolean().default(false),
    })
    .nullish()
    .catch(null),
})

export function readCloudData(value: unknown): CloudData {
  const parsed = schema.safeParse(parse(value))
  const { messageReply, causeway } = parsed.success ? parsed.data : {}
  return {
    reply: messageReply
      ? { messageId: messageReply.messageID || null, sequence: messageReply.messageSequence ?? null }
      : null,
    transaction: causeway ? { id: causeway.tx, part: causeway.part, more: causeway.more } : null,
  }
}

export function writeCloudData(transaction: Transaction, answered: Answered | null): string {
  const messageReply = answered && {
    messageID: answered.messageId,
    messageAbstract: answered.abstract,
    messageSender: answered.sender,
    messageType: 1,
    messageSequence: answered.sequence,
    messageTime: answered.time,
    version: '1',
  }
  return JSON.stringify({
    ...(messageReply ? { messageReply } : {}),
    causeway: { tx: transaction.id, part: transaction.part, ...(transaction.more ? { more: true } : {}) },
  })
}

function parse(value: unknown): unknown {
  if (typeof value !== 'string' || value === '') return null
  try {
    return JSON.parse(value)
  } catch {
    return null // an application's own need not be JSON
  }
}
