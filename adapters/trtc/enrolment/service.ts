/** Commands of the REST API that hop mode needs beside those of the adapter. */
import { z } from 'zod'
import type { RestClient } from '../rest.ts'
import type { Element } from './elements.ts'

const contactSchema = z.looseObject({
  /** 1: one-to-one, 2: group. */
  Type: z.number(),
  To_Account: z.string().nullish(),
  GroupId: z.string().nullish(),
  ToGroupId: z.string().nullish(),
  MsgTime: z.number().nullish(),
})
const contactsSchema = z.looseObject({
  SessionItem: z.array(contactSchema).nullish(),
  CompleteFlag: z.number(),
  TimeStamp: z.number().nullish(),
  StartIndex: z.number().nullish(),
  TopTimeStamp: z.number().nullish(),
  TopStartIndex: z.number().nullish(),
})
const groupMessageSchema = z.looseObject({
  From_Account: z.string(),
  MsgSeq: z.number(),
  MsgRandom: z.number().nullish(),
  MsgTimeStamp: z.number(),
  /** 1: deleted or recalled, without a body. */
  IsPlaceMsg: z.number().nullish(),
  MsgBody: z.unknown().optional(),
  CloudCustomData: z.unknown().optional(),
})
const groupHistorySchema = z.looseObject({
  IsFinished: z.number(),
  RspMsgList: z.array(groupMessageSchema).nullish(),
})
const sentSchema = z.looseObject({ MsgSeq: z.number(), MsgTime: z.number() })
const rolesSchema = z.looseObject({
  UserIdList: z.array(z.looseObject({ Member_Account: z.string(), Role: z.string() })).nullish(),
})
const infoSchema = z.looseObject({
  GroupInfo: z.array(z.looseObject({ Name: z.string().nullish() })).nullish(),
})
const nothingSchema = z.looseObject({})

export type GroupMessage = z.output<typeof groupMessageSchema>
type Contact = z.output<typeof contactSchema>

/** Groups of one request for roles. */
const MOST_ROLES = 500
const GROUP_PAGE = 20

export interface NativeService {
  /** Whom a user talked with and in which groups, with the time of the last message in Unix seconds. */
  contacts(userId: string, signal: AbortSignal): AsyncGenerator<{ peer: string } | { group: string }>
  /** Messages of a group from `before` on downwards, newest first. */
  groupMessages(groupId: string, before: number | null, signal: AbortSignal): AsyncGenerator<GroupMessage>
  sendToGroup(
    request: {
      GroupId: string
      From_Account: string
      Random: number
      MsgBody: Element[]
      CloudCustomData: string
      OnlineOnlyFlag?: 0 | 1
    },
    signal: AbortSignal,
  ): Promise<{ MsgSeq: number; MsgTime: number }>
  /** Those of the users that are members. */
  members(groupId: string, userIds: readonly string[], signal: AbortSignal): Promise<string[]>
  groupName(groupId: string, signal: AbortSignal): Promise<string | null>
  modify(
    message: { from: string; peer: string; key: string } | { group: string; sequence: number },
    body: { MsgBody: Element[]; CloudCustomData: string },
    signal: AbortSignal,
  ): Promise<void>
  recall(
    message: { from: string; peer: string; key: string } | { group: string; sequence: number },
    signal: AbortSignal,
  ): Promise<void>
  setRead(reader: string, peer: string, signal: AbortSignal): Promise<void>
}

export function createNativeService({ call }: Pick<RestClient, 'call'>): NativeService {
  return {
    async *contacts(userId, signal) {
      let place = { TimeStamp: 0, StartIndex: 0, TopTimeStamp: 0, TopStartIndex: 0 }
      const seen = new Set<string>()
      for (;;) {
        const body = { From_Account: userId, ...place, AssistFlags: 7 }
        const page = await call('recentcontact/get_list', body, contactsSchema, 'idempotent', signal)
        for (const contact of page.SessionItem ?? []) {
          const named = nameOf(contact)
          if (named) yield named
        }
        place = {
          TimeStamp: page.TimeStamp ?? 0,
          StartIndex: page.StartIndex ?? 0,
          TopTimeStamp: page.TopTimeStamp ?? 0,
          TopStartIndex: page.TopStartIndex ?? 0,
        }
        const key = JSON.stringify(place)
        if (page.CompleteFlag === 1 || seen.has(key)) return
        seen.add(key)
      }
    },
    async *groupMessages(groupId, before, signal) {
      let from = before
      for (;;) {
        const body = {
          GroupId: groupId,
          ReqMsgNumber: GROUP_PAGE,
          ...(from === null ? {} : { ReqMsgSeq: from }),
        }
        const command = 'group_open_http_svc/group_msg_get_simple'
        const page = await call(command, body, groupHistorySchema, 'idempotent', signal)
        const messages = page.RspMsgList ?? []
        yield* messages
        const last = messages.at(-1)?.MsgSeq
        if (page.IsFinished === 1 || last === undefined || last <= 1 || (from !== null && last > from)) return
        from = last - 1
      }
    },
    sendToGroup: (request, signal) =>
      call(
        'group_open_http_svc/send_group_msg',
        { ...request, ForbidCallbackControl: ['ForbidBeforeSendMsgCallback'] },
        sentSchema,
        'sends',
        signal,
      ),
    async members(groupId, userIds, signal) {
      const found: string[] = []
      for (let start = 0; start < userIds.length; start += MOST_ROLES) {
        const body = { GroupId: groupId, User_Account: userIds.slice(start, start + MOST_ROLES) }
        const command = 'group_open_http_svc/get_role_in_group'
        const { UserIdList } = await call(command, body, rolesSchema, 'idempotent', signal)
        for (const { Member_Account, Role } of UserIdList ?? []) {
          if (Role !== 'NotMember') found.push(Member_Account)
        }
      }
      return found
    },
    async groupName(groupId, signal) {
      const body = { GroupIdList: [groupId] }
      const command = 'group_open_http_svc/get_group_info'
      const { GroupInfo } = await call(command, body, infoSchema, 'idempotent', signal)
      return GroupInfo?.[0]?.Name || null
    },
    async modify(message, body, signal) {
      const [command, target] =
        'group' in message
          ? ['openim/modify_group_msg', { GroupId: message.group, MsgSeq: message.sequence }]
          : ['openim/modify_c2c_msg', directTarget(message)]
      await call(command, { ...target, ...body }, nothingSchema, 'idempotent', signal)
    },
    async recall(message, signal) {
      const [command, target] =
        'group' in message
          ? [
              'group_open_http_svc/group_msg_recall',
              { GroupId: message.group, MsgSeqList: [{ MsgSeq: message.sequence }] },
            ]
          : ['openim/admin_msgwithdraw', directTarget(message)]
      await call(command, target, nothingSchema, 'idempotent', signal)
    },
    async setRead(reader, peer, signal) {
      const body = { Report_Account: reader, Peer_Account: peer }
      await call('openim/admin_set_msg_read', body, nothingSchema, 'idempotent', signal)
    },
  }
}

function directTarget({ from, peer, key }: { from: string; peer: string; key: string }) {
  return { From_Account: from, To_Account: peer, MsgKey: key }
}

function nameOf({
  Type,
  To_Account,
  GroupId,
  ToGroupId,
}: Contact): { peer: string } | { group: string } | null {
  if (Type === 1) return To_Account ? { peer: To_Account } : null
  const group = GroupId ?? ToGroupId
  return Type === 2 && group ? { group } : null
}
