/** What the client does with mirrored messages while the XMTP node is away. The SDK is played; test/integration has the real one. */
import { expect, it } from 'vitest'
import { waitFor } from '../adapter/testing/wait.ts'
import { encodeFrame, toBase64url, toHex } from '../envelope/index.ts'
import type { Api } from './api.ts'
import { ClientError } from './errors.ts'
import { nothingSeen } from './seen.ts'
import { createXmtpPiece } from './xmtp.ts'
import type { Ingested, XmtpSdkConversation } from './xmtp-types.ts'
import { readGroupMessageHead } from './xmtp-wire.ts'

const GROUP = 'ab'.repeat(16)
/** The SDK has it, and cannot sync it any more. */
const LEFT_GROUP = 'ef'.repeat(16)

/** `GroupMessage { v1 { id, group_id, data } }` */
function groupMessage(id: number, text: string, group = GROUP): Uint8Array {
  const field = (number: number, bytes: Uint8Array) => [number * 8 + 2, bytes.length, ...bytes]
  const v1 = [8, id, ...field(3, Buffer.from(group, 'hex')), ...field(4, Buffer.from(text))]
  return Uint8Array.from(field(1, Uint8Array.from(v1)))
}

/** A client whose gateway has `parcels`, and a played SDK: texts that start with `later` need the node. */
function setUp() {
  const parcels = new Map<string, Uint8Array>()
  const state = { away: false, gatewayAway: false, synced: false, welcomes: 0, now: 1_000 }
  const stored: string[] = []
  const told: Ingested[] = []
  const api = {
    token: 'token',
    async get(path: string) {
      if (state.gatewayAway) throw new ClientError('gateway-unreachable', 'away')
      const bytes = parcels.get(path.split('/').at(-1) ?? '')
      if (!bytes) throw new ClientError('gateway-refused', 'not found', { status: 404 })
      return { sealed: toBase64url(bytes) }
    },
  } as unknown as Api
  const conversation: XmtpSdkConversation = {
    id: GROUP,
    async sync() {
      if (state.away) throw new Error('the service is currently unavailable')
      state.synced = true
    },
    async processStreamedMessage(bytes) {
      const text = Buffer.from(bytes).toString('latin1')
      if (text.includes('garbage')) throw new Error('failed to decode')
      if (text.includes('later') && !state.synced) throw new Error('[SubscribeError::GroupMessageNotFound] x')
      const id = toHex(bytes)
      if (!stored.includes(id)) stored.push(id)
      return text.includes('commit') ? [] : [{ id, senderInboxId: 'inbox' }]
    },
  }
  const leftConversation: XmtpSdkConversation = {
    ...conversation,
    id: LEFT_GROUP,
    async sync() {
      throw new Error('Group is inactive')
    },
  }
  const ids = new Set<string>()
  const piece = createXmtpPiece({
    api,
    receipts: { add() {}, async flush() {} },
    seen: { ...nothingSeen, add: (id) => ids.size < ids.add(id).size },
    requireSession() {},
    now: () => state.now,
  })
  piece.attach(
    {
      conversations: {
        list: async () => [conversation],
        hmacKeys: () => ({ [GROUP]: [{ key: Uint8Array.of(1, 2), epoch: 688n }] }),
        async sync() {
          if (state.away) throw new Error('the service is currently unavailable')
          state.welcomes++
        },
        getConversationById: async (id) => [conversation, leftConversation].find((each) => each.id === id),
      },
      installationId: 'cd'.repeat(32),
    },
    { onIngested: (result) => told.push(result) },
  )
  let serial = 0
  /** A frame of a parcel that the gateway mirrored. */
  function mirrored(bytes: Uint8Array, sent = bytes): Uint8Array {
    const id = new Uint8Array(32).fill(++serial)
    parcels.set(toHex(id), bytes)
    return frameOf(id, sent)
  }
  const frameOf = (id: Uint8Array, bytes: Uint8Array, network = 'xmtp') =>
    encodeFrame({
      kind: 2,
      id,
      bytes,
      trace: [{ gateway: 'g', network, at: 1 }],
      mode: 'opaque',
      certificate: null,
    })
  return { piece, state, stored, told, mirrored, frameOf }
}

it('reads what it has to know of an XMTP message, and nothing of other bytes', () => {
  expect(readGroupMessageHead(groupMessage(7, 'x'))).toEqual({ conversation: GROUP, id: 7n })
  for (const bytes of [[], [10], [10, 200, 1], [10, 2, 8], [255, 255], [11, 1]]) {
    expect(readGroupMessageHead(Uint8Array.from(bytes))).toBeNull()
  }
})

it('hands a message to the SDK, and says when it was ingested before', async () => {
  const { piece, mirrored } = setUp()
  const frame = mirrored(groupMessage(1, 'hello'))
  const first = await piece.ingest(frame, { network: 'trtc' })
  expect(first).toMatchObject({ outcome: 'message', duplicate: false, conversationId: GROUP })
  expect(await piece.ingest(frame)).toEqual({ ...first, duplicate: true })
  expect(await piece.ingest(mirrored(groupMessage(2, 'commit')))).toMatchObject({
    outcome: 'changed',
    messageId: null,
  })
})

it('what needs the node waits, with all that comes after it, and is told in order when it is done', async () => {
  const { piece, state, told, stored, mirrored } = setUp()
  state.away = true
  const frames = ['later commit', 'later 1', 'later 2'].map((text, index) =>
    mirrored(groupMessage(index + 1, text)),
  )
  const results = await Promise.all(frames.map((frame) => piece.ingest(frame)))
  expect(results.map(({ outcome }) => outcome)).toEqual(['queued', 'queued', 'queued'])
  expect(await piece.ingest(frames[1]!)).toMatchObject({ outcome: 'queued' })
  expect(await piece.retry()).toBe(3)
  state.away = false
  state.now += 10_000
  expect(await piece.retry()).toBe(0)
  expect(told.map(({ id, outcome }) => [id, outcome])).toEqual(
    results.map(({ id }, index) => [id, index === 0 ? 'changed' : 'message']),
  )
  expect(stored.length).toBe(3)
  expect(await piece.ingest(mirrored(groupMessage(4, 'later 3')))).toMatchObject({ outcome: 'message' })
})

it('a conversation that the SDK cannot sync any more holds up the others once at most', async () => {
  const { piece, told, mirrored } = setUp()
  for (const [index, group] of [LEFT_GROUP, GROUP].entries()) {
    const frame = mirrored(groupMessage(index + 1, 'later', group))
    expect(await piece.ingest(frame)).toMatchObject({ outcome: 'queued', conversationId: group })
  }
  expect(await piece.retry()).toBe(2)
  expect(await piece.retry()).toBe(1)
  expect(told).toMatchObject([{ outcome: 'message', conversationId: GROUP }])
})

it('tries by itself when the node is back', async () => {
  const { piece, state, told, mirrored } = setUp()
  state.away = true
  await piece.ingest(mirrored(groupMessage(1, 'later')))
  state.away = false
  await waitFor(() => told.length === 1)
  expect(told[0]).toMatchObject({ outcome: 'message', duplicate: false })
})

it('a notice is fetched from the gateway; a wake-up, and what the gateway cannot give, from the network', async () => {
  const { piece, state, mirrored } = setUp()
  const empty = new Uint8Array()
  expect(await piece.ingest(mirrored(groupMessage(1, 'large'), empty))).toMatchObject({ outcome: 'message' })
  expect(state.welcomes).toBe(0)
  expect(await piece.ingest(mirrored(empty))).toMatchObject({ outcome: 'woken', messageId: null })
  state.gatewayAway = true
  expect(await piece.ingest(mirrored(groupMessage(2, 'large'), empty))).toMatchObject({ outcome: 'woken' })
  expect(state.welcomes).toBe(2)
  state.away = true
  expect(await piece.ingest(mirrored(empty))).toMatchObject({ outcome: 'queued' })
  expect(await piece.retry()).toBe(1)
})

it('forged parcels neither wait nor wake', async () => {
  const { piece, state, frameOf, mirrored } = setUp()
  state.away = true
  const unknown = new Uint8Array(32).fill(99)
  const refused = { code: 'xmtp-refused' }
  await expect(piece.ingest(frameOf(unknown, groupMessage(1, 'later')))).rejects.toMatchObject(refused)
  await expect(piece.ingest(frameOf(unknown, new Uint8Array()))).rejects.toMatchObject(refused)
  await expect(
    piece.ingest(mirrored(groupMessage(1, 'real'), groupMessage(2, 'later forged'))),
  ).rejects.toMatchObject(refused)
  await expect(piece.ingest(mirrored(groupMessage(1, 'garbage')))).rejects.toMatchObject(refused)
  await expect(piece.ingest(mirrored(Uint8Array.of(1, 2, 3)))).rejects.toMatchObject(refused)
  await expect(piece.ingest(frameOf(unknown, Uint8Array.of(1), 'push'))).rejects.toMatchObject({
    code: 'message-unsupported',
  })
  expect(await piece.retry()).toBe(0)
  expect(state.welcomes).toBe(0)
})

it('registers what the SDK says of its conversations, as a record or a map, with or without cursors', async () => {
  const { piece } = setUp()
  expect(await piece.registration()).toEqual({
    installations: ['cd'.repeat(32)],
    conversations: [{ id: GROUP, hmacKeys: [{ epoch: 688, key: 'AQI' }] }],
  })
  const conversation = {
    id: 'ef',
    sync: async () => {},
    processStreamedMessage: async () => [],
    debugInfo: async () => ({ cursor: [{ sequenceId: 7 }, { sequenceId: 12n }] }),
  }
  const browser = {
    conversations: {
      list: async () => [conversation],
      hmacKeys: async () => new Map(),
      sync: async () => {},
      getConversationById: async () => undefined,
    },
  }
  expect(await piece.registration(browser)).toEqual({
    installations: [],
    conversations: [{ id: 'ef', cursor: '12', hmacKeys: [] }],
  })
})
