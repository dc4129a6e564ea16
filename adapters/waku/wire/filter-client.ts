/** The requests of a Filter client: subscribe and ping. Pushed messages are received by the SDK. */
import { randomUUID } from 'node:crypto'
import type { Connection } from '@libp2p/interface'
import { proto_filter_v2 } from '@waku/proto'
import { WakuError } from '../errors.ts'
import { codecs, MAX_CONTENT_TOPICS_PER_REQUEST } from './codecs.ts'
import { batches } from './store-client.ts'
import { request } from './streams.ts'

const MAX_ANSWER_BYTES = 16 * 1024
const { FilterSubscribeType } = proto_filter_v2.FilterSubscribeRequest

/** Subscribes to content topics, at most 100 in a request. Idempotent. Errors: `refused`, `no-peer`, `answer-lost`. */
export async function filterSubscribe(
  connection: Connection,
  pubsubTopic: string,
  contentTopics: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const batch of batches(contentTopics, MAX_CONTENT_TOPICS_PER_REQUEST)) {
    const { statusCode, statusDesc } = await ask(connection, signal, {
      filterSubscribeType: FilterSubscribeType.SUBSCRIBE,
      pubsubTopic,
      contentTopics: batch,
    })
    if (statusCode !== 200) {
      const reason = (statusDesc ?? 'no reason given').slice(0, 200)
      throw new WakuError('refused', `A Waku peer refused the Filter subscription: ${reason}`, {
        status: statusCode,
      })
    }
  }
}

/** Whether the peer still holds our subscription; also renews its life. */
export async function filterPing(connection: Connection, signal: AbortSignal): Promise<boolean> {
  const { statusCode } = await ask(connection, signal, {
    filterSubscribeType: FilterSubscribeType.SUBSCRIBER_PING,
    contentTopics: [],
  })
  return statusCode === 200
}

async function ask(
  connection: Connection,
  signal: AbortSignal,
  query: Omit<proto_filter_v2.FilterSubscribeRequest, 'requestId'>,
): Promise<proto_filter_v2.FilterSubscribeResponse> {
  const bytes = proto_filter_v2.FilterSubscribeRequest.encode({ ...query, requestId: randomUUID() })
  const answer = await request(connection, codecs.filterSubscribe, bytes, {
    signal,
    maxAnswerBytes: MAX_ANSWER_BYTES,
  })
  try {
    return proto_filter_v2.FilterSubscribeResponse.decode(answer)
  } catch (cause) {
    throw new WakuError('malformed-answer', 'A Filter answer is not valid protobuf', { cause })
  }
}
