/** Waku, as a server: relayed messages and the requests of each service protocol. */
import type { Connection } from '@libp2p/interface'
import { proto_filter_v2, proto_lightpush, proto_store } from '@waku/proto'
import { Uint8ArrayList } from 'uint8arraylist'
import { contentTopicOfBucket, contentTopics, isContentTopic } from '../../../adapters/waku/carriage.ts'
import { Archive } from '../../../adapters/waku/embedded/archive.ts'
import { FilterService } from '../../../adapters/waku/embedded/filter-service.ts'
import { LightPushService } from '../../../adapters/waku/embedded/lightpush-service.ts'
import { defaultLimits } from '../../../adapters/waku/embedded/options.ts'
import { StoreService } from '../../../adapters/waku/embedded/store-service.ts'
import {
  createMessage,
  messageHash,
  type NetworkMessage,
  pubsubTopicOf,
  readMessage,
  toNanoseconds,
  toProto,
} from '../../../adapters/waku/wire/message.ts'
import { codeOfClass, defineTarget, type Session } from '../target.ts'
import { fixed, START } from './people.ts'
import { idleClock, quietLog, Refused } from './stand-ins.ts'

export const PUBSUB_TOPIC = pubsubTopicOf(42, 8)
const BUCKETS = 64
/** What the framing lets through to a service, bytes. */
const MAX_REQUEST_BYTES = 128 * 1024
const unlimited = { burst: 1e9, perSecond: 1e9 }
const limits = { ...defaultLimits, lightPush: unlimited, filter: unlimited, store: unlimited }

export function wakuMessages(): NetworkMessage[] {
  return [0, 1, 2].map((index) =>
    createMessage({
      pubsubTopic: PUBSUB_TOPIC,
      contentTopic: contentTopicOfBucket(index),
      payload: fixed(`payload ${index}`, 32),
      timestamp: toNanoseconds(START + index),
      ephemeral: index === 2,
    }),
  )
}

/** Says in what a message is not what its bytes say, by reading them again. */
export function inconsistency(message: NetworkMessage): string | null {
  if (message.contentTopic === '' || message.payload.length === 0)
    return 'a message has no content topic or no payload'
  if (message.pubsubTopic !== PUBSUB_TOPIC) return 'a message is of another pubsub topic'
  const again = readMessage(PUBSUB_TOPIC, message.wire)
  if (again === null) return 'the bytes of a message are none'
  if (again.id !== message.id || Buffer.compare(again.payload, message.payload) !== 0)
    return 'read again, the message is another one'
  const proto = toProto(message)
  return Buffer.compare(messageHash(PUBSUB_TOPIC, proto), message.hash) === 0
    ? null
    : 'the hash is that of another message'
}

interface Answered {
  requestId: string
  statusCode: number
}

/**
 * A service must answer every request that is protobuf, with the request's id and a documented status, and may throw for
 * others: the stream is then reset. Errors of reading the request alone are therefore its refusal.
 */
function serviceSession(options: {
  seeds: Uint8Array[]
  requestId(bytes: Uint8Array): string
  answer(request: Uint8ArrayList, connection: Connection): Uint8Array | Promise<Uint8Array>
  read(answer: Uint8Array): Answered
  inspect?(): string | null
}): Session<Uint8Array> {
  const connection = connectionOf('peer')
  return {
    seeds: options.seeds,
    async run(input) {
      if (input.length > MAX_REQUEST_BYTES) throw new Refused('too-long')
      let requestId: string
      try {
        requestId = options.requestId(input)
      } catch (_notProtobuf) {
        throw new Refused('not-protobuf')
      }
      const answer = options.read(await options.answer(new Uint8ArrayList(input), connection))
      // Ids that are no text have no certain spelling in the answer.
      if (answer.requestId !== requestId && /^[ -~]*$/.test(requestId))
        throw new Error('The answer is for another request')
      if (answer.statusCode !== 200) throw new Refused(`status ${answer.statusCode}`)
      return answer
    },
    typed: (error) =>
      error instanceof Refused &&
      /^(not-protobuf|too-long|status (400|404|413|420|421|503))$/.test(error.code)
        ? error.code
        : null,
    forged: () => options.inspect?.() ?? null,
  }
}

/** A peer that can be told apart; nothing can be sent to it. */
function connectionOf(peer: string): Connection {
  const connection = {
    remotePeer: { toString: () => peer },
    newStream: () => Promise.reject(new Error('no streams here')),
  }
  return connection as unknown as Connection
}

function lightPush() {
  const taken: NetworkMessage[] = []
  const service = new LightPushService({
    pubsubTopic: PUBSUB_TOPIC,
    limits,
    clock: idleClock(),
    accept: async (message) => {
      taken.push(message)
      return 1
    },
  })
  const inspect = () => {
    const found = taken
      .splice(0)
      .map((message) =>
        message.wire.length > limits.maxMessageBytes
          ? 'a message over the limit was taken'
          : inconsistency(message),
      )
    return found.find((wrong) => wrong !== null) ?? null
  }
  return { service, inspect }
}

export const wakuServiceTargets = [
  defineTarget<string>({
    name: 'waku-content-topic',
    format: 'text',
    async open() {
      const topics = new Set(contentTopics(BUCKETS))
      return {
        seeds: [...topics].slice(0, 12),
        run(input) {
          if (!isContentTopic(input, BUCKETS)) throw new Refused('not-a-topic')
          return input
        },
        typed: codeOfClass(Refused),
        forged: (input) => (topics.has(input) ? null : 'a topic of no bucket passes'),
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'waku-relay-message',
    format: 'protobuf',
    async open() {
      return {
        seeds: wakuMessages().map(({ wire }) => wire),
        run(input) {
          const message = readMessage(PUBSUB_TOPIC, input)
          if (message === null) throw new Refused('not-a-message')
          return message
        },
        typed: codeOfClass(Refused),
        forged: (_input, message) => inconsistency(message as NetworkMessage),
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'waku-lightpush-v3',
    format: 'protobuf',
    async open() {
      const { service, inspect } = lightPush()
      const codec = proto_lightpush.LightPushRequestV3
      return serviceSession({
        seeds: wakuMessages().map((message, index) =>
          codec.encode({
            requestId: `r${index}`,
            ...(index === 0 ? {} : { pubsubTopic: PUBSUB_TOPIC }),
            message: toProto(message),
          }),
        ),
        requestId: (bytes) => codec.decode(bytes).requestId,
        answer: (request, connection) => service.answerV3(request, connection),
        read: (answer) => proto_lightpush.LightPushResponseV3.decode(answer),
        inspect,
      })
    },
  }),
  defineTarget<Uint8Array>({
    name: 'waku-lightpush-v2',
    format: 'protobuf',
    async open() {
      const { service, inspect } = lightPush()
      const codec = proto_lightpush.PushRpc
      return serviceSession({
        seeds: wakuMessages().map((message, index) =>
          codec.encode({
            requestId: `r${index}`,
            request: { pubsubTopic: PUBSUB_TOPIC, message: toProto(message) },
          }),
        ),
        requestId: (bytes) => codec.decode(bytes).requestId,
        answer: (request, connection) => service.answerV2(request, connection),
        read(answer) {
          const { requestId, response } = codec.decode(answer)
          return { requestId, statusCode: response?.isSuccess ? 200 : 400 }
        },
        inspect,
      })
    },
  }),
  defineTarget<Uint8Array>({
    name: 'waku-filter',
    format: 'protobuf',
    async open() {
      const service = new FilterService({
        pubsubTopic: PUBSUB_TOPIC,
        limits,
        clock: idleClock(),
        log: quietLog,
      })
      const codec = proto_filter_v2.FilterSubscribeRequest
      const { SUBSCRIBE, SUBSCRIBER_PING, UNSUBSCRIBE } = codec.FilterSubscribeType
      const topics = contentTopics(3)
      const seed = (filterSubscribeType: proto_filter_v2.FilterSubscribeRequest.FilterSubscribeType) =>
        codec.encode({
          requestId: 'r',
          filterSubscribeType,
          pubsubTopic: PUBSUB_TOPIC,
          contentTopics: topics,
        })
      const session = serviceSession({
        seeds: [seed(SUBSCRIBE), seed(SUBSCRIBER_PING), seed(SUBSCRIBE), seed(UNSUBSCRIBE), seed(SUBSCRIBE)],
        requestId: (bytes) => codec.decode(bytes).requestId,
        answer: (request, connection) => service.answer(request, connection),
        read: (answer) => proto_filter_v2.FilterSubscribeResponse.decode(answer),
        inspect: () => (service.peers <= 1 ? null : 'one peer has several subscriptions'),
      })
      return { ...session, close: async () => service.stop() }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'waku-store',
    format: 'protobuf',
    testInputs: 5_000,
    async open() {
      const archive = new Archive({ file: null, retentionMs: 1e9, maxBytes: 1e7, clock: idleClock() })
      const messages = wakuMessages()
      for (const message of messages) archive.put(message)
      const service = new StoreService(archive, unlimited, idleClock())
      const codec = proto_store.StoreQueryRequest
      const known = new Set(messages.map(({ id }) => id))
      let last: proto_store.StoreQueryResponse | null = null
      const range = {
        requestId: 'r',
        includeData: true,
        pubsubTopic: PUBSUB_TOPIC,
        contentTopics: contentTopics(3),
        messageHashes: [],
        timeStart: toNanoseconds(START - 1000),
        timeEnd: toNanoseconds(START + 1000),
        paginationForward: true,
        paginationLimit: 2n,
      }
      const seeds = [
        range,
        { ...range, paginationForward: false, paginationCursor: messages[1]!.hash, includeData: false },
        { ...range, contentTopics: [], messageHashes: messages.map(({ hash }) => hash) },
      ]
      const session = serviceSession({
        seeds: seeds.map((query) => codec.encode(query)),
        requestId: (bytes) => codec.decode(bytes).requestId,
        answer: (request, connection) => service.answer(request, connection),
        read(answer) {
          last = proto_store.StoreQueryResponse.decode(answer)
          return { requestId: last.requestId, statusCode: last.statusCode ?? 0 }
        },
        inspect() {
          const hashes = (last?.messages ?? []).map(({ messageHash: hash }) =>
            Buffer.from(hash ?? []).toString('hex'),
          )
          if (hashes.length > 100) return 'a page is longer than allowed'
          return hashes.every((hash) => known.has(hash))
            ? null
            : 'the answer holds a message that is not in the archive'
        },
      })
      return { ...session, close: async () => archive.close() }
    },
  }),
]
