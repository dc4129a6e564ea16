/**
 * The protocol of `GET /v1/socket`: binary WebSocket messages, each one CBOR array `[kind, requestId, payload]`.
 *
 * `requestId` is an unsigned integer chosen by the client and repeated in the answer; 0 in what the gateway sends unasked.
 * A payload is a map with the names of the JSON API; ids, envelopes and certificates are byte strings.
 *
 * | kind | direction | payload |
 * |---|---|---|
 * | 1 attach | client | `{token, after: cursor or null}`: hear this session's wallet, and submit for it |
 * | 2 detach | client | `{wallet}` |
 * | 3 submit | client | `{wallet, sealed}` |
 * | 4 receipts | client | `{wallet, receipts: [{id, network, kind, at}]}` |
 * | 17 attached | gateway | `{wallet, recovered, cursor}`; then items follow |
 * | 18 detached | gateway | `{wallet}` |
 * | 19 accepted | gateway | `{id, duplicate, deliveries: [{network, wallet, state}]}`: durable |
 * | 20 noted | gateway | `{count}` |
 * | 31 refused | gateway | a problem: `{code, status, title, detail, fix}` |
 * | 32 item | gateway | an inbox item with `wallet` |
 * | 33 ended | gateway | `{wallet, code}`: this wallet is no longer heard; attach again with the last cursor |
 * | 34 conversation | gateway | `{wallet, conversation, consent, muted, unread, readThrough}`: as it now is |
 *
 * Back-pressure: the gateway stops reading while too many submissions are under way, and closes the connection with 1013
 * when too much waits for a slow reader; attach again with the last cursor. It closes with 1001 when it shuts down.
 */
import { decode } from 'cborg'
import type { ConversationState, InboxItem } from '../store/port.ts'
import type { Cursors } from './cursor.ts'
import { encodeConversationState, encodeFlags } from './encode.ts'
import { HttpError } from './errors.ts'
import { originOf } from './origin.ts'
import { encodeMessage, readSubmission } from './socket-codec.ts'

export const KIND = {
  attach: 1,
  detach: 2,
  submit: 3,
  receipts: 4,
  attached: 17,
  detached: 18,
  accepted: 19,
  noted: 20,
  refused: 31,
  item: 32,
  ended: 33,
  conversation: 34,
} as const

export type ClientFrame = { requestId: number } & (
  | { kind: 'attach'; token: string; after: string | null }
  | { kind: 'detach'; wallet: string }
  | { kind: 'submit'; wallet: string; sealed: Uint8Array }
  | { kind: 'receipts'; wallet: string; receipts: unknown[] }
)

/** Close codes of RFC 6455 section 7.4.1 and its registry. */
export const CLOSE = {
  goingAway: 1001,
  unsupported: 1003,
  protocol: 1002,
  tryAgainLater: 1013,
  idle: 4000,
} as const

const DECODE = { strict: true, allowIndefinite: false, allowUndefined: false, rejectDuplicateMapKeys: true }

/** Reads a message of a client. Errors: `socket-frame-invalid`. */
export function decodeClientFrame(bytes: Uint8Array): ClientFrame {
  const submission = readSubmission(bytes, KIND.submit)
  if (submission !== null) return { kind: 'submit', ...submission }
  let frame: unknown
  try {
    frame = decode(bytes, DECODE)
  } catch (cause) {
    throw new HttpError('socket-frame-invalid', 'The message is not CBOR', { cause })
  }
  if (!Array.isArray(frame) || frame.length !== 3) throw invalid('is not an array of three')
  const [kind, requestId, payload] = frame as unknown[]
  if (!Number.isSafeInteger(requestId) || (requestId as number) < 0) throw invalid('has no requestId')
  if (typeof payload !== 'object' || payload === null) throw invalid('has no payload')
  const fields = payload as Record<string, unknown>
  const head = { requestId: requestId as number }
  switch (kind) {
    case KIND.attach: {
      const after = fields.after ?? null
      if (after !== null && typeof after !== 'string') throw invalid('has an `after` that is not text')
      return { ...head, kind: 'attach', token: text(fields, 'token'), after }
    }
    case KIND.detach:
      return { ...head, kind: 'detach', wallet: text(fields, 'wallet') }
    case KIND.submit:
      if (!(fields.sealed instanceof Uint8Array)) throw invalid('has no byte string `sealed`')
      return { ...head, kind: 'submit', wallet: text(fields, 'wallet'), sealed: fields.sealed }
    case KIND.receipts:
      if (!Array.isArray(fields.receipts)) throw invalid('has no list `receipts`')
      return { ...head, kind: 'receipts', wallet: text(fields, 'wallet'), receipts: fields.receipts }
    default:
      throw invalid('is of an unknown kind')
  }
}

/** The request id of a message that was refused, as far as it can be read. */
export function requestIdOf(bytes: Uint8Array): number {
  try {
    const frame: unknown = decode(bytes, DECODE)
    const requestId: unknown = Array.isArray(frame) ? frame[1] : 0
    return typeof requestId === 'number' && Number.isSafeInteger(requestId) ? requestId : 0
  } catch {
    return 0
  }
}

export function encodeServerFrame(kind: number, requestId: number, payload: unknown): Uint8Array {
  return encodeMessage([kind, requestId, payload])
}

/** The message that carries an item to those who hear `wallet`. */
export function encodeItemFrame(item: InboxItem, wallet: string, cursors: Cursors): Uint8Array {
  const { id, direction, mode, from, conversation, contentType, created, receivedAt, via, certificate } = item
  return encodeServerFrame(KIND.item, 0, {
    wallet,
    cursor: cursors.encode(item.seq),
    id,
    direction,
    mode,
    from,
    conversation,
    contentType,
    flags: encodeFlags(item.flags),
    created,
    receivedAt,
    via,
    origin: originOf(item),
    sealed: item.bytes,
    certificate,
  })
}

/** The message that tells those who hear `wallet` of a conversation as it now is. */
export function encodeConversationFrame(
  state: ConversationState,
  wallet: string,
  cursors: Cursors,
): Uint8Array {
  const { conversation } = state
  const payload = { ...encodeConversationState(state, cursors), wallet, conversation }
  return encodeServerFrame(KIND.conversation, 0, payload)
}

function text(fields: Record<string, unknown>, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw invalid(`has no text \`${name}\``)
  return value
}

function invalid(reason: string): HttpError {
  return new HttpError('socket-frame-invalid', `The message ${reason}`)
}
