/**
 * The service's webhooks: who called is checked first, then what was said.
 *
 * The service signs `Sign = sha256hex(token + RequestTime)` into the query. That covers neither body nor URL, so the
 * URL has a secret part, the clock window is short, an identical call is taken once, and what a message says of its
 * sender is a hint: the envelope's own signature decides.
 * Source: https://www.tencentcloud.com/document/product/1047/34354
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type {
  AdapterLog,
  Clock,
  DeliverResult,
  Inbound,
  WebhookFacet,
  WebhookRequest,
  WebhookResponse,
} from '../../src/adapter/index.ts'
import { decodeMessage } from './carriage.ts'
import type { TrtcConfig } from './config.ts'
import type { NativeIntake } from './enrolment/intake.ts'
import { ownTransaction, remoteTimeOf } from './history.ts'

/** Why a webhook was refused. */
export type WebhookCode =
  | 'webhook-secret-invalid'
  | 'webhook-signature-invalid'
  | 'webhook-stale'
  | 'webhook-application-mismatch'
  | 'webhook-replayed'
  | 'webhook-malformed'

/** The service says that calls more than a minute old are invalid. */
const CLOCK_WINDOW_SECONDS = 60
/** Calls remembered against replay; only calls with a valid signature are. */
const REMEMBERED_CALLS = 200_000

const statusOf: Readonly<Record<WebhookCode, number>> = {
  'webhook-secret-invalid': 404,
  'webhook-signature-invalid': 401,
  'webhook-stale': 401,
  'webhook-application-mismatch': 403,
  'webhook-replayed': 409,
  'webhook-malformed': 400,
}

const commandSchema = z.looseObject({ CallbackCommand: z.string() })

const messageFields = {
  From_Account: z.string(),
  MsgId: z.string().optional(),
  MsgTime: z.number(),
  MsgBody: z.unknown().optional(),
  CloudCustomData: z.unknown().optional(),
}
const directSchema = z.looseObject({
  ...messageFields,
  To_Account: z.string(),
  MsgKey: z.string().min(1),
  MsgSeq: z.number(),
  MsgRandom: z.number(),
  /** 0: sent. The webhook also fires for messages that were refused. */
  SendMsgResult: z.number().default(0),
})
const groupSchema = z.looseObject({
  ...messageFields,
  GroupId: z.string(),
  MsgSeq: z.number(),
  Random: z.number().optional(),
})
const recallSchema = z.looseObject({
  From_Account: z.string(),
  To_Account: z.string(),
  MsgKey: z.string().min(1),
})
const groupRecallSchema = z.looseObject({
  GroupId: z.string(),
  Operator_Account: z.string(),
  MsgSeqList: z.array(z.looseObject({ MsgSeq: z.number() })).max(100),
})
const readSchema = z.looseObject({
  Report_Account: z.string(),
  Peer_Account: z.string(),
  LastReadTime: z.number(),
})
const presenceSchema = z.looseObject({
  Info: z.looseObject({
    Action: z.string(),
    To_Account: z.string(),
  }),
})

export interface WebhookStatistics {
  /** Calls answered with OK. */
  accepted: number
  /** Messages that hold no frame of ours, and are of no enrolled wallet. */
  ignored: number
  /** Native messages of enrolled wallets, and what happened to them. */
  natives: number
  /** Messages that came back to the gateway that sent them. */
  echoes: number
  refused: Partial<Record<WebhookCode, number>>
  /** Unix milliseconds of the last accepted call; null before the first. */
  lastAcceptedAt: number | null
}

export interface WebhookOptions {
  config: Pick<TrtcConfig, 'sdkAppId' | 'webhookToken' | 'webhookSecret'>
  clock: Clock
  log: AdapterLog
  /** False before `start` and after `stop`: then calls are turned away, and history has their messages later. */
  isOpen(): boolean
  /** Resolves when the frame is durable. */
  deliver(inbound: Inbound): Promise<DeliverResult>
  /** Hop mode's part. */
  natives: NativeIntake
  /** Ends with the adapter. */
  lifetime(): AbortSignal
  /** Whether this process sent the transaction itself. */
  isOwnTransaction(transactionId: string): boolean
  presence(userId: string, online: boolean): void
  /** A signed call came that is too old or too new to be taken: when the service made it, Unix milliseconds by its clock. */
  stale(serviceTime: number): void
}

/** The documented signature: SHA-256 over token and RequestTime (Unix seconds, as text), in lower-case hexadecimal. */
export function webhookSignature(token: string, requestTime: string): string {
  return createHash('sha256')
    .update(token + requestTime)
    .digest('hex')
}

class Refusal extends Error {
  readonly code: WebhookCode

  constructor(code: WebhookCode, message: string) {
    super(message)
    this.code = code
  }
}

export function createWebhook(options: WebhookOptions): WebhookFacet & { statistics(): WebhookStatistics } {
  const { config, clock, log } = options
  const statistics: WebhookStatistics = {
    accepted: 0,
    ignored: 0,
    natives: 0,
    echoes: 0,
    refused: {},
    lastAcceptedAt: null,
  }
  /** Key of a call to the Unix milliseconds until which an identical one is refused. Oldest first. */
  const calls = new Map<string, number>()

  function forgetOldCalls(now: number): void {
    for (const [key, until] of calls) {
      if (until >= now && calls.size <= REMEMBERED_CALLS) return
      calls.delete(key)
    }
  }

  /** Checks who is calling and returns the key under which the call is remembered. */
  function authenticate(request: WebhookRequest): { key: string; until: number } {
    if (!sameSecret(request.secret, config.webhookSecret)) {
      throw new Refusal('webhook-secret-invalid', 'The last part of the webhook URL is wrong')
    }
    const requestTime = request.query.get('RequestTime') ?? ''
    const sign = request.query.get('Sign') ?? ''
    if (
      !/^\d{1,11}$/.test(requestTime) ||
      !sameSecret(sign, webhookSignature(config.webhookToken, requestTime))
    ) {
      throw new Refusal(
        'webhook-signature-invalid',
        'Sign does not match: enter the same authentication token in the console and in webhookToken',
      )
    }
    const now = clock.now()
    if (Math.abs(now / 1000 - Number(requestTime)) > CLOCK_WINDOW_SECONDS) {
      options.stale(Number(requestTime) * 1000)
      throw new Refusal('webhook-stale', 'RequestTime is more than a minute away from the gateway clock')
    }
    if (request.query.get('SdkAppid') !== String(config.sdkAppId)) {
      throw new Refusal('webhook-application-mismatch', 'The call is about another app than sdkAppId')
    }
    const digest = createHash('sha256').update(request.body).digest('base64')
    const until = (Number(requestTime) + CLOCK_WINDOW_SECONDS + 1) * 1000
    return { key: `${digest} ${requestTime} ${sign}`, until }
  }

  function countNative(concerns: boolean): void {
    if (concerns) statistics.natives++
    else statistics.ignored++
  }

  async function takeMessage(
    inbound: Omit<Inbound, 'frame' | 'transactionId' | 'via'>,
    body: MessageBody,
    takeNative: () => Promise<boolean>,
  ) {
    const carried = decodeMessage(body.MsgBody, body.CloudCustomData)
    if (!carried) {
      countNative(await takeNative())
      return
    }
    const transactionId = body.numbers ? ownTransaction(carried.transactionId, body.numbers) : null
    if (transactionId !== null && options.isOwnTransaction(transactionId)) {
      statistics.echoes++
      return
    }
    await options.deliver({ ...inbound, frame: carried.frame, transactionId, via: 'webhook' })
  }

  const handlers: Readonly<Record<string, (body: unknown, platform: string) => Promise<void>>> = {
    'C2C.CallbackAfterSendMsg': async (body, platform) => {
      const message = parse(directSchema, body)
      if (message.SendMsgResult !== 0) return
      await takeMessage(
        {
          remoteId: message.MsgKey,
          to: message.To_Account,
          from: message.From_Account,
          remoteTime: remoteTimeOf(message.MsgTime),
        },
        { ...message, numbers: platform === 'RESTAPI' ? message : null },
        () =>
          options.natives.direct({
            from: message.From_Account,
            to: message.To_Account,
            key: message.MsgKey,
            messageId: message.MsgId ?? null,
            sequence: message.MsgSeq,
            random: message.MsgRandom,
            time: message.MsgTime,
            body: message.MsgBody,
            cloud: message.CloudCustomData,
          }),
      )
    },
    'Group.CallbackAfterSendMsg': async (body) => {
      const message = parse(groupSchema, body)
      await takeMessage(
        {
          remoteId: `${message.GroupId}_${message.MsgSeq}`,
          to: message.GroupId,
          from: message.From_Account,
          remoteTime: remoteTimeOf(message.MsgTime),
        },
        { ...message, numbers: null },
        () =>
          options.natives.group(
            {
              from: message.From_Account,
              group: message.GroupId,
              sequence: message.MsgSeq,
              random: message.Random ?? null,
              messageId: message.MsgId ?? null,
              time: message.MsgTime,
              body: message.MsgBody,
              cloud: message.CloudCustomData,
            },
            options.lifetime(),
          ),
      )
    },
    'C2C.CallbackAfterMsgWithDraw': async (body) => {
      const { From_Account: from, To_Account: to, MsgKey: key } = parse(recallSchema, body)
      countNative(await options.natives.recalled({ from, to, key }))
    },
    'Group.CallbackAfterRecallMsg': async (body) => {
      const { GroupId: group, Operator_Account: by, MsgSeqList } = parse(groupRecallSchema, body)
      const sequences = MsgSeqList.map(({ MsgSeq }) => MsgSeq)
      countNative(await options.natives.recalledInGroup({ by, group, sequences }, options.lifetime()))
    },
    'C2C.CallbackAfterMsgReport': async (body, platform) => {
      // What the gateway reports itself must not come back to it.
      if (platform === 'RESTAPI') return
      const { Report_Account: reader, Peer_Account: peer, LastReadTime: time } = parse(readSchema, body)
      countNative(await options.natives.read({ reader, peer, time }))
    },
    'State.StateChange': async (body) => {
      const { Info } = parse(presenceSchema, body)
      if (Info.Action === 'Login') options.presence(Info.To_Account, true)
      else if (Info.Action === 'Logout' || Info.Action === 'Disconnect')
        options.presence(Info.To_Account, false)
    },
  }

  async function take(request: WebhookRequest): Promise<WebhookResponse> {
    const body = parseJson(request.body)
    const { CallbackCommand } = parse(commandSchema, body)
    if (CallbackCommand !== request.query.get('CallbackCommand')) {
      throw new Refusal('webhook-malformed', 'CallbackCommand differs between query and body')
    }
    const handler = Object.hasOwn(handlers, CallbackCommand) ? handlers[CallbackCommand] : undefined
    await handler?.(body, request.query.get('OptPlatform') ?? '')
    statistics.accepted++
    statistics.lastAcceptedAt = clock.now()
    return { status: 200, body: { ActionStatus: 'OK', ErrorInfo: '', ErrorCode: 0 } }
  }

  return {
    statistics: () => ({ ...statistics, refused: { ...statistics.refused } }),

    async handle(request) {
      let key: string | null = null
      try {
        const call = authenticate(request)
        if (!options.isOpen()) return { status: 503, body: failure('The gateway is not connected') }
        forgetOldCalls(clock.now())
        if (calls.has(call.key)) throw new Refusal('webhook-replayed', 'This very call was taken before')
        key = call.key
        calls.set(key, call.until)
        return await take(request)
      } catch (error) {
        if (error instanceof Refusal) {
          statistics.refused[error.code] = (statistics.refused[error.code] ?? 0) + 1
          return { status: statusOf[error.code], body: failure(error.message), code: error.code }
        }
        // Not durable: the service may call again with the same words, and history has the message in any case.
        if (key !== null) calls.delete(key)
        log.error(
          { error: error instanceof Error ? error.name : typeof error },
          'A webhook could not be made durable',
        )
        return { status: 500, body: failure('The message could not be stored') }
      }
    },
  }
}

interface MessageBody {
  MsgBody?: unknown
  CloudCustomData?: unknown
  /** MsgSeq and MsgRandom where the service says that an administrator sent the message; else null. */
  numbers: { MsgSeq: number; MsgRandom: number } | null
}

function failure(text: string) {
  return { ActionStatus: 'FAIL', ErrorInfo: text, ErrorCode: 1 }
}

/** Compares in a time that does not depend on the content: digests of equal length are compared. */
function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected))
}

function parse<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const fields = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ')
  throw new Refusal('webhook-malformed', `Missing or wrong fields: ${fields}`)
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new Refusal('webhook-malformed', 'The body is not JSON')
  }
}
