/** Composites are several messages of the service: what becomes of them when only some were sent. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../../src/adapter/clock.ts'
import { AdapterError, type NativeIntent } from '../../../src/adapter/index.ts'
import { writeContent } from '../../../src/content/index.ts'
import { createRoamingReader } from '../history.ts'
import type { RestClient } from '../rest.ts'
import { startSandbox, type TrtcSandbox } from '../sandbox/index.ts'
import { callService, never, restClientOf, shiftedClock } from '../testing.ts'
import { directId, groupId } from './conversations.ts'
import { createNativeSender } from './sender.ts'
import { createNativeService } from './service.ts'

/** The service takes a repeated send for a new one after this. */
const AFTER_DEDUP_MS = 600_000
const TEXTS = ['one', 'two', 'three']

let clock: ReturnType<typeof shiftedClock>
let sandbox: TrtcSandbox
let rest: RestClient

beforeEach(async () => {
  clock = shiftedClock(systemClock)
  sandbox = await startSandbox({ now: clock.now })
  rest = restClientOf(sandbox, clock)
  await rest.importAccounts(['alice', 'bob'], never)
  await callService(rest, 'group_open_http_svc/create_group', {
    GroupId: 'saturday',
    Name: 'Saturday',
    Type: 'Public',
    Owner_Account: 'alice',
  })
})

afterEach(() => sandbox.stop())

/** A sender whose send of the number `refused` (from 1) the service refuses for now. */
function senderWith(refused: number) {
  let sends = 0
  const counted = <Answer>(send: () => Promise<Answer>): Promise<Answer> => {
    sends += 1
    if (sends !== refused) return send()
    return Promise.reject(new AdapterError('rateLimited', 'not now', { retryAfterMs: AFTER_DEDUP_MS }))
  }
  const call: RestClient['call'] = (command, ...others) =>
    command.endsWith('send_group_msg')
      ? counted(() => rest.call(command, ...others))
      : rest.call(command, ...others)
  const sender = createNativeSender({
    rest: { sendMessage: (...request) => counted(() => rest.sendMessage(...request)) },
    service: createNativeService({ call }),
    roaming: createRoamingReader(rest, clock),
    clock,
    addressOf: (wallet) => wallet,
  })
  return { sender, sends: () => sends }
}

const intentTo = (conversation: string, attempt: number, texts = TEXTS): NativeIntent => ({
  enrolment: 'enrolment',
  transactionId: '0123456789abcdef0123456789abcdef',
  envelopeId: new Uint8Array(32),
  to: { conversation },
  content: writeContent({
    kind: 'composite',
    parts: texts.map((text) => writeContent({ kind: 'text', text })),
  }),
  reference: null,
  replaces: null,
  silent: false,
  attempt,
})

interface Said {
  MsgBody: { MsgContent: { Text: string } }[]
}
const textsOf = (messages: unknown) =>
  (messages as Said[]).map(({ MsgBody }) => MsgBody[0]?.MsgContent.Text).reverse()

const places = [
  {
    what: 'a pair',
    conversation: directId('alice', 'bob'),
    async texts() {
      const until = Math.ceil(clock.now() / 1000) + 60
      const { MsgList } = await callService(rest, 'openim/admin_getroammsg', {
        Operator_Account: 'bob',
        Peer_Account: 'alice',
        MaxCnt: 100,
        MinTime: 0,
        MaxTime: until,
      })
      return textsOf(MsgList)
    },
  },
  {
    what: 'a group',
    conversation: groupId('saturday'),
    async texts() {
      const command = 'group_open_http_svc/group_msg_get_simple'
      const { RspMsgList } = await callService(rest, command, { GroupId: 'saturday', ReqMsgNumber: 20 })
      return textsOf(RspMsgList)
    },
  },
]

it.each(places)('in $what, parts that were sent do not go out again', async ({ conversation, texts }) => {
  const { sender, sends } = senderWith(2)
  // Not as the service refused it: that try would not count, and the next be the first again.
  await expect(sender.send('alice', intentTo(conversation, 1), never)).rejects.toMatchObject({
    class: 'uncertain',
    remoteCode: 'partly-sent',
  })
  expect(await texts()).toEqual(['one'])
  expect(await sender.find('alice', intentTo(conversation, 1), never)).toBe(null)
  clock.shift(AFTER_DEDUP_MS)
  const receipt = await sender.send('alice', intentTo(conversation, 2), never)
  expect(await texts()).toEqual(TEXTS)
  expect(sends()).toBe(4)
  // The receipt names all of them, as it would had they gone at once.
  expect(receipt).toEqual(await sender.find('alice', intentTo(conversation, 2), never))
  clock.shift(AFTER_DEDUP_MS)
  expect(await sender.send('alice', intentTo(conversation, 3), never)).toEqual(receipt)
  expect(await texts()).toEqual(TEXTS)
})

it('what is refused at its first part is told as the service told it', async () => {
  const { sender } = senderWith(1)
  const intent = intentTo(directId('alice', 'bob'), 1)
  await expect(sender.send('alice', intent, never)).rejects.toMatchObject({ class: 'rateLimited' })
})

it('a first try asks for nothing that could be there, nor does a message of one part', async () => {
  const { sender } = senderWith(0)
  const asked: string[] = []
  const { roamingMessages } = rest
  rest.roamingMessages = (query, signal) => {
    asked.push(query.Peer_Account)
    return roamingMessages(query, signal)
  }
  const conversation = directId('alice', 'bob')
  await sender.send('alice', intentTo(conversation, 1), never)
  await sender.send('alice', intentTo(conversation, 2, ['alone']), never)
  expect(asked).toEqual([])
})
