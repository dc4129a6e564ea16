/** One-to-one messages: sending, dedup, history of each side, recall. SANDBOX. */
import { crc32 } from 'node:zlib'
import {
  type DirectMessage,
  type JsonObject,
  messageBody,
  numberField,
  optionalNumber,
  optionalText,
  type Platform,
  ServiceError,
  type Session,
  textField,
} from './protocol.ts'
import type { Users } from './users.ts'
import type { Webhooks } from './webhooks.ts'

/** Message and CloudCustomData together, in bytes. */
const MAX_MESSAGE_BYTES = 12 * 1024
/** A message with the sender, MsgSeq, MsgRandom and content of one sent in the last 120 s is not sent again. */
const DEDUP_WINDOW_MS = 120_000
const RECALLED = 8

export interface SendOptions {
  from: string
  platform: Platform
  syncToSender: boolean
  askFirst: boolean
  tellAfterwards: boolean
  /** The client that sent it; it needs no copy. */
  origin?: Session
}

export interface Direct {
  send(body: JsonObject, options: SendOptions): Promise<DirectMessage>
  /** History of a pair as `owner` sees it, oldest first. */
  history(owner: string, peer: string): readonly DirectMessage[]
  /** Everybody that `owner` has history with. */
  peers(owner: string): string[]
  deleteHistory(owner: string, peer: string): void
  /** Messages that came while the user had no client connected; handed out once. */
  takeUndelivered(userId: string): DirectMessage[]
  recall(from: string, to: string, messageKey: string, platform?: Platform): void
  /** Overwrites `MsgBody`, `CloudCustomData` or both of a message. */
  modify(from: string, to: string, body: JsonObject): void
  /** The reader has seen everything that the peer wrote. */
  setRead(reader: string, peer: string, platform: Platform): void
  /** The form in which clients get a message. */
  wire(message: DirectMessage): JsonObject
}

export function createDirect(options: {
  users: Users
  webhooks: Webhooks
  /** Ask the gateway before each message (`C2C.CallbackBeforeSendMsg`). */
  beforeWebhooks: boolean
  /** Unix milliseconds. */
  now(): number
  randomUint32(): number
}): Direct {
  const { users, webhooks, now } = options
  const histories = new Map<string, Map<string, DirectMessage[]>>()
  const undelivered = new Map<string, DirectMessage[]>()
  /** Oldest first. */
  const sent = new Map<string, { at: number; message: DirectMessage }>()

  function historyOf(owner: string, peer: string): DirectMessage[] {
    const own = histories.get(owner) ?? new Map<string, DirectMessage[]>()
    histories.set(owner, own)
    const pair = own.get(peer) ?? []
    own.set(peer, pair)
    return pair
  }

  function sentBefore(key: string): DirectMessage | null {
    for (const [oldest, { at }] of sent) {
      if (now() - at < DEDUP_WINDOW_MS) break
      sent.delete(oldest)
    }
    return sent.get(key)?.message ?? null
  }

  function compose(body: JsonObject, from: string): DirectMessage {
    const seconds = Math.floor(now() / 1000)
    const MsgSeq = optionalNumber(body, 'MsgSeq', options.randomUint32())
    const MsgRandom = numberField(body, 'MsgRandom', 90005)
    const MsgClientTime = optionalNumber(body, 'MsgClientTime', seconds)
    return {
      From_Account: from,
      To_Account: textField(body, 'To_Account', 90003),
      MsgSeq,
      MsgRandom,
      MsgTimeStamp: seconds,
      MsgClientTime,
      MsgKey: `${MsgSeq}_${MsgRandom}_${seconds}`,
      MsgId: `${users.tinyId(from)}-${MsgClientTime}-${MsgRandom}`,
      MsgBody: messageBody(body),
      CloudCustomData: optionalText(body, 'CloudCustomData'),
      MsgFlagBits: 0,
      MsgVersion: 0,
      onlineOnly: body.MsgLifeTime === 0 || body.OnlineOnlyFlag === 1,
    }
  }

  function webhookBody(message: DirectMessage): JsonObject {
    return {
      From_Account: message.From_Account,
      To_Account: message.To_Account,
      MsgSeq: message.MsgSeq,
      MsgRandom: message.MsgRandom,
      MsgTime: message.MsgTimeStamp,
      MsgKey: message.MsgKey,
      MsgId: message.MsgId,
      OnlineOnlyFlag: message.onlineOnly ? 1 : 0,
      MsgBody: message.MsgBody,
      ...(message.CloudCustomData ? { CloudCustomData: message.CloudCustomData } : {}),
    }
  }

  /** Whether the gateway lets the message pass; error 20006 or its own code when it refuses aloud. */
  async function allowed(message: DirectMessage, platform: Platform): Promise<boolean> {
    const answer = await webhooks.ask('C2C.CallbackBeforeSendMsg', webhookBody(message), platform)
    const code = Number(answer?.ErrorCode ?? 0)
    if (code === 0) return true
    if (code === 2) return false
    const own = code >= 120_001 && code <= 130_000
    throw new ServiceError(own ? code : 20006, String(answer?.ErrorInfo ?? 'refused by the webhook'))
  }

  function deliver(message: DirectMessage, send: SendOptions): void {
    const { From_Account: from, To_Account: to } = message
    if (!message.onlineOnly) {
      historyOf(to, from).push(message)
      if (send.syncToSender && from !== to) historyOf(from, to).push(message)
    }
    const receivers = users.sessions(to)
    if (receivers.length === 0 && !message.onlineOnly) {
      const waiting = undelivered.get(to) ?? []
      undelivered.set(to, waiting)
      waiting.push(message)
    }
    const wired = wire(message)
    const event = (item: JsonObject) => ({ EventArray: [{ Event: 9, C2cMsgArray: [item] }], Flag: 0 })
    for (const session of receivers) {
      session.push({ ...event(wired), NeedAck: 1, SessionData: message.MsgKey })
    }
    if (!send.syncToSender) return
    for (const session of users.sessions(from)) {
      if (session === send.origin) continue
      session.push({ ...event({ ...wired, From_Account: to, To_Account: from, IsSyncMsg: 1 }), NeedAck: 0 })
    }
  }

  function wire(message: DirectMessage): JsonObject {
    return {
      From_Account: message.From_Account,
      To_Account: message.To_Account,
      MsgSeq: message.MsgSeq,
      MsgRandom: message.MsgRandom,
      MsgTimeStamp: message.MsgTimeStamp,
      MsgClientTime: message.MsgClientTime,
      TinyId: users.exists(message.From_Account) ? users.tinyId(message.From_Account) : '0',
      MsgBody: message.MsgBody,
      CloudCustomData: message.CloudCustomData,
      From_AccountNick: users.nickname(message.From_Account),
      From_AccountHeadurl: '',
      MsgFlagBits: message.MsgFlagBits,
      MsgVersion: message.MsgVersion,
      IsPeerRead: 0,
      ...(message.onlineOnly ? { MsgLifeTime: 0 } : {}),
    }
  }

  return {
    wire,
    async send(body, send) {
      const to = textField(body, 'To_Account', 90003)
      if (!users.exists(send.from) || !users.exists(to)) {
        throw new ServiceError(20003, 'sender or recipient does not exist')
      }
      const message = compose(body, send.from)
      const content = JSON.stringify(message.MsgBody)
      if (Buffer.byteLength(content) + Buffer.byteLength(message.CloudCustomData) > MAX_MESSAGE_BYTES) {
        throw new ServiceError(80002, 'the message is over 12 KB')
      }
      const key = [send.from, to, message.MsgSeq, message.MsgRandom, crc32(content)].join(' ')
      const before = sentBefore(key)
      if (before) return before
      sent.set(key, { at: now(), message })
      if (options.beforeWebhooks && send.askFirst) {
        try {
          if (!(await allowed(message, send.platform))) return message
        } catch (error) {
          sent.delete(key)
          throw error
        }
      }
      deliver(message, send)
      if (send.tellAfterwards) {
        const told = {
          ...webhookBody(message),
          SendMsgResult: 0,
          ErrorInfo: 'send msg succeed',
          UnreadMsgNum: 0,
        }
        webhooks.tell(`c2c ${send.from} ${to}`, 'C2C.CallbackAfterSendMsg', told, send.platform)
      }
      return message
    },
    history: historyOf,
    peers: (owner) => [...(histories.get(owner)?.keys() ?? [])],
    deleteHistory(owner, peer) {
      histories.get(owner)?.delete(peer)
    },
    takeUndelivered(userId) {
      const waiting = undelivered.get(userId) ?? []
      undelivered.delete(userId)
      return waiting
    },
    modify(from, to, body) {
      const key = textField(body, 'MsgKey', 90054)
      const message = historyOf(to, from).find((one) => one.MsgKey === key && one.From_Account === from)
      if (!message) throw new ServiceError(20022, 'no such message')
      if (body.MsgBody !== undefined) message.MsgBody = messageBody(body)
      if (body.CloudCustomData !== undefined) message.CloudCustomData = optionalText(body, 'CloudCustomData')
      message.MsgVersion++
      for (const session of new Set([...users.sessions(from), ...users.sessions(to)])) {
        session.push({ EventArray: [{ Event: 15, C2cMsgModNotifys: [wire(message)] }] })
      }
    },
    setRead(reader, peer, platform) {
      const told = {
        Report_Account: reader,
        Peer_Account: peer,
        LastReadTime: Math.floor(now() / 1000),
        UnreadMsgNum: 0,
      }
      webhooks.tell(`c2c ${peer} ${reader}`, 'C2C.CallbackAfterMsgReport', told, platform)
    },
    recall(from, to, messageKey, platform = 'RESTAPI') {
      const message = [...historyOf(to, from), ...historyOf(from, to)].find(
        (one) => one.MsgKey === messageKey,
      )
      if (!message) throw new ServiceError(20022, 'no such message')
      message.MsgFlagBits = RECALLED
      const info = {
        From_Account: from,
        To_Account: to,
        MsgSeq: message.MsgSeq,
        MsgRandom: message.MsgRandom,
        MsgTimeStamp: message.MsgTimeStamp,
        MsgClientTime: message.MsgClientTime,
        TinyId: users.tinyId(from),
      }
      const notice = { WithdrawC2cMsgNotify: { C2cWithdrawInfoArray: [info] } }
      for (const session of new Set([...users.sessions(from), ...users.sessions(to)])) {
        session.push({ EventArray: [{ Event: 10, C2cNotifyMsgArray: [notice] }] })
      }
      const told = { From_Account: from, To_Account: to, MsgKey: messageKey, UnreadMsgNum: 0 }
      webhooks.tell(`c2c ${from} ${to}`, 'C2C.CallbackAfterMsgWithDraw', told, platform)
    },
  }
}
