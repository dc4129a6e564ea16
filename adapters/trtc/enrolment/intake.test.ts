/** The walk through a wallet's conversations, against the stand-in of the service. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../../src/adapter/clock.ts'
import { AdapterError } from '../../../src/adapter/index.ts'
import { readContent } from '../../../src/content/index.ts'
import { createRoamingReader } from '../history.ts'
import type { RestClient } from '../rest.ts'
import { startSandbox, type TrtcSandbox } from '../sandbox/index.ts'
import { callService, never, restClientOf } from '../testing.ts'
import { createNativeIntake, type NativeIntake } from './intake.ts'
import { createNativeService } from './service.ts'

const alice = { id: 'enrolment', wallet: 'eip155:*:0xa1', userId: 'alice' }

let sandbox: TrtcSandbox
let rest: RestClient
let intake: NativeIntake
let messages: number

beforeEach(async () => {
  sandbox = await startSandbox()
  rest = restClientOf(sandbox)
  intake = intakeWith(rest)
  messages = 0
  await rest.importAccounts(['alice', 'bob', 'carol'], never)
})

afterEach(() => sandbox.stop())

function intakeWith(client: RestClient): NativeIntake {
  return createNativeIntake({
    service: createNativeService(client),
    roaming: createRoamingReader(client, systemClock),
    clock: systemClock,
    members: () => [alice],
    deliver: () => Promise.reject(new Error('a walk gives what it finds to its caller')),
  })
}

const call = (command: string, body: object) => callService(rest, command, body)
const bodyOf = (Text: string) => [{ MsgType: 'TIMTextElem', MsgContent: { Text } }]

function write(From_Account: string, To_Account: string, text: string) {
  messages += 1
  const numbers = { MsgSeq: messages, MsgRandom: messages }
  return rest.sendMessage(
    {
      From_Account,
      To_Account,
      ...numbers,
      SyncOtherMachine: 1,
      MsgBody: bodyOf(text),
      CloudCustomData: '',
    },
    never,
  )
}

/** A group of Bob and Alice. */
async function group(GroupId: string) {
  const MemberList = [{ Member_Account: 'alice' }]
  await call('group_open_http_svc/create_group', {
    GroupId,
    Name: GroupId,
    Type: 'Public',
    Owner_Account: 'bob',
    MemberList,
  })
}

function writeToGroup(GroupId: string, text: string) {
  messages += 1
  const body = { GroupId, From_Account: 'bob', Random: messages, MsgBody: bodyOf(text) }
  return call('group_open_http_svc/send_group_msg', body)
}

async function walked(): Promise<string[]> {
  const texts: string[] = []
  for await (const { content } of intake.walk(alice, Date.now() - 60_000, never)) {
    const read = readContent(content)
    texts.push(read.kind === 'text' ? read.text : read.kind)
  }
  return texts
}

/** Whom and what the service lists for Alice. */
async function listed(): Promise<string[]> {
  const { SessionItem } = await call('recentcontact/get_list', { From_Account: 'alice' })
  return (SessionItem as { To_Account?: string; GroupId?: string }[]).map(
    ({ To_Account, GroupId }) => To_Account ?? GroupId ?? '',
  )
}

it('reads no group that the wallet has left or was removed from, and reads it again after a return', async () => {
  await group('left')
  await group('kept')
  await writeToGroup('left', 'while Alice was there')
  await writeToGroup('kept', 'among us')
  expect(await walked()).toEqual(['while Alice was there', 'among us'])
  const GroupId = 'left'
  await call('group_open_http_svc/delete_group_member', { GroupId, MemberToDel_Account: ['alice'] })
  await writeToGroup('left', 'not for Alice')
  expect(await listed()).toEqual(['left', 'kept'])
  expect(await walked()).toEqual(['among us'])
  await call('group_open_http_svc/add_group_member', { GroupId, MemberList: [{ Member_Account: 'alice' }] })
  expect(await walked()).toContain('while Alice was there')
})

it('goes on past a group that is not there any more, and past a peer whose account was deleted', async () => {
  await write('carol', 'alice', 'from Carol')
  await write('bob', 'alice', 'from Bob')
  await group('dead')
  await group('kept')
  await writeToGroup('dead', 'the last word')
  await writeToGroup('kept', 'among us')
  await call('group_open_http_svc/destroy_group', { GroupId: 'dead' })
  await call('im_open_login_svc/account_delete', { DeleteItem: [{ UserID: 'carol' }] })
  expect(await listed()).toEqual(['carol', 'bob', 'dead', 'kept'])
  expect(await walked()).toEqual(['from Bob', 'among us'])
})

it('what the service refuses for now still ends the walk, so that it is repeated', async () => {
  await group('kept')
  await writeToGroup('kept', 'among us')
  const refusal = new AdapterError('rateLimited', 'not now', { remoteCode: 60007 })
  intake = intakeWith({
    ...rest,
    call: (command, ...others) =>
      command.endsWith('get_role_in_group') ? Promise.reject(refusal) : rest.call(command, ...others),
  })
  await expect(walked()).rejects.toBe(refusal)
  await write('bob', 'alice', 'from Bob')
  intake = intakeWith({ ...rest, roamingMessages: () => Promise.reject(refusal) })
  await expect(walked()).rejects.toBe(refusal)
})
