/** Records for measurements of the store alone. */
import { randomFillSync } from 'node:crypto'
import type { AcceptRecord } from '../store/port.ts'

const ENVELOPE_BYTES = 1_600

/** A wallet key for a number. */
export function walletOf(number: number): string {
  return `eip155:*:0x${number.toString(16).padStart(40, '0')}`
}

/**
 * An envelope with random bytes from one of `wallets` to another, in both inboxes. Pairs repeat: a wallet writes to eight others.
 */
export function acceptRecord({ number, wallets }: { number: number; wallets: number }): AcceptRecord {
  const now = Date.now()
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
    monotonic: performance.now(),
    inbox: [
      { wallet: walletOf(recipient), direction: 'received' },
      { wallet: walletOf(sender), direction: 'sent' },
    ],
    deliveries: [],
    alias: null,
  }
}

function random(length: number): Uint8Array {
  return randomFillSync(new Uint8Array(length))
}
