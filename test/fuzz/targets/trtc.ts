/** TRTC: what anyone may write into a message, what reaches the webhook's address, what the service (or its stand-in) answers. */
import { createHash } from 'node:crypto'
import { type CarriedFrame, decodeMessage, encodeMessage } from '../../../adapters/trtc/carriage.ts'
import { configSchema } from '../../../adapters/trtc/config.ts'
import { createNativeIntake } from '../../../adapters/trtc/enrolment/intake.ts'
import { createNativeService } from '../../../adapters/trtc/enrolment/service.ts'
import { createHistory } from '../../../adapters/trtc/history.ts'
import { createRestClient } from '../../../adapters/trtc/rest.ts'
import { makeUserSig, verifyUserSig } from '../../../adapters/trtc/usersig.ts'
import { createWebhook } from '../../../adapters/trtc/webhook.ts'
import {
  AdapterError,
  type Inbound,
  type SendIntent,
  type WebhookRequest,
} from '../../../src/adapter/index.ts'
import { encodeEncodedContent } from '../../../src/content/index.ts'
import { toBase64url } from '../../../src/envelope/index.ts'
import { codeOfClass, defineTarget } from '../target.ts'
import { createPerson, fixed, START, testEnvelopes } from './people.ts'
import {
  asksWithoutEnd,
  type CannedAnswer,
  cannedFetch,
  chosen,
  idleClock,
  quietLog,
  Refused,
  textOf,
} from './stand-ins.ts'

const config = configSchema.parse({
  sdkAppId: 1_400_000_000,
  secretKey: 'fuzz-secret-key-of-the-app',
  webhookToken: 'fuzz-webhook-token',
  webhookSecret: 'fuzz_webhook_secret_path',
  restUrl: 'http://127.0.0.1:1',
  requestsPerSecond: 10_000,
})
const TRANSACTION = '0123456789abcdef0123456789abcdef'

async function carried() {
  const [alice, bob] = await Promise.all([createPerson('alice'), createPerson('bob')])
  const [small] = await testEnvelopes(alice, [bob])
  return encodeMessage(small!.bytes, small!.id, TRANSACTION)
}

interface Call {
  secret: string
  query: Record<string, string>
  body: string
  /** Characters of the body are bytes instead of being written as UTF-8. */
  latin1: boolean
}

const REQUEST_TIME = String(START / 1000)
const signOf = (token: string, time: string) => createHash('sha256').update(`${token}${time}`).digest('hex')

/** A content of another type, as a native message carries it. */
function carriedContent(type: string) {
  const bytes = encodeEncodedContent({ type, parameters: {}, fallback: 'A drawing', bytes: new Uint8Array() })
  const MsgContent = { Data: toBase64url(bytes), Desc: 'A drawing', Ext: 'causeway-content/1' }
  return { MsgType: 'TIMCustomElem', MsgContent }
}

async function webhookCalls(): Promise<Call[]> {
  const message = await carried()
  const common = { From_Account: 'alice', MsgTime: START / 1000, ...message }
  const bodies = [
    {
      CallbackCommand: 'C2C.CallbackAfterSendMsg',
      ...common,
      To_Account: 'bob',
      MsgKey: 'k1',
      MsgSeq: 1,
      MsgRandom: 2,
      SendMsgResult: 0,
    },
    { CallbackCommand: 'Group.CallbackAfterSendMsg', ...common, GroupId: '@TGS#1', MsgSeq: 7 },
    {
      CallbackCommand: 'Group.CallbackAfterSendMsg',
      ...common,
      MsgBody: [
        carriedContent('example.org/drawing:1.0'),
        carriedContent('xmtp.org/composite:1.0'),
        { MsgType: 'TIMTextElem', MsgContent: { Text: 'a caption' } },
      ],
      CloudCustomData: '',
      GroupId: '@TGS#1',
      MsgSeq: 8,
    },
    {
      CallbackCommand: 'State.StateChange',
      Info: { Action: 'Login', To_Account: 'alice', Reason: 'Register' },
    },
    { CallbackCommand: 'Profile.CallbackPortraitSet', From_Account: 'alice' },
  ]
  return bodies.map((body, index) => ({
    secret: config.webhookSecret,
    query: {
      SdkAppid: String(config.sdkAppId),
      CallbackCommand: body.CallbackCommand,
      contenttype: 'json',
      ClientIP: '127.0.0.1',
      OptPlatform: index === 0 ? 'RESTAPI' : 'Web',
      Sign: signOf(config.webhookToken, REQUEST_TIME),
      RequestTime: REQUEST_TIME,
    },
    body: JSON.stringify(body),
    latin1: index % 2 === 1,
  }))
}

function toRequest(input: string): WebhookRequest {
  const { secret, query, body, latin1 } = (JSON.parse(input) ?? {}) as Partial<Record<keyof Call, unknown>>
  const parameters = new URLSearchParams()
  if (typeof query === 'object' && query !== null) {
    for (const [name, value] of Object.entries(query)) parameters.append(name, textOf(value))
  }
  const text = textOf(body)
  return {
    secret: textOf(secret),
    query: parameters,
    headers: new Headers(),
    body: Uint8Array.from(Buffer.from(text, latin1 === true ? 'latin1' : 'utf8')),
  }
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

const isTime = (value: number | null) => value === null || Number.isSafeInteger(value)

export const trtcTargets = [
  defineTarget<string>({
    name: 'trtc-carriage',
    format: 'json-container',
    async open() {
      const { MsgBody, CloudCustomData } = await carried()
      return {
        seeds: [
          JSON.stringify({ MsgBody, CloudCustomData }),
          JSON.stringify({ MsgBody, CloudCustomData: '' }),
        ],
        run(input) {
          const { MsgBody: body, CloudCustomData: custom } = (JSON.parse(input) ?? {}) as Record<
            string,
            unknown
          >
          const found = decodeMessage(body, custom)
          if (found === null) throw new Refused('not-ours')
          return found
        },
        typed: codeOfClass(Refused),
        forged(input, value) {
          const { frame, transactionId, envelopeId } = value as CarriedFrame
          if (!input.includes(toBase64url(frame))) return 'the frame is not the one in the message'
          if (transactionId !== null && !input.includes(transactionId))
            return 'the transaction id is not in the message'
          return envelopeId === null || input.includes(envelopeId)
            ? null
            : 'the envelope id is not in the message'
        },
      }
    },
  }),
  defineTarget<string>({
    name: 'trtc-webhook',
    format: 'json-container',
    async open() {
      const delivered: Inbound[] = []
      let errors = 0
      const { signal } = new AbortController()
      const natives = createNativeIntake({
        service: createNativeService({
          call: async () => ({ UserIdList: [{ Member_Account: 'bob', Role: 'Member' }] }) as never,
        }),
        async *roaming() {},
        clock: idleClock(),
        members: () => [{ id: 'enrolment', wallet: 'wallet', userId: 'bob' }],
        deliver: async () => ({ outcome: 'accepted', id: '' }),
      })
      const make = () =>
        createWebhook({
          config,
          clock: idleClock(),
          log: { ...quietLog, error: () => (errors += 1) },
          isOpen: () => true,
          deliver: async (inbound) => {
            delivered.push(inbound)
            return { outcome: 'accepted', id: '' }
          },
          natives,
          lifetime: () => signal,
          isOwnTransaction: (transactionId) => transactionId === TRANSACTION,
          presence: () => undefined,
          stale: () => undefined,
        })
      let webhook = make()
      const calls = await webhookCalls()
      return {
        seeds: calls.map((call) => JSON.stringify(call)),
        async run(input) {
          delivered.length = 0
          errors = 0
          webhook = make() // a gateway that knows no call yet: what was taken before is refused for being a repeat
          const request = toRequest(input)
          const answer = await webhook.handle(request, signal)
          if (errors > 0 || answer.status >= 500) throw new Error(`The webhook failed with ${answer.status}`)
          if (answer.status !== 200)
            throw new Refused(answer.code ?? `status ${answer.status} without a code`)
          const again = await webhook.handle(request, signal)
          return { request, delivered: [...delivered], again: again.status }
        },
        typed: (error) => (error instanceof Refused && error.code.startsWith('webhook-') ? error.code : null),
        forged(_input, value) {
          const {
            request,
            delivered: taken,
            again,
          } = value as { request: WebhookRequest; delivered: Inbound[]; again: number }
          const time = request.query.get('RequestTime') ?? ''
          if (request.secret !== config.webhookSecret) return 'taken under another address'
          if (request.query.get('Sign') !== signOf(config.webhookToken, time))
            return 'taken without the right signature'
          if (Math.abs(Number(time) * 1000 - START) > 60_000) return 'taken although it is stale'
          if (request.query.get('SdkAppid') !== String(config.sdkAppId)) return 'taken for another app'
          if (again === 200) return 'the very same call was taken twice'
          if (taken.length > 1) return 'one call gave several messages'
          return taken.every(({ remoteTime, remoteId }) => isTime(remoteTime) && remoteId !== '')
            ? null
            : 'a message has a time that is no number of milliseconds, or no id'
        },
      }
    },
  }),
  defineTarget<string>({
    name: 'trtc-answers',
    format: 'json-container',
    inputs: 100_000,
    testInputs: 2_000,
    async open() {
      const fetched = cannedFetch()
      const clock = idleClock()
      const random = { bytes: (length: number) => new Uint8Array(length), fraction: () => 0.5 }
      const rest = createRestClient(config, { clock, random }, () => undefined)
      const history = createHistory({ rest, clock, senderOf: () => 'alice', firstAttemptAt: () => null })
      const signal = new AbortController().signal
      const message = await carried()
      const intent: SendIntent = {
        transactionId: TRANSACTION,
        envelopeId: fixed('id', 32),
        frame: fixed('frame', 32),
        to: { wallet: 'w', address: 'bob' },
        from: { wallet: 'v', address: null },
        conversation: fixed('c', 32),
        ephemeral: false,
        silent: false,
        attempt: 1,
      }
      const calls: (() => Promise<unknown>)[] = [
        () => rest.importAccounts(['a', 'b'], signal),
        () => rest.existingAccounts(['a'], signal),
        () =>
          rest.sendMessage(
            { From_Account: 'a', To_Account: 'b', MsgSeq: 1, MsgRandom: 2, SyncOtherMachine: 1, ...message },
            signal,
          ),
        () =>
          collect(history.walk({ pairs: [{ local: 'alice', peer: 'bob' }], since: START - 1000 }, signal)),
        () => history.find(intent, signal),
      ]
      const roaming = {
        ...message,
        From_Account: 'alice',
        To_Account: 'bob',
        MsgSeq: 1,
        MsgRandom: 2,
        MsgTimeStamp: START / 1000,
        MsgKey: '1_2_3',
        MsgFlagBits: 0,
      }
      const ok = { ActionStatus: 'OK', ErrorInfo: '', ErrorCode: 0 }
      const answers: { call: number; answers: CannedAnswer[] }[] = [
        { call: 0, answers: [{ body: JSON.stringify({ ...ok, FailAccounts: ['b'] }) }] },
        {
          call: 1,
          answers: [
            { body: JSON.stringify({ ...ok, ResultItem: [{ UserID: 'a', AccountStatus: 'Imported' }] }) },
          ],
        },
        {
          call: 2,
          answers: [
            {
              status: 200,
              date: new Date(START).toUTCString(),
              body: JSON.stringify({ ...ok, MsgKey: 'k', MsgTime: 1, MsgId: 'i' }),
            },
          ],
        },
        ...[3, 4].map((call) => ({
          call,
          answers: [
            {
              body: JSON.stringify({
                ...ok,
                Complete: 0,
                MsgCnt: 1,
                LastMsgKey: 'k1',
                LastMsgTime: 1,
                MsgList: [roaming],
              }),
            },
            {
              body: JSON.stringify({
                ...ok,
                Complete: 1,
                MsgCnt: 1,
                LastMsgKey: 'k2',
                LastMsgTime: 1,
                MsgList: [roaming, roaming],
              }),
            },
          ],
        })),
      ]
      return {
        seeds: answers.map((answer) => JSON.stringify(answer)),
        async run(input) {
          const parsed = (JSON.parse(input) ?? {}) as { call?: unknown; answers?: unknown }
          fetched.load(
            Array.isArray(parsed.answers)
              ? parsed.answers.filter((answer) => typeof answer === 'object' && answer !== null)
              : [],
          )
          const call = chosen(calls, parsed.call)
          const result = await call().catch((error: unknown) => {
            if (asksWithoutEnd(fetched.requests())) return 'without end'
            throw error
          })
          return { result, requests: fetched.requests() }
        },
        typed: (error) => (AdapterError.is(error) ? error.class : null),
        forged(_input, value) {
          const { result, requests } = value as { result: unknown; requests: number }
          if (asksWithoutEnd(requests)) return 'the client asks for page after page without end'
          const inbound = Array.isArray(result)
            ? result.filter((item): item is Inbound => typeof item === 'object')
            : []
          return inbound.every(({ remoteTime }) => isTime(remoteTime))
            ? null
            : 'a message has a time that is no number of milliseconds'
        },
        close: async () => fetched.restore(),
      }
    },
  }),
  defineTarget<string>({
    name: 'trtc-usersig',
    format: 'text',
    testInputs: 5_000,
    async open() {
      const { sdkAppId, secretKey } = config
      const make = (userId: string) =>
        makeUserSig({ sdkAppId, secretKey, userId, lifetimeSeconds: 600, now: START })
      return {
        seeds: [make('alice')],
        hostile: [
          make('bob'),
          makeUserSig({ sdkAppId, secretKey: 'another', userId: 'alice', lifetimeSeconds: 600, now: START }),
        ],
        run(userSig) {
          const code = verifyUserSig({ sdkAppId, secretKey, userId: 'alice', userSig, now: START })
          if (code !== 0) throw new Refused(String(code))
          return userSig
        },
        typed: codeOfClass(Refused),
        /** Base64 has spellings that differ in characters which readers skip; what they hold must be the same. */
        forged: (input) => {
          const bytes = (text: string) =>
            Buffer.from(text.replaceAll('*', '+').replaceAll('-', '/').replaceAll('_', '='), 'base64')
          return bytes(input)
            .subarray(0, 16)
            .equals(bytes(make('alice')).subarray(0, 16))
            ? null
            : 'another UserSig passes'
        },
      }
    },
  }),
]
