/** REST API, version 4, as documented: `POST /v4/<service>/<command>`. SANDBOX. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { verifyUserSig } from '../usersig.ts'
import { memberAccounts } from './groups.ts'
import {
  failure,
  isObject,
  type JsonObject,
  numberField,
  objectList,
  ok,
  optionalNumber,
  optionalText,
  ServiceError,
  textField,
  textList,
} from './protocol.ts'
import type { Service } from './service.ts'
import { kickedByRest } from './users.ts'

const MAX_BODY_BYTES = 1 << 20
/** The service caps an answer of `admin_getroammsg`. */
const MAX_HISTORY_BYTES = 13 * 1024

type Command = (service: Service, body: JsonObject) => JsonObject | Promise<JsonObject>

const commands: Readonly<Record<string, Command>> = {
  'im_open_login_svc/account_import'({ users }, body) {
    users.import(textField(body, 'UserID', 70402))
    return {}
  },
  'im_open_login_svc/multiaccount_import'({ users }, body) {
    const userIds = textList(body, 'Accounts', 70402)
    if (userIds.length > 100) throw new ServiceError(70402, 'at most 100 accounts at once')
    const FailAccounts = userIds.filter((userId) => {
      try {
        users.import(userId)
        return false
      } catch (error) {
        if (error instanceof ServiceError) return true
        throw error
      }
    })
    return { FailAccounts }
  },
  'im_open_login_svc/account_check': ({ users }, body) => ({
    ResultItem: objectList(body, 'CheckItem', 70402).map((item) => {
      const UserID = textField(item, 'UserID', 70402)
      const AccountStatus = users.exists(UserID) ? 'Imported' : 'NotImported'
      return { UserID, ResultCode: 0, ResultInfo: '', AccountStatus }
    }),
  }),
  'im_open_login_svc/account_delete': ({ users }, body) => ({
    ResultItem: objectList(body, 'DeleteItem', 70402).map((item) => {
      const UserID = textField(item, 'UserID', 70402)
      return { UserID, ResultCode: users.delete(UserID) ? 0 : 70107, ResultInfo: '' }
    }),
  }),
  'im_open_login_svc/kick'({ users }, body) {
    for (const session of users.sessions(textField(body, 'UserID', 70402))) {
      session.push(kickedByRest)
      users.disconnect(session, 'Logout')
    }
    return {}
  },
  async 'openim/sendmsg'({ app, direct }, body) {
    const forbidden = body.ForbidCallbackControl === undefined ? [] : textList(body, 'ForbidCallbackControl')
    const { MsgTimeStamp, MsgKey, MsgId } = await direct.send(body, {
      from: optionalText(body, 'From_Account', app.adminUserId),
      platform: 'RESTAPI',
      syncToSender: body.SyncOtherMachine !== 2,
      askFirst: !forbidden.includes('ForbidBeforeSendMsgCallback'),
      tellAfterwards: !forbidden.includes('ForbidAfterSendMsgCallback'),
    })
    return { MsgTime: MsgTimeStamp, MsgKey, MsgId }
  },
  'openim/admin_getroammsg'({ direct, users }, body) {
    for (const side of ['Operator_Account', 'Peer_Account']) users.tinyId(textField(body, side))
    const [from, until] = [numberField(body, 'MinTime'), numberField(body, 'MaxTime')]
    const all = direct
      .history(textField(body, 'Operator_Account'), textField(body, 'Peer_Account'))
      .filter((message) => message.MsgTimeStamp >= from && message.MsgTimeStamp <= until)
      .reverse()
    const lastKey = optionalText(body, 'LastMsgKey')
    const start = lastKey ? all.findIndex((message) => message.MsgKey === lastKey) + 1 : 0
    const page: JsonObject[] = []
    let bytes = 0
    for (const message of all.slice(start, start + Math.min(numberField(body, 'MaxCnt'), 100))) {
      const { MsgClientTime, onlineOnly, ...item } = message
      bytes += Buffer.byteLength(JSON.stringify(item))
      if (page.length > 0 && bytes > MAX_HISTORY_BYTES) break
      page.push({ ...item, IsPeerRead: 0 })
    }
    const last = page.at(-1)
    return {
      Complete: start + page.length >= all.length ? 1 : 0,
      MsgCnt: page.length,
      LastMsgTime: last?.MsgTimeStamp ?? 0,
      LastMsgKey: last?.MsgKey ?? '',
      MsgList: page,
    }
  },
  'openim/admin_msgwithdraw'({ direct }, body) {
    direct.recall(
      textField(body, 'From_Account'),
      textField(body, 'To_Account'),
      textField(body, 'MsgKey', 90054),
    )
    return {}
  },
  'openim/modify_c2c_msg'({ direct }, body) {
    direct.modify(textField(body, 'From_Account'), textField(body, 'To_Account'), body)
    return {}
  },
  'openim/modify_group_msg'({ groups }, body) {
    groups.modify(body)
    return {}
  },
  'openim/admin_set_msg_read'({ direct }, body) {
    direct.setRead(textField(body, 'Report_Account'), textField(body, 'Peer_Account'), 'RESTAPI')
    return {}
  },
  'recentcontact/get_list'({ direct, groups }, body) {
    const userId = textField(body, 'From_Account')
    const oneToOne = direct.peers(userId).flatMap((To_Account) => {
      const last = direct.history(userId, To_Account).at(-1)
      return last ? [{ Type: 1, To_Account, MsgTime: last.MsgTimeStamp, TopFlag: 0 }] : []
    })
    const joined = groups.everOf(userId).flatMap(({ id, messages }) => {
      const last = messages.at(-1)
      return last ? [{ Type: 2, GroupId: id, MsgTime: last.MsgTimeStamp, TopFlag: 0 }] : []
    })
    const SessionItem = [...oneToOne, ...joined]
    return { SessionItem, CompleteFlag: 1, TimeStamp: 0, StartIndex: 0, TopTimeStamp: 0, TopStartIndex: 0 }
  },
  'openim/query_online_status'({ users }, body) {
    const userIds = textList(body, 'To_Account')
    const status = (userId: string) => (users.sessions(userId).length > 0 ? 'Online' : 'Offline')
    return {
      QueryResult: userIds
        .filter(users.exists)
        .map((userId) => ({ To_Account: userId, Status: status(userId) })),
      ErrorList: userIds
        .filter((userId) => !users.exists(userId))
        .map((userId) => ({ To_Account: userId, ErrorCode: 70107 })),
    }
  },
  'profile/portrait_set'({ users }, body) {
    const items = objectList(body, 'ProfileItem', 40001).map((item) => ({
      Tag: textField(item, 'Tag', 40001),
      Value: item.Value,
    }))
    users.setProfile(textField(body, 'From_Account', 40001), items)
    return {}
  },
  'profile/portrait_get'({ users }, body) {
    const tags = body.TagList === undefined ? undefined : textList(body, 'TagList', 40001)
    const userIds = textList(body, 'To_Account', 40002)
    const missing = userIds.filter((userId) => !users.exists(userId))
    return {
      UserProfileItem: userIds.map((userId) =>
        users.exists(userId)
          ? { To_Account: userId, ProfileItem: users.profile(userId, tags), ResultCode: 0, ResultInfo: '' }
          : { To_Account: userId, ResultCode: 40003, ResultInfo: 'Err_Profile_User_Not_Exist' },
      ),
      ...(missing.length > 0 ? { Fail_Account: missing } : {}),
    }
  },
  'group_open_http_svc/create_group'({ groups }, body) {
    const group = groups.create(body, optionalText(body, 'Owner_Account'))
    return { GroupId: group.id, Type: group.type }
  },
  'group_open_http_svc/get_group_info': ({ groups }, body) => ({
    GroupInfo: textList(body, 'GroupIdList').map((id) => {
      const group = groups.find(id)
      if (!group) return { GroupId: id, ErrorCode: 10010, ErrorInfo: 'no such group' }
      const MemberList = [...group.members].map(([Member_Account, member]) => ({ Member_Account, ...member }))
      return { ...groups.info(group), MemberList }
    }),
  }),
  'group_open_http_svc/add_group_member': ({ groups }, body) => ({
    MemberList: memberAccounts(body).map((Member_Account) => ({
      Member_Account,
      Result: groups.add(textField(body, 'GroupId'), Member_Account) ? 1 : 2,
    })),
  }),
  'group_open_http_svc/delete_group_member'({ groups }, body) {
    for (const userId of textList(body, 'MemberToDel_Account'))
      groups.leave(textField(body, 'GroupId'), userId)
    return {}
  },
  'group_open_http_svc/get_role_in_group'({ groups }, body) {
    const { members } = groups.get(textField(body, 'GroupId'))
    const UserIdList = textList(body, 'User_Account').map((Member_Account) => {
      return { Member_Account, Role: members.get(Member_Account)?.Role ?? 'NotMember' }
    })
    return { GroupId: textField(body, 'GroupId'), UserIdList }
  },
  'group_open_http_svc/group_msg_recall'({ app, groups }, body) {
    const sequences = objectList(body, 'MsgSeqList').map((item) => numberField(item, 'MsgSeq'))
    groups.recall(textField(body, 'GroupId'), sequences, app.adminUserId, 'RESTAPI')
    return { RecallRetList: sequences.map((MsgSeq) => ({ MsgSeq, RetCode: 0 })) }
  },
  'group_open_http_svc/destroy_group'({ groups }, body) {
    groups.destroy(textField(body, 'GroupId'))
    return {}
  },
  async 'group_open_http_svc/send_group_msg'({ app, groups }, body) {
    const from = optionalText(body, 'From_Account', app.adminUserId)
    const { MsgTimeStamp, MsgSeq } = await groups.send(body, from, 'RESTAPI')
    return { MsgTime: MsgTimeStamp, MsgSeq }
  },
  'group_open_http_svc/group_msg_get_simple'({ groups }, body) {
    const id = textField(body, 'GroupId')
    const count = Math.min(numberField(body, 'ReqMsgNumber'), 20)
    const RspMsgList = groups.history(id, count, optionalNumber(body, 'ReqMsgSeq', Number.POSITIVE_INFINITY))
    return { GroupId: id, IsFinished: (RspMsgList.at(-1)?.MsgSeq ?? 1) > 1 ? 0 : 1, RspMsgList }
  },
}

/** The HTTP server of the REST API, not listening yet. `requestsPerSecond`: error 60011 beyond it. */
export function createRestServer(service: Service, requestsPerSecond = Number.POSITIVE_INFINITY): Server {
  const { app, faults } = service
  let second = 0
  let callsInSecond = 0

  function authorise(query: URLSearchParams): void {
    const userId = query.get('identifier')
    const userSig = query.get('usersig')
    if (query.get('contenttype') !== 'json') throw new ServiceError(60002, 'contenttype must be json')
    if (!query.get('sdkappid')) throw new ServiceError(60012, 'sdkappid is missing')
    if (query.get('sdkappid') !== String(app.sdkAppId)) throw new ServiceError(60006, 'unknown sdkappid')
    if (!userId || !userSig) throw new ServiceError(60025, 'identifier or usersig is missing')
    const now = Math.floor(service.now() / 1000)
    callsInSecond = now === second ? callsInSecond + 1 : 1
    second = now
    if (callsInSecond > requestsPerSecond) throw new ServiceError(60011, 'too many calls')
    const code = verifyUserSig({ ...app, userId, userSig, now: service.now() })
    if (code !== 0) throw new ServiceError(code, 'the UserSig does not hold')
    if (userId !== app.adminUserId) throw new ServiceError(60010, 'administrators only')
  }

  async function answer(request: IncomingMessage, path: string, query: URLSearchParams): Promise<JsonObject> {
    try {
      authorise(query)
      const injected = faults.takeFailure()
      if (injected !== null) throw new ServiceError(injected, 'on demand')
      const command = Object.hasOwn(commands, path) ? commands[path] : undefined
      if (!command) throw new ServiceError(60009, 'unknown command')
      return { ...ok, ...(await command(service, await readBody(request))) }
    } catch (error) {
      if (error instanceof ServiceError) return failure(error.code, error.message)
      throw error
    }
  }

  return createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://sandbox')
    const path = /^\/v4\/(.+)$/.exec(url.pathname)?.[1]
    if (request.method !== 'POST' || !path) {
      response.writeHead(404).end()
      return
    }
    const status = faults.status()
    if (status !== null) {
      request.resume()
      response.writeHead(status, { 'content-type': 'text/html' }).end('<html>on demand</html>')
      return
    }
    answer(request, path, url.searchParams).then(
      (body) => {
        if (path.endsWith('/sendmsg') && body.ErrorCode === 0 && faults.takeLostAnswer()) {
          request.socket.destroy()
          return
        }
        const date = new Date(service.now()).toUTCString()
        response.writeHead(200, { 'content-type': 'application/json', date }).end(JSON.stringify(body))
      },
      () => response.writeHead(500).end(), // the request broke off, or the stand-in has a defect: no answer is right
    )
  })
}

async function readBody(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new ServiceError(93000, 'the request is too large')
    chunks.push(chunk)
  }
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    if (isObject(body)) return body
  } catch {
    // answered below, together with JSON that is no object
  }
  throw new ServiceError(60003, 'the body is not a JSON object')
}
