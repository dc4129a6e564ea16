/** One enrolled wallet: its key, a socket of its own, what comes in by it, and what it sends. */
import type { AdapterContext, AdapterState, NativeInbound, StateReport } from '../../../src/adapter/index.ts'
import { boundedSet } from '../account.ts'
import { type Chain, type ChainMessage, messageSchema } from '../chain.ts'
import { PushError } from '../errors.ts'
import { type Feed, listFeeds } from '../feeds.ts'
import type { Profiles } from '../profiles.ts'
import type { RestClient } from '../rest.ts'
import type { EnrolledAccount } from './account.ts'
import type { Groups } from './conversations.ts'
import { type Invitation, invitationOf, readInvitation } from './invitations.ts'
import { holdLine, reportOf } from './line.ts'
import { conversationIdOf, createNativeReader, type Reading } from './reader.ts'
import { createNativeSender, type NativeSender } from './sender.ts'
import type { SentMessages } from './sent.ts'

/** Events that wait to be processed; more are let go, and found again as gaps. */
const CAPACITY = 500
/** Messages remembered as heard, so that gaps in a chain are seen. */
const REMEMBERED_MESSAGES = 5_000
/** After so many walks in a row that the service does not give a chat to, what it does not give is given up. */
const PATIENCE = 6
/** A gap is followed back to this long before the last walk, or the opening, in milliseconds: what is older was walked. */
const CLOCK_SKEW_MS = 120_000
/** What is told of groups, in order; no conversation has this name. */
const GROUP_LANE = ''

export interface MemberParts {
  id: string
  account: EnrolledAccount
  /** The gateway's own DID, whose messages are envelopes and stand in the inbox already. */
  gateway: string
  rest: RestClient
  profiles: Profiles
  chain: Chain
  groups: Groups
  sent: SentMessages
  context: AdapterContext
  line: { baseUrl: string; timeoutMs: number; longestPauseMs: number }
}

export interface Member extends NativeSender {
  /** All chats and requests since a time. */
  walk(since: number, signal: AbortSignal): AsyncGenerator<NativeInbound>
  /** Aborts when it is closed. */
  readonly lifetime: AbortSignal
  close(): Promise<void>
}

/** Opens the line, whose state is reported. The account belongs to the member from then on, which disposes of it. */
export function openMember(parts: MemberParts): Member {
  const { id, account, rest, chain, groups, sent, context } = parts
  const { clock, log } = context
  const life = new AbortController()
  const { signal: lifetime } = life
  const reader = createNativeReader({ enrolment: id, account, groups, sent, log })
  const sender = createNativeSender({ ...parts, clock })
  const known = boundedSet(REMEMBERED_MESSAGES)
  const lanes = new Map<string, Promise<void>>()
  /** Walks in a row that could not read a chat, by the peer’s DID or the group’s id. */
  const unread = new Map<string, number>()
  let floor = clock.now() - CLOCK_SKEW_MS
  let waiting = 0
  let state: AdapterState | null = null

  function report(next: StateReport): void {
    if (state === 'stopped' || (next.state === state && next.reason === undefined)) return
    state = next.state
    context.enrolmentState(id, next)
  }

  /** What is signed for another conversation was put into this one by somebody else. */
  async function read(
    message: ChainMessage,
    conversation: string,
    via: NativeInbound['via'],
    signal: AbortSignal,
  ) {
    if (conversationIdOf(message, account.did) !== conversation) return null
    return reader.read(message, { via, isLastTry: true }, signal)
  }

  async function take(message: ChainMessage, conversation: string): Promise<void> {
    const reading = await read(message, conversation, 'stream', lifetime)
    lifetime.throwIfAborted()
    if (reading?.kind === 'native') await context.deliverNative(reading.inbound)
    if (reading?.kind === 'frame') await deliverFrame(reading, message, 'stream')
  }

  /** Somebody's envelope for the wallet itself: the gateway takes it as from any other network. */
  async function deliverFrame(
    { frame, from }: Extract<Reading, { kind: 'frame' }>,
    { cid: remoteId, timestamp: remoteTime }: ChainMessage,
    via: NativeInbound['via'],
  ): Promise<void> {
    if (from === account.did || from === parts.gateway) return
    await context.deliver({ frame, remoteId, to: account.did, from, via, remoteTime, transactionId: null })
  }

  /** The message, and those before it that no event told of, oldest first. */
  async function process(newest: ChainMessage, conversation: string): Promise<void> {
    if (known.has(newest.cid)) return
    const isOld = ({ cid, timestamp }: ChainMessage) =>
      known.has(cid) || (timestamp !== null && timestamp < floor)
    const isNext = newest.link === null || known.has(newest.link)
    for await (const message of isNext ? [newest] : chain.forwards(newest.cid, isOld, lifetime)) {
      await take(message, conversation)
      known.add(message.cid)
    }
  }

  /** The next message of the chat finds it again as a gap, and the next walk as well. */
  function failed(error: unknown): void {
    if (lifetime.aborted) return
    const code = error instanceof PushError ? error.code : 'unexpected'
    log.warn({ enrolment: id, code }, 'a native Push message could not be taken yet')
  }

  function hear(event: unknown): void {
    if (lifetime.aborted || waiting >= CAPACITY) return
    const message = messageSchema.safeParse(event)
    // Approvals and refusals of requests carry no message.
    if (!message.success) return
    const conversation = conversationIdOf(message.data, account.did)
    if (conversation === null) return
    enter(conversation, () => process(message.data, conversation))
  }

  /** After what is under way in the lane. */
  function enter(name: string, work: () => Promise<void>): void {
    waiting++
    const lane = (lanes.get(name) ?? Promise.resolve())
      .then(work)
      .catch(failed)
      .finally(() => {
        waiting--
        if (lanes.get(name) === lane) lanes.delete(name)
      })
    lanes.set(name, lane)
  }

  function hearOfGroup(event: unknown): void {
    if (lifetime.aborted || waiting >= CAPACITY) return
    const invitation = invitationOf(event, account.did)
    if (invitation) enter(GROUP_LANE, () => invited(invitation))
  }

  async function invited(invitation: Invitation): Promise<void> {
    if (lifetime.aborted) return
    const conversation = await groups.describe(invitation.chatId, lifetime)
    await context.deliverNative(readInvitation(id, invitation, conversation, 'stream'))
  }

  async function* chat(
    feed: Feed,
    since: number,
    isLastTry: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<NativeInbound> {
    if (feed.kind === 'group') {
      await groups.learn(feed.chatId, feed)
      if (feed.isRequest) {
        // Its messages are for those who have joined.
        const { chatId, invitedBy, invitedAt: at } = feed
        if (invitedBy === null || invitedBy === account.did) return
        const conversation = await groups.describe(chatId, signal)
        yield readInvitation(id, { chatId, invitedBy, at }, conversation, 'history')
        return
      }
    }
    if (feed.threadHash === null || (feed.latest !== null && feed.latest < since)) return
    const isOld = ({ timestamp }: ChainMessage) => timestamp !== null && timestamp < since
    for await (const message of chain.forwards(feed.threadHash, isOld, signal)) {
      const conversation = conversationIdOf(message, account.did)
      const belongs =
        feed.kind === 'group'
          ? conversation === feed.chatId
          : conversation?.split('_').includes(feed.peer) === true
      const reading = belongs ? await reader.read(message, { via: 'history', isLastTry }, signal) : null
      signal.throwIfAborted()
      if (reading?.kind === 'frame') await deliverFrame(reading, message, 'history')
      if (reading?.kind === 'native') yield reading.inbound
    }
  }

  /** Requests are listed first: one that is accepted meanwhile is then in both lists, rather than in none. */
  async function* feeds(signal: AbortSignal): AsyncGenerator<Feed> {
    const requests: Feed[] = []
    for await (const request of listFeeds(rest, account.did, 'requests', signal)) requests.push(request)
    yield* listFeeds(rest, account.did, 'chats', signal)
    yield* requests
  }

  /**
   * One chat that cannot be read does not stand in the way of the others. Returns the failure while the next walk may do
   * better: by one answer nobody can tell what is gone from what a proxy in between did not find.
   */
  async function* patiently(
    feed: Feed,
    since: number,
    signal: AbortSignal,
  ): AsyncGenerator<NativeInbound, PushError | null> {
    const name = feed.kind === 'group' ? feed.chatId : feed.peer
    try {
      // Strangers could hold up every walk by messages whose keys nobody gives.
      yield* chat(feed, since, feed.isRequest, signal)
      unread.delete(name)
      return null
    } catch (error) {
      const failure = failureOfChat(error)
      const failures = (unread.get(name) ?? 0) + 1
      unread.set(name, failures)
      const details = { enrolment: id, code: failure.code, status: failure.status, failures }
      log.warn(details, 'a Push chat could not be read')
      if (failures < PATIENCE) return failure
      log.error(details, 'the Push service does not give all of a chat; what it does not give is left out')
    }
    try {
      yield* chat(feed, since, true, signal)
    } catch (error) {
      failureOfChat(error)
    }
    return null
  }

  const { baseUrl, timeoutMs, longestPauseMs } = parts.line
  const held = holdLine(
    {
      baseUrl,
      did: account.did,
      timeoutMs,
      longestPauseMs,
      clock,
      random: context.random,
      prepare: (signal) => account.check(signal),
      spent: () => account.ended(),
      onChat: hear,
      onGroup: hearOfGroup,
      report,
    },
    lifetime,
  )

  return {
    ...sender,
    lifetime,
    async *walk(since, signal) {
      await account.check(signal).catch((error: unknown) => {
        if (error instanceof PushError && error.code === 'key-replaced') report(reportOf(error))
        throw error
      })
      const startedAt = clock.now()
      let failure: PushError | null = null
      for await (const feed of feeds(signal)) failure = (yield* patiently(feed, since, signal)) ?? failure
      if (failure) throw failure
      floor = Math.max(floor, startedAt - CLOCK_SKEW_MS)
    },
    async close() {
      life.abort(new PushError('aborted', 'The enrolment was closed'))
      await held
      await Promise.all(lanes.values())
      await account.dispose()
      report({ state: 'stopped' })
    },
  }
}

/** What is an answer about this chat, rather than trouble with the service. Throws all else. */
function failureOfChat(error: unknown): PushError {
  if (!(error instanceof PushError)) throw error
  const { code, status = 0 } = error
  const isAnswer = code === 'malformed-answer' || (code === 'refused' && status < 500 && status !== 429)
  if (isAnswer) return error
  throw error
}
