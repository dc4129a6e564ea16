import { expect, it } from 'vitest'
import { encodeCanonical } from '../envelope/index.ts'
import { createDualPiece, XMTP_MESSAGE_ID } from './dual.ts'
import { loadSeenIds } from './seen.ts'
import { memoryStorage } from './storage.ts'
import type { Message, OutgoingMessage, SentMessage } from './types.ts'

const ALICE = 'eip155:*:0x90f8bf6a479f320ead074411a4b0e7944ea8c9c1'
/** SHA-256 of the address and `1`, as libxmtp makes it. */
const INBOX = 'ed5ebc666e9e929ee84264946c88608f950307703f3aad3e63c60a92aae7ef9a'

const messageOf = (parameters: Record<string, string>, more: Partial<Message> = {}) =>
  ({ mode: 'sealed', from: ALICE, content: { parameters }, ...more }) as Message

async function setUp(send: (message: OutgoingMessage) => Promise<SentMessage>) {
  const storage = memoryStorage()
  const seen = await loadSeenIds(storage)
  return { piece: createDualPiece({ send, seen }), seen, storage }
}

const sentMessage = { id: 'e', duplicate: false } as SentMessage

it('binds the id of what XMTP has stored inside the content, and keeps what the message had', async () => {
  const sent: OutgoingMessage[] = []
  const { piece } = await setUp(async (message) => {
    sent.push(message)
    return sentMessage
  })
  const conversation = { sendText: async (text: string) => `id of ${text}`, publishMessages: async () => {} }
  expect(await piece.dualSend({ to: 'bob', text: 'hi', silent: true }, conversation)).toEqual({
    messageId: 'id of hi',
    published: true,
    envelope: sentMessage,
    errors: { xmtp: null, gateway: null },
  })
  const content = { contentType: 'a/b:1.0', bytes: encodeCanonical([1]), parameters: { more: 'x' } }
  await piece.dualSend({ to: 'bob', content }, { prepare: async () => 'other', publish: async () => {} })
  expect(sent).toMatchObject([
    { to: 'bob', silent: true, content: { parameters: { [XMTP_MESSAGE_ID]: 'id of hi' } } },
    { to: 'bob', content: { ...content, parameters: { more: 'x', [XMTP_MESSAGE_ID]: 'other' } } },
  ])
  expect(sent[0]).not.toHaveProperty('text')
})

it('goes without a binding when XMTP would not even store it', async () => {
  const sent: OutgoingMessage[] = []
  const { piece } = await setUp(async (message) => {
    sent.push(message)
    return sentMessage
  })
  const failing = { prepare: () => Promise.reject(new Error('no database')), publish: async () => {} }
  expect(await piece.dualSend({ to: 'bob', text: 'hi' }, failing)).toMatchObject({
    messageId: null,
    published: false,
  })
  expect(sent).toEqual([{ to: 'bob', text: 'hi' }])
})

it('shows a content once in either order, over a restart, and for its own sender alone', async () => {
  const { piece, seen, storage } = await setUp(async () => sentMessage)
  const bound = messageOf({ [XMTP_MESSAGE_ID]: 'm1' })
  expect([piece.isFirst(bound), piece.isFirst({ messageId: 'm1', senderInboxId: INBOX })]).toEqual([
    true,
    false,
  ])
  expect(piece.isFirst({ messageId: 'm2', senderInboxId: INBOX })).toBe(true)
  await seen.save()
  const again = createDualPiece({ send: async () => sentMessage, seen: await loadSeenIds(storage) })
  expect(again.isFirst(messageOf({ [XMTP_MESSAGE_ID]: 'm2' }))).toBe(false)

  expect(again.isFirst({ messageId: 'm1', senderInboxId: 'another inbox' })).toBe(true)
  const mallory = messageOf({ [XMTP_MESSAGE_ID]: 'm2' }, { from: `eip155:*:0x${'66'.repeat(20)}` })
  expect(again.isFirst(mallory)).toBe(true)
  for (const unbound of [
    messageOf({}),
    messageOf({ [XMTP_MESSAGE_ID]: 'm1' }, { mode: 'hop' }),
    messageOf({ [XMTP_MESSAGE_ID]: 'm1' }, { from: 'solana:x:y' }),
  ]) {
    expect([again.isFirst(unbound), again.isFirst(unbound)]).toEqual([true, true])
  }
})
