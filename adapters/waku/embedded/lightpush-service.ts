/** Serves Light Push (19/WAKU2-LIGHTPUSH) versions 3.0.0 and 2.0.0-beta1: clients publish through this node. */
import type { Connection } from '@libp2p/interface'
import { proto_lightpush } from '@waku/proto'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { Clock } from '../../../src/adapter/index.ts'
import { describeMessage, type NetworkMessage, type ProtoMessage, toNanoseconds } from '../wire/message.ts'
import type { ServiceLimits } from './options.ts'
import { PeerRateLimiter } from './rate-limit.ts'

export interface LightPushServiceOptions {
  pubsubTopic: string
  limits: ServiceLimits
  clock: Clock
  /** Takes the message and relays it; resolves to the number of relay peers that it went to. */
  accept(message: NetworkMessage): Promise<number>
}

/** Status codes of Light Push 3.0.0. */
const status = {
  success: 200,
  badRequest: 400,
  tooLarge: 413,
  invalid: 420,
  unsupportedTopic: 421,
  tooMany: 429,
} as const

interface Verdict {
  code: number
  description?: string
  relayPeers?: number
}

export class LightPushService {
  readonly #options: LightPushServiceOptions
  readonly #rates: PeerRateLimiter

  constructor(options: LightPushServiceOptions) {
    this.#options = options
    this.#rates = new PeerRateLimiter(options.limits.lightPush, options.clock)
  }

  async answerV3(bytes: Uint8ArrayList, connection: Connection): Promise<Uint8Array> {
    const { requestId, pubsubTopic, message } = proto_lightpush.LightPushRequestV3.decode(bytes)
    const verdict = await this.#judge(connection, pubsubTopic, message)
    return proto_lightpush.LightPushResponseV3.encode({
      requestId,
      statusCode: verdict.code,
      ...(verdict.description === undefined ? {} : { statusDesc: verdict.description }),
      ...(verdict.relayPeers === undefined ? {} : { relayPeerCount: verdict.relayPeers }),
    })
  }

  async answerV2(bytes: Uint8ArrayList, connection: Connection): Promise<Uint8Array> {
    const { requestId, request } = proto_lightpush.PushRpc.decode(bytes)
    const verdict = await this.#judge(connection, request?.pubsubTopic, request?.message)
    const isSuccess = verdict.code === status.success
    return proto_lightpush.PushRpc.encode({
      requestId,
      response: { isSuccess, info: verdict.description ?? (isSuccess ? 'ok' : 'refused') },
    })
  }

  async #judge(
    connection: Connection,
    askedTopic: string | undefined,
    proto: ProtoMessage | undefined,
  ): Promise<Verdict> {
    const { limits, clock } = this.#options
    if (!this.#rates.take(connection.remotePeer.toString())) {
      return { code: status.tooMany, description: 'too many light push requests; slow down' }
    }
    if (!proto) return { code: status.badRequest, description: 'the request holds no message' }
    // No topic asks for automatic sharding; a node with one shard has one answer.
    const { pubsubTopic } = this.#options
    if (askedTopic && askedTopic !== pubsubTopic) {
      return { code: status.unsupportedTopic, description: 'this node does not serve that pubsub topic' }
    }
    // A message without a time has no certain hash (14/WAKU2-MESSAGE), and archives would not take it.
    const timestamp = proto.timestamp || toNanoseconds(clock.now())
    const message = describeMessage(pubsubTopic, { ...proto, timestamp })
    if (!message)
      return {
        code: status.invalid,
        description: 'a message needs a content topic, a payload and a time after 1970',
      }
    if (message.wire.length > limits.maxMessageBytes) {
      return { code: status.tooLarge, description: `the message exceeds ${limits.maxMessageBytes} bytes` }
    }
    return { code: status.success, relayPeers: await this.#options.accept(message) }
  }
}
