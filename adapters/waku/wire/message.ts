/** Waku messages (14/WAKU2-MESSAGE): encoding, the deterministic hash, and nanosecond time. */
import { createHash } from 'node:crypto'
import { proto_message } from '@waku/proto'
import type { Uint8ArrayList } from 'uint8arraylist'

/** A message of the network together with what follows from it. */
export interface NetworkMessage {
  /** Deterministic message hash (14/WAKU2-MESSAGE), 32 bytes. */
  hash: Uint8Array
  /** The hash in lower-case hexadecimal. */
  id: string
  pubsubTopic: string
  contentTopic: string
  payload: Uint8Array
  /** Unix nanoseconds as the sender wrote them; 0 when absent. */
  timestamp: bigint
  ephemeral: boolean
  /** Encoded `WakuMessage`. Forwarded and archived as it came, so that fields unknown to us survive. */
  wire: Uint8Array
}

/** What is needed to make a message. */
export interface MessageContent {
  pubsubTopic: string
  contentTopic: string
  payload: Uint8Array
  /** Unix nanoseconds. */
  timestamp: bigint
  ephemeral: boolean
}

/** Nanoseconds since 1970 in a signed 64-bit field. */
const LAST_TIME = 2n ** 63n - 1n

export type ProtoMessage = proto_message.WakuMessage

/** A message of payload version 0 (no encryption of Waku's own: the payload is sealed already). */
export function createMessage(content: MessageContent): NetworkMessage {
  const { pubsubTopic, contentTopic, payload, timestamp, ephemeral } = content
  const wire = proto_message.WakuMessage.encode({ payload, contentTopic, version: 0, timestamp, ephemeral })
  const hash = messageHash(pubsubTopic, { payload, contentTopic, timestamp })
  return { ...content, hash, id: Buffer.from(hash).toString('hex'), wire }
}

/** Reads an encoded message. Returns null for anything that is not a message with a content topic and a payload. */
export function readMessage(pubsubTopic: string, wire: Uint8Array | Uint8ArrayList): NetworkMessage | null {
  const bytes = wire instanceof Uint8Array ? wire : wire.subarray()
  let proto: ProtoMessage
  try {
    proto = proto_message.WakuMessage.decode(bytes)
  } catch {
    // Protobuf throws many kinds of errors on foreign bytes; all mean the same: not a message.
    return null
  }
  return describeMessage(pubsubTopic, proto, bytes)
}

/**
 * Describes a decoded message. Returns null when it has no content topic or no payload, or a time before 1970 or over 63
 * bits: protobuf does not write such a time back as it was read, and the message would change its hash on the way.
 */
export function describeMessage(
  pubsubTopic: string,
  proto: ProtoMessage,
  wire: Uint8Array = proto_message.WakuMessage.encode(proto),
): NetworkMessage | null {
  const timestamp = proto.timestamp ?? 0n
  if (!proto.contentTopic || !proto.payload?.length || timestamp < 0n || timestamp > LAST_TIME) return null
  const hash = messageHash(pubsubTopic, proto)
  return {
    hash,
    id: Buffer.from(hash).toString('hex'),
    pubsubTopic,
    contentTopic: proto.contentTopic,
    payload: proto.payload,
    timestamp,
    ephemeral: proto.ephemeral ?? false,
    wire,
  }
}

/** The message in the form that protocol messages embed. */
export function toProto(message: NetworkMessage): ProtoMessage {
  return proto_message.WakuMessage.decode(message.wire)
}

/**
 * SHA-256 over pubsub topic, payload, content topic, meta and the timestamp as 8 big-endian bytes. The version, the
 * ephemeral flag and the proof are not part of it, and no lengths stand between the parts: never use it as an envelope id.
 */
export function messageHash(
  pubsubTopic: string,
  message: { payload: Uint8Array; contentTopic: string; meta?: Uint8Array; timestamp?: bigint },
): Uint8Array {
  const timestamp = Buffer.alloc(8)
  timestamp.writeBigInt64BE(BigInt.asIntN(64, message.timestamp ?? 0n))
  return createHash('sha256')
    .update(pubsubTopic)
    .update(message.payload)
    .update(message.contentTopic)
    .update(message.meta ?? new Uint8Array(0))
    .update(timestamp)
    .digest()
}

/** Unix milliseconds to nanoseconds, exactly: a product of doubles would round above 2^53. */
export function toNanoseconds(milliseconds: number): bigint {
  return BigInt(Math.trunc(milliseconds)) * 1_000_000n
}

/** Unix nanoseconds to milliseconds, rounded down. */
export function toMilliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000_000n)
}

/**
 * The pubsub topic on which all `/causeway/1/…` content topics travel (RELAY-SHARDING, automatic): the last eight bytes of
 * SHA-256(application ‖ version) modulo the number of shards.
 */
export function pubsubTopicOf(clusterId: number, shardsInCluster: number): string {
  const digest = createHash('sha256').update('causeway').update('1').digest()
  const shard = digest.readBigUInt64BE(24) % BigInt(shardsInCluster)
  return `/waku/2/rs/${clusterId}/${shard}`
}

/** Shard number of a pubsub topic made by `pubsubTopicOf`. */
export function shardOf(pubsubTopic: string): number {
  return Number(pubsubTopic.slice(pubsubTopic.lastIndexOf('/') + 1))
}
