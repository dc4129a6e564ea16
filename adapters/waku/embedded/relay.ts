/** Waku Relay (11/WAKU2-RELAY) on one shard: validates, receives and publishes over gossipsub. */
import type { GossipSub } from '@chainsafe/libp2p-gossipsub'
import { type Message, type PeerId, TopicValidatorResult } from '@libp2p/interface'
import { type NetworkMessage, readMessage } from '../wire/message.ts'
import type { Faults } from './options.ts'

export interface RelayOptions {
  pubsubTopic: string
  maxMessageBytes: number
  /** Takes a valid message from another node. gossipsub has dropped repeats. */
  receive(message: NetworkMessage): void
  faults?: Faults
}

export class Relay {
  readonly #gossip: GossipSub
  readonly #options: RelayOptions

  constructor(gossip: GossipSub, options: RelayOptions) {
    this.#gossip = gossip
    this.#options = options
  }

  /** Joins the shard. Call after the host has started. */
  start(): void {
    const { pubsubTopic } = this.#options
    this.#gossip.topicValidators.set(pubsubTopic, (_peer: PeerId, message: Message) =>
      this.#validate(message),
    )
    this.#gossip.subscribe(pubsubTopic)
  }

  /** Calls `listener` when peers join or leave. */
  onChange(listener: () => void): void {
    this.#gossip.addEventListener('subscription-change', listener)
  }

  /** Peers subscribed to the shard. */
  peers(): number {
    return this.#gossip.getSubscribers(this.#options.pubsubTopic).length
  }

  /** Whether a peer is subscribed to the shard. */
  has(peer: PeerId): boolean {
    return this.#gossip
      .getSubscribers(this.#options.pubsubTopic)
      .some((subscriber) => subscriber.equals(peer))
  }

  /** Sends a message to the peers of the shard and returns how many. A repeat is not sent again. */
  async publish(message: NetworkMessage): Promise<number> {
    const { faults } = this.#options
    if (!faults) return this.#publish(message)
    const peers = this.peers()
    faults.deliver(() => void this.#publish(message))
    return peers
  }

  async #publish(message: NetworkMessage): Promise<number> {
    if (this.peers() === 0) return 0
    try {
      const { recipients } = await this.#gossip.publish(message.pubsubTopic, message.wire)
      return recipients.length
    } catch (error) {
      const text = String(error)
      // gossipsub remembers what it sent for two minutes: the peers have it.
      if (text.includes('PublishError.Duplicate')) return this.peers()
      // The last peer left between the count and the send, or the node is stopping.
      if (text.includes('PublishError')) return 0
      throw error
    }
  }

  async #validate({ data }: Message): Promise<TopicValidatorResult> {
    const message =
      data.length <= this.#options.maxMessageBytes ? readMessage(this.#options.pubsubTopic, data) : null
    if (!message) return TopicValidatorResult.Reject
    this.#options.receive(message)
    if (this.#options.faults && !(await this.#options.faults.forward())) return TopicValidatorResult.Ignore
    return TopicValidatorResult.Accept
  }
}
