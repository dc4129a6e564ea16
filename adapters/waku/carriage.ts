/**
 * How a frame rides on Waku: the payload is the frame, and the content topic is a bucket of wallets. Nothing else of the
 * message says whom it is for. Pure functions.
 */
import { H } from '../../src/envelope/index.ts'

/** Largest Waku message, encoded, that nwaku and this adapter's own nodes take: 150 KiB. */
export const MAX_MESSAGE_BYTES = 150 * 1024

/** Room kept for the message's other fields: content topic, timestamp and a rate limit proof of about 350 bytes. */
const MESSAGE_OVERHEAD_BYTES = 1024

/** Largest frame in bytes. */
export const MAX_FRAME_BYTES = MAX_MESSAGE_BYTES - MESSAGE_OVERHEAD_BYTES

/** Of the topics `/causeway/1/in-<bucket>/cbor`; `<bucket>` is a decimal number without leading zeros. */
export const CONTENT_TOPIC_PATTERN = '/causeway/1/in-<bucket>/cbor'

const CONTENT_TOPIC = /^\/causeway\/1\/in-(0|[1-9]\d{0,4})\/cbor$/

/**
 * Bucket of a wallet: the first four bytes of `H('causeway/waku-bucket/1', walletKey)` as a big-endian number, modulo the
 * number of buckets. Many wallets share one, so a topic that a client asks a service node for does not name its wallet.
 */
export function bucketOf(walletKey: string, buckets: number): number {
  const digest = H('causeway/waku-bucket/1', walletKey)
  return new DataView(digest.buffer, digest.byteOffset, 4).getUint32(0) % buckets
}

/** Content topic of one bucket. */
export function contentTopicOfBucket(bucket: number): string {
  return `/causeway/1/in-${bucket}/cbor`
}

/** Content topic on which a wallet is reached. Never holds the address. */
export function contentTopicOf(walletKey: string, buckets: number): string {
  return contentTopicOfBucket(bucketOf(walletKey, buckets))
}

/** Content topics of all buckets, in order. */
export function contentTopics(buckets: number): string[] {
  return Array.from({ length: buckets }, (_, bucket) => contentTopicOfBucket(bucket))
}

/** Whether `contentTopic` is one of the topics of this many buckets. */
export function isContentTopic(contentTopic: string, buckets: number): boolean {
  const match = CONTENT_TOPIC.exec(contentTopic)
  return match !== null && Number(match[1]) < buckets
}
