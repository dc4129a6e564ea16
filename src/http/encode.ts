/** From what the store keeps to what the API shows. */
import type { z } from '@hono/zod-openapi'
import { FLAGS } from '../envelope/index.ts'
import type { Accepted } from '../relay/types.ts'
import type { ConversationState, Delivery, InboxItem, StoredEndpoint } from '../store/port.ts'
import type { Cursors } from './cursor.ts'
import { originOf } from './origin.ts'
import type {
  acceptedSchema,
  conversationStateSchema,
  endpointSchema,
  flagsSchema,
  inboxItemSchema,
} from './schemas.ts'

/** A view on the same memory, for the native encoders of `Buffer`. */
function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function hex(bytes: Uint8Array): string {
  return view(bytes).toString('hex')
}

export function base64url(bytes: Uint8Array): string {
  return view(bytes).toString('base64url')
}

export function encodeFlags(flags: number): z.output<typeof flagsSchema> {
  return {
    ephemeral: (flags & FLAGS.ephemeral) !== 0,
    silent: (flags & FLAGS.silent) !== 0,
    hop: (flags & FLAGS.hop) !== 0,
  }
}

export function encodeInboxItem(item: InboxItem, cursors: Cursors): z.output<typeof inboxItemSchema> {
  return {
    cursor: cursors.encode(item.seq),
    id: hex(item.id),
    direction: item.direction,
    mode: item.mode,
    from: item.from,
    conversation: hex(item.conversation),
    contentType: item.contentType,
    flags: encodeFlags(item.flags),
    created: item.created,
    receivedAt: item.receivedAt,
    via: item.via,
    origin: originOf(item),
    sealed: base64url(item.bytes),
    certificate: item.certificate && base64url(item.certificate),
  }
}

export function encodeConversationState(
  state: ConversationState,
  cursors: Cursors,
): z.output<typeof conversationStateSchema> {
  const { conversation, consent, muted, unread, readThrough } = state
  return {
    conversation: hex(conversation),
    consent,
    muted,
    unread,
    readThrough: readThrough === 0 ? null : cursors.encode(readThrough),
  }
}

export function encodeAccepted(accepted: Accepted): z.output<typeof acceptedSchema> {
  const { id, duplicate, deliveries } = accepted
  return { id: hex(id), duplicate, deliveries }
}

export function encodeEndpoint(endpoint: StoredEndpoint): z.output<typeof endpointSchema> {
  const { network, address, enabled, source, updatedAt } = endpoint
  return { network, address, enabled, source, updatedAt }
}

/** What operators see of a delivery. */
export function encodeDelivery(delivery: Delivery) {
  const { id, envelopeId, wallet, network, state, rank, attempt, nextAt, reason, createdAt, updatedAt } =
    delivery
  return {
    id,
    envelopeId: hex(envelopeId),
    wallet,
    network,
    state,
    rank,
    attempt,
    nextAt,
    reason,
    createdAt,
    updatedAt,
  }
}
