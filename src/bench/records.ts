/** Records for measurements of the store alone. */
import { randomFillSync } from 'node:crypto'
import type { AcceptRecord } from '../store/port.ts'

const ENVELOPE_BYTES = 1_600
/** Any moment does, in Unix milliseconds: numbers take as many bytes as those of today. */
const FIXED_TIME = 1_800_000_000_000

export interface RecordInput {
  number: number
  wallets: number
  /** The same number makes the same record, to the last byte. Default: ids and bytes are random, the time is now. */
  repeatable?: boolean
}

/** A wallet key for a number. */
export function walletOf(number: number): string {
  return `eip155:*:0x${number.toString(16).padStart(40, '0')}`
}

/**
 * An envelope with random bytes from one of `wallets` to another, in both inboxes. Pairs repeat: a wallet writes to eight others.
 */
export function acceptRecord({ number, wallets, repeatable = false }: RecordInput): AcceptRecord {
  const now = repeatable ? FIXED_TIME + number : Date.now()
  const random = repeatable ? generator(number) : (length: number) => randomFillSync(new Uint8Array(length))
  const from = Math.imul(number, 0x9e3779b1) >>> 0
  const sender = from % wallets
  const recipient = (sender + 1 + (from >>> 29)) % wallets
  const conversation = new Uint8Array(32)
  new DataView(conversation.buffer).setUint32(0, Math.min(sender, recipient))
  new DataView(conversation.buffer).setUint32(4, Math.max(sender, recipient))
  return {
    id: random(32),
    kind: 1,
    mode: 'sealed',
    from: walletOf(sender),
    device: random(32),
    conversation,
    contentType: 'xmtp.org/text:1.0',
    flags: 0,
    created: now,
    expiresAt: 0,
    bytes: random(ENVELOPE_BYTES),
    certificate: null,
    trace: new Uint8Array([0x80]),
    via: 'http',
    receivedAt: now,
    monotonic: repeatable ? number + 0.5 : performance.now(),
    inbox: [
      { wallet: walletOf(recipient), direction: 'received' },
      { wallet: walletOf(sender), direction: 'sent' },
    ],
    deliveries: [],
    alias: null,
  }
}

/** Bytes that look random, from a seed (xorshift32; the seed is spread first, so that neighbours differ at once). */
function generator(seed: number): (length: number) => Uint8Array {
  let state = Math.imul(seed + 1, 0x9e3779b1) ^ 0x6d2b79f5
  state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d)
  state = Math.imul(state ^ (state >>> 12), 0x297a2d39) | 1
  return (length) => {
    const words = new Int32Array(Math.ceil(length / 4))
    for (let place = 0; place < words.length; place++) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      words[place] = state
    }
    return new Uint8Array(words.buffer, 0, length)
  }
}
