/** What the service shows of an account's chats to anyone: their newest messages, and each message as it keeps it. */
import { utf8Encode } from '../../../src/envelope/index.ts'
import { type Chain, chainOf, linked, messageSchema, pagePath } from '../chain.ts'
import { canonicalDid } from '../did.ts'
import { PushError } from '../errors.ts'
import { listFeeds } from '../feeds.ts'
import type { RestClient, TextRestClient } from '../rest.ts'

/** The most that the service gives at once. */
export const PAGE_SIZE = 30
/** Calls of all mirrors together that are under way at once. */
const AT_ONCE = 8

/** A message as the service keeps it. */
export interface RawMessage {
  cid: string
  link: string | null
  /** DID of the other side of a direct chat, or the id of a group. */
  chat: string
  isOwn: boolean
  /** Unix milliseconds, null where the service gives none. */
  at: number | null
  /** The message's JSON, byte for byte as it stands in the answer. */
  bytes: Uint8Array
}

/** The newest message of a chat. */
export interface Feed {
  chat: string
  cid: string
  at: number | null
}

/** What the socket tells of a message. */
export type Told = Omit<RawMessage, 'bytes'>

export interface Source {
  chain: Chain<RawMessage>
  /** This message and those before it, newest first. Rejects with `PushError`. */
  page(cid: string, limit: number, signal: AbortSignal): Promise<RawMessage[]>
  /** All chats and requests of the account. */
  feeds(signal: AbortSignal): AsyncGenerator<Feed>
}

/** Runs a few at a time, in order of arrival. */
export type Gate = <Value>(work: () => Promise<Value>) => Promise<Value>

export function createGate(atOnce = AT_ONCE): Gate {
  const waiting: (() => void)[] = []
  let running = 0
  return async (work) => {
    if (running === atOnce) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      // The place is handed on.
      if (next) next()
      else running--
    }
  }
}

export function createSource(rest: TextRestClient, account: string, gate: Gate): Source {
  const gated: RestClient = {
    ...rest,
    get: (path, schema, signal) => gate(() => rest.get(path, schema, signal)),
  }

  /** A page of very large messages is more than is taken in one answer; fewer of them may not be. */
  async function read(cid: string, limit: number, signal: AbortSignal): Promise<(RawMessage | null)[]> {
    try {
      return await readOnce(cid, limit, signal)
    } catch (error) {
      const isSmallest = limit === 1
      if (isSmallest || !(error instanceof PushError) || error.code !== 'malformed-answer') throw error
      return read(cid, Math.ceil(limit / 6), signal)
    }
  }

  async function readOnce(cid: string, limit: number, signal: AbortSignal): Promise<(RawMessage | null)[]> {
    const answer = await gate(() => rest.text(pagePath(cid, limit), signal))
    const elements = elementsOf(answer)
    if (elements) return elements.map((element) => rawMessageOf(element, account))
    throw new PushError('malformed-answer', 'The Push service answered in a form that is not known')
  }

  return {
    chain: chainOf((cid, signal) => read(cid, PAGE_SIZE, signal)),
    page: async (cid, limit, signal) => linked(cid, await read(cid, limit, signal)),
    async *feeds(signal) {
      for (const list of ['chats', 'requests'] as const) {
        for await (const feed of listFeeds(gated, account, list, signal)) {
          const chat = feed.kind === 'group' ? feed.chatId : feed.peer
          if (feed.threadHash !== null) yield { chat, cid: feed.threadHash, at: feed.latest }
        }
      }
    },
  }
}

/** What is told of a message in an event or an answer; null for what is no message. */
export function toldOf(value: unknown, account: string): Told | null {
  const message = messageSchema.safeParse(value).data
  if (!message) return null
  const { cid, link, timestamp: at } = message
  const from = canonicalDid(message.fromDID) ?? message.fromDID
  const to = canonicalDid(message.toDID) ?? message.toDID
  const chat = to === account ? from : to
  return chat === '' ? null : { cid, link, chat, isOwn: from === account, at }
}

function rawMessageOf(element: string, account: string): RawMessage | null {
  const told = toldOf(JSON.parse(element), account)
  return told && { ...told, bytes: utf8Encode(element) }
}

/** The elements of a JSON array, each as it stands in the text; null when the text is no JSON array. */
export function elementsOf(text: string): string[] | null {
  try {
    if (!Array.isArray(JSON.parse(text))) return null
  } catch {
    return null // the caller says so
  }
  const elements: string[] = []
  const end = text.lastIndexOf(']')
  let depth = 0
  let isText = false
  let start = text.indexOf('[') + 1
  const take = (to: number) => {
    const element = text.slice(start, to).trim()
    if (element !== '') elements.push(element)
    start = to + 1
  }
  for (let index = start; index < end; index++) {
    const character = text[index]
    if (isText) {
      if (character === '\\') index++
      else if (character === '"') isText = false
    } else if (character === '"') isText = true
    else if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') depth--
    else if (character === ',' && depth === 0) take(index)
  }
  take(end)
  return elements
}
