/** Waku, as a client: what peers and nwaku's REST interface answer, and the framing of streams. */
import type { Connection, Stream } from '@libp2p/interface'
import { proto_filter_v2, proto_lightpush, proto_store } from '@waku/proto'
import * as lengthPrefixed from 'it-length-prefixed'
import { Uint8ArrayList } from 'uint8arraylist'
import { WakuError } from '../../../adapters/waku/errors.ts'
import { RestClient } from '../../../adapters/waku/rest/client.ts'
import { codecs } from '../../../adapters/waku/wire/codecs.ts'
import { filterPing, filterSubscribe } from '../../../adapters/waku/wire/filter-client.ts'
import { lightPush } from '../../../adapters/waku/wire/lightpush-client.ts'
import { type NetworkMessage, toNanoseconds, toProto } from '../../../adapters/waku/wire/message.ts'
import { storeHas, storeHashes, storeMessages } from '../../../adapters/waku/wire/store-client.ts'
import { serveStream } from '../../../adapters/waku/wire/streams.ts'
import { codeOfClass, defineTarget } from '../target.ts'
import { bytesOrEmpty, packParts, partsOf } from './container.ts'
import { START } from './people.ts'
import { asksWithoutEnd, type CannedAnswer, cannedFetch, chosen, quietLog, Refused } from './stand-ins.ts'
import { inconsistency, PUBSUB_TOPIC, wakuMessages } from './waku-services.ts'

const typed = codeOfClass(WakuError)
const signal = new AbortController().signal

/** A peer that answers each request with the next of the given bytes, raw, from the first again after the last. */
function cannedPeer() {
  let answers: readonly Uint8Array[] = []
  let requests = 0
  const newStream = async () => {
    if (asksWithoutEnd(requests)) throw new Error('asked too often')
    const answer = answers[requests++ % Math.max(1, answers.length)] ?? new Uint8Array()
    return streamOf([answer])
  }
  return {
    connection: { remotePeer: { toString: () => 'peer' }, newStream } as unknown as Connection,
    load(next: readonly Uint8Array[]) {
      answers = next
      requests = 0
    },
    requests: () => requests,
  }
}

/** A stream on which these chunks come; what is written to it is read and forgotten. */
function streamOf(
  chunks: readonly Uint8Array[],
  written: (chunk: Uint8Array) => void = () => undefined,
): Stream {
  const stream = {
    protocol: 'fuzz',
    source: (async function* () {
      for (const chunk of chunks) yield new Uint8ArrayList(chunk)
    })(),
    sink: async (source: AsyncIterable<Uint8Array | Uint8ArrayList>) => {
      for await (const chunk of source) written(chunk.subarray())
    },
    abort: () => undefined,
  }
  return stream as unknown as Stream
}

const framed = (message: Uint8Array) => lengthPrefixed.encode.single(message).subarray()

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

interface Taken {
  messages: NetworkMessage[]
  requests: number
}

function wrongIn({ messages, requests }: Taken): string | null {
  if (asksWithoutEnd(requests)) return 'the client asks for page after page without end'
  return messages.map(inconsistency).find((wrong) => wrong !== null) ?? null
}

function peerSeeds(): Uint8Array[] {
  const messages = wakuMessages()
  const head = { requestId: 'r', statusCode: 200, statusDesc: 'OK' }
  const page = (paginationCursor?: Uint8Array) =>
    proto_store.StoreQueryResponse.encode({
      ...head,
      messages: messages.map(({ hash }) => ({ messageHash: hash })),
      ...(paginationCursor ? { paginationCursor } : {}),
    })
  const found = proto_store.StoreQueryResponse.encode({
    ...head,
    messages: messages.map((message) => ({
      messageHash: message.hash,
      message: toProto(message),
      pubsubTopic: PUBSUB_TOPIC,
    })),
  })
  return [
    packParts(0, framed(page(messages[2]!.hash)), framed(page())),
    packParts(1, framed(found)),
    packParts(2, framed(page())),
    packParts(
      3,
      framed(
        proto_lightpush.LightPushResponseV3.encode({ requestId: 'r', statusCode: 200, relayPeerCount: 2 }),
      ),
    ),
    packParts(
      4,
      framed(proto_lightpush.PushRpc.encode({ requestId: 'r', response: { isSuccess: true, info: 'ok' } })),
    ),
    packParts(5, framed(proto_filter_v2.FilterSubscribeResponse.encode({ requestId: 'r', statusCode: 200 }))),
    packParts(6, framed(proto_filter_v2.FilterSubscribeResponse.encode({ requestId: 'r', statusCode: 404 }))),
  ]
}

function restSeeds(): string[] {
  const [message] = wakuMessages()
  const { payload, contentTopic, timestamp, hash } = message!
  const body = {
    payload: Buffer.from(payload).toString('base64'),
    contentTopic,
    version: 0,
    timestamp: Number(timestamp),
    ephemeral: false,
  }
  const entry = {
    messageHash: `0x${Buffer.from(hash).toString('hex')}`,
    message: body,
    pubsubTopic: PUBSUB_TOPIC,
  }
  const page = { requestId: 'r', statusCode: 200, statusDesc: 'OK', messages: [entry] }
  const rows: { call: number; answers: CannedAnswer[] }[] = [
    { call: 0, answers: [{ body: JSON.stringify([body, body]) }] },
    {
      call: 1,
      answers: [
        { body: JSON.stringify({ ...page, paginationCursor: entry.messageHash }) },
        { body: JSON.stringify(page) },
      ],
    },
    { call: 2, answers: [{ body: JSON.stringify(page) }] },
    { call: 3, answers: [{ status: 200, body: '' }] },
  ]
  return rows.map((row) => JSON.stringify(row))
}

export const wakuAnswerTargets = [
  defineTarget<Uint8Array>({
    name: 'waku-peer-answers',
    format: 'cbor-container',
    testInputs: 4_000,
    async open() {
      const peer = cannedPeer()
      const { connection } = peer
      const messages = wakuMessages()
      const query = {
        pubsubTopic: PUBSUB_TOPIC,
        contentTopics: ['/causeway/1/in-0/cbor'],
        from: toNanoseconds(START - 1000),
        to: toNanoseconds(START),
      }
      const none = async (work: Promise<unknown>) => {
        await work
        return []
      }
      const calls: (() => Promise<NetworkMessage[]>)[] = [
        () => none(collect(storeHashes(connection, query, signal))),
        () =>
          storeMessages(
            connection,
            messages.map(({ hash }) => hash),
            signal,
          ),
        () => none(storeHas(connection, messages[0]!.hash, signal)),
        () => none(lightPush(connection, [codecs.lightPushV3], messages[0]!, signal)),
        () => none(lightPush(connection, [codecs.lightPushV2], messages[0]!, signal)),
        () => none(filterSubscribe(connection, PUBSUB_TOPIC, ['/causeway/1/in-0/cbor'], signal)),
        () => none(filterPing(connection, signal)),
      ]
      return {
        seeds: peerSeeds(),
        async run(input): Promise<Taken> {
          const [call, ...answers] = partsOf(input)
          peer.load(answers.map(bytesOrEmpty))
          const made = chosen(calls, call)()
          const found = await made.catch((error: unknown) => {
            if (asksWithoutEnd(peer.requests())) return []
            throw error
          })
          return { messages: found, requests: peer.requests() }
        },
        typed,
        forged(_input, value) {
          const taken = value as Taken
          const asked = new Set(messages.map(({ id }) => id))
          if (!taken.messages.every(({ id }) => asked.has(id)))
            return 'a message was taken that was not asked for'
          return wrongIn(taken)
        },
      }
    },
  }),
  defineTarget<string>({
    name: 'waku-rest-answers',
    format: 'json-container',
    inputs: 100_000,
    testInputs: 2_000,
    async open() {
      const fetched = cannedFetch()
      const client = new RestClient({
        url: 'http://127.0.0.1:1',
        pubsubTopic: PUBSUB_TOPIC,
        storePeer: undefined,
        timeoutMs: 5_000,
      })
      const [message] = wakuMessages()
      const range = { from: toNanoseconds(START - 1000), to: toNanoseconds(START) }
      const calls: (() => Promise<NetworkMessage[]>)[] = [
        () => client.drain(signal),
        () => collect(client.range(['/causeway/1/in-0/cbor'], range, signal)),
        async () => ((await client.has(message!.hash, signal)) ? [] : []),
        async () => {
          await client.publish('relay', message!, signal)
          return []
        },
      ]
      return {
        seeds: restSeeds(),
        async run(input): Promise<Taken> {
          const parsed = (JSON.parse(input) ?? {}) as { call?: unknown; answers?: unknown }
          const answers = Array.isArray(parsed.answers) ? parsed.answers : []
          fetched.load(answers.filter((answer) => typeof answer === 'object' && answer !== null))
          const made = chosen(calls, parsed.call)()
          const messages = await made.catch((error: unknown) => {
            if (asksWithoutEnd(fetched.requests())) return []
            throw error
          })
          return { messages, requests: fetched.requests() }
        },
        typed,
        forged: (_input, value) => {
          const taken = value as Taken
          return wrongIn({
            ...taken,
            messages: taken.messages.filter(({ pubsubTopic }) => pubsubTopic === PUBSUB_TOPIC),
          })
        },
        close: async () => fetched.restore(),
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'waku-stream',
    format: 'bytes',
    async open() {
      const limit = 64
      const echo = (chunks: readonly Uint8Array[]) => {
        const answered: Uint8Array[] = []
        const received: Uint8Array[] = []
        const options = {
          answer: (request: Uint8ArrayList) => {
            received.push(request.subarray())
            return request.subarray()
          },
          maxRequestBytes: limit,
          idleMs: 60_000,
          log: { ...quietLog, debug: () => answered.splice(0) },
        }
        const connection = { remotePeer: { toString: () => 'peer' } } as unknown as Connection
        const stream = streamOf(chunks, (chunk) => answered.push(chunk))
        return serveStream(stream, connection, options).then(() => ({ answered, received }))
      }
      const requests = ['first request', 'second'].map((text) => framed(new TextEncoder().encode(text)))
      return {
        seeds: [requests[0]!, Uint8Array.from(Buffer.concat(requests)), framed(new Uint8Array(limit))],
        hostile: [new Uint8Array(200_000).fill(0x80), new Uint8Array(200_000)],
        async run(input) {
          const halves = [input.subarray(0, input.length >> 1), input.subarray(input.length >> 1)]
          const { answered, received } = await echo(halves)
          if (answered.length === 0) throw new Refused('no-answer')
          return received
        },
        typed: codeOfClass(Refused),
        forged: (_input, received) =>
          (received as Uint8Array[]).every(({ length }) => length <= limit)
            ? null
            : 'a request over the limit was handed on',
      }
    },
  }),
]
