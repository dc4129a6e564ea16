import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { makeUserSig } from '../usersig.ts'
import { connectClient, startSandbox, type TrtcSandbox } from './index.ts'

let sandbox: TrtcSandbox
let hook: Server
const hooks: { command: string; body: Record<string, unknown> }[] = []
/** What the gateway answers to a webhook. */
let answer: (command: string, body: Record<string, unknown>) => object = () => ({})

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 77, beforeWebhooks: true })
  hook = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>
    const command = String(body.CallbackCommand)
    hooks.push({ command, body })
    response.end(JSON.stringify({ ActionStatus: 'OK', ErrorCode: 0, ...answer(command, body) }))
  })
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve))
  sandbox.connectGateway({ baseUrl: `http://127.0.0.1:${(hook.address() as AddressInfo).port}` })
  await call('im_open_login_svc/multiaccount_import', { Accounts: ['alice', 'bob'] })
})

afterAll(async () => {
  await sandbox?.stop()
  hook?.closeAllConnections()
  await new Promise((resolve) => hook?.close(resolve))
})

interface Answer extends Record<string, unknown> {
  ErrorCode: number
}

async function call(command: string, body: unknown, change: Record<string, string> = {}): Promise<Answer> {
  const query = new URLSearchParams({
    sdkappid: String(sandbox.app.sdkAppId),
    identifier: sandbox.app.adminUserId,
    usersig: sandbox.userSig(sandbox.app.adminUserId),
    random: '1',
    contenttype: 'json',
    ...change,
  })
  const response = await fetch(`${sandbox.addresses.rest}/v4/${command}?${query}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return (await response.json()) as Answer
}

const text = (Text: string, MsgRandom: number) => ({
  From_Account: 'alice',
  To_Account: 'bob',
  MsgSeq: 1,
  MsgRandom,
  MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text } }],
})

describe('REST', () => {
  it('authenticates as documented', async () => {
    const { sdkAppId } = sandbox.app
    const signed = (userId: string, secretKey = sandbox.app.secretKey, now = Date.now()) =>
      makeUserSig({ sdkAppId, secretKey, userId, lifetimeSeconds: 60, now })
    const refused: [Record<string, string>, number][] = [
      [{ contenttype: 'xml' }, 60002],
      [{ sdkappid: '' }, 60012],
      [{ sdkappid: '1' }, 60006],
      [{ usersig: '' }, 60025],
      [{ usersig: 'nonsense' }, 70003],
      [{ usersig: signed('administrator', 'f'.repeat(64)) }, 70009],
      [{ usersig: signed('administrator', sandbox.app.secretKey, Date.now() - 120_000) }, 70001],
      [{ usersig: signed('bob') }, 70013],
      [{ identifier: 'bob', usersig: signed('bob') }, 60010],
    ]
    for (const [change, code] of refused) {
      expect([change, (await call('openim/sendmsg', {}, change)).ErrorCode]).toEqual([change, code])
    }
    expect((await call('openim/no_such_command', {})).ErrorCode).toBe(60009)
    expect((await call('openim/sendmsg', 'no json')).ErrorCode).toBe(60003)
    expect((await call('openim/sendmsg', '[]')).ErrorCode).toBe(60003)
  })

  it('keeps accounts and profiles', async () => {
    expect(await call('im_open_login_svc/account_import', { UserID: 'x'.repeat(33) })).toMatchObject({
      ErrorCode: 70402,
    })
    expect(await call('im_open_login_svc/account_import', { UserID: 'carol' })).toMatchObject({
      ErrorCode: 0,
    })
    const listed = await call('im_open_login_svc/account_check', {
      CheckItem: [{ UserID: 'carol' }, { UserID: 'zed' }],
    })
    expect(listed.ResultItem).toMatchObject([{ AccountStatus: 'Imported' }, { AccountStatus: 'NotImported' }])
    const set = (Tag: string, Value: string) =>
      call('profile/portrait_set', { From_Account: 'carol', ProfileItem: [{ Tag, Value }] })
    expect(await set('Tag_Profile_IM_Nick', 'Carol')).toMatchObject({ ErrorCode: 0 })
    expect(await set('Tag_Profile_Custom_EPubKey', 'ab')).toMatchObject({ ErrorCode: 0 })
    expect(await set('Tag_Profile_Custom_E2EPubKey', 'ab')).toMatchObject({ ErrorCode: 40009 })
    expect(await set('Tag_Profile_Custom_EPubKey', 'x'.repeat(501))).toMatchObject({ ErrorCode: 40601 })
    const profiles = await call('profile/portrait_get', {
      To_Account: ['carol', 'zed'],
      TagList: ['Tag_Profile_IM_Nick'],
    })
    expect(profiles).toMatchObject({
      UserProfileItem: [
        { To_Account: 'carol', ProfileItem: [{ Tag: 'Tag_Profile_IM_Nick', Value: 'Carol' }] },
        { To_Account: 'zed', ResultCode: 40003 },
      ],
      Fail_Account: ['zed'],
    })
    await call('im_open_login_svc/account_delete', { DeleteItem: [{ UserID: 'carol' }] })
    expect(await call('openim/sendmsg', { ...text('x', 1), To_Account: 'carol' })).toMatchObject({
      ErrorCode: 20003,
    })
  })

  it('asks before and tells after a message, unless that is forbidden', async () => {
    answer = (command, body) =>
      command === 'C2C.CallbackBeforeSendMsg' && JSON.stringify(body).includes('blocked')
        ? { ErrorCode: 120001 }
        : {}
    hooks.length = 0
    expect(await call('openim/sendmsg', text('blocked', 10))).toMatchObject({ ErrorCode: 120001 })
    expect(await call('openim/sendmsg', text('welcome', 11))).toMatchObject({ ErrorCode: 0 })
    const forbidden = ['ForbidBeforeSendMsgCallback', 'ForbidAfterSendMsgCallback']
    const quiet = { ...text('blocked, quietly', 12), ForbidCallbackControl: forbidden }
    expect(await call('openim/sendmsg', quiet)).toMatchObject({ ErrorCode: 0 })
    await sandbox.idle()
    expect(hooks.map(({ command }) => command)).toEqual([
      'C2C.CallbackBeforeSendMsg',
      'C2C.CallbackBeforeSendMsg',
      'C2C.CallbackAfterSendMsg',
    ])
    answer = () => ({})
  })

  it('sends equal messages once in 120 s, and recalls', async () => {
    const message = text('once', 20)
    const first = await call('openim/sendmsg', message)
    expect(await call('openim/sendmsg', message)).toMatchObject({ MsgKey: first.MsgKey })
    for (const content of ['one content', 'another']) await call('openim/sendmsg', text(content, 21))
    const recall = { From_Account: 'alice', To_Account: 'bob', MsgKey: first.MsgKey }
    expect(await call('openim/admin_msgwithdraw', recall)).toMatchObject({ ErrorCode: 0 })
    const unknown = { ...recall, MsgKey: '0_0_0' }
    expect(await call('openim/admin_msgwithdraw', unknown)).toMatchObject({ ErrorCode: 20022 })
    const history = await call('openim/admin_getroammsg', {
      Operator_Account: 'bob',
      Peer_Account: 'alice',
      MaxCnt: 100,
      MinTime: 0,
      MaxTime: 2 ** 32,
    })
    const messages = history.MsgList as { MsgRandom: number; MsgFlagBits: number }[]
    const flags = (random: number) =>
      messages.filter(({ MsgRandom }) => MsgRandom === random).map(({ MsgFlagBits }) => MsgFlagBits)
    expect([flags(20), flags(21)]).toEqual([[8], [0, 0]])
    expect(history.Complete).toBe(1)
  })

  it('has groups, whose gate the gateway keeps', async () => {
    const group = { Type: 'Meeting', Name: 'DAO', GroupId: 'dao', Owner_Account: 'alice' }
    expect(await call('group_open_http_svc/create_group', group)).toMatchObject({ GroupId: 'dao' })
    expect(await call('group_open_http_svc/create_group', group)).toMatchObject({ ErrorCode: 10025 })
    const addition = { GroupId: 'dao', MemberList: [{ Member_Account: 'bob' }] }
    expect(await call('group_open_http_svc/add_group_member', addition)).toMatchObject({
      MemberList: [{ Result: 1 }],
    })
    expect(await call('group_open_http_svc/add_group_member', addition)).toMatchObject({
      MemberList: [{ Result: 2 }],
    })
    const message = { GroupId: 'dao', From_Account: 'alice', Random: 5, MsgBody: text('to all', 1).MsgBody }
    expect(await call('group_open_http_svc/send_group_msg', message)).toMatchObject({ MsgSeq: 1 })
    expect(await call('group_open_http_svc/send_group_msg', message)).toMatchObject({ MsgSeq: 1 })
    expect(
      await call('group_open_http_svc/group_msg_get_simple', { GroupId: 'dao', ReqMsgNumber: 5 }),
    ).toMatchObject({
      IsFinished: 1,
      RspMsgList: [{ MsgSeq: 1, From_Account: 'alice' }],
    })
    await call('group_open_http_svc/delete_group_member', { GroupId: 'dao', MemberToDel_Account: ['bob'] })
    const info = await call('group_open_http_svc/get_group_info', { GroupIdList: ['dao', 'none'] })
    expect(info.GroupInfo).toMatchObject([{ MemberNum: 1 }, { ErrorCode: 10010 }])
    await call('group_open_http_svc/destroy_group', { GroupId: 'dao' })
    expect(await call('group_open_http_svc/send_group_msg', message)).toMatchObject({ ErrorCode: 10010 })
  })

  it('limits calls when told to', async () => {
    const slow = await startSandbox({ seed: 78, requestsPerSecond: 2, now: () => 1_800_000_000_000 })
    const query = new URLSearchParams({
      sdkappid: String(slow.app.sdkAppId),
      identifier: 'administrator',
      usersig: slow.userSig('administrator'),
      contenttype: 'json',
    })
    const codes: number[] = []
    for (let index = 0; index < 3; index++) {
      const url = `${slow.addresses.rest}/v4/im_open_login_svc/account_check?${query}`
      const response = await fetch(url, { method: 'POST', body: '{"CheckItem":[]}' })
      codes.push(((await response.json()) as Answer).ErrorCode)
    }
    expect(codes).toEqual([0, 0, 60011])
    await slow.stop()
  })
})

it('a client joins with issued credentials, is seen online, and is signed out by an administrator', async () => {
  const credentials = { sdkAppId: sandbox.app.sdkAppId, userId: 'bob', userSig: sandbox.userSig('bob') }
  const description = { proxyServer: sandbox.addresses.socket }
  await expect(connectClient({ address: 'alice', credentials, description })).rejects.toThrow(
    'another address',
  )
  await expect(connectClient({ address: 'bob', credentials, description: {} })).rejects.toThrow('proxyServer')
  const client = await connectClient({ address: 'bob', credentials, description })
  const status = async () =>
    (await call('openim/query_online_status', { To_Account: ['bob', 'zed'] })) as unknown as {
      QueryResult: { Status: string }[]
      ErrorList: { ErrorCode: number }[]
    }
  expect(await status()).toMatchObject({
    QueryResult: [{ Status: 'Online' }],
    ErrorList: [{ ErrorCode: 70107 }],
  })
  const got: [number[], string | null][] = []
  client.onFrame((frame, from) => got.push([[...frame], from]))
  const key = await client.send('bob', new Uint8Array([1, 2, 3]))
  expect(key).toMatch(/^\d+_\d+_\d+$/)
  const custom = { MsgType: 'TIMCustomElem', MsgContent: { Data: 'BAUG', Desc: '', Ext: 'causeway/1' } }
  await call('openim/sendmsg', { ...text('', 30), MsgBody: [custom] })
  await waitFor(() => got.some(([frame]) => frame.join() === '4,5,6'), { what: 'the frame to arrive' })
  expect(got).toContainEqual([[4, 5, 6], 'alice'])
  await call('im_open_login_svc/kick', { UserID: 'bob' })
  await waitFor(async () => (await status()).QueryResult[0]?.Status === 'Offline', {
    what: 'bob to be offline',
  })
  await client.close()
})

it('forgets nothing of its keys between two starts with one seed', async () => {
  const [first, second, other] = await Promise.all([{ seed: 9 }, { seed: 9 }, { seed: 10 }].map(startSandbox))
  expect(second?.app).toEqual(first?.app)
  expect(other?.app.secretKey).not.toBe(first?.app.secretKey)
  await Promise.all([first, second, other].map((one) => one?.stop()))
})
