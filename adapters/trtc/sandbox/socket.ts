/**
 * The WebSocket side: what `@tencentcloud/chat` 3.6.6 says to the server that its documented `proxyServer` option names,
 * JSON in binary frames. The service does not document this protocol; only what that version needs is answered. SANDBOX.
 */
import { createServer, type Server } from 'node:http'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import { verifyUserSig } from '../usersig.ts'
import type { Group } from './groups.ts'
import {
  failure,
  isObject,
  type JsonObject,
  objectList,
  ok,
  optionalNumber,
  optionalText,
  ServiceError,
  type Session,
  textField,
  textList,
} from './protocol.ts'
import type { Service } from './service.ts'

/** What a command may use: the service, the user that asks and the user's connection. */
interface Call {
  service: Service
  userId: string
  session: Session | undefined
  body: JsonObject
}

type Command = (call: Call) => JsonObject | Promise<JsonObject>

const nothing = () => ({})

/** Commands of a user who is logged in. Others are answered with OK and nothing else. */
const commands: Readonly<Record<string, Command>> = {
  'im_open_status.wshello': nothing,
  'profile.portrait_get_all': ({ service, body }) => ({
    UserProfileItem: objectList(body, 'UserItem').map((item) => {
      const userId = textField(item, 'To_Account')
      return service.users.exists(userId)
        ? {
            To_Account: userId,
            StandardSequence: 0,
            CustomSequence: 0,
            ProfileItem: service.users.profile(userId),
            ResultCode: 0,
            ResultInfo: '',
          }
        : { To_Account: '@TLS#NOT_FOUND', ResultCode: 40003, ResultInfo: '' }
    }),
  }),
  'profile.portrait_set'({ service, userId, body }) {
    const items = objectList(body, 'ProfileItem').map((item) => ({
      Tag: textField(item, 'Tag'),
      Value: item.Value,
    }))
    service.users.setProfile(userId, items)
    return {}
  },
  'recentcontact.page_get'({ service, userId }) {
    const SessionItem = service.direct.peers(userId).flatMap((peer) => {
      const last = service.direct.history(userId, peer).at(-1)
      if (!last) return []
      return [
        {
          Type: 1,
          To_Account: peer,
          MsgTime: last.MsgTimeStamp,
          UnreadMsgCount: 0,
          LastMsg: service.direct.wire(last),
          C2cNick: service.users.nickname(peer),
          C2cImage: '',
          TopFlags: 0,
        },
      ]
    })
    return {
      SessionItem,
      CompleteFlag: 1,
      TimeStamp: 0,
      StartIndex: 0,
      TopTimeStamp: 0,
      TopStartIndex: 0,
    }
  },
  'recentcontact.get_contact_group': () => ({
    CompleteFlag: 1,
    NextStartIndex: 0,
    GroupItem: [],
    ContactItem: [],
  }),
  'recentcontact.search_contact_group': () => ({ ContactItem: [], GroupItem: [] }),
  'recentcontact.batch_delete'({ service, userId, body }) {
    const items = objectList(body, 'ContactItem')
    for (const item of items) service.direct.deleteHistory(userId, optionalText(item, 'To_Account'))
    return {
      ResultItem: items.map((item) => ({
        Type: 1,
        To_Account: item.To_Account,
        ResultCode: 0,
        ResultInfo: '',
      })),
    }
  },
  'openim.getmsg'({ service, userId }) {
    const waiting = service.direct.takeUndelivered(userId)
    const unread = new Map<string, number>()
    for (const { From_Account } of waiting) unread.set(From_Account, (unread.get(From_Account) ?? 0) + 1)
    return {
      Cookie: String(service.now()),
      SyncFlag: 2,
      MsgList: waiting.map(service.direct.wire),
      EventArray: [],
      C2CRemainingUnreadCount: [],
      C2CPairUnreadCount: [...unread].map(([From_Account, UnreadCount]) => ({ From_Account, UnreadCount })),
    }
  },
  async 'openim.sendmsg'({ service, userId, session, body }) {
    const { MsgTimeStamp, MsgKey, MsgSeq } = await service.direct.send(body, {
      from: userId,
      platform: 'Web',
      syncToSender: true,
      askFirst: true,
      tellAfterwards: true,
      ...(session ? { origin: session } : {}),
    })
    return { MsgTime: MsgTimeStamp, MsgKey, MsgSeq }
  },
  'openim.getroammsg'({ service, userId, body }) {
    const before = optionalNumber(body, 'LastMsgTime', 0)
    const all = service.direct
      .history(userId, textField(body, 'Peer_Account'))
      .filter(
        (message) =>
          before === 0 ||
          message.MsgTimeStamp < before ||
          (message.MsgTimeStamp === before && message.MsgKey !== body.MsgKey),
      )
    const page = all.slice(-Math.min(optionalNumber(body, 'MaxCnt', 15), 100)).reverse()
    return {
      Complete: page.length >= all.length ? 1 : 0,
      MsgCnt: page.length,
      LastMsgTime: page.at(-1)?.MsgTimeStamp ?? 0,
      MsgKey: page.at(-1)?.MsgKey ?? '',
      MsgList: page.map(service.direct.wire),
    }
  },
  'openim.get_peer_read_time': ({ body }) => ({ ReadTime: textList(body, 'To_Account').map(() => 0) }),
  'openim.get_c2c_peer_mute_notifications': () => ({ MuteNotificationsList: [] }),
  'openim.msgreaded'({ service, userId, body }) {
    const items = isObject(body.C2CMsgReaded) ? objectList(body.C2CMsgReaded, 'C2CMsgReadedItem') : []
    for (const item of items) service.direct.setRead(userId, optionalText(item, 'To_Account'), 'Web')
    return {}
  },
  'openim.msgwithdraw'({ service, body }) {
    if (!isObject(body.MsgInfo)) throw new ServiceError(90054, 'MsgInfo is missing')
    const { MsgSeq, MsgRandom, MsgTimeStamp } = body.MsgInfo
    service.direct.recall(
      textField(body.MsgInfo, 'From_Account'),
      textField(body.MsgInfo, 'To_Account'),
      `${MsgSeq}_${MsgRandom}_${MsgTimeStamp}`,
      'Web',
    )
    return {}
  },
  'group_open_http_svc.get_joined_group_list'({ service, userId }) {
    const groups = service.groups.of(userId).filter((group) => group.type !== 'AVChatRoom')
    return {
      TotalCount: groups.length,
      GroupIdList: groups.map((group) => service.groups.info(group, userId)),
    }
  },
  'million_group_open_http_svc.get_joined_group_list': () => ({ TotalCount: 0, GroupIdList: [] }),
  'group_open_http_svc.create_group': ({ service, userId, body }) => ({
    GroupId: service.groups.create(body, userId).id,
  }),
  'group_open_http_svc.get_group_self_member_info': ({ service, userId, body }) => ({
    GroupInfo: textList(body, 'GroupIdList').map((id) =>
      selfInfo(service, service.groups.find(id), id, userId),
    ),
  }),
  async 'group_open_http_svc.apply_join_group'({ service, userId, body }) {
    const id = textField(body, 'GroupId')
    const JoinedStatus = await service.groups.join(id, userId)
    return { JoinedStatus, HugeGroupFlag: service.groups.get(id).type === 'AVChatRoom' ? 1 : 0 }
  },
  'group_open_http_svc.quit_group'({ service, userId, body }) {
    service.groups.leave(textField(body, 'GroupId'), userId)
    return {}
  },
  async 'group_open_http_svc.send_group_msg'({ service, userId, session, body }) {
    const { MsgTimeStamp, MsgSeq } = await service.groups.send(body, userId, 'Web', session)
    return { MsgTime: MsgTimeStamp, MsgSeq }
  },
  'group_open_http_svc.group_msg_get'({ service, body }) {
    const id = textField(body, 'GroupId')
    const count = optionalNumber(body, 'ReqMsgNumber', 15)
    const from = optionalNumber(body, 'ReqMsgSeq', 0) || Number.POSITIVE_INFINITY
    return { GroupId: id, IsFinished: 1, RspMsgList: service.groups.history(id, count, from) }
  },
  'sns.black_list_get': () => ({ BlackListItem: [], StartIndex: 0, CurruentSequence: 0 }),
  'sns.friend_get': () => ({
    UserDataItem: [],
    CompleteFlag: 1,
    NextStartIndex: 0,
    StandardSequence: 0,
    CustomSequence: 0,
    FriendNum: 0,
  }),
  'sns.group_get': () => ({ ResultItem: [], CurrentSequence: 0 }),
  'sns.pendency_get': () => ({
    PendencyItem: [],
    StartTime: 0,
    UnreadPendencyCount: 0,
    CurrentSequence: 0,
  }),
  'im_sdk_config_mgr.fetch_config': ({ service }) => ({
    int32_error_code: 0,
    str_error_message: '',
    str_json_config: '',
    uint32_expired_time: 3600,
    uint32_sdkappid: service.app.sdkAppId,
    uint64_version: 1,
  }),
}

function selfInfo(service: Service, group: Group | undefined, id: string, userId: string): JsonObject {
  if (!group) return { GroupId: id, ErrorCode: 10010, ErrorInfo: 'no such group' }
  const own = group.members.get(userId)
  if (!own) return { GroupId: id, ErrorCode: 10007, ErrorInfo: 'not a member' }
  const member = { Member_Account: userId, ...own, MsgFlag: 'AcceptAndNotify', NameCard: '' }
  return { ...service.groups.info(group, userId), MemberList: [member] }
}

/**
 * The server that clients connect to, not listening yet. `keys` holds login keys (A2) to users: a client that lost its
 * connection comes back with its key, so they outlive connections.
 */
export function createSocketServer(
  service: Service,
  keys: Map<string, string>,
  randomKey: () => string,
): Server {
  const server = createServer((_request, response) => {
    response.writeHead(426).end()
  })
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 1 << 20 })
  server.on('upgrade', (request, socket, head) => {
    if (!request.url?.startsWith('/binfo?')) {
      socket.destroy()
      return
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => serve(webSocket))
  })

  function logIn(head: JsonObject): { userId: string; key: string } {
    const known = typeof head.a2 === 'string' ? head.a2 : null
    if (known !== null) {
      const userId = keys.get(known)
      if (userId === undefined) throw new ServiceError(70009, 'unknown login key')
      return { userId, key: known }
    }
    const userId = textField(head, 'identifier', 70402)
    const userSig = textField(head, 'usersig', 70003)
    const code = verifyUserSig({ ...service.app, userId, userSig, now: service.now() })
    if (code !== 0) throw new ServiceError(code, 'the UserSig does not hold')
    service.users.import(userId)
    const key = randomKey()
    keys.set(key, userId)
    return { userId, key }
  }

  function serve(webSocket: WebSocket): void {
    let session: Session | undefined
    let instance = 0

    const send = (frame: JsonObject) => {
      if (webSocket.readyState === webSocket.OPEN) webSocket.send(Buffer.from(JSON.stringify(frame)))
    }
    const head = (command: unknown, seq: unknown) => ({
      ver: 'v4',
      servcmd: command,
      seq,
      sdkappid: service.app.sdkAppId,
    })
    const push = (body: JsonObject) => {
      const frame = { head: head('im_open_push.msg_push', 0), body }
      const delayMs = service.faults.latencyMs
      if (delayMs > 0) setTimeout(send, delayMs, frame).unref()
      else send(frame)
    }

    async function answer(command: string, requestHead: JsonObject, body: JsonObject): Promise<JsonObject> {
      if (command === 'heartbeat.alive' || command === 'imopenstat.tim_web_report_v2') return {}
      if (command === 'im_open_status.wslogin') {
        const { userId, key } = logIn(requestHead)
        session = { userId, push }
        service.users.connect(session)
        return {
          A2Key: key,
          TinyId: service.users.tinyId(userId),
          InstId: ++instance,
          HelloInterval: 120,
          TimeStamp: Math.floor(service.now() / 1000),
          CustomStatus: '',
        }
      }
      const userId = typeof requestHead.a2 === 'string' ? keys.get(requestHead.a2) : undefined
      if (userId === undefined) throw new ServiceError(70402, 'not logged in')
      if (command === 'im_open_status.wslogout') {
        if (session) service.users.disconnect(session, 'Logout')
        return {}
      }
      const handler = Object.hasOwn(commands, command) ? commands[command] : undefined
      return handler ? await handler({ service, userId, session, body }) : {}
    }

    async function receive(raw: RawData): Promise<void> {
      const frame: unknown = JSON.parse(raw.toString())
      if (!isObject(frame) || !isObject(frame.head)) return
      const command = textField(frame.head, 'servcmd')
      if (command === 'openim.ws_msg_push_ack') return // asks for no answer
      const answerHead = head(command, frame.head.seq)
      try {
        const body = await answer(command, frame.head, isObject(frame.body) ? frame.body : {})
        send({ head: answerHead, body: { ...ok, ...body } })
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error
        send({ head: answerHead, body: failure(error.code, error.message) })
      }
    }

    webSocket.on('message', (raw) => {
      receive(raw).catch(() => webSocket.close(1002)) // not the protocol: the connection is of no use
    })
    webSocket.on('error', () => webSocket.terminate())
    webSocket.on('close', () => {
      if (session) service.users.disconnect(session, 'Disconnect')
    })
  }

  return server
}
