/**
 * Client of the REST API, version 4: `POST <host>/v4/<service>/<command>`, JSON in and out, HTTP status 200 for everything
 * that the service understood. Source: https://www.tencentcloud.com/document/product/1047/34620
 */
import { z } from 'zod'
import {
  AdapterError,
  AnswerTooLong,
  type Clock,
  type Random,
  readLimitedText,
} from '../../src/adapter/index.ts'
import type { CarriedMessage } from './carriage.ts'
import { restUrls, type TrtcConfig } from './config.ts'
import {
  answerError,
  type CallEffect,
  isConnectionBroken,
  isUnreachable,
  statusError,
  transportError,
} from './errors.ts'
import { createLimiter } from './limiter.ts'
import { makeUserSig } from './usersig.ts'

/** Lifetime of the administrator's UserSig in seconds; the service recommends a day or more. */
const ADMIN_SIGNATURE_SECONDS = 86_400
/** A signature with less than this left, in milliseconds, is replaced before the service refuses it. */
const RENEWAL_MARGIN_MS = 3_600_000
const SIGNATURE_EXPIRED = 70001
/** A page of history has at most 100 messages of 12 KB; an answer beyond this is none of the service's. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024
/** The service takes up to 100 accounts in one import. */
export const MAX_ACCOUNTS_PER_IMPORT = 100

/** Body of `openim/sendmsg`. */
export interface SendMessageRequest extends Pick<CarriedMessage, 'CloudCustomData'> {
  MsgBody: readonly { MsgType: string; MsgContent: object }[]
  From_Account: string
  To_Account: string
  MsgSeq: number
  MsgRandom: number
  /** 1: the message also stands in the sender's own history and reaches the sender's other clients. */
  SyncOtherMachine: 1 | 2
  /** Seconds that the message is kept, at most 604,800; 0: only for clients that are online now. Absent: 7 days. */
  MsgLifeTime?: number
  ForbidCallbackControl?: readonly ('ForbidBeforeSendMsgCallback' | 'ForbidAfterSendMsgCallback')[]
  SendMsgControl?: readonly ('NoUnread' | 'NoLastMsg' | 'WithMuteNotifications')[]
  /** `PushFlag` 1: no offline push. */
  OfflinePushInfo?: { PushFlag: 0 | 1 }
}

/** One page of a conversation's history is asked for by this. Times are Unix seconds, both included. */
export interface RoamingQuery {
  Operator_Account: string
  Peer_Account: string
  MaxCnt: number
  MinTime: number
  MaxTime: number
  LastMsgKey?: string
}

const sentSchema = z.looseObject({
  MsgKey: z.string().min(1),
  MsgTime: z.number(),
  MsgId: z.string().optional(),
})
const importedSchema = z.looseObject({ FailAccounts: z.array(z.string()).nullish() })
const checkedSchema = z.looseObject({
  ResultItem: z.array(z.looseObject({ UserID: z.string(), AccountStatus: z.string().optional() })),
})
const roamingMessageSchema = z.looseObject({
  From_Account: z.string(),
  To_Account: z.string(),
  MsgSeq: z.number(),
  MsgRandom: z.number(),
  MsgTimeStamp: z.number(),
  MsgKey: z.string(),
  MsgId: z.string().optional(),
  /** 8: recalled. */
  MsgFlagBits: z.number().optional(),
  MsgBody: z.unknown().optional(),
  CloudCustomData: z.unknown().optional(),
})
const roamingSchema = z.looseObject({
  Complete: z.number(),
  LastMsgKey: z.string().nullish(),
  MsgList: z.array(roamingMessageSchema).nullish(),
})
const anySchema = z.looseObject({})

export type SentMessage = z.output<typeof sentSchema>
export type RoamingMessage = z.output<typeof roamingMessageSchema>

export interface RestClient {
  /** One command, with retries and pace as all others. `schema` is of the answer. Rejects with `AdapterError`. */
  call<Schema extends z.ZodType>(
    command: string,
    body: unknown,
    schema: Schema,
    effect: CallEffect,
    signal: AbortSignal,
  ): Promise<z.output<Schema>>
  /** Makes accounts; one that exists already is left as it is. Returns those that the service refused. */
  importAccounts(userIds: string[], signal: AbortSignal): Promise<string[]>
  /** The accounts among `userIds` (at most 100) that exist. */
  existingAccounts(userIds: string[], signal: AbortSignal): Promise<Set<string>>
  sendMessage(request: SendMessageRequest, signal: AbortSignal): Promise<SentMessage>
  /** One page of a conversation as `Operator_Account` sees it, newest message first. */
  roamingMessages(
    query: RoamingQuery,
    signal: AbortSignal,
  ): Promise<{ complete: boolean; lastKey: string | null; messages: RoamingMessage[] }>
  /** The service's clock minus ours in milliseconds, exact to a second or two; null before the first answer. */
  clockOffsetMs(): number | null
  /** Furthest that the service's clock was seen behind ours in milliseconds; 0 when it never was. */
  clockLagMs(): number
  /** The service's clock was seen elsewhere than in an answer, Unix milliseconds: it may lag behind without any call being made. */
  observeServiceTime(at: number): void
  /** Base URL that the last call went to. */
  currentUrl(): string
}

/**
 * `onOutcome` learns how each call ended: null for a success. `urls` are tried in order, each when the one before cannot be
 * reached; the last that could be stays in use.
 */
export function createRestClient(
  config: TrtcConfig,
  { clock, random }: { clock: Clock; random: Random },
  onOutcome: (error: AdapterError | null) => void,
  urls: readonly string[] = restUrls(config),
): RestClient {
  const limiter = createLimiter({
    perSecond: config.requestsPerSecond,
    maxInFlight: config.maxInFlight,
    clock,
  })
  let currentIndex = 0
  let signature: { text: string; renewAt: number } | null = null
  let clockOffset: number | null = null
  let clockLag = 0

  function adminSignature(): string {
    const now = clock.now()
    if (!signature || now >= signature.renewAt) {
      const text = makeUserSig({
        sdkAppId: config.sdkAppId,
        secretKey: config.secretKey,
        userId: config.adminUserId,
        lifetimeSeconds: ADMIN_SIGNATURE_SECONDS,
        now,
      })
      signature = { text, renewAt: now + ADMIN_SIGNATURE_SECONDS * 1000 - RENEWAL_MARGIN_MS }
    }
    return signature.text
  }

  /** One request to one host. Rejects with `AdapterError` only. */
  async function post(
    command: string,
    body: unknown,
    effect: CallEffect,
    signal: AbortSignal,
  ): Promise<unknown> {
    const query = new URLSearchParams({
      sdkappid: String(config.sdkAppId),
      identifier: config.adminUserId,
      usersig: adminSignature(),
      random: String(Math.floor(random.fraction() * 0x1_0000_0000)),
      contenttype: 'json',
    })
    if (signal.aborted) throw transportError(command, signal.reason, effect, false)
    let status: number
    let text: string
    try {
      const response = await fetch(`${urls[currentIndex]}/v4/${command}?${query}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(config.requestTimeoutMs)]),
      })
      status = response.status
      const serverTime = Date.parse(response.headers.get('date') ?? '')
      if (!Number.isNaN(serverTime)) {
        clockOffset = serverTime - clock.now()
        clockLag = Math.max(clockLag, -clockOffset)
      }
      text = await readLimitedText(response, MAX_ANSWER_BYTES)
    } catch (cause) {
      if (cause instanceof AnswerTooLong) throw unreadable(command, effect)
      throw transportError(command, cause, effect, true)
    }
    if (status !== 200) throw statusError(command, status, effect)
    return readAnswer(command, text, effect)
  }

  /**
   * Whether trying once more at once makes sense. After a broken connection it does even for a send: the service drops
   * the second of two equal messages, and answers it as it answered the first.
   */
  function prepareSecondTry(error: AdapterError): boolean {
    if (error.remoteCode === SIGNATURE_EXPIRED) {
      signature = null // the service's clock is ahead of ours: sign anew
      return true
    }
    if (isUnreachable(error)) {
      currentIndex = (currentIndex + 1) % urls.length
      return urls.length > 1
    }
    return isConnectionBroken(error)
  }

  async function call<Schema extends z.ZodType>(
    command: string,
    body: unknown,
    schema: Schema,
    effect: CallEffect,
    signal: AbortSignal,
  ): Promise<z.output<Schema>> {
    const release = await limiter.acquire(signal)
    try {
      const answer = await post(command, body, effect, signal).catch(async (first: unknown) => {
        if (!AdapterError.is(first) || !prepareSecondTry(first)) throw first
        try {
          return await post(command, body, effect, signal)
        } catch (second) {
          throw first.class === 'uncertain' ? first : second
        }
      })
      const parsed = schema.safeParse(answer)
      if (!parsed.success) throw unreadable(command, effect)
      onOutcome(null)
      return parsed.data
    } catch (error) {
      if (AdapterError.is(error)) onOutcome(error)
      throw error
    } finally {
      release()
    }
  }

  return {
    call,
    async importAccounts(userIds, signal) {
      const [first, second] = userIds
      if (first === undefined) return []
      if (second === undefined) {
        await call('im_open_login_svc/account_import', { UserID: first }, anySchema, 'idempotent', signal)
        return []
      }
      const answer = await call(
        'im_open_login_svc/multiaccount_import',
        { Accounts: userIds },
        importedSchema,
        'idempotent',
        signal,
      )
      return answer.FailAccounts ?? []
    },
    async existingAccounts(userIds, signal) {
      const answer = await call(
        'im_open_login_svc/account_check',
        { CheckItem: userIds.map((UserID) => ({ UserID })) },
        checkedSchema,
        'idempotent',
        signal,
      )
      const existing = answer.ResultItem.filter((item) => item.AccountStatus === 'Imported')
      return new Set(existing.map((item) => item.UserID))
    },
    sendMessage: (request, signal) => call('openim/sendmsg', request, sentSchema, 'sends', signal),
    async roamingMessages(query, signal) {
      const answer = await call('openim/admin_getroammsg', query, roamingSchema, 'idempotent', signal)
      return {
        complete: answer.Complete === 1,
        lastKey: answer.LastMsgKey || null,
        messages: answer.MsgList ?? [],
      }
    },
    clockOffsetMs: () => clockOffset,
    clockLagMs: () => clockLag,
    observeServiceTime(at) {
      clockLag = Math.max(clockLag, clock.now() - at)
    },
    currentUrl: () => urls[currentIndex]!,
  }
}

const answerSchema = z.looseObject({ ErrorCode: z.number() })

function readAnswer(command: string, text: string, effect: CallEffect): unknown {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw unreadable(command, effect) // the text itself may quote the request, so it is not passed on
  }
  const answer = answerSchema.safeParse(json)
  if (!answer.success) throw unreadable(command, effect)
  if (answer.data.ErrorCode !== 0) throw answerError(command, answer.data.ErrorCode, effect)
  return answer.data
}

function unreadable(command: string, effect: CallEffect): AdapterError {
  return new AdapterError(
    effect === 'sends' ? 'uncertain' : 'retryable',
    `TRTC answered ${command} with something that is not its documented answer`,
    { remoteCode: 'unreadable-answer' },
  )
}
