/** Serves Store (13/WAKU2-STORE) 3.0.0 and Metadata (66/WAKU2-METADATA) 1.0.0. */
import type { Connection } from '@libp2p/interface'
import { proto_metadata, proto_store } from '@waku/proto'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { Clock } from '../../../src/adapter/index.ts'
import { WakuError } from '../errors.ts'
import { MAX_CONTENT_TOPICS_PER_REQUEST, MAX_PAGE_SIZE, MAX_QUERY_RANGE_NS } from '../wire/codecs.ts'
import { type NetworkMessage, shardOf, toProto } from '../wire/message.ts'
import type { Archive } from './archive.ts'
import { PeerRateLimiter, type RateLimit } from './rate-limit.ts'

const DEFAULT_PAGE_SIZE = 20

/** Clients decode at most 4 MiB; a page of large messages ends sooner and goes on with the cursor. */
const MAX_PAGE_BYTES = 3 * 1024 * 1024

export class StoreService {
  readonly #archive: Archive
  readonly #rates: PeerRateLimiter

  constructor(archive: Archive, limit: RateLimit, clock: Clock) {
    this.#archive = archive
    this.#rates = new PeerRateLimiter(limit, clock)
  }

  answer(bytes: Uint8ArrayList, connection: Connection): Uint8Array {
    const query = proto_store.StoreQueryRequest.decode(bytes)
    const { requestId, includeData } = query
    if (!this.#rates.take(connection.remotePeer.toString())) {
      return refusal(requestId, 429, 'too many store queries; slow down')
    }
    try {
      const page = query.messageHashes.length > 0 ? this.#byHash(query) : this.#byRange(query)
      return proto_store.StoreQueryResponse.encode({
        requestId,
        statusCode: 200,
        statusDesc: 'OK',
        messages: page.messages.map((message) => ({
          messageHash: message.hash,
          ...(includeData ? { message: toProto(message), pubsubTopic: message.pubsubTopic } : {}),
        })),
        ...(page.next ? { paginationCursor: page.next } : {}),
      })
    } catch (error) {
      if (error instanceof WakuError && error.code === 'query-invalid')
        return refusal(requestId, 400, error.message)
      throw error
    }
  }

  #byRange(query: proto_store.StoreQueryRequest) {
    const { contentTopics, timeStart: from, timeEnd: to, pubsubTopic, paginationCursor: cursor } = query
    if (contentTopics.length > MAX_CONTENT_TOPICS_PER_REQUEST) {
      throw new WakuError('query-invalid', `at most ${MAX_CONTENT_TOPICS_PER_REQUEST} content topics a query`)
    }
    if (from !== undefined && to !== undefined && to - from > MAX_QUERY_RANGE_NS) {
      throw new WakuError('query-invalid', 'the time range of a query is at most 24 hours')
    }
    return this.#archive.page({
      contentTopics,
      forward: query.paginationForward,
      limit: pageSize(query.paginationLimit),
      maxBytes: MAX_PAGE_BYTES,
      ...(pubsubTopic === undefined ? {} : { pubsubTopic }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      ...(cursor?.length ? { cursor } : {}),
    })
  }

  /** Answers in the order of the request; the cursor is the last hash that was looked at. */
  #byHash(query: proto_store.StoreQueryRequest): { messages: NetworkMessage[]; next: Uint8Array | null } {
    const { messageHashes, paginationCursor: cursor } = query
    if (messageHashes.length > MAX_PAGE_SIZE) {
      throw new WakuError('query-invalid', `at most ${MAX_PAGE_SIZE} message hashes a query`)
    }
    let start = 0
    if (cursor?.length) {
      start = 1 + messageHashes.findIndex((hash) => Buffer.from(hash).equals(cursor))
      if (start === 0) throw new WakuError('query-invalid', 'the cursor is not among the hashes asked for')
    }
    const messages: NetworkMessage[] = []
    let bytes = 0
    for (const hash of messageHashes.slice(start)) {
      const message = this.#archive.get(hash)
      if (!message) continue
      bytes += message.wire.length
      if (messages.length > 0 && bytes > MAX_PAGE_BYTES)
        return { messages, next: messages.at(-1)?.hash ?? null }
      messages.push(message)
    }
    return { messages, next: null }
  }
}

function pageSize(asked: bigint | undefined): number {
  if (asked === undefined || asked <= 0n) return DEFAULT_PAGE_SIZE
  return asked > BigInt(MAX_PAGE_SIZE) ? MAX_PAGE_SIZE : Number(asked)
}

function refusal(requestId: string, statusCode: number, statusDesc: string): Uint8Array {
  return proto_store.StoreQueryResponse.encode({ requestId, statusCode, statusDesc, messages: [] })
}

/** The answer of Metadata 1.0.0: which cluster and shard this node serves. */
export function encodeMetadata(clusterId: number, pubsubTopic: string): Uint8Array {
  return proto_metadata.WakuMetadataResponse.encode({ clusterId, shards: [shardOf(pubsubTopic)] })
}
