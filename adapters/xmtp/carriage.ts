/** Frames as XMTP messages and back. Pure. */
import { AdapterError, type Inbound, type SendIntent } from '../../src/adapter/index.ts'
import { type EnvelopeContent, envelopeCodec, isEnvelope } from './codec.ts'
import type { XmtpMessage } from './inbox.ts'
import type { Outgoing } from './sender.ts'
import { isInboxId } from './wallet.ts'

/**
 * Largest frame. The network takes messages of 1,048,214 bytes; MLS and the content type add about 250, which leaves room for
 * what later versions may add.
 */
export const MAX_FRAME_BYTES = 1_000_000

/** The message of an intent: the same for every attempt. Throws `AdapterError` `tooLarge` and `permanent`. */
export function toOutgoing(intent: SendIntent): Outgoing {
  if (!isInboxId(intent.to.address)) {
    throw new AdapterError('permanent', 'Not an XMTP inbox id: 64 lower-case hex characters are expected', {
      remoteCode: 'address-invalid',
    })
  }
  if (intent.frame.length > MAX_FRAME_BYTES) {
    throw new AdapterError(
      'tooLarge',
      `The frame is over ${MAX_FRAME_BYTES} bytes, the most that XMTP carries`,
      {
        remoteCode: 'too-large',
      },
    )
  }
  const content: EnvelopeContent = {
    frame: intent.frame,
    transactionId: intent.transactionId,
    silent: intent.silent || intent.ephemeral,
  }
  return {
    to: intent.to.address,
    content: envelopeCodec.encode(content),
    key: intent.transactionId,
    push: envelopeCodec.shouldPush(content),
  }
}

/**
 * The frame of a message; null when it carries none. `own` is the gateway's inbox: what it sent went to `peer`, everything
 * else was sent to it. A transaction id counts in own messages alone, since anyone may write one.
 */
export function toInbound(
  message: XmtpMessage,
  via: Inbound['via'],
  route: { own: string; peer: string | null },
): Inbound | null {
  if (!isEnvelope(message.contentType) || !hasFrame(message.content)) return null
  const isOwn = message.senderInboxId === route.own
  return {
    frame: message.content.frame,
    remoteId: message.id,
    to: isOwn ? route.peer : route.own,
    from: message.senderInboxId,
    via,
    remoteTime: message.sentAt.getTime(),
    transactionId: isOwn ? (message.content.transactionId ?? null) : null,
  }
}

function hasFrame(content: unknown): content is EnvelopeContent {
  return (
    typeof content === 'object' &&
    content !== null &&
    'frame' in content &&
    content.frame instanceof Uint8Array
  )
}
