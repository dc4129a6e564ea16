/** Native messages of enrolled wallets, on their way in: from webhooks as they happen, from history for what those missed. */
import type { Clock, DeliverResult, NativeContent, NativeInbound } from '../../../src/adapter/index.ts'
import { AdapterError } from '../../../src/adapter/index.ts'
import { writeContent } from '../../../src/content/index.ts'
import { decodeMessage, messageNumbers } from '../carriage.ts'
import { missingAccountCodes } from '../errors.ts'
import { RECALLED, type RoamingReader, remoteTimeOf } from '../history.ts'
import type { RoamingMessage } from '../rest.ts'
import { readCloudData } from './cloud-data.ts'
import { directId, groupId, groupMessageId, readId, recallId } from './conversations.ts'
import { readElements } from './elements.ts'
import { partKey } from './sender.ts'
import type { GroupMessage, NativeService } from './service.ts'

/** How long it is remembered who of the enrolled is in a group, and what it is called, in milliseconds. */
const GROUP_MEMORY_MS = 30_000
/** The same where nobody of them is enrolled: somebody may join. */
const NOBODY_MEMORY_MS = 2_000
const REMEMBERED_GROUPS = 5_000
/** No such group, not allowed for groups of this kind (AVChatRoom). */
const NO_MEMBERS = new Set<number | string>([10007, 10010, 10015])

/** An enrolled wallet that is open. */
export interface Member {
  /** Of the enrolment. */
  id: string
  wallet: string
  userId: string
}

/** What a webhook tells of a one-to-one message. */
export interface DirectEvent {
  from: string
  to: string
  key: string
  messageId: string | null
  sequence: number
  random: number
  /** Unix seconds. */
  time: number
  body: unknown
  cloud: unknown
}

export interface GroupEvent {
  from: string
  group: string
  sequence: number
  random: number | null
  messageId: string | null
  /** Unix seconds. */
  time: number
  body: unknown
  cloud: unknown
}

/** Each resolves when what was heard is durable for everyone whom it concerns; `false`: it concerns nobody. */
export interface NativeIntake {
  direct(event: DirectEvent): Promise<boolean>
  group(event: GroupEvent, signal: AbortSignal): Promise<boolean>
  recalled(event: { from: string; to: string; key: string }): Promise<boolean>
  recalledInGroup(
    event: { by: string; group: string; sequences: number[] },
    signal: AbortSignal,
  ): Promise<boolean>
  read(event: { reader: string; peer: string; time: number }): Promise<boolean>
  /** Everything of one wallet since a time (Unix milliseconds), oldest first within a conversation. */
  walk(member: Member, since: number, signal: AbortSignal): AsyncGenerator<NativeInbound>
}

interface Happened {
  remoteId: string
  otherIds?: string[]
  from: string
  /** Unix seconds; null: now. */
  time: number | null
  content: NativeContent
  reference?: string | null
  replaces?: string | null
  transactionId?: string | null
  partial?: boolean
}

export function createNativeIntake(parts: {
  service: NativeService
  roaming: RoamingReader
  clock: Clock
  members(): Iterable<Member>
  deliver(inbound: NativeInbound): Promise<DeliverResult>
}): NativeIntake {
  const { service, roaming, clock } = parts
  const groups = new Map<
    string,
    { until: number; known: Promise<{ name: string | null; userIds: Set<string> }> }
  >()

  /** Who of the enrolled is in the group. Asked for once for all that come together. */
  function groupOf(group: string, signal: AbortSignal) {
    const now = clock.monotonic()
    const known = groups.get(group)
    if (known && known.until > now) return known.known
    const asked = ask(group, signal)
    groups.delete(group)
    groups.set(group, { until: now + GROUP_MEMORY_MS, known: asked })
    asked.then(
      ({ userIds }) => {
        const kept = groups.get(group)
        if (userIds.size === 0 && kept?.known === asked) kept.until = now + NOBODY_MEMORY_MS
      },
      () => groups.delete(group),
    )
    for (const oldest of groups.keys()) {
      if (groups.size <= REMEMBERED_GROUPS) break
      groups.delete(oldest)
    }
    return asked
  }

  /** The wallet is in the group: who remembers otherwise asked before it joined. */
  async function nameFor(member: Member, group: string, signal: AbortSignal): Promise<string | null> {
    const { name, userIds } = await groupOf(group, signal)
    if (userIds.has(member.userId)) return name
    groups.delete(group)
    return (await groupOf(group, signal)).name
  }

  async function ask(group: string, signal: AbortSignal) {
    const userIds = [...parts.members()].map(({ userId }) => userId)
    const members = await membersOf(group, userIds, signal)
    const name = members.length > 0 ? await service.groupName(group, signal) : null
    return { name, userIds: new Set(members) }
  }

  /** Those of the users that are in the group; nobody is in one that is not there. */
  async function membersOf(group: string, userIds: string[], signal: AbortSignal): Promise<string[]> {
    try {
      return await service.members(group, userIds, signal)
    } catch (error) {
      if (AdapterError.is(error) && NO_MEMBERS.has(error.remoteCode ?? '')) return []
      throw error
    }
  }

  function inboundOf(
    member: Member,
    conversation: NativeInbound['conversation'],
    { time, otherIds, ...happened }: Happened,
    via: NativeInbound['via'],
  ): NativeInbound {
    const own = happened.from === member.userId
    return {
      enrolment: member.id,
      conversation,
      own,
      remoteTime: (time === null ? null : remoteTimeOf(time)) ?? clock.now(),
      via,
      reference: null,
      replaces: null,
      ...happened,
      ...(otherIds && otherIds.length > 0 ? { otherIds } : {}),
      from: { wallet: own ? member.wallet : null, address: happened.from },
      transactionId: own ? (happened.transactionId ?? null) : null,
    }
  }

  function directConversation(member: Member, from: string, to: string): NativeInbound['conversation'] {
    const peer = from === member.userId ? to : from
    return {
      remoteId: directId(from, to),
      kind: 'direct',
      name: null,
      peer: { wallet: peer === member.userId ? member.wallet : null, address: peer },
    }
  }

  const groupConversation = (group: string, name: string | null): NativeInbound['conversation'] => {
    return { remoteId: groupId(group), kind: 'group', name, peer: null }
  }

  async function tellPair(from: string, to: string, happened: Happened): Promise<boolean> {
    const concerned = [...parts.members()].filter(({ userId }) => userId === from || userId === to)
    const tellings = concerned.map((member) =>
      parts.deliver(inboundOf(member, directConversation(member, from, to), happened, 'stream')),
    )
    await Promise.all(tellings)
    return concerned.length > 0
  }

  async function tellGroup(group: string, happened: Happened, signal: AbortSignal): Promise<boolean> {
    if ([...parts.members()].length === 0) return false
    const { name, userIds } = await groupOf(group, signal)
    const concerned = [...parts.members()].filter(({ userId }) => userIds.has(userId))
    const conversation = groupConversation(group, name)
    await Promise.all(
      concerned.map((member) => parts.deliver(inboundOf(member, conversation, happened, 'stream'))),
    )
    return concerned.length > 0
  }

  function directMessage(event: DirectEvent): Happened | null {
    if (decodeMessage(event.body, event.cloud)) return null
    const content = readElements(event.body)
    if (content === null) return null
    const { reply, transaction } = readCloudData(event.cloud)
    const numbers = { MsgSeq: event.sequence, MsgRandom: event.random }
    return {
      remoteId: event.key,
      otherIds: event.messageId === null ? [] : [event.messageId],
      from: event.from,
      time: event.time,
      content,
      reference: reply?.messageId ?? null,
      transactionId: transaction && followsFrom(transaction, numbers) ? transaction.id : null,
      partial: transaction?.more ?? false,
    }
  }

  function groupMessage(event: GroupEvent): Happened | null {
    if (decodeMessage(event.body, event.cloud)) return null
    const content = readElements(event.body)
    if (content === null) return null
    const { reply, transaction } = readCloudData(event.cloud)
    const { group, random } = event
    const isOurs =
      transaction !== null &&
      random !== null &&
      messageNumbers(partKey(transaction.id, transaction.part)).MsgRandom === random
    return {
      remoteId: groupMessageId(group, event.sequence),
      otherIds: event.messageId === null ? [] : [event.messageId],
      from: event.from,
      time: event.time,
      content,
      reference:
        reply === null
          ? null
          : reply.sequence === null
            ? reply.messageId
            : groupMessageId(group, reply.sequence),
      transactionId: isOurs ? transaction.id : null,
      partial: transaction?.more ?? false,
    }
  }

  const recall = (remoteId: string, from: string, time: number | null): Happened => ({
    remoteId: recallId(remoteId),
    from,
    time,
    content: writeContent({ kind: 'delete', messageId: remoteId }),
    replaces: remoteId,
  })

  async function* pairHistory(member: Member, peer: string, since: number, signal: AbortSignal) {
    const found: NativeInbound[] = []
    try {
      for await (const message of roaming(member.userId, peer, since, signal)) {
        const happened = happenedInHistory(message)
        if (!happened) continue
        const conversation = directConversation(member, message.From_Account, message.To_Account)
        found.push(inboundOf(member, conversation, happened, 'history'))
      }
    } catch (error) {
      // Of a peer whose account was deleted there is no history; the other conversations have one.
      if (!AdapterError.is(error) || !missingAccountCodes.has(error.remoteCode ?? '')) throw error
    }
    yield* found.reverse()
  }

  function happenedInHistory(message: RoamingMessage): Happened | null {
    if (((message.MsgFlagBits ?? 0) & RECALLED) !== 0) {
      return recall(message.MsgKey, message.From_Account, message.MsgTimeStamp)
    }
    return directMessage({
      from: message.From_Account,
      to: message.To_Account,
      key: message.MsgKey,
      messageId: message.MsgId ?? null,
      sequence: message.MsgSeq,
      random: message.MsgRandom,
      time: message.MsgTimeStamp,
      body: message.MsgBody,
      cloud: message.CloudCustomData,
    })
  }

  async function* groupHistory(member: Member, group: string, since: number, signal: AbortSignal) {
    // An administrator may read every group, and the list of contacts keeps those that the wallet has left.
    const isMember = (await membersOf(group, [member.userId], signal)).includes(member.userId)
    if (!isMember) return
    const found: GroupMessage[] = []
    for await (const message of service.groupMessages(group, null, signal)) {
      if (message.MsgTimeStamp * 1000 < since - 1_000) break
      if (message.IsPlaceMsg !== 1) found.push(message)
    }
    const name = found.length > 0 ? await nameFor(member, group, signal) : null
    for (const message of found.reverse()) {
      const happened = groupMessage({
        from: message.From_Account,
        group,
        sequence: message.MsgSeq,
        random: message.MsgRandom ?? null,
        messageId: null,
        time: message.MsgTimeStamp,
        body: message.MsgBody,
        cloud: message.CloudCustomData,
      })
      if (happened) yield inboundOf(member, groupConversation(group, name), happened, 'history')
    }
  }

  return {
    async direct(event) {
      const happened = directMessage(event)
      return happened !== null && tellPair(event.from, event.to, happened)
    },
    async group(event, signal) {
      const happened = groupMessage(event)
      return happened !== null && tellGroup(event.group, happened, signal)
    },
    recalled: ({ from, to, key }) => tellPair(from, to, recall(key, from, null)),
    async recalledInGroup({ by, group, sequences }, signal) {
      let concerns = false
      for (const sequence of sequences) {
        concerns = await tellGroup(group, recall(groupMessageId(group, sequence), by, null), signal)
      }
      return concerns
    },
    read: ({ reader, peer, time }) =>
      tellPair(reader, peer, {
        remoteId: readId(reader, peer, time),
        from: reader,
        time,
        content: writeContent({ kind: 'readReceipt' }),
      }),
    async *walk(member, since, signal) {
      for await (const place of service.contacts(member.userId, signal)) {
        yield* 'peer' in place
          ? pairHistory(member, place.peer, since, signal)
          : groupHistory(member, place.group, since, signal)
      }
    },
  }
}

/** A client cannot pass for the gateway by copying its transaction: the message's numbers follow from it. */
function followsFrom(
  { id, part }: { id: string; part: number },
  numbers: { MsgSeq: number; MsgRandom: number },
): boolean {
  const expected = messageNumbers(partKey(id, part))
  return expected.MsgSeq === numbers.MsgSeq && expected.MsgRandom === numbers.MsgRandom
}
