/** Names of conversations and messages, as the gateway keeps them. */
import { AdapterError } from '../../../src/adapter/index.ts'

export type Place = { peer: string } | { group: string }

/** The same for both sides: the two userIDs in order. */
export function directId(left: string, right: string): string {
  return `c2c:${[left, right].sort().join(':')}`
}

export const groupId = (group: string) => `group:${group}`

/** Of the conversation as `userId` has it. Throws `AdapterError` `permanent` for one that it is not in. */
export function placeOf(conversation: string, userId: string): Place {
  if (conversation.startsWith('group:')) return { group: conversation.slice('group:'.length) }
  const names = conversation.startsWith('c2c:') ? conversation.slice('c2c:'.length) : null
  if (names?.startsWith(`${userId}:`)) return { peer: names.slice(userId.length + 1) }
  if (names?.endsWith(`:${userId}`)) return { peer: names.slice(0, -userId.length - 1) }
  throw new AdapterError('permanent', 'The wallet’s TRTC user has no such conversation', {
    remoteCode: 'conversation-unknown',
  })
}

export const groupMessageId = (group: string, sequence: number) => `${group}_${sequence}`

/** `MsgSeq` of a message of this group; null for another name. */
export function sequenceOf(remoteId: string, group: string): number | null {
  const rest = remoteId.startsWith(`${group}_`) ? remoteId.slice(group.length + 1) : ''
  return /^\d{1,15}$/.test(rest) ? Number(rest) : null
}

/** Unix seconds in a `MsgKey` (`<MsgSeq>_<MsgRandom>_<MsgTime>`); null for another name. */
export function timeOfKey(key: string): number | null {
  const time = /^\d+_\d+_(\d{1,12})$/.exec(key)?.[1]
  return time === undefined ? null : Number(time)
}

/** Names of what happens to messages, which has none of the service's own. */
export const recallId = (remoteId: string) => `recall:${remoteId}`
export const editId = (transactionId: string) => `edit:${transactionId}`
export const readId = (reader: string, peer: string, time: number) => `read:${reader}:${peer}:${time}`
