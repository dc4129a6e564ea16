/** What the node takes, refuses and hands out, spoken to without an SDK. */
import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { connectNode, type NodeClient } from '../wire/client.ts'
import { type GroupMessage, MAX_MESSAGE_BYTES, SORT_ASCENDING } from '../wire/index.ts'
import { startSandbox, type XmtpSandbox } from './index.ts'
import { groupInput, keyPackage, mlsMessage, updateBytes } from './testing/messages.ts'

let sandbox: XmtpSandbox
let node: NodeClient

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 3 })
  node = connectNode(sandbox.addresses.grpc)
})

afterAll(async () => {
  node?.close()
  await sandbox?.stop()
})

const send = (groupId: Uint8Array, ...bodies: string[]) =>
  node.call('SendGroupMessages', { messages: bodies.map((body) => groupInput(groupId, body)) })
const publish = (update: Uint8Array, to = node) =>
  to.call('PublishIdentityUpdate', { identityUpdate: update })
const refused = (code: status, details: RegExp | string = /./) =>
  expect.objectContaining({ code, details: expect.stringMatching(details) })

describe('group messages', () => {
  it('get growing ids and times, and their group and kind from the MLS message', async () => {
    const groupId = Buffer.from('group of ids')
    await send(groupId, 'one', 'two')
    await node.call('SendGroupMessages', {
      messages: [{ v1: { data: mlsMessage(groupId, 'a commit', { isCommit: true }) } }],
    })
    const stored = sandbox.groupMessages(groupId.toString('hex'))
    expect(stored.map(({ isCommit }) => isCommit)).toEqual([false, false, true])
    for (const field of ['id', 'createdNs'] as const) {
      const values = stored.map((message) => BigInt(message[field]))
      expect(values).toEqual([...new Set(values)].sort((a, b) => (a < b ? -1 : 1)))
    }
    expect(sandbox.groupIds()).toContain(groupId.toString('hex'))
  })

  it('with equal bytes are kept once, and the answer does not tell', async () => {
    const groupId = Buffer.from('group of doubles')
    await send(groupId, 'same', 'same')
    expect(await send(groupId, 'same')).toEqual({})
    expect(sandbox.groupMessages(groupId.toString('hex'))).toHaveLength(1)
  })

  it('that are too large, no MLS message or no message are refused, with the whole batch', async () => {
    const groupId = Buffer.from('group of refusals')
    const overhead = mlsMessage(groupId, '').length
    const largest = groupInput(groupId, 'x'.repeat(MAX_MESSAGE_BYTES - overhead))
    const tooLarge = groupInput(groupId, 'y'.repeat(MAX_MESSAGE_BYTES - overhead + 1))
    const call = (messages: object[]) => node.call('SendGroupMessages', { messages })
    await expect(call([groupInput(groupId, 'fine'), tooLarge])).rejects.toEqual(
      refused(status.INVALID_ARGUMENT, `larger than ${MAX_MESSAGE_BYTES}`),
    )
    for (const data of [Buffer.from('nonsense'), Buffer.alloc(0), Buffer.from([0, 1, 0, 2, 0xff])]) {
      await expect(call([{ v1: { data } }])).rejects.toEqual(refused(status.INVALID_ARGUMENT))
    }
    await expect(call([])).rejects.toEqual(refused(status.INVALID_ARGUMENT))
    await expect(call([{}])).rejects.toEqual(refused(status.INVALID_ARGUMENT))
    expect(sandbox.groupMessages(groupId.toString('hex'))).toEqual([])
    await call([largest])
    expect(sandbox.groupMessages(groupId.toString('hex'))).toHaveLength(1)
  })

  it('are paged by hundred at most, both ways', async () => {
    const groupId = Buffer.from('group of pages')
    await send(groupId, ...Array.from({ length: 230 }, (_, index) => `message ${index}`))
    const all = sandbox.groupMessages(groupId.toString('hex')).map(({ id }) => id)
    for (const direction of [1, 2]) {
      const sizes: number[] = []
      const ids: string[] = []
      let idCursor = '0'
      do {
        const page = await node.queryGroupMessages({
          groupId,
          pagingInfo: { direction, limit: 1_000, idCursor },
        })
        sizes.push(page.messages.length)
        ids.push(...page.messages.map(({ v1 }) => v1!.id))
        idCursor = page.pagingInfo!.idCursor
      } while (idCursor !== '0')
      expect(sizes).toEqual([100, 100, 30])
      expect(ids).toEqual(direction === SORT_ASCENDING ? all : all.toReversed())
    }
    const newest = await node.call<{ responses: { groupMessage?: GroupMessage }[] }>(
      'GetNewestGroupMessage',
      {
        groupIds: [groupId, Buffer.from('no such group')],
      },
    )
    expect(newest.responses.map(({ groupMessage }) => groupMessage?.v1?.id)).toEqual([all.at(-1), undefined])
    expect(newest.responses[0]?.groupMessage?.v1?.data).toHaveLength(0)
  })

  it('reach a subscriber without keys from its cursor on', async () => {
    const groupId = Buffer.from('group of subscribers')
    await send(groupId, 'before', 'history')
    const [first] = sandbox.groupMessages(groupId.toString('hex'))
    const ending = new AbortController()
    const heard: Uint8Array[] = []
    const subscription = (async () => {
      for await (const { message } of node.subscribeGroupMessages(
        [{ groupId, idCursor: first!.id }],
        ending.signal,
      )) {
        heard.push(message.data)
      }
    })()
    await waitFor(() => heard.length === 1)
    await send(groupId, 'live')
    await waitFor(() => heard.length === 2)
    expect(heard).toEqual(['history', 'live'].map((body) => mlsMessage(groupId, body)))
    ending.abort(new Error('enough'))
    await expect(subscription).rejects.toThrow('enough')
    await waitFor(() => sandbox.subscriptions() === 0)
  })
})

describe('identities', () => {
  const owner = (index: number) => `0x${index.toString(16).padStart(40, '0')}`
  const installation = (index: number) => Buffer.alloc(32, index)

  it('an inbox is created once, by its first update', async () => {
    await expect(publish(updateBytes('aa', [{ add: installation(1) }]))).rejects.toEqual(
      refused(status.UNKNOWN, 'does not exist'),
    )
    const creation = updateBytes('aa', [{ create: owner(1) }, { add: installation(1) }])
    await publish(creation)
    await expect(publish(creation)).rejects.toEqual(refused(status.UNKNOWN, 'Multiple create'))
    const ids = await node.call<{ responses: { inboxId?: string }[] }>('GetInboxIds', {
      requests: [{ identifier: owner(1) }, { identifier: owner(2) }],
    })
    expect(ids.responses.map(({ inboxId }) => inboxId)).toEqual(['aa', undefined])
    await expect(publish(Buffer.from([0xff]))).rejects.toEqual(refused(status.INVALID_ARGUMENT))
  })

  it('has ten installations at most; one that is revoked makes room', async () => {
    await publish(updateBytes('bb', [{ create: owner(3) }, { add: installation(1) }]))
    for (let index = 2; index <= 10; index++) await publish(updateBytes('bb', [{ add: installation(index) }]))
    const eleventh = updateBytes('bb', [{ add: installation(11) }])
    await expect(publish(eleventh)).rejects.toEqual(refused(status.UNKNOWN, '10 installations'))
    await publish(updateBytes('bb', [{ revoke: installation(4) }]))
    await publish(eleventh)
    expect(sandbox.installations('bb')).toHaveLength(10)
    expect(sandbox.installations('bb')).not.toContain(installation(4).toString('hex'))
  })

  it('has 256 updates in its life', async () => {
    await publish(updateBytes('cc', [{ create: owner(4) }]))
    for (let count = 1; count < 256; count += 1) {
      await publish(updateBytes('cc', [count % 2 ? { add: installation(1) } : { revoke: installation(1) }]))
    }
    await expect(publish(updateBytes('cc', [{ add: installation(2) }]))).rejects.toEqual(
      refused(status.UNKNOWN, 'inbox log is full'),
    )
    const log = await node.call<{ responses: { updates: { sequenceId: string }[] }[] }>(
      'GetIdentityUpdates',
      { requests: [{ inboxId: 'cc' }] },
    )
    const updates = log.responses[0]!.updates
    expect(updates).toHaveLength(256)
    const rest = await node.call<typeof log>('GetIdentityUpdates', {
      requests: [{ inboxId: 'cc', sequenceId: updates[200]!.sequenceId }],
    })
    expect(rest.responses[0]!.updates).toEqual(updates.slice(201))
  })

  it('key packages: the newest of each installation, and an empty place where there is none', async () => {
    const upload = (bytes: Uint8Array) =>
      node.call('UploadKeyPackage', { keyPackage: { keyPackageTlsSerialized: bytes } })
    await upload(keyPackage(installation(7), 'old'))
    await upload(keyPackage(installation(7), 'new'))
    const fetched = await node.call<{ keyPackages: { keyPackageTlsSerialized: Uint8Array }[] }>(
      'FetchKeyPackages',
      { installationKeys: [installation(8), installation(7)] },
    )
    expect(fetched.keyPackages.map((one) => one.keyPackageTlsSerialized)).toEqual([
      Buffer.alloc(0),
      keyPackage(installation(7), 'new'),
    ])
    await expect(upload(Buffer.from('no key package'))).rejects.toEqual(refused(status.INVALID_ARGUMENT))
  })
})

describe('faults', () => {
  const groupId = Buffer.from('group of faults')
  const stored = () => sandbox.groupMessages(groupId.toString('hex')).length

  it('the next calls fail and do nothing; or they are done and only their answer is lost', async () => {
    sandbox.faults.failWith('RESOURCE_EXHAUSTED', 2, 'SendGroupMessages')
    await expect(send(groupId, 'a')).rejects.toEqual(refused(status.RESOURCE_EXHAUSTED))
    await expect(send(groupId, 'a')).rejects.toEqual(refused(status.RESOURCE_EXHAUSTED))
    expect(stored()).toBe(0)
    await send(groupId, 'a')
    expect(stored()).toBe(1)
    sandbox.faults.answerLost(1)
    await expect(send(groupId, 'b')).rejects.toEqual(refused(status.UNAVAILABLE, 'answer was lost'))
    expect(stored()).toBe(2)
    await send(groupId, 'b')
    expect(stored()).toBe(2)
    sandbox.faults.failing('UNAVAILABLE')
    await expect(node.call('GetInboxIds', { requests: [] })).rejects.toEqual(refused(status.UNAVAILABLE))
    sandbox.faults.failing(null)
    await node.call('GetInboxIds', { requests: [] })
  })

  it('the network has moved on: publishing is refused in its own words, reading goes on', async () => {
    sandbox.faults.migrated(true)
    await expect(send(groupId, 'c')).rejects.toEqual(
      refused(status.UNAVAILABLE, 'publishing to XMTP V3 is no longer available'),
    )
    await node.queryGroupMessages({ groupId, pagingInfo: null })
    sandbox.faults.migrated(false)
    await send(groupId, 'c')
  })

  it('queries lag behind, or leave the rest out', async () => {
    const query = async () => {
      const { messages, pagingInfo } = await node.queryGroupMessages({
        groupId,
        pagingInfo: { direction: SORT_ASCENDING, limit: 2, idCursor: '0' },
      })
      return [messages.length, pagingInfo!.idCursor === '0']
    }
    expect(await query()).toEqual([2, false])
    sandbox.faults.queryLag(60_000)
    expect(await query()).toEqual([0, true])
    sandbox.faults.queryLag(0)
    sandbox.faults.queryLimit(1)
    expect(await query()).toEqual([1, true])
    sandbox.faults.queryLimit(null)
  })

  it('the documented limits, in tokens that come back', async () => {
    let now = 1_800_000_000_000
    const limited = await startSandbox({ rateLimits: true, now: () => now })
    const client = connectNode(limited.addresses.grpc)
    const spend = async (method: string, request: object, times: number) => {
      const results = await Promise.allSettled(
        Array.from({ length: times }, () => client.call(method, request)),
      )
      const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
      for (const error of failed) expect(error).toEqual(refused(status.RESOURCE_EXHAUSTED, 'rate limit'))
      return times - failed.length
    }
    const message = { messages: [groupInput(groupId, 'again')] }
    expect(await spend('SendGroupMessages', message, 3_010)).toBe(3_000)
    expect(await spend('GetInboxIds', { requests: [] }, 10)).toBe(10)
    now += 1_000
    expect(await spend('SendGroupMessages', message, 20)).toBe(10)
    limited.faults.rateLimits(false)
    expect(await spend('SendGroupMessages', message, 20)).toBe(20)
    client.close()
    await limited.stop()
  })

  it('every call is counted by its name', async () => {
    const { SendGroupMessages = 0 } = sandbox.calls()
    await send(groupId, 'counted')
    expect(sandbox.calls().SendGroupMessages).toBe(SendGroupMessages + 1)
  })
})
