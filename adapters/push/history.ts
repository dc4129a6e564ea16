/** What the service kept: the gateway's chats, each a chain of messages. */
import { z } from 'zod'
import type { Clock, HistoryQuery, Inbound, Receipt, SendIntent } from '../../src/adapter/index.ts'
import type { Account } from './account.ts'
import { encodeText } from './carriage.ts'
import type { Chain, ChainMessage } from './chain.ts'
import { type DirectFeed, listFeeds } from './feeds.ts'
import type { Intake } from './intake.ts'
import type { Reader } from './reader.ts'
import type { RestClient } from './rest.ts'

/** Clocks of the gateway and the service may differ by this much unnoticed, in milliseconds. */
const CLOCK_SKEW_MS = 120_000
/** How far back a send is looked for whose time is not known (before a restart), in milliseconds. */
const FIND_WINDOW_MS = 7 * 86_400_000

const hashSchema = z.looseObject({ threadHash: z.string().nullish() })

export interface HistoryOptions {
  account: Account
  rest: RestClient
  chain: Chain
  reader: Reader
  intake: Intake
  clock: Clock
  /** Unix milliseconds of a transaction's first attempt, null where it is not known. */
  firstAttemptAt(transactionId: string): number | null
}

export interface History {
  walk(query: HistoryQuery, signal: AbortSignal): AsyncGenerator<Inbound>
  find(intent: SendIntent, signal: AbortSignal): Promise<Receipt | null>
}

/**
 * A walk reads each chat from the last message that was processed, or from `since`, whichever is further back: so that a
 * message is found whose time is wrong. Chats without anything new cost a thirtieth of a call.
 */
export function createHistory(options: HistoryOptions): History {
  const { account, rest, chain, reader, intake, clock } = options
  const own = encodeURIComponent(account.did)

  async function* chat(feed: DirectFeed, since: number, signal: AbortSignal): AsyncGenerator<Inbound> {
    if (feed.threadHash === null) return
    const head = await intake.head(feed.peer)
    const isQuiet = feed.latest !== null && feed.latest < since
    if (isQuiet && (head === null || head === feed.threadHash)) return
    let passedHead = head === null
    const isOld = ({ cid, timestamp }: ChainMessage) => {
      if (cid === head) passedHead = true
      return passedHead && timestamp !== null && timestamp < since
    }
    let carriesFrame = false
    for await (const message of chain.forwards(feed.threadHash, isOld, signal)) {
      if (message.fromDID !== account.did) {
        const inbound = await reader.read(message, 'history', signal)
        // What follows a `yield` runs when the consumer has made it durable and asks for more.
        if (inbound) yield inbound
        carriesFrame ||= inbound !== null
      }
      await intake.done(feed.peer, message.cid)
    }
    if (feed.isRequest && carriesFrame) await intake.accept(feed.peer, signal)
  }

  return {
    async *walk({ since }, signal) {
      for await (const feed of listFeeds(rest, account.did, 'chats', signal)) {
        if (feed.kind === 'direct') yield* chat(feed, since, signal)
      }
      // All of them first: accepting one moves the others to other pages.
      const requests: DirectFeed[] = []
      for await (const feed of listFeeds(rest, account.did, 'requests', signal)) {
        if (feed.kind === 'direct') requests.push(feed)
      }
      for (const feed of requests) yield* chat(feed, since, signal)
    },

    async find(intent, signal) {
      const peer = intent.to.address
      const path = `/v1/chat/users/${own}/conversations/${encodeURIComponent(peer)}/hash`
      const { threadHash } = await rest.get(path, hashSchema, signal)
      if (!threadHash) return null
      const firstAttempt = options.firstAttemptAt(intent.transactionId) ?? clock.now() - FIND_WINDOW_MS
      const text = encodeText(intent.frame)
      for await (const message of chain.backwards(threadHash, signal)) {
        if (message.timestamp !== null && message.timestamp < firstAttempt - CLOCK_SKEW_MS) return null
        if (message.fromDID !== account.did || message.encType !== 'pgp') continue
        const { object } = await account.open(message, signal)
        if (object?.content === text) return { remoteIds: [message.cid] }
      }
      return null
    },
  }
}
