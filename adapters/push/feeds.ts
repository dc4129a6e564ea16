/** The lists of an account's chats and requests, as the service gives them to anyone. */
import { z } from 'zod'
import { canonicalDid } from './did.ts'
import type { RestClient } from './rest.ts'

const PAGE_SIZE = 30
/** Pages that are asked for: 3,000,000 chats. */
const MOST_PAGES = 100_000

const text = z.string().catch('')
const feedSchema = z.looseObject({
  did: z.string().nullish(),
  chatId: z.string().nullish(),
  threadhash: z.string().nullish(),
  intentSentBy: text,
  intentTimestamp: text,
  msg: z.looseObject({ timestamp: z.coerce.number().nullish().catch(null) }).nullish(),
  groupInformation: z.looseObject({ groupName: text, isPublic: z.boolean() }).nullish().catch(null),
})
const chatsSchema = z.looseObject({ chats: z.array(z.unknown()) })
const requestsSchema = z.looseObject({ requests: z.array(z.unknown()) })

interface Listed {
  /** cid of its latest message; null where there is none. */
  threadHash: string | null
  /** Unix milliseconds of its latest message, where the service says. */
  latest: number | null
  /** It stands among the requests: the account has not accepted it. */
  isRequest: boolean
}

export interface DirectFeed extends Listed {
  kind: 'direct'
  peer: string
}

export interface GroupFeed extends Listed {
  kind: 'group'
  chatId: string
  name: string
  isPublic: boolean
  /** DID of who made it or asked the account in, where the service says. */
  invitedBy: string | null
  /** Unix milliseconds; 0 where the service does not say. */
  invitedAt: number
}

export type Feed = DirectFeed | GroupFeed

/** Chats or requests, newest first. Accepting a request moves the others to other pages. */
export async function* listFeeds(
  rest: RestClient,
  did: string,
  list: 'chats' | 'requests',
  signal: AbortSignal,
): AsyncGenerator<Feed> {
  const base = `/v1/chat/users/${encodeURIComponent(did)}/${list}`
  for (let page = 1; page <= MOST_PAGES; page++) {
    const path = `${base}?page=${page}&limit=${PAGE_SIZE}`
    const items =
      list === 'requests'
        ? (await rest.get(path, requestsSchema, signal)).requests
        : (await rest.get(path, chatsSchema, signal)).chats
    for (const item of items) {
      const feed = feedOf(item, list === 'requests')
      if (feed) yield feed
    }
    if (items.length < PAGE_SIZE) return
  }
}

/** Null for chats of a kind that is not known. */
function feedOf(item: unknown, isRequest: boolean): Feed | null {
  const { data } = feedSchema.safeParse(item)
  if (!data) return null
  const { groupInformation: group, chatId } = data
  const listed = { threadHash: data.threadhash || null, latest: data.msg?.timestamp ?? null, isRequest }
  if (group && chatId) {
    const { groupName: name, isPublic } = group
    const invitedBy = canonicalDid(data.intentSentBy)
    const invitedAt = Date.parse(data.intentTimestamp) || 0
    return { kind: 'group', chatId, name, isPublic, invitedBy, invitedAt, ...listed }
  }
  // Groups have no DID of the other side.
  const peer = canonicalDid(data.did ?? '')
  return peer === null ? null : { kind: 'direct', peer, ...listed }
}
