/** What is read of MLS messages without keys, and the shape of the wire. */
import { status } from '@grpc/grpc-js'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { startSandbox } from '../sandbox/index.ts'
import { groupInput, keyPackage, mlsMessage } from '../sandbox/testing/messages.ts'
import { connectNode } from './client.ts'
import {
  type GroupMessageV1,
  groupMessageCodec,
  identityService,
  installationKeyOf,
  mlsService,
  readMlsMessageHeader,
} from './index.ts'

it('reads group, epoch and kind of private messages, and of public ones from every sender', () => {
  for (const length of [0, 16, 63, 64, 20_000]) {
    const groupId = Buffer.alloc(length, 5)
    for (const isCommit of [false, true]) {
      expect(readMlsMessageHeader(mlsMessage(groupId, 'body', { isCommit }))).toEqual({
        groupId: new Uint8Array(groupId),
        epoch: 1n,
        isCommit,
      })
    }
  }
  const head = [0, 1, 0, 1, 2, 0xab, 0xcd, 0, 0, 0, 0, 0, 0, 1, 0]
  const senders = { member: [1, 0, 0, 0, 9], external: [2, 0, 0, 0, 9], newMember: [3], joining: [4] }
  for (const sender of Object.values(senders)) {
    for (const [kind, isCommit] of [
      [1, false],
      [3, true],
    ] as const) {
      const message = new Uint8Array([...head, ...sender, 1, 0xff, kind, 1, 2, 3])
      expect(readMlsMessageHeader(message)).toEqual({
        groupId: new Uint8Array([0xab, 0xcd]),
        epoch: 256n,
        isCommit,
      })
    }
  }
})

it('reads the owner of a key package', () => {
  const installationKey = Buffer.alloc(32, 3)
  expect(Buffer.from(installationKeyOf(keyPackage(installationKey, 'init')))).toEqual(installationKey)
  expect(() => installationKeyOf(keyPackage(new Uint8Array(), 'init'))).toThrow(RangeError)
})

it('says of any other bytes that they are no such message, and nothing else', () => {
  const start = fc.constantFrom([], [0, 1, 0, 1], [0, 1, 0, 2])
  const bytes = fc
    .tuple(start, fc.uint8Array({ maxLength: 80 }))
    .map(([head, rest]) => new Uint8Array([...head, ...rest]))
  fc.assert(
    fc.property(bytes, (message) => {
      for (const read of [readMlsMessageHeader, installationKeyOf]) {
        try {
          read(message)
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }
    }),
  )
  for (const wireFormat of [0, 3, 4, 5]) {
    const welcome = mlsMessage(Buffer.from('group'), 'body')
    welcome.writeUInt16BE(wireFormat, 2)
    expect(() => readMlsMessageHeader(welcome)).toThrow(`wire format ${wireFormat}`)
  }
})

it('keeps 64-bit numbers exact', () => {
  const v1: GroupMessageV1 = {
    id: '18446744073709551615',
    createdNs: '1795389031952000001',
    groupId: Buffer.from('group'),
    data: Buffer.from('data'),
    senderHmac: Buffer.from('hmac'),
    shouldPush: true,
    isCommit: false,
  }
  expect(groupMessageCodec.decode(groupMessageCodec.encode({ v1 })).v1).toMatchObject(v1)
})

it('knows the methods by the names that the SDK calls', () => {
  const paths = [identityService, mlsService].flatMap((service) =>
    Object.values(service).map(({ path }) => path),
  )
  expect(paths.filter((path) => path.startsWith('/xmtp.identity.api.v1.IdentityApi/'))).toHaveLength(4)
  expect(paths.filter((path) => path.startsWith('/xmtp.mls.api.v1.MlsApi/'))).toHaveLength(12)
})

it('a client without keys ends its calls when told to, and names the status of what fails', async () => {
  const sandbox = await startSandbox()
  const node = connectNode(sandbox.addresses.grpc)
  const groupId = Buffer.from('group')
  const ended = AbortSignal.abort(new Error('ended before'))
  await expect(node.call('GetInboxIds', {}, ended)).rejects.toThrow('ended before')
  await expect(node.subscribeGroupMessages([], ended)[Symbol.asyncIterator]().next()).rejects.toThrow(
    'ended before',
  )
  sandbox.faults.latency(60_000)
  const ending = new AbortController()
  const late = node.call('SendGroupMessages', { messages: [groupInput(groupId, 'late')] }, ending.signal)
  ending.abort(new Error('ended meanwhile'))
  await expect(late).rejects.toThrow('ended meanwhile')
  sandbox.faults.latency(0)

  const stream = node.subscribeWelcomeMessages(
    [{ installationKey: Buffer.alloc(32), idCursor: '0' }],
    AbortSignal.timeout(60_000),
  )
  const next = stream[Symbol.asyncIterator]().next()
  const broken = expect(next).rejects.toMatchObject({ code: status.UNAVAILABLE })
  await expect.poll(() => sandbox.subscriptions()).toBe(1)
  sandbox.faults.cutSubscriptions()
  await broken
  await sandbox.faults.outage(true)
  await expect(node.queryGroupMessages({ groupId, pagingInfo: null })).rejects.toMatchObject({
    code: status.UNAVAILABLE,
  })
  await expect(async () => node.call('NoSuchMethod', {})).rejects.toThrow(RangeError)
  node.close()
  await sandbox.stop()
})
