import { expect, it } from 'vitest'
import type { SendIntent } from '../../src/adapter/index.ts'
import { SentMessages } from './sent.ts'

const TOPIC = '/waku/2/rs/42/5'
let now = 1_787_000_000_000
const clock = { now: () => now, monotonic: () => now, sleep: async () => {} }

const intent = (transactionId: string): SendIntent => ({
  transactionId,
  envelopeId: new Uint8Array(32),
  frame: Uint8Array.of(1, 2, 3),
  to: { wallet: 'eip155:*:0x00', address: '/causeway/1/in-3/cbor' },
  from: { wallet: 'eip155:*:0x01', address: null },
  conversation: new Uint8Array(32),
  ephemeral: false,
  silent: false,
  attempt: 1,
})

it('a retry within 15 seconds is the same message, byte for byte; the time is explicit', () => {
  const sent = new SentMessages(clock)
  const first = sent.messageOf(intent('a'), TOPIC)
  now += 15_000
  const second = sent.messageOf({ ...intent('a'), attempt: 2 }, TOPIC)
  expect(second).toEqual(first)
  expect(first.timestamp).toBe(1_787_000_000_000_000_000n)
  expect(sent.isOwn(first.id)).toBe(true)
})

it('a later retry is a new message, because archives would not take the old time, and both are remembered', () => {
  const sent = new SentMessages(clock)
  const first = sent.messageOf(intent('b'), TOPIC)
  now += 15_001
  expect(sent.mayRepeat(intent('b'))).toBe(false)
  const second = sent.messageOf(intent('b'), TOPIC)
  expect(second.id).not.toBe(first.id)
  expect(sent.all(intent('b')).map(({ id }) => id)).toEqual([first.id, second.id])
})

it('two transactions are told apart, and a message of another is not ours', () => {
  const sent = new SentMessages(clock)
  sent.messageOf(intent('c'), TOPIC)
  expect(sent.all(intent('d'))).toEqual([])
  expect(sent.isOwn('00'.repeat(32))).toBe(false)
})
