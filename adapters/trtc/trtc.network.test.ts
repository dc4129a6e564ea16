import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  AdapterError,
  type AdapterErrorClass,
  type Inbound,
  type WebhookFacet,
} from '../../src/adapter/index.ts'
import { createRecordingContext, type RecordingContext } from '../../src/adapter/testing/context.ts'
import { waitFor } from '../../src/adapter/testing/wait.ts'
import { serveWebhooks } from '../../src/adapter/testing/webhooks.ts'
import { MAX_FRAME_BYTES } from './carriage.ts'
import { configSchema } from './config.ts'
import { createRestClient } from './rest.ts'
import type { ChatClient } from './sandbox/chat-client.ts'
import { startSandbox, type TrtcSandbox } from './sandbox/index.ts'
import {
  alice,
  arrived,
  bob,
  clientOf,
  type Joined,
  joinSandbox,
  never,
  randomFrame,
  sameBytes,
} from './testing.ts'
import type { WebhookStatistics } from './webhook.ts'

let sandbox: TrtcSandbox
let gateway: Joined<RecordingContext>
let aliceClient: ChatClient
let bobClient: ChatClient

beforeAll(async () => {
  sandbox = await startSandbox()
  gateway = await joinSandbox({ sandbox, context: createRecordingContext(), serveWebhooks })
  ;[aliceClient, bobClient] = await Promise.all([clientOf(gateway, alice), clientOf(gateway, bob)])
})

afterAll(async () => {
  await aliceClient?.close()
  await bobClient?.close()
  await gateway?.close()
  await sandbox?.stop()
})

const copies = (client: ChatClient, frame: Uint8Array) =>
  client.messages.filter((message) => sameBytes(message.frame, frame)).length

const heard = (frame: Uint8Array) =>
  waitFor(() => gateway.context.heard(frame)[0], { what: 'the webhook to deliver the frame' })

const webhookStatistics = () =>
  (gateway.adapter.webhook as WebhookFacet & { statistics(): WebhookStatistics }).statistics()

async function walk(since: number): Promise<Inbound[]> {
  const collected: Inbound[] = []
  const pairs = [{ local: gateway.addressOf(bob), peer: gateway.addressOf(alice) }]
  for await (const inbound of gateway.adapter.history!.walk({ since, pairs }, never)) collected.push(inbound)
  return collected
}

const refused = (promise: Promise<unknown>): Promise<AdapterError> =>
  promise.then(
    () => expect.unreachable('the call must reject'),
    (error) => {
      expect(AdapterError.is(error)).toBe(true)
      return error as AdapterError
    },
  )

describe('a frame', () => {
  it('reaches a real client byte for byte, shown as sent by the wallet', async () => {
    const intent = gateway.intent()
    const receipt = await gateway.adapter.send(intent, never)
    const message = await arrived(bobClient, intent.frame)
    expect(message.from).toBe(gateway.addressOf(alice))
    expect(message.custom?.description).toBe('[Encrypted message]')
    expect(JSON.parse(message.cloudCustomData)).toEqual({
      id: Buffer.from(intent.envelopeId).toString('hex'),
      tx: intent.transactionId,
    })
    expect(receipt).toEqual({ remoteIds: [message.messageKey, expect.stringContaining('-')] })
    // The sender's own clients have it too, and the gateway does not hear itself.
    await arrived(aliceClient, intent.frame)
    await sandbox.idle()
    expect(gateway.context.offered(intent.frame)).toEqual([])
    expect(webhookStatistics()).toMatchObject({ echoes: 0, refused: {} })
  })

  it('of a real client is delivered once, with its addresses', async () => {
    const frame = randomFrame(3000)
    const sent = await bobClient.sendFrame(gateway.addressOf(alice), frame)
    expect(await heard(frame)).toMatchObject({
      remoteId: sent.messageKey,
      from: gateway.addressOf(bob),
      to: gateway.addressOf(alice),
      via: 'webhook',
      remoteTime: sent.time * 1000,
      transactionId: null,
    })
    await arrived(aliceClient, frame)
    await sandbox.idle()
    expect(gateway.context.heard(frame)).toHaveLength(1)
  })

  it('in a group is delivered, addressed to the group', async () => {
    const rest = restOf()
    await rest('group_open_http_svc/create_group', {
      Type: 'Meeting',
      Name: 'DAO',
      GroupId: 'dao_1',
      Owner_Account: gateway.addressOf(alice),
    })
    await bobClient.joinGroup('dao_1')
    const frame = randomFrame()
    await bobClient.sendFrame('dao_1', frame, { isGroup: true })
    expect(await heard(frame)).toMatchObject({
      to: 'dao_1',
      from: gateway.addressOf(bob),
      remoteId: 'dao_1_1',
    })
    await arrived(aliceClient, frame)
  })

  it('sent again under its transaction id arrives once', async () => {
    const intent = gateway.intent()
    const first = await gateway.adapter.send(intent, never)
    const again = await gateway.adapter.send({ ...intent, attempt: 2 }, never)
    expect(again).toEqual(first)
    const marker = gateway.intent()
    await gateway.adapter.send(marker, never)
    await arrived(bobClient, marker.frame)
    expect(copies(bobClient, intent.frame)).toBe(1)
  })

  it('to oneself comes from the administrator, and can be found', async () => {
    const intent = gateway.intent({ to: { wallet: alice, address: gateway.addressOf(alice) } })
    const receipt = await gateway.adapter.send(intent, never)
    expect((await arrived(aliceClient, intent.frame)).from).toBe('administrator')
    expect(await gateway.adapter.history?.find(intent, never)).toEqual(receipt)
  })

  it('that is ephemeral is not kept, and one that is silent arrives like any other', async () => {
    const ephemeral = gateway.intent({ ephemeral: true })
    const silent = gateway.intent({ silent: true })
    await gateway.adapter.send(ephemeral, never)
    await gateway.adapter.send(silent, never)
    await arrived(bobClient, ephemeral.frame)
    await arrived(bobClient, silent.frame)
    const kept = await walk(Date.now() - 60_000)
    expect(kept.some(({ frame }) => sameBytes(frame, silent.frame))).toBe(true)
    expect(kept.some(({ frame }) => sameBytes(frame, ephemeral.frame))).toBe(false)
    expect(await refused(gateway.adapter.history!.find(ephemeral, never))).toMatchObject({
      class: 'unsupported',
    })
  })

  it('is told from what only looks like one', async () => {
    await sandbox.idle()
    const before = gateway.context.deliveries.length
    const to = gateway.addressOf(alice)
    await bobClient.sendText(to, 'hello')
    await bobClient.sendCustom(to, { data: '***', description: '', extension: 'causeway/1' })
    await bobClient.sendCustom(to, { data: 'AQID', description: '', extension: 'another application' })
    const frame = randomFrame()
    await bobClient.sendFrame(to, frame)
    await heard(frame)
    expect(gateway.context.deliveries.length).toBe(before + 1)
    await aliceClient.waitFor((message) => message.text === 'hello' && message.frame === null)
  })
})

it('presence follows clients, and is told as a number only', async () => {
  const online = () => Number(gateway.adapter.describe?.().online)
  await waitFor(() => online() === 2, { what: 'both clients to be online' })
  const guest = await clientOf(gateway, `eip155:*:0x${'f6'.repeat(20)}`)
  await waitFor(() => online() === 3, { what: 'the guest to be online' })
  await guest.close()
  await waitFor(() => online() === 2, { what: 'the guest to be offline' })
  expect(JSON.stringify(gateway.adapter.describe?.())).not.toContain(gateway.addressOf(bob))
})

describe('limits', () => {
  it('the largest frame is carried, one byte more is refused before it is sent', async () => {
    const largest = gateway.intent({ frame: randomFrame(MAX_FRAME_BYTES) })
    await gateway.adapter.send(largest, never)
    await arrived(bobClient, largest.frame)
    const larger = gateway.intent({ frame: randomFrame(MAX_FRAME_BYTES + 1) })
    expect(await refused(gateway.adapter.send(larger, never))).toMatchObject({ class: 'tooLarge' })
  })

  it('a message over 12 KB is refused by the service as tooLarge', async () => {
    const client = createRestClient(configSchema.parse(sandbox.gatewayConfig), gateway.context, () => {})
    const element = {
      MsgType: 'TIMCustomElem' as const,
      MsgContent: { Data: 'z'.repeat(12_300), Desc: '', Ext: '' },
    }
    const message = {
      From_Account: gateway.addressOf(alice),
      To_Account: gateway.addressOf(bob),
      MsgSeq: 1,
      MsgRandom: 1,
      SyncOtherMachine: 1 as const,
      MsgBody: [element] as [typeof element],
      CloudCustomData: '',
    }
    expect(await refused(client.sendMessage(message, never))).toMatchObject({
      class: 'tooLarge',
      remoteCode: 80002,
    })
    // A 33-byte userID: refused by the service, and by the adapter before that.
    const long = 'x'.repeat(33)
    expect(await refused(client.importAccounts([long], never))).toMatchObject({
      class: 'permanent',
      remoteCode: 70402,
    })
    expect(await client.importAccounts(['fits', long], never)).toEqual([long])
    const intent = gateway.intent({ to: { wallet: bob, address: `${gateway.addressOf(bob)}x` } })
    expect(await refused(gateway.adapter.send(intent, never))).toMatchObject({ class: 'permanent' })
    expect(gateway.adapter.identity?.isAddress(long)).toBe(false)
  })
})

describe('errors', () => {
  const classes: [number, AdapterErrorClass][] = [
    [60011, 'rateLimited'],
    [60008, 'uncertain'],
    [91000, 'uncertain'],
    [20007, 'permanent'],
    [80002, 'tooLarge'],
    [60009, 'unsupported'],
    [80003, 'retryable'],
  ]
  it.each(classes)('%i rejects with %s and leaves the adapter connected', async (code, errorClass) => {
    const intent = gateway.intent()
    await gateway.adapter.identity?.provision?.(intent.to, never)
    sandbox.faults.failWith(code, 1)
    expect(await refused(gateway.adapter.send(intent, never))).toMatchObject({
      class: errorClass,
      remoteCode: code,
    })
    expect(gateway.context.lastState()).toBe('connected')
    await gateway.adapter.send({ ...intent, attempt: 2 }, never)
    await arrived(bobClient, intent.frame)
  })

  it('a lost answer is uncertain, and history tells that the message arrived', async () => {
    const intent = gateway.intent()
    sandbox.faults.answerLost(2) // the adapter tries a broken connection once more itself
    expect(await refused(gateway.adapter.send(intent, never))).toMatchObject({ class: 'uncertain' })
    await arrived(bobClient, intent.frame)
    const receipt = await gateway.adapter.history?.find(intent, never)
    expect(receipt).toMatchObject({ remoteIds: [bobClient.messages.at(-1)?.messageKey, expect.any(String)] })
    expect(await gateway.adapter.history?.find(gateway.intent(), never)).toBeNull()
  })

  it('a connection that breaks once is of no consequence', async () => {
    const intent = gateway.intent()
    sandbox.faults.answerLost(1)
    const receipt = await gateway.adapter.send(intent, never)
    const message = await arrived(bobClient, intent.frame)
    expect(receipt).toEqual({ remoteIds: [message.messageKey, expect.any(String)] })
    const marker = gateway.intent()
    await gateway.adapter.send(marker, never)
    await arrived(bobClient, marker.frame)
    expect(copies(bobClient, intent.frame)).toBe(1)
  })

  it('an account that the service lost is made again', async () => {
    const stranger = `eip155:*:0x${'c3'.repeat(20)}`
    const to = { wallet: stranger, address: gateway.addressOf(stranger) }
    await gateway.adapter.send(gateway.intent({ to }), never)
    await restOf()('im_open_login_svc/account_delete', { DeleteItem: [{ UserID: to.address }] })
    expect(await gateway.adapter.send(gateway.intent({ to }), never)).toHaveProperty('remoteIds')
  })

  it('an account that cannot be made is permanent, and the doctor says why', async () => {
    const stranger = `eip155:*:0x${'d4'.repeat(20)}`
    const intent = gateway.intent({ to: { wallet: stranger, address: gateway.addressOf(stranger) } })
    sandbox.faults.failWith(70398, 1)
    expect(await refused(gateway.adapter.send(intent, never))).toMatchObject({
      class: 'permanent',
      remoteCode: 70398,
    })
    const findings = await gateway.adapter.doctor!.examine(never)
    expect(findings.find(({ check }) => check === 'accounts')).toMatchObject({
      status: 'error',
      fix: expect.stringContaining('100 accounts'),
    })
    await gateway.adapter.send(intent, never)
    expect((await gateway.adapter.doctor!.examine(never)).some(({ check }) => check === 'accounts')).toBe(
      false,
    )
  })
})

describe('credentials', () => {
  it('let the wallet log in, for at most a day', async () => {
    const issued = await gateway.adapter.credentials!.issue(
      { wallet: bob, address: gateway.addressOf(bob) },
      never,
    )
    expect(issued).toEqual({
      sdkAppId: sandbox.app.sdkAppId,
      userId: gateway.addressOf(bob),
      userSig: expect.any(String),
      expiresAt: expect.any(Number),
      proxyServer: sandbox.addresses.socket,
    })
    expect(Number(issued.expiresAt)).toBeLessThanOrEqual(Date.now() + 86_400_000)
  })

  it('are issued for no other userID than the wallet’s own', async () => {
    for (const address of [gateway.addressOf(alice), 'administrator']) {
      const error = await refused(gateway.adapter.credentials!.issue({ wallet: bob, address }, never))
      expect(error.class).toBe('permanent')
    }
  })
})

/** Calls the sandbox's REST API as an administrator's own tool would. */
function restOf() {
  return async (command: string, body: object): Promise<unknown> => {
    const query = new URLSearchParams({
      sdkappid: String(sandbox.app.sdkAppId),
      identifier: sandbox.app.adminUserId,
      usersig: sandbox.userSig(sandbox.app.adminUserId),
      random: '1',
      contenttype: 'json',
    })
    const response = await fetch(`${sandbox.addresses.rest}/v4/${command}?${query}`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
    const answer = (await response.json()) as { ErrorCode: number }
    expect(answer.ErrorCode).toBe(0)
    return answer
  }
}
