/** Groups: members, messages, history. SANDBOX. */
import {
  isObject,
  type JsonObject,
  type MessageElement,
  messageBody,
  numberField,
  objectList,
  optionalText,
  type Platform,
  ServiceError,
  type Session,
  textField,
} from './protocol.ts'
import type { Users } from './users.ts'
import type { Webhooks } from './webhooks.ts'

/** A message with the sender and Random of one sent to the group in the last 5 minutes is not sent again. */
const DEDUP_WINDOW_MS = 300_000
const MAX_GROUP_ID_BYTES = 48

interface GroupMessage {
  From_Account: string
  MsgSeq: number
  MsgRandom: number
  MsgTimeStamp: number
  MsgClientTime: number
  MsgBody: MessageElement[]
  CloudCustomData: string
  MsgPriority: 2
  /** 1: recalled. */
  IsPlaceMsg: 0 | 1
}

export interface Group {
  id: string
  type: string
  name: string
  owner: string
  createdAt: number
  applyJoinOption: string
  members: Map<string, { Role: string; JoinTime: number; MsgSeq: number }>
  messages: GroupMessage[]
  lastSequence: number
}

export interface Groups {
  create(body: JsonObject, owner: string): Group
  destroy(id: string): void
  find(id: string): Group | undefined
  /** Error 10010 when there is no such group. */
  get(id: string): Group
  of(userId: string): Group[]
  /** Those that the user has been in as well, and those that were destroyed: a list of contacts keeps them. */
  everOf(userId: string): Group[]
  join(id: string, userId: string): Promise<'JoinedSuccess' | 'WaitAdminApproval'>
  /** Adds without asking, as an administrator does. False when the user is a member already. */
  add(id: string, userId: string): boolean
  leave(id: string, userId: string): void
  send(body: JsonObject, from: string, platform: Platform, origin?: Session): Promise<GroupMessage>
  /** Newest first, from `beforeOrAt` on downwards. */
  history(id: string, count: number, beforeOrAt?: number): GroupMessage[]
  recall(id: string, sequences: number[], by: string, platform: Platform): void
  /** Overwrites `MsgBody`, `CloudCustomData` or both of a message. */
  modify(body: JsonObject): void
  info(group: Group, self?: string): JsonObject
}

export function createGroups(options: {
  users: Users
  webhooks: Webhooks
  adminUserId: string
  /** Ask the gateway before joins and messages. */
  beforeWebhooks: boolean
  /** Unix milliseconds. */
  now(): number
  randomUint32(): number
}): Groups {
  const { users, webhooks, now } = options
  const groups = new Map<string, Group>()
  const everOf = new Map<string, Set<Group>>()
  const sent = new Map<string, { at: number; message: GroupMessage }>()
  const seconds = () => Math.floor(now() / 1000)

  function get(id: string): Group {
    const group = groups.get(id)
    if (!group) throw new ServiceError(10010, 'no such group')
    return group
  }

  function enter(group: Group, userId: string, Role: string): void {
    group.members.set(userId, { Role, JoinTime: seconds(), MsgSeq: group.lastSequence })
    everOf.set(userId, (everOf.get(userId) ?? new Set()).add(group))
  }

  /** Error 10016, or the gateway's own code from 10100 to 10200, when the gateway says no. */
  async function ask(command: string, body: JsonObject, platform: Platform): Promise<void> {
    if (!options.beforeWebhooks) return
    const answer = await webhooks.ask(command, body, platform)
    const code = Number(answer?.ErrorCode ?? 0)
    if (code === 0) return
    throw new ServiceError(code >= 10_100 && code <= 10_200 ? code : 10016, String(answer?.ErrorInfo ?? ''))
  }

  return {
    get,
    create(body, owner) {
      const id = optionalText(body, 'GroupId') || `@TGS#2${options.randomUint32().toString(16).toUpperCase()}`
      const type = textField(body, 'Type')
      if (Buffer.byteLength(id) > MAX_GROUP_ID_BYTES)
        throw new ServiceError(10004, 'GroupId is over 48 bytes')
      const existing = groups.get(id)
      if (existing) throw new ServiceError(existing.owner === owner ? 10025 : 10021, 'GroupId is in use')
      const group: Group = {
        id,
        type,
        name: textField(body, 'Name'),
        owner,
        createdAt: seconds(),
        applyJoinOption: optionalText(
          body,
          'ApplyJoinOption',
          type === 'Public' ? 'NeedPermission' : 'FreeAccess',
        ),
        members: new Map(),
        messages: [],
        lastSequence: 0,
      }
      groups.set(id, group)
      if (owner) enter(group, owner, 'Owner')
      if (type !== 'AVChatRoom' && body.MemberList !== undefined) {
        for (const member of objectList(body, 'MemberList')) {
          enter(group, textField(member, 'Member_Account'), 'Member')
        }
      }
      return group
    },
    destroy(id) {
      groups.delete(get(id).id)
    },
    find: (id) => groups.get(id),
    everOf: (userId) => [...(everOf.get(userId) ?? [])],
    of: (userId) => [...groups.values()].filter((group) => group.members.has(userId)),
    async join(id, userId) {
      const group = get(id)
      if (group.members.has(userId)) throw new ServiceError(10013, 'already a member')
      const about = { GroupId: id, Type: group.type }
      await ask('Group.CallbackBeforeApplyJoinGroup', { ...about, Requestor_Account: userId }, 'Web')
      if (group.applyJoinOption === 'DisableApply') throw new ServiceError(10007, 'the group is closed')
      if (group.applyJoinOption === 'NeedPermission') return 'WaitAdminApproval'
      enter(group, userId, 'Member')
      const joined = {
        ...about,
        JoinType: 'Apply',
        Operator_Account: userId,
        NewMemberList: [{ Member_Account: userId }],
      }
      webhooks.tell(`group ${id}`, 'Group.CallbackAfterNewMemberJoin', joined, 'Web')
      return 'JoinedSuccess'
    },
    add(id, userId) {
      const group = get(id)
      if (group.type === 'AVChatRoom')
        throw new ServiceError(10007, 'members of an AVChatRoom join themselves')
      if (group.members.has(userId)) return false
      enter(group, userId, 'Member')
      return true
    },
    leave(id, userId) {
      get(id).members.delete(userId)
    },
    async send(body, from, platform, origin) {
      const group = get(textField(body, 'GroupId'))
      const Random = numberField(body, 'Random')
      if (platform === 'Web' && !group.members.has(from)) throw new ServiceError(10007, 'not a member')
      const key = `${group.id} ${from} ${Random}`
      const before = sent.get(key)
      if (before && now() - before.at < DEDUP_WINDOW_MS) return before.message
      const about = {
        GroupId: group.id,
        Type: group.type,
        From_Account: from,
        Operator_Account: platform === 'RESTAPI' ? options.adminUserId : from,
        Random,
        OnlineOnlyFlag: 0,
        MsgBody: messageBody(body),
        CloudCustomData: optionalText(body, 'CloudCustomData'),
      }
      await ask('Group.CallbackBeforeSendMsg', about, platform)
      const message: GroupMessage = {
        From_Account: from,
        MsgSeq: ++group.lastSequence,
        MsgRandom: Random,
        MsgTimeStamp: seconds(),
        MsgClientTime: seconds(),
        MsgBody: about.MsgBody,
        CloudCustomData: about.CloudCustomData,
        MsgPriority: 2,
        IsPlaceMsg: 0,
      }
      sent.set(key, { at: now(), message })
      if (group.type !== 'AVChatRoom') group.messages.push(message)
      const wired = {
        ...message,
        GroupId: group.id,
        ToGroupId: group.id,
        TinyId: users.exists(from) ? users.tinyId(from) : '0',
        GroupInfo: {
          GroupId: group.id,
          GroupName: group.name,
          GroupType: group.type,
          From_AccountNick: users.nickname(from),
          From_AccountHeadurl: '',
        },
      }
      for (const member of group.members.keys()) {
        for (const session of users.sessions(member)) {
          if (session !== origin) session.push({ EventArray: [{ Event: 3, GroupMsgArray: [wired] }] })
        }
      }
      const forbidden = Array.isArray(body.ForbidCallbackControl) ? body.ForbidCallbackControl : []
      if (!forbidden.includes('ForbidAfterSendMsgCallback')) {
        const told = { ...about, MsgSeq: message.MsgSeq, MsgTime: message.MsgTimeStamp }
        webhooks.tell(`group ${group.id}`, 'Group.CallbackAfterSendMsg', told, platform)
      }
      return message
    },
    history(id, count, beforeOrAt = Number.POSITIVE_INFINITY) {
      const group = get(id)
      if (group.type === 'AVChatRoom') throw new ServiceError(10007, 'an AVChatRoom has no history')
      return group.messages
        .filter((message) => message.MsgSeq <= beforeOrAt)
        .slice(-count)
        .reverse()
    },
    recall(id, sequences, by, platform) {
      const group = get(id)
      for (const message of group.messages.filter(({ MsgSeq }) => sequences.includes(MsgSeq))) {
        message.IsPlaceMsg = 1
        message.MsgBody = []
      }
      const told = {
        GroupId: id,
        Type: group.type,
        Operator_Account: by,
        MsgSeqList: sequences.map((MsgSeq) => ({ MsgSeq })),
      }
      webhooks.tell(`group ${id}`, 'Group.CallbackAfterRecallMsg', told, platform)
    },
    modify(body) {
      const sequence = numberField(body, 'MsgSeq')
      const message = get(textField(body, 'GroupId')).messages.find(({ MsgSeq }) => MsgSeq === sequence)
      if (!message) throw new ServiceError(10030, 'no such message')
      if (body.MsgBody !== undefined) message.MsgBody = messageBody(body)
      if (body.CloudCustomData !== undefined) message.CloudCustomData = optionalText(body, 'CloudCustomData')
    },
    info(group, self) {
      const own = self === undefined ? undefined : group.members.get(self)
      return {
        GroupId: group.id,
        Type: group.type,
        Name: group.name,
        Introduction: '',
        Notification: '',
        FaceUrl: '',
        Owner_Account: group.owner,
        CreateTime: group.createdAt,
        InfoSeq: 1,
        LastInfoTime: group.createdAt,
        LastMsgTime: group.messages.at(-1)?.MsgTimeStamp ?? 0,
        NextMsgSeq: group.lastSequence + 1,
        MemberNum: group.members.size,
        MaxMemberNum: 2000,
        MaxMemberCount: 2000,
        ApplyJoinOption: group.applyJoinOption,
        ShutUpAllMember: 'Off',
        InviteJoinOption: 'FreeAccess',
        AppDefinedData: [],
        ErrorCode: 0,
        ErrorInfo: '',
        ...(own ? { SelfInfo: { ...own, MsgFlag: 'AcceptAndNotify', NameCard: '' } } : {}),
      }
    },
  }
}

/** Members that a request names. */
export function memberAccounts(body: JsonObject): string[] {
  const list = body.MemberList
  if (!Array.isArray(list)) throw new ServiceError(10004, 'MemberList must be a list')
  return list.map((member) => (isObject(member) ? textField(member, 'Member_Account') : ''))
}
