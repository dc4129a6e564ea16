/** One content over XMTP natively and over Causeway as an envelope, shown once, at the speed of the faster. */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { H, toHex, utf8Encode } from '../envelope/index.ts'
import { TEXT_TYPE } from './sealing.ts'
import type { SeenIds } from './seen.ts'
import type { Message, OutgoingMessage, SentMessage } from './types.ts'

/**
 * Parameter of the inner content that holds the XMTP message id. It is encrypted with the content and signed by the sender's
 * device: no network and no gateway sees that the two belong together.
 */
export const XMTP_MESSAGE_ID = 'xmtp-message-id'

/** The native half of a dual send: a conversation of the node SDK, or two functions for other SDKs and contents. */
export type NativeSend =
  | {
      sendText(text: string, options: { optimistic: true }): Promise<string>
      publishMessages(): Promise<unknown>
    }
  | {
      /** Stores the message without the network, and answers its id. */
      prepare(): Promise<string>
      /** Hands over to the network what was prepared. */
      publish(): Promise<unknown>
    }

export interface DualSent {
  /** XMTP's id; null when XMTP would not even prepare the message. */
  messageId: string | null
  /** Whether the XMTP node has it. If not, the SDK's next sync publishes it. */
  published: boolean
  /** The envelope; null when the gateway did not take it. */
  envelope: SentMessage | null
  /** Why a half failed. */
  errors: { xmtp: unknown; gateway: unknown }
}

export interface DualPiece {
  /** Sends both ways at once. Rejects, with an `AggregateError`, only when both have failed. */
  dualSend(message: OutgoingMessage, native: NativeSend): Promise<DualSent>
  /**
   * Whether this copy is the first of its content, and to be shown. Ask it once for every message that was opened (`receive`,
   * `messages`) and once for every native one (stream, `ingest`, sync) when it is about to be shown. Survives a restart, with
   * the client's storage. An envelope stands for a native message of its own sender alone: nobody can make another's vanish.
   */
  isFirst(message: Message | { messageId: string; senderInboxId: string }): boolean
}

export function createDualPiece(options: {
  send: (message: OutgoingMessage) => Promise<SentMessage>
  seen: SeenIds
}): DualPiece {
  const { send, seen } = options

  return {
    async dualSend(message, native) {
      const prepared = await settle(() => prepare(message, native))
      const messageId = prepared.value
      const [envelope, published] = await Promise.all([
        settle(() => send(messageId === null ? message : bound(message, messageId))),
        settle(async () => {
          if (messageId === null) throw prepared.error
          await ('publish' in native ? native.publish() : native.publishMessages())
          return true
        }),
      ])
      const errors = { xmtp: published.error, gateway: envelope.error }
      if (published.value === null && envelope.value === null) {
        throw new AggregateError(
          [errors.xmtp, errors.gateway],
          'Neither XMTP nor the gateway took the message',
        )
      }
      return { messageId, published: published.value ?? false, envelope: envelope.value, errors }
    },
    isFirst(message) {
      const place = 'messageId' in message ? nativePlace(message) : boundPlace(message)
      if (place === null) return true
      const first = seen.add(place)
      seen.saveSoon()
      return first
    },
  }
}

async function settle<Value>(
  work: () => Promise<Value>,
): Promise<{ value: Value; error: null } | { value: null; error: unknown }> {
  try {
    return { value: await work(), error: null }
  } catch (error) {
    return { value: null, error }
  }
}

function prepare({ text }: OutgoingMessage, native: NativeSend): Promise<string> {
  if ('prepare' in native) return native.prepare()
  if (text !== undefined) return native.sendText(text, { optimistic: true })
  throw new TypeError('other content than text needs prepare and publish')
}

function bound(message: OutgoingMessage, messageId: string): OutgoingMessage {
  const { text, content, ...rest } = message
  const plain = content ?? { contentType: TEXT_TYPE, bytes: utf8Encode(text ?? '') }
  const parameters = { ...plain.parameters, [XMTP_MESSAGE_ID]: messageId }
  return { ...rest, content: { ...plain, parameters } }
}

function nativePlace({ messageId, senderInboxId }: { messageId: string; senderInboxId: string }): string {
  return toHex(H('causeway/dual/1', messageId, senderInboxId))
}

/** Null where there is nothing to compare with: no binding, or a wallet whose inbox id does not follow from it. */
function boundPlace({ from, content, mode }: Message): string | null {
  const messageId = content.parameters[XMTP_MESSAGE_ID]
  const senderInboxId = inboxIdOf(from)
  // What a gateway attests is not its sender's word.
  if (messageId === undefined || senderInboxId === null || mode !== 'sealed') return null
  return nativePlace({ messageId, senderInboxId })
}

/** As libxmtp makes the id of an account's first inbox: SHA-256 over the lower-case address and the nonce 1, as text. */
function inboxIdOf(wallet: string): string | null {
  const address = /^eip155:\*:(0x[0-9a-f]{40})$/.exec(wallet)?.[1]
  return address === undefined ? null : bytesToHex(sha256(utf8Encode(`${address}1`)))
}
