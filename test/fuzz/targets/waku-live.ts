/** Waku over a real connection: raw bytes on streams of every protocol of a running node, which must go on answering. */
import { proto_filter_v2, proto_lightpush, proto_metadata, proto_store } from '@waku/proto'
import * as lengthPrefixed from 'it-length-prefixed'
import { defaultLimits } from '../../../adapters/waku/embedded/options.ts'
import { PUBSUB_TOPIC, startTestNode, testMessage } from '../../../adapters/waku/testing/node.ts'
import { connectRawPeer, type RawPeer } from '../../../adapters/waku/testing/raw-peer.ts'
import { codecs } from '../../../adapters/waku/wire/codecs.ts'
import { toProto } from '../../../adapters/waku/wire/message.ts'
import { concatBytes } from '../../../src/envelope/index.ts'
import { writeVarint } from '../mutate-protobuf.ts'
import { codeOfClass, defineTarget } from '../target.ts'
import { bytesOrEmpty, packParts, partsOf } from './container.ts'
import { chosen, Refused } from './stand-ins.ts'
import { inconsistency } from './waku-services.ts'

const PROTOCOLS: readonly string[] = [
  codecs.metadata,
  codecs.lightPushV3,
  codecs.lightPushV2,
  codecs.filterSubscribe,
  codecs.store,
  codecs.relay,
]
/** The node is asked something valid after this many inputs. */
const CHECK_EVERY = 25
/** Longest wait for an answer, milliseconds. Relay never gives one; its stream just stays open. */
const ANSWER_MS = 1_000
const RELAY_MS = 20

const framed = (message: Uint8Array) => lengthPrefixed.encode.single(message).subarray()
const field = (number: number, value: Uint8Array) =>
  concatBytes(writeVarint(BigInt(number * 8 + 2)), writeVarint(BigInt(value.length)), value)

function seedInputs(): Uint8Array[] {
  const text = new TextEncoder()
  const message = testMessage()
  const query = {
    requestId: 'r',
    includeData: true,
    contentTopics: [],
    messageHashes: [message.hash],
    paginationForward: true,
  }
  const subscription = {
    requestId: 'r',
    filterSubscribeType: proto_filter_v2.FilterSubscribeRequest.FilterSubscribeType.SUBSCRIBE,
    pubsubTopic: PUBSUB_TOPIC,
    contentTopics: [message.contentTopic],
  }
  // gossipsub RPC: subscriptions (1), publish (2) of data (2) and topic (4), control (3).
  const published = concatBytes(field(2, message.wire), field(4, text.encode(PUBSUB_TOPIC)))
  const requests = [
    proto_metadata.WakuMetadataRequest.encode({ clusterId: 42, shards: [5] }),
    proto_lightpush.LightPushRequestV3.encode({
      requestId: 'r',
      pubsubTopic: PUBSUB_TOPIC,
      message: toProto(message),
    }),
    proto_lightpush.PushRpc.encode({
      requestId: 'r',
      request: { pubsubTopic: PUBSUB_TOPIC, message: toProto(message) },
    }),
    proto_filter_v2.FilterSubscribeRequest.encode(subscription),
    proto_store.StoreQueryRequest.encode(query),
    field(2, published),
  ]
  return requests.map((request, protocol) => packParts(protocol, framed(request)))
}

export const wakuLiveTargets = [
  defineTarget<Uint8Array>({
    name: 'waku-connection',
    format: 'cbor-container',
    inputs: 20_000,
    testInputs: 300,
    async open() {
      const unlimited = { burst: 1e9, perSecond: 1e9 }
      const limits = { ...defaultLimits, lightPush: unlimited, filter: unlimited, store: unlimited }
      const running = await startTestNode({ limits })
      let peer: RawPeer = await connectRawPeer(running.tcp)
      let spoken = 0

      /** A peer that misbehaves is cut off; it comes back as a new one. */
      async function connected(): Promise<RawPeer> {
        if (peer.connection.status === 'open') return peer
        await peer.stop()
        peer = await connectRawPeer(running.tcp)
        return peer
      }

      async function speak(protocol: string, bytes: Uint8Array): Promise<Uint8Array[]> {
        const speaker = await connected()
        let timer: NodeJS.Timeout | undefined
        const patience = new Promise<Uint8Array[]>((resolve) => {
          timer = setTimeout(() => resolve([]), protocol === codecs.relay ? RELAY_MS : ANSWER_MS)
        })
        const answers = await Promise.race([speaker.speak(protocol, bytes), patience])
        clearTimeout(timer)
        return answers
      }

      async function checkNode(): Promise<void> {
        for (let attempt = 0; attempt < 3; attempt++) {
          const request = proto_metadata.WakuMetadataRequest.encode({ clusterId: 42, shards: [] })
          if ((await speak(codecs.metadata, framed(request))).length > 0) return
          await peer.stop()
          peer = await connectRawPeer(running.tcp)
        }
        throw new Error('The node no longer answers')
      }

      return {
        seeds: seedInputs(),
        async run(input) {
          const [index, bytes] = partsOf(input)
          const protocol = chosen(PROTOCOLS, index)
          const answers = await speak(protocol, bytesOrEmpty(bytes))
          if (++spoken % CHECK_EVERY === 0) await checkNode()
          // Relay answers nobody.
          if (answers.length === 0 && protocol !== codecs.relay) throw new Refused('no-answer')
          return answers
        },
        typed: codeOfClass(Refused),
        forged: () =>
          running.heard
            .splice(0)
            .map(({ message }) => inconsistency(message))
            .find((wrong) => wrong !== null) ?? null,
        async close() {
          await peer.stop()
          await running.stop()
        },
      }
    },
  }),
]
