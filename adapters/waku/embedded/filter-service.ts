/** Serves Filter (12/WAKU2-FILTER) 2.0.0-beta1: pushes new messages to peers that asked for their content topics. */
import type { Connection } from '@libp2p/interface'
import { proto_filter_v2 } from '@waku/proto'
import * as lengthPrefixed from 'it-length-prefixed'
import { pipe } from 'it-pipe'
import { type Pushable, pushable } from 'it-pushable'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { AdapterLog, Clock } from '../../../src/adapter/index.ts'
import { codecs, MAX_CONTENT_TOPICS_PER_REQUEST } from '../wire/codecs.ts'
import { type NetworkMessage, toProto } from '../wire/message.ts'
import type { Faults, ServiceLimits } from './options.ts'
import { PeerRateLimiter } from './rate-limit.ts'

export interface FilterServiceOptions {
  pubsubTopic: string
  limits: ServiceLimits
  clock: Clock
  log: AdapterLog
  faults?: Faults
}

interface Subscription {
  connection: Connection
  /** Content topics by pubsub topic. */
  topics: Map<string, Set<string>>
  /** Monotonic milliseconds of the last subscribe or ping. */
  renewed: number
  /** Messages on their way to the peer; opened with the first one. */
  queue: Pushable<Uint8Array> | null
}

interface Verdict {
  code: number
  description?: string
}

/** Topics stay in memory for as long as a subscription lives; what a request may hold is 128 KiB. */
const MAX_CONTENT_TOPIC_LENGTH = 256

const { FilterSubscribeType } = proto_filter_v2.FilterSubscribeRequest
const done: Verdict = { code: 200 }

export class FilterService {
  readonly #options: FilterServiceOptions
  readonly #rates: PeerRateLimiter
  readonly #subscriptions = new Map<string, Subscription>()

  constructor(options: FilterServiceOptions) {
    this.#options = options
    this.#rates = new PeerRateLimiter(options.limits.filter, options.clock)
  }

  /** Peers with a live subscription. */
  get peers(): number {
    return this.#subscriptions.size
  }

  answer(bytes: Uint8ArrayList, connection: Connection): Uint8Array {
    const request = proto_filter_v2.FilterSubscribeRequest.decode(bytes)
    const verdict = this.#judge(request, connection)
    return proto_filter_v2.FilterSubscribeResponse.encode({
      requestId: request.requestId,
      statusCode: verdict.code,
      ...(verdict.description === undefined ? {} : { statusDesc: verdict.description }),
    })
  }

  /** Sends a message to every peer that asked for its content topic. */
  push(message: NetworkMessage): void {
    let wire: Uint8Array | undefined
    for (const [peer, subscription] of this.#subscriptions) {
      if (!subscription.topics.get(message.pubsubTopic)?.has(message.contentTopic)) continue
      wire ??= proto_filter_v2.MessagePush.encode({
        wakuMessage: toProto(message),
        pubsubTopic: message.pubsubTopic,
      })
      const bytes = wire
      const send = () => this.#send(peer, subscription, bytes)
      if (this.#options.faults) this.#options.faults.deliver(send)
      else send()
    }
  }

  /** Ends the subscriptions of a peer that is gone. */
  drop(peer: string): void {
    this.#subscriptions.get(peer)?.queue?.end()
    this.#subscriptions.delete(peer)
  }

  /** Ends subscriptions that were not renewed in time. Call it at least a few times in each lifetime. */
  sweep(): void {
    const oldest = this.#options.clock.monotonic() - this.#options.limits.subscriptionTtlMs
    for (const [peer, subscription] of this.#subscriptions) if (subscription.renewed < oldest) this.drop(peer)
  }

  stop(): void {
    for (const peer of [...this.#subscriptions.keys()]) this.drop(peer)
  }

  #judge(request: proto_filter_v2.FilterSubscribeRequest, connection: Connection): Verdict {
    this.sweep()
    const peer = connection.remotePeer.toString()
    if (!this.#rates.take(peer)) return { code: 429, description: 'too many filter requests; slow down' }
    if (request.filterSubscribeType === FilterSubscribeType.SUBSCRIBE)
      return this.#subscribe(peer, request, connection)
    const subscription = this.#subscriptions.get(peer)
    if (!subscription) return { code: 404, description: 'this peer has no subscriptions' }
    switch (request.filterSubscribeType) {
      case FilterSubscribeType.SUBSCRIBER_PING:
        subscription.renewed = this.#options.clock.monotonic()
        return done
      case FilterSubscribeType.UNSUBSCRIBE_ALL:
        this.drop(peer)
        return done
      case FilterSubscribeType.UNSUBSCRIBE:
        return this.#unsubscribe(peer, subscription, request)
    }
  }

  #subscribe(peer: string, request: proto_filter_v2.FilterSubscribeRequest, connection: Connection): Verdict {
    const { limits, clock } = this.#options
    const { pubsubTopic, contentTopics } = request
    if (!pubsubTopic || contentTopics.length === 0) {
      return { code: 400, description: 'a subscription needs a pubsub topic and content topics' }
    }
    if (contentTopics.length > MAX_CONTENT_TOPICS_PER_REQUEST) {
      return { code: 400, description: `at most ${MAX_CONTENT_TOPICS_PER_REQUEST} content topics a request` }
    }
    if (contentTopics.some((topic) => topic.length > MAX_CONTENT_TOPIC_LENGTH)) {
      return { code: 400, description: `a content topic has at most ${MAX_CONTENT_TOPIC_LENGTH} characters` }
    }
    if (pubsubTopic !== this.#options.pubsubTopic) {
      return { code: 400, description: 'this node does not serve that pubsub topic' }
    }
    const known = this.#subscriptions.get(peer)
    if (!known && this.#subscriptions.size >= limits.filterPeers) {
      return { code: 503, description: 'this node serves as many filter peers as it may' }
    }
    const wanted = new Set([...(known?.topics.get(pubsubTopic) ?? []), ...contentTopics])
    let criteria = wanted.size
    for (const [topic, set] of known?.topics ?? []) if (topic !== pubsubTopic) criteria += set.size
    if (criteria > limits.filterCriteriaPerPeer) {
      return { code: 503, description: `at most ${limits.filterCriteriaPerPeer} content topics a peer` }
    }
    const subscription = known ?? { connection, topics: new Map(), renewed: 0, queue: null }
    if (subscription.connection !== connection) {
      // The peer came back over a new connection: what was queued for the old one cannot arrive.
      subscription.queue?.end()
      subscription.queue = null
      subscription.connection = connection
    }
    subscription.topics.set(pubsubTopic, wanted)
    subscription.renewed = clock.monotonic()
    this.#subscriptions.set(peer, subscription)
    return done
  }

  #unsubscribe(
    peer: string,
    subscription: Subscription,
    request: proto_filter_v2.FilterSubscribeRequest,
  ): Verdict {
    const { pubsubTopic, contentTopics } = request
    const topics = pubsubTopic === undefined ? undefined : subscription.topics.get(pubsubTopic)
    if (!topics) return { code: 404, description: 'this peer has no such subscription' }
    for (const topic of contentTopics) topics.delete(topic)
    if (topics.size === 0) subscription.topics.delete(pubsubTopic as string)
    if (subscription.topics.size === 0) this.drop(peer)
    return done
  }

  #send(peer: string, subscription: Subscription, bytes: Uint8Array): void {
    if (this.#subscriptions.get(peer) !== subscription) return
    const oldest = this.#options.clock.monotonic() - this.#options.limits.subscriptionTtlMs
    if (subscription.renewed < oldest) {
      this.drop(peer)
      return
    }
    subscription.queue ??= this.#open(peer, subscription)
    if (subscription.queue.readableLength + bytes.length > this.#options.limits.filterQueueBytes) {
      this.#options.log.warn(
        { queued: subscription.queue.readableLength },
        'filter peer is too slow; its subscription ends',
      )
      this.drop(peer)
      return
    }
    subscription.queue.push(bytes)
  }

  /** One stream a peer carries all pushes, so that they stay in order and cost no negotiation each. */
  #open(peer: string, subscription: Subscription): Pushable<Uint8Array> {
    const queue = pushable<Uint8Array>()
    const run = async () => {
      const stream = await subscription.connection.newStream(codecs.filterPush)
      await pipe(queue, (source) => lengthPrefixed.encode(source), stream.sink)
    }
    run()
      .catch((error: unknown) => {
        this.#options.log.debug(
          { error: String(error) },
          'filter push stream ended; the peer catches up from the archive',
        )
        queue.end()
        // A peer that lost messages must notice: its next ping finds no subscription, so it subscribes anew.
        if (this.#subscriptions.get(peer) === subscription) this.#subscriptions.delete(peer)
      })
      .finally(() => {
        if (subscription.queue === queue) subscription.queue = null
      })
    return queue
  }
}
