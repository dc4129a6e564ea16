/** Native messages of enrolled wallets, on their way out by the REST API. */
import {
  AdapterError,
  type AdapterErrorClass,
  type Clock,
  type NativeIntent,
  type Receipt,
} from '../../../src/adapter/index.ts'
import { readContentOrFallback } from '../../../src/content/index.ts'
import { H, toHex } from '../../../src/envelope/index.ts'
import { messageNumbers } from '../carriage.ts'
import { CLOCK_SKEW_MS, RETENTION_MS, type RoamingReader, remoteIdsOf } from '../history.ts'
import type { RestClient } from '../rest.ts'
import { type Answered, writeCloudData } from './cloud-data.ts'
import {
  editId,
  groupMessageId,
  type Place,
  placeOf,
  recallId,
  sequenceOf,
  timeOfKey,
} from './conversations.ts'
import { type Element, readElements, writeElements } from './elements.ts'
import type { NativeService } from './service.ts'

/** Characters of an answered message that are quoted. */
const ABSTRACT_CHARACTERS = 100
const REFUSED_FOR_NOW: ReadonlySet<AdapterErrorClass> = new Set(['retryable', 'rateLimited', 'auth'])
const MUTED = {
  SendMsgControl: ['WithMuteNotifications'],
  OfflinePushInfo: { PushFlag: 1 },
} as const

export interface NativeSender {
  send(userId: string, intent: NativeIntent, signal: AbortSignal): Promise<Receipt>
  find(userId: string, intent: NativeIntent, signal: AbortSignal): Promise<Receipt | null>
}

/** Key of one message of a transaction. The numbers by which the service knows a repeated send follow from it. */
export function partKey(transactionId: string, part: number): string {
  return part === 0
    ? transactionId
    : toHex(H('causeway/trtc-part/1', transactionId, String(part))).slice(0, 32)
}

/**
 * What was refused for now after an earlier part was sent: `uncertain`, so that the next try is a later one by its number,
 * which looks for the parts. A plain refusal would be tried again as if nothing had left.
 */
function partlySent(error: unknown): unknown {
  if (!AdapterError.is(error) || !REFUSED_FOR_NOW.has(error.class)) return error
  return new AdapterError('uncertain', 'TRTC took a part of the message and refused the next for now', {
    remoteCode: 'partly-sent',
    cause: error,
  })
}

export function createNativeSender(parts: {
  rest: Pick<RestClient, 'sendMessage'>
  service: NativeService
  roaming: RoamingReader
  clock: Clock
  addressOf(wallet: string): string
}): NativeSender {
  const { rest, service, roaming, clock } = parts

  const placeFor = ({ to }: NativeIntent, userId: string): Place =>
    'wallet' in to ? { peer: parts.addressOf(to.wallet) } : placeOf(to.conversation, userId)

  /** A message by its name, as the user has it. Null where it is not there any more. */
  async function message(userId: string, place: Place, remoteId: string, signal: AbortSignal) {
    if ('group' in place) {
      const sequence = sequenceOf(remoteId, place.group)
      if (sequence === null) return null
      for await (const found of service.groupMessages(place.group, sequence, signal)) {
        if (found.MsgSeq === sequence) return { ...found, MsgId: undefined }
        break
      }
      return null
    }
    const time = timeOfKey(remoteId)
    if (time === null) return null
    for await (const found of roaming(userId, place.peer, time * 1000 - CLOCK_SKEW_MS, signal)) {
      if (found.MsgKey === remoteId || found.MsgId === remoteId) return found
    }
    return null
  }

  async function answered(
    userId: string,
    place: Place,
    reference: string | null,
    signal: AbortSignal,
  ): Promise<Answered | null> {
    const found = reference && (await message(userId, place, reference, signal))
    if (!found) return null
    const content = readElements(found.MsgBody)
    const read = content && readContentOrFallback(content)
    const text = read?.kind === 'text' ? read.text : (content?.fallback ?? '')
    return {
      messageId: found.MsgId ?? reference,
      sequence: found.MsgSeq,
      time: found.MsgTimeStamp,
      sender: found.From_Account,
      abstract: [...text].slice(0, ABSTRACT_CHARACTERS).join(''),
    }
  }

  /** An administrator may change everybody's messages: what is not the wallet's own is refused. */
  async function ownMessage(userId: string, place: Place, remoteId: string, signal: AbortSignal) {
    const found = await message(userId, place, remoteId, signal)
    if (found?.From_Account !== userId) {
      throw new AdapterError('permanent', 'The wallet’s TRTC user has no such message of its own', {
        remoteCode: 'message-not-own',
      })
    }
    return 'group' in place
      ? { group: place.group, sequence: found.MsgSeq }
      : { from: userId, peer: place.peer, key: 'MsgKey' in found ? String(found.MsgKey) : remoteId }
  }

  async function requireMember(userId: string, place: Place, signal: AbortSignal): Promise<void> {
    if (!('group' in place) || (await service.members(place.group, [userId], signal)).includes(userId)) return
    throw new AdapterError('permanent', 'The wallet’s TRTC user is not in this group', {
      remoteCode: 'conversation-unknown',
    })
  }

  async function sendOne(
    userId: string,
    place: Place,
    element: Element,
    numbers: { MsgSeq: number; MsgRandom: number },
    CloudCustomData: string,
    options: { onlineOnly: boolean; silent: boolean },
    signal: AbortSignal,
  ): Promise<string[]> {
    const body = { From_Account: userId, MsgBody: [element], CloudCustomData }
    if ('group' in place) {
      const { group } = place
      const OnlineOnlyFlag = options.onlineOnly ? 1 : 0
      const request = { ...body, GroupId: group, Random: numbers.MsgRandom, OnlineOnlyFlag } as const
      const { MsgSeq } = await service.sendToGroup(request, signal)
      return [groupMessageId(group, MsgSeq)]
    }
    const sent = await rest.sendMessage(
      {
        ...body,
        ...numbers,
        To_Account: place.peer,
        SyncOtherMachine: 1,
        // The webhook after it is wanted: the peer may be enrolled here too.
        ForbidCallbackControl: ['ForbidBeforeSendMsgCallback'],
        ...(options.onlineOnly ? { MsgLifeTime: 0 } : {}),
        ...(options.silent ? MUTED : {}),
      },
      signal,
    )
    return remoteIdsOf(sent)
  }

  /** Ids of the first `count` messages of a transaction that the service has, by part. */
  async function partsThere(
    userId: string,
    place: Place,
    transactionId: string,
    count: number,
    signal: AbortSignal,
  ): Promise<Map<number, string[]>> {
    const wanted = new Map(
      Array.from({ length: count }, (_, part) => {
        const { MsgSeq, MsgRandom } = messageNumbers(partKey(transactionId, part))
        return ['group' in place ? `${MsgRandom}` : `${MsgSeq} ${MsgRandom}`, part]
      }),
    )
    const found = new Map<number, string[]>()
    const since = clock.now() - RETENTION_MS - CLOCK_SKEW_MS
    if ('group' in place) {
      for await (const { From_Account, MsgRandom, MsgSeq, MsgTimeStamp } of service.groupMessages(
        place.group,
        null,
        signal,
      )) {
        const part = From_Account === userId ? wanted.get(`${MsgRandom}`) : undefined
        if (part !== undefined) found.set(part, [groupMessageId(place.group, MsgSeq)])
        if (found.size === wanted.size || MsgTimeStamp * 1000 < since) break
      }
    } else {
      for await (const message of roaming(userId, place.peer, since, signal)) {
        const key = `${message.MsgSeq} ${message.MsgRandom}`
        const part = message.From_Account === userId ? wanted.get(key) : undefined
        if (part !== undefined) found.set(part, remoteIdsOf(message))
        if (found.size === wanted.size) break
      }
    }
    return found
  }

  return {
    async send(userId, intent, signal) {
      const { content, reference, replaces, transactionId, silent, attempt } = intent
      const place = placeFor(intent, userId)
      const { kind } = readContentOrFallback(content)
      await requireMember(userId, place, signal)
      if (kind === 'readReceipt') {
        if ('group' in place) throw new AdapterError('unsupported', 'TRTC has no receipts by REST in groups')
        await service.setRead(userId, place.peer, signal)
        return { remoteIds: [] }
      }
      if (replaces !== null) {
        const own = await ownMessage(userId, place, replaces, signal)
        if (kind === 'delete') {
          await service.recall(own, signal)
          return { remoteIds: [recallId(replaces)] }
        }
        const CloudCustomData = writeCloudData({ id: transactionId, part: 0, more: false }, null)
        await service.modify(own, { MsgBody: writeElements(content), CloudCustomData }, signal)
        return { remoteIds: [editId(transactionId)] }
      }
      const elements = writeElements(content)
      const about = await answered(userId, place, reference, signal)
      // A try that was refused at a later part has sent the earlier ones; the service knows repeats for some minutes only.
      const mayBePartlySent = attempt > 1 && elements.length > 1
      const there = mayBePartlySent
        ? await partsThere(userId, place, transactionId, elements.length, signal)
        : new Map<number, string[]>()
      const remoteIds: string[] = []
      const options = { onlineOnly: kind === 'typing', silent }
      for (const [part, element] of elements.entries()) {
        const earlier = there.get(part)
        if (earlier) {
          remoteIds.push(...earlier)
          continue
        }
        const numbers = messageNumbers(partKey(transactionId, part))
        // The first part answers for all.
        const more = part < elements.length - 1
        const cloud = writeCloudData({ id: transactionId, part, more }, part === 0 ? about : null)
        try {
          remoteIds.push(...(await sendOne(userId, place, element, numbers, cloud, options, signal)))
        } catch (error) {
          throw part === 0 ? error : partlySent(error)
        }
      }
      return { remoteIds }
    },

    /** Edits, recalls and receipts may be repeated, and are not looked for. */
    async find(userId, intent, signal) {
      const { kind } = readContentOrFallback(intent.content)
      if (intent.replaces !== null || kind === 'readReceipt' || kind === 'typing') return null
      const place = placeFor(intent, userId)
      const { length } = writeElements(intent.content)
      const found = await partsThere(userId, place, intent.transactionId, length, signal)
      if (found.size < length) return null
      return { remoteIds: [...found].sort(([left], [right]) => left - right).flatMap(([, ids]) => ids) }
    },
  }
}
