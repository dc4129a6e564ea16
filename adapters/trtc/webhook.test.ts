import { beforeEach, describe, expect, it } from 'vitest'
import type { Inbound, WebhookRequest } from '../../src/adapter/index.ts'
import { encodeMessage, messageNumbers } from './carriage.ts'
import { never, nobodyEnrolled } from './testing.ts'
import { createWebhook, webhookSignature } from './webhook.ts'

const config = { sdkAppId: 1400000000, webhookToken: 'xxxxyyyy', webhookSecret: 'a-secret-part-of-the-path' }
const frame = new Uint8Array([1, 2, 3])
const transactionId = 'ab'.repeat(16)
const carried = encodeMessage(frame, new Uint8Array(32), transactionId)
const direct = {
  CallbackCommand: 'C2C.CallbackAfterSendMsg',
  From_Account: 'alice',
  To_Account: 'bob',
  MsgSeq: 5,
  MsgRandom: 6,
  MsgTime: 1_669_872_100,
  MsgKey: '5_6_1669872100',
  OnlineOnlyFlag: 0,
  SendMsgResult: 0,
  ErrorInfo: 'send msg succeed',
  UnreadMsgNum: 1,
  EventTime: 1_669_872_100_123,
  ...carried,
}

let now: number
let delivered: Inbound[]
let durable: boolean
let open: boolean
let presence: [string, boolean][]
let stale: number[]
let own: Set<string>
let webhook: ReturnType<typeof createWebhook>

beforeEach(() => {
  now = 1_669_872_112_000
  delivered = []
  durable = true
  open = true
  presence = []
  stale = []
  own = new Set()
  const quiet = () => {}
  webhook = createWebhook({
    config,
    clock: { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() },
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    isOpen: () => open,
    async deliver(inbound) {
      if (!durable) throw new Error('the store is not available')
      delivered.push(inbound)
      return { outcome: 'accepted', id: 'id' }
    },
    natives: nobodyEnrolled,
    lifetime: () => never,
    isOwnTransaction: (id) => own.has(id),
    presence: (userId, online) => presence.push([userId, online]),
    stale: (serviceTime) => stale.push(serviceTime),
  })
})

/** A call as the service makes it at `at` (Unix seconds), changed as a test needs. */
function call(
  body: object | string,
  change: { secret?: string; at?: number; query?: Record<string, string | null> } = {},
): WebhookRequest {
  const requestTime = String(change.at ?? Math.floor(now / 1000))
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const command =
    typeof body === 'object' && 'CallbackCommand' in body ? String(body.CallbackCommand) : 'none'
  const query = new URLSearchParams({
    SdkAppid: '1400000000',
    CallbackCommand: command,
    contenttype: 'json',
    ClientIP: '127.0.0.1',
    OptPlatform: 'Web',
    Sign: webhookSignature(config.webhookToken, requestTime),
    RequestTime: requestTime,
  })
  for (const [name, value] of Object.entries(change.query ?? {})) {
    if (value === null) query.delete(name)
    else query.set(name, value)
  }
  return {
    secret: change.secret ?? config.webhookSecret,
    query,
    headers: new Headers(),
    body: new TextEncoder().encode(text),
  }
}

const handle = (request: WebhookRequest) => webhook.handle(request, new AbortController().signal)
const ok = { status: 200, body: { ActionStatus: 'OK', ErrorInfo: '', ErrorCode: 0 } }

describe('who calls', () => {
  it('is proved by the documented signature', () => {
    expect(webhookSignature('xxxxyyyy', '1669872112')).toBe(
      '17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061',
    )
  })

  it('is taken with the right secret, signature, time and app', async () => {
    expect(await handle(call(direct))).toEqual(ok)
    expect(delivered).toEqual([
      {
        frame,
        remoteId: '5_6_1669872100',
        to: 'bob',
        from: 'alice',
        via: 'webhook',
        remoteTime: 1_669_872_100_000,
        transactionId: null,
      },
    ])
  })

  it('is refused with another path, whatever its length', async () => {
    for (const secret of ['', 'a', `${config.webhookSecret}x`, config.webhookSecret.toUpperCase()]) {
      expect(await handle(call(direct, { secret }))).toMatchObject({
        status: 404,
        code: 'webhook-secret-invalid',
      })
    }
  })

  it('is refused when the signature is missing, forged, of another token or of another time', async () => {
    const forged: Record<string, string | null>[] = [
      { Sign: null },
      { RequestTime: null },
      { Sign: '0'.repeat(64) },
      { Sign: '' },
      { Sign: webhookSignature('another token', '1669872112') },
      { RequestTime: '1669872113' },
      { RequestTime: '1669872112.0' },
      { RequestTime: '-1' },
      { RequestTime: '0x63887d30' },
    ]
    for (const query of forged) {
      const answer = await handle(call(direct, { query }))
      expect([query, answer.status, answer.code]).toEqual([query, 401, 'webhook-signature-invalid'])
    }
  })

  it('is refused more than a minute away from our clock, in both directions', async () => {
    const seconds = Math.floor(now / 1000)
    for (const at of [seconds - 61, seconds + 61, 0]) {
      expect(await handle(call(direct, { at }))).toMatchObject({ status: 401, code: 'webhook-stale' })
    }
    for (const at of [seconds - 60, seconds + 60]) expect(await handle(call(direct, { at }))).toEqual(ok)
  })

  it('tells the service’s time when it is stale, but not without a signature', async () => {
    const at = Math.floor(now / 1000) - 300
    await handle(call(direct, { at, query: { Sign: '0'.repeat(64) } }))
    expect(stale).toEqual([])
    await handle(call(direct, { at }))
    expect(stale).toEqual([at * 1000])
    await handle(call(direct))
    expect(stale).toHaveLength(1)
  })

  it('is refused for another app', async () => {
    for (const SdkAppid of ['1400000001', null]) {
      expect(await handle(call(direct, { query: { SdkAppid } }))).toMatchObject({
        status: 403,
        code: 'webhook-application-mismatch',
      })
    }
  })

  it('is refused when the very same call comes again, but not when the service calls anew', async () => {
    expect(await handle(call(direct))).toEqual(ok)
    expect(await handle(call(direct))).toMatchObject({ status: 409, code: 'webhook-replayed' })
    const at = Math.floor(now / 1000)
    now += 59_000
    expect(await handle(call(direct, { at }))).toMatchObject({ code: 'webhook-replayed' })
    expect(await handle(call(direct))).toEqual(ok)
    expect(await handle(call({ ...direct, EventTime: 7 }))).toEqual(ok)
    expect(delivered).toHaveLength(3)
  })

  it('remembers a call from ahead of our clock until it is stale', async () => {
    const at = Math.floor(now / 1000) + 60
    expect(await handle(call(direct, { at }))).toEqual(ok)
    now += 119_000
    expect(await handle(call(direct, { at }))).toMatchObject({ code: 'webhook-replayed' })
    now += 2_000
    expect(await handle(call(direct, { at }))).toMatchObject({ code: 'webhook-stale' })
  })

  it('counts refusals by code', async () => {
    await handle(call(direct, { secret: 'x' }))
    await handle(call(direct, { secret: 'y' }))
    await handle(call('no json'))
    expect(webhook.statistics()).toMatchObject({
      accepted: 0,
      refused: { 'webhook-secret-invalid': 2, 'webhook-malformed': 1 },
      lastAcceptedAt: null,
    })
  })
})

describe('what is said', () => {
  it('is refused when it is no callback', async () => {
    const { MsgKey: _key, ...withoutKey } = direct
    const malformed: (object | string)[] = [
      'no json',
      '"text"',
      '[]',
      '{}',
      withoutKey,
      { ...direct, To_Account: 7 },
      { CallbackCommand: 'Group.CallbackAfterSendMsg' },
      { CallbackCommand: 'State.StateChange', Info: {} },
    ]
    for (const body of malformed) {
      expect(await handle(call(body))).toMatchObject({ status: 400, code: 'webhook-malformed' })
    }
    const swapped = call(direct, { query: { CallbackCommand: 'State.StateChange' } })
    expect(await handle(swapped)).toMatchObject({ code: 'webhook-malformed' })
    const invalidUtf8 = { ...call(direct), body: new Uint8Array([0xff, 0xfe]) }
    expect(await handle(invalidUtf8)).toMatchObject({ code: 'webhook-malformed' })
    expect(delivered).toEqual([])
  })

  it('is acknowledged only when durable; the same call may then come again', async () => {
    durable = false
    const first = await handle(call(direct))
    expect([first.status, first.code]).toEqual([500, undefined])
    durable = true
    expect(await handle(call(direct))).toEqual(ok)
    expect(delivered).toHaveLength(1)
  })

  it('is turned away while the adapter is stopped', async () => {
    open = false
    expect(await handle(call(direct))).toMatchObject({ status: 503 })
    expect(await handle(call(direct, { secret: 'x' }))).toMatchObject({ status: 404 })
    open = true
    expect(await handle(call(direct))).toEqual(ok)
  })

  it('is ignored when it is not ours, was not sent, or is of no interest', async () => {
    const other = [
      { ...direct, SendMsgResult: 20006 },
      { ...direct, MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'hello' } }] },
      { ...direct, MsgBody: undefined },
      { CallbackCommand: 'Sns.CallbackFriendAdd', From_Account: 'bob' },
      { CallbackCommand: 'constructor' },
    ]
    for (const body of other) expect(await handle(call(body))).toEqual(ok)
    expect(delivered).toEqual([])
    expect(webhook.statistics()).toMatchObject({ accepted: 5, ignored: 2 })
  })

  it('delivers frames of groups, addressed to the group', async () => {
    const { To_Account: _to, MsgKey: _key, ...rest } = direct
    const body = { ...rest, CallbackCommand: 'Group.CallbackAfterSendMsg', GroupId: 'dao_1', MsgSeq: 12 }
    expect(await handle(call(body))).toEqual(ok)
    expect(delivered).toMatchObject([{ frame, to: 'dao_1', from: 'alice', remoteId: 'dao_1_12' }])
  })

  it('keeps presence', async () => {
    const change = (Action: string) => ({
      CallbackCommand: 'State.StateChange',
      Info: { Action, To_Account: 'bob', Reason: 'Register' },
    })
    for (const action of ['Login', 'CustomStatusChange', 'Disconnect', 'Logout']) {
      expect(await handle(call(change(action)))).toEqual(ok)
    }
    expect(presence).toEqual([
      ['bob', true],
      ['bob', false],
      ['bob', false],
    ])
  })

  it('carries a transaction id only when an administrator sent it with the numbers that belong to it', async () => {
    const numbers = messageNumbers(transactionId)
    const cases: [object, string, string | null][] = [
      [{ ...direct, ...numbers }, 'RESTAPI', transactionId],
      [{ ...direct, ...numbers }, 'Web', null],
      [direct, 'RESTAPI', null],
    ]
    for (const [EventTime, [body, OptPlatform, expected]] of cases.entries()) {
      delivered = []
      expect(await handle(call({ ...direct, ...body, EventTime }, { query: { OptPlatform } }))).toEqual(ok)
      expect(delivered).toMatchObject([{ transactionId: expected }])
    }
  })

  it('is not delivered when it is an echo of this process', async () => {
    own.add(transactionId)
    const echo = { ...direct, ...messageNumbers(transactionId) }
    expect(await handle(call(echo, { query: { OptPlatform: 'RESTAPI' } }))).toEqual(ok)
    expect(delivered).toEqual([])
    expect(webhook.statistics().echoes).toBe(1)
  })
})
