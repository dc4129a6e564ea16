/** What the service kept: the roaming history of pairs of users, 7 days long unless the app bought more. */
import {
  AdapterError,
  type AddressPair,
  type Clock,
  type HistoryFacet,
  type HistoryQuery,
  type Inbound,
  type Receipt,
  type SendIntent,
} from '../../src/adapter/index.ts'
import { decodeMessage, messageNumbers } from './carriage.ts'
import { missingAccountCodes } from './errors.ts'
import type { RestClient, RoamingMessage } from './rest.ts'

/** Messages asked for at once; the service caps an answer at 13 KB whatever is asked. */
const PAGE_SIZE = 100
/** How far back history is kept by every edition. */
export const RETENTION_MS = 7 * 86_400_000
/** Clocks of the gateway and the service may differ by this much unnoticed, in milliseconds. */
export const CLOCK_SKEW_MS = 120_000
/** What the service dates later than this from now, in milliseconds, is not asked for. */
const FUTURE_MS = 86_400_000
/** The service's clock is followed back by this much at most, in milliseconds. */
const LARGEST_LAG_MS = 3_600_000
/** Conversations that are read ahead while an earlier one is being consumed. */
const READ_AHEAD = 8
/** `MsgFlagBits` of a recalled message. */
export const RECALLED = 8

export interface HistoryOptions {
  rest: RestClient
  clock: Clock
  /** From_Account with which an intent was or will be sent. */
  senderOf(intent: SendIntent): string
  /** Unix milliseconds of a transaction's first attempt, null where it is not known. */
  firstAttemptAt(transactionId: string): number | null
}

/** Reads the roaming history of a pair: all messages in a span of Unix milliseconds, newest first. */
export type RoamingReader = (
  owner: string,
  peer: string,
  since: number,
  signal: AbortSignal,
) => AsyncGenerator<RoamingMessage>

export function createRoamingReader(
  rest: Pick<RestClient, 'roamingMessages' | 'clockLagMs'>,
  clock: Clock,
): RoamingReader {
  /** The service may date messages by a clock behind ours, and what it dated so keeps its date after the clock is right. */
  function minTime(since: number): number {
    return Math.max(0, Math.floor((since - Math.min(rest.clockLagMs(), LARGEST_LAG_MS)) / 1000))
  }

  return async function* (owner, peer, since, signal) {
    let lastKey: string | null = null
    const followed = new Set<string>()
    for (;;) {
      const page = await rest.roamingMessages(
        {
          Operator_Account: owner,
          Peer_Account: peer,
          MaxCnt: PAGE_SIZE,
          MinTime: minTime(since),
          MaxTime: Math.ceil((clock.now() + FUTURE_MS) / 1000),
          ...(lastKey === null ? {} : { LastMsgKey: lastKey }),
        },
        signal,
      )
      yield* page.messages
      if (page.complete || page.lastKey === null || page.lastKey === lastKey) return
      lastKey = page.lastKey
      if (followed.has(lastKey)) {
        throw new AdapterError('retryable', 'TRTC gave pages of history that have no end', {
          remoteCode: 'unreadable-answer',
        })
      }
      followed.add(lastKey)
    }
  }
}

/**
 * History by `openim/admin_getroammsg`. Messages of one pair come oldest first. Messages that the gateway sent itself
 * are among them, with their transaction id.
 *
 * A lost answer is resolved by `find`: MsgSeq and MsgRandom follow from the transaction id, so the message is recognised
 * if it arrived. Within 120 s a resend would also be dropped by the service; `find` is exact for as long as history is kept.
 */
export function createHistory(options: HistoryOptions): HistoryFacet {
  const { rest, clock } = options
  const conversation = createRoamingReader(rest, clock)

  /** Frames of a pair, oldest first. A pair without accounts has no history. */
  async function frames(owner: string, peer: string, since: number, signal: AbortSignal): Promise<Inbound[]> {
    const found: Inbound[] = []
    try {
      for await (const message of conversation(owner, peer, since, signal)) {
        const inbound = toInbound(message)
        if (inbound) found.push(inbound)
      }
    } catch (error) {
      if (!AdapterError.is(error) || !missingAccountCodes.has(error.remoteCode ?? '')) throw error
    }
    return found.reverse()
  }

  return {
    async *walk(query, signal) {
      // A pair's history is the same from both ends (`SyncOtherMachine: 1`), and each pair is given once.
      const pairs = each(query.pairs)
      const stop = new AbortController()
      const readAhead: Promise<Inbound[]>[] = []
      const next = async () => {
        const { done, value: pair } = await pairs.next()
        if (done) return
        const reading = frames(pair.local, pair.peer, query.since, AbortSignal.any([signal, stop.signal]))
        reading.catch(() => {
          // thrown to the caller when this conversation's turn comes; until then it must not count as unhandled
        })
        readAhead.push(reading)
      }
      try {
        for (let index = 0; index < READ_AHEAD; index++) await next()
        for (let reading = readAhead.shift(); reading; reading = readAhead.shift()) {
          yield* await reading
          await next()
        }
      } finally {
        stop.abort() // the consumer may leave early
      }
    },

    async find(intent, signal): Promise<Receipt | null> {
      if (intent.ephemeral) {
        throw new AdapterError('unsupported', 'TRTC keeps no history of ephemeral messages', {
          remoteCode: 'ephemeral',
        })
      }
      const { MsgSeq, MsgRandom } = messageNumbers(intent.transactionId)
      const sender = options.senderOf(intent)
      const since =
        (options.firstAttemptAt(intent.transactionId) ?? clock.now() - RETENTION_MS) - CLOCK_SKEW_MS
      for await (const message of conversation(intent.to.address, sender, since, signal)) {
        if (
          message.From_Account === sender &&
          message.MsgSeq === MsgSeq &&
          message.MsgRandom === MsgRandom &&
          decodeMessage(message.MsgBody, message.CloudCustomData)?.transactionId === intent.transactionId
        ) {
          return { remoteIds: remoteIdsOf(message) }
        }
      }
      return null
    },
  }
}

/** The ids of a message that may come back in a webhook or in history. */
export function remoteIdsOf(message: { MsgKey: string; MsgId?: string | undefined }): string[] {
  return message.MsgId ? [message.MsgKey, message.MsgId] : [message.MsgKey]
}

/** The service's time of a message (Unix seconds) in milliseconds; null for a number that is no time. */
export function remoteTimeOf(seconds: number): number | null {
  const milliseconds = Math.round(seconds * 1000)
  return Number.isSafeInteger(milliseconds) && milliseconds >= 0 ? milliseconds : null
}

/** A transaction id counts only when the message's numbers follow from it: a client cannot pass for a gateway by copying one. */
export function ownTransaction(
  transactionId: string | null,
  numbers: { MsgSeq: number; MsgRandom: number },
): string | null {
  if (transactionId === null) return null
  const expected = messageNumbers(transactionId)
  return expected.MsgSeq === numbers.MsgSeq && expected.MsgRandom === numbers.MsgRandom ? transactionId : null
}

function toInbound(message: RoamingMessage): Inbound | null {
  if (((message.MsgFlagBits ?? 0) & RECALLED) !== 0) return null
  const carried = decodeMessage(message.MsgBody, message.CloudCustomData)
  if (!carried) return null
  return {
    frame: carried.frame,
    remoteId: message.MsgKey,
    to: message.To_Account,
    from: message.From_Account,
    via: 'history',
    remoteTime: remoteTimeOf(message.MsgTimeStamp),
    transactionId: ownTransaction(carried.transactionId, message),
  }
}

async function* each(pairs: HistoryQuery['pairs']): AsyncGenerator<AddressPair, undefined> {
  yield* pairs
}
