/**
 * Store 3.0.0 client with exact nanoseconds. Used instead of the SDK's `store` because that one rounds times through a
 * double, drops the rest of ranges over 24 hours, cannot ask for hashes alone, and ends a walk in silence when a stream fails.
 */
import { randomUUID } from 'node:crypto'
import type { Connection } from '@libp2p/interface'
import { proto_store } from '@waku/proto'
import { WakuError } from '../errors.ts'
import { codecs, MAX_CONTENT_TOPICS_PER_REQUEST, MAX_PAGE_SIZE, MAX_QUERY_RANGE_NS } from './codecs.ts'
import { describeMessage, type NetworkMessage } from './message.ts'
import { request } from './streams.ts'

/** Sixteen messages of the largest size and their overhead stay below the 4 MiB that length-prefix decoders take. */
const MESSAGES_PER_FETCH = 16
const MAX_ANSWER_BYTES = 20 * 1024 * 1024

/** A range of message time, both ends included, in Unix nanoseconds. */
export interface TimeRange {
  from: bigint
  to: bigint
}

export interface RangeQuery extends TimeRange {
  pubsubTopic: string
  contentTopics: readonly string[]
}

/** Cuts a range into windows of at most 24 hours, oldest first. Empty when `from` is after `to`. */
export function* queryWindows(
  { from, to }: TimeRange,
  width: bigint = MAX_QUERY_RANGE_NS,
): Generator<TimeRange> {
  for (let start = from; start <= to; start += width) {
    const end = start + width - 1n
    yield { from: start, to: end < to ? end : to }
  }
}

/** Cuts a list into parts of at most `size`. */
export function* batches<Item>(items: readonly Item[], size: number): Generator<Item[]> {
  for (let index = 0; index < items.length; index += size) yield items.slice(index, index + size)
}

/**
 * Notes a cursor that is about to be followed. Throws `malformed-answer` when it was followed before: the walk would go round
 * in circles, and must not count as complete either.
 */
export function follow(followed: Set<string>, cursor: string): void {
  if (followed.has(cursor)) {
    throw new WakuError('malformed-answer', 'A Store gave the same cursor twice; its pages have no end')
  }
  followed.add(cursor)
}

/** Yields pages of message hashes of a range, oldest first within a window. Pages are asked for one after the other. */
export async function* storeHashes(
  connection: Connection,
  query: RangeQuery,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array[]> {
  for (const window of queryWindows(query)) {
    for (const contentTopics of batches(query.contentTopics, MAX_CONTENT_TOPICS_PER_REQUEST)) {
      let cursor: Uint8Array | undefined
      const followed = new Set<string>()
      do {
        const answer = await ask(connection, signal, {
          includeData: false,
          pubsubTopic: query.pubsubTopic,
          contentTopics,
          timeStart: window.from,
          timeEnd: window.to,
          paginationForward: true,
          paginationLimit: BigInt(MAX_PAGE_SIZE),
          ...(cursor ? { paginationCursor: cursor } : {}),
        })
        const hashes = answer.messages.flatMap((entry) =>
          entry.messageHash?.length === 32 ? [entry.messageHash] : [],
        )
        if (hashes.length > 0) yield hashes
        cursor = hashes.length > 0 && answer.paginationCursor?.length ? answer.paginationCursor : undefined
        if (cursor) follow(followed, Buffer.from(cursor).toString('hex'))
      } while (cursor)
    }
  }
}

/**
 * Fetches messages by hash, in the order asked for. Those that the peer does not have, or that do not match their hash, are
 * left out.
 */
export async function storeMessages(
  connection: Connection,
  hashes: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<NetworkMessage[]> {
  const found = new Map<string, NetworkMessage>()
  for (const batch of batches(hashes, MESSAGES_PER_FETCH)) {
    const { messages } = await ask(connection, signal, {
      includeData: true,
      messageHashes: batch,
      contentTopics: [],
      paginationForward: true,
      paginationLimit: BigInt(batch.length),
    })
    for (const { message, pubsubTopic } of messages) {
      const described = message && pubsubTopic ? describeMessage(pubsubTopic, message) : null
      if (described) found.set(described.id, described)
    }
  }
  return hashes.flatMap((hash) => found.get(Buffer.from(hash).toString('hex')) ?? [])
}

/** Whether the peer's archive holds a message. */
export async function storeHas(
  connection: Connection,
  hash: Uint8Array,
  signal: AbortSignal,
): Promise<boolean> {
  return (await storeHolding(connection, [hash], signal)).has(Buffer.from(hash).toString('hex'))
}

/** Which of up to 100 messages the peer's archive holds: their hashes in hexadecimal. */
export async function storeHolding(
  connection: Connection,
  hashes: Uint8Array[],
  signal: AbortSignal,
): Promise<Set<string>> {
  const { messages } = await ask(connection, signal, {
    includeData: false,
    messageHashes: hashes,
    contentTopics: [],
    paginationForward: true,
    paginationLimit: BigInt(hashes.length),
  })
  return new Set(messages.flatMap(({ messageHash: held }) => (held ? Buffer.from(held).toString('hex') : [])))
}

async function ask(
  connection: Connection,
  signal: AbortSignal,
  query: Omit<proto_store.StoreQueryRequest, 'requestId' | 'messageHashes'> & {
    messageHashes?: Uint8Array[]
  },
): Promise<proto_store.StoreQueryResponse> {
  const bytes = proto_store.StoreQueryRequest.encode({ messageHashes: [], ...query, requestId: randomUUID() })
  const answer = await request(connection, codecs.store, bytes, { signal, maxAnswerBytes: MAX_ANSWER_BYTES })
  let response: proto_store.StoreQueryResponse
  try {
    response = proto_store.StoreQueryResponse.decode(answer)
  } catch (cause) {
    throw new WakuError('malformed-answer', 'A Store answer is not valid protobuf', { cause })
  }
  if (response.statusCode !== 200) {
    const reason = (response.statusDesc ?? 'no reason given').slice(0, 200)
    throw new WakuError('refused', `A Waku peer refused a Store query: ${reason}`, {
      status: response.statusCode ?? 500,
    })
  }
  return response
}
