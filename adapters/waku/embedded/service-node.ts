/**
 * A full Waku node for private networks: Relay, Light Push 2 and 3, Filter 2, Store 3 and Metadata 1 over one libp2p host
 * and one archive. The gateway embeds one; the sandbox runs a second, so that there is a network.
 */
import type { Connection, IdentifyResult, IncomingStreamData, PeerId } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import { codecs } from '../wire/codecs.ts'
import { lightPush } from '../wire/lightpush-client.ts'
import { type NetworkMessage, toMilliseconds } from '../wire/message.ts'
import { PeerDialer } from '../wire/peer-dialer.ts'
import { peersServing } from '../wire/peers.ts'
import { StoreLookups } from '../wire/store-lookups.ts'
import { serveStream } from '../wire/streams.ts'
import { FilterService } from './filter-service.ts'
import { createHost, type Host, startHost } from './libp2p.ts'
import { LightPushService } from './lightpush-service.ts'
import type { Origin, ServiceNodeOptions } from './options.ts'
import { Relay } from './relay.ts'
import { encodeMetadata, StoreService } from './store-service.ts'
import { StoreSync } from './store-sync.ts'

/** Requests are decoded up to the SDK's own limit and some, so that an oversized message is answered with 413. */
const MAX_PUSH_REQUEST_BYTES = 1024 * 1024 + 64 * 1024
const MAX_SMALL_REQUEST_BYTES = 128 * 1024

/** Hashes of the newest messages, against repeats of what the archive does not keep. */
const RECENT_HASHES = 20_000

/** Live relay peers are counted, subscriptions and the archive swept, this often. */
const HOUSEKEEPING_MS = 1_000
const ARCHIVE_SWEEP_MS = 60_000

export class ServiceNode {
  readonly #options: ServiceNodeOptions
  readonly #host: Host
  readonly #relay: Relay
  readonly #dialer: PeerDialer
  readonly #sync: StoreSync
  readonly #filter: FilterService
  readonly #lookups: StoreLookups
  readonly #recent = new Set<string>()
  readonly #stopping = new AbortController()
  readonly #background = new Set<Promise<void>>()
  readonly #timers: NodeJS.Timeout[] = []
  #relayPeers = -1

  private constructor(options: ServiceNodeOptions, host: Host) {
    this.#options = options
    this.#host = host
    const { pubsubTopic, limits, clock, log, faults, archive } = options
    this.#lookups = new StoreLookups({
      clock,
      archives: () => this.archivePeers(),
      stopped: this.#stopping.signal,
    })
    this.#filter = new FilterService({ pubsubTopic, limits, clock, log, ...(faults ? { faults } : {}) })
    this.#dialer = new PeerDialer(host.libp2p, { ...options, takesPart: (peer) => this.#relay.has(peer) })
    this.#relay = new Relay(host.gossip, {
      pubsubTopic,
      maxMessageBytes: limits.maxMessageBytes,
      receive: (message) => this.#take(message, 'relay'),
      ...(faults ? { faults } : {}),
    })
    this.#sync = new StoreSync({
      pubsubTopic,
      contentTopics: options.syncTopics,
      since: Math.max(archive.lastReceived() ?? 0, clock.now() - options.syncWindowMs),
      clock,
      log,
      has: (hash) => this.#recent.has(Buffer.from(hash).toString('hex')) || archive.has(hash),
      take: (message) => this.#take(message, 'sync'),
    })
  }

  /** Starts a node: it listens when this resolves, and dials its peers in the background. Rejects with `listen-failed` only. */
  static async start(options: ServiceNodeOptions): Promise<ServiceNode> {
    const host = await createHost({ ...options, maxConnections: options.limits.maxConnections })
    const node = new ServiceNode(options, host)
    await node.#start()
    return node
  }

  /** Multiaddrs with peer id, WebSocket first: that is what browsers and the SDK dial. */
  addresses(): string[] {
    const addresses = this.#host.libp2p.getMultiaddrs().map(String)
    const isWebSocket = (address: string) => /\/wss?(\/|$)/.test(address)
    return addresses.sort((left, right) => Number(isWebSocket(right)) - Number(isWebSocket(left)))
  }

  /** Relay peers subscribed to the node's shard. */
  relayPeers(): number {
    return this.#relay.peers()
  }

  /** All connected peers, light clients included. */
  connectedPeers(): number {
    return this.#host.libp2p.getPeers().length
  }

  /** Ends every Filter subscription without a word to its peer. */
  forgetFilterPeers(): void {
    this.#filter.stop()
  }

  filterPeers(): number {
    return this.#filter.peers
  }

  /**
   * Publishes a message of the node's owner: archived first, then pushed to Filter peers and relayed. Returns the number of
   * relay peers that it went to; 0 when there are none.
   */
  publish(message: NetworkMessage): Promise<number> {
    this.#take(message, 'local')
    return this.#relay.publish(message)
  }

  /**
   * Fetches what connected archives have since `since` (Unix milliseconds); a message new to this node comes in as any
   * other. Rejects when one of them failed.
   */
  async sync(since: number, signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#stopping.signal])
    const connections = await this.archivePeers()
    const results = await Promise.allSettled(connections.map((peer) => this.#sync.run(peer, either, since)))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('stopped'))
    for (const timer of this.#timers) clearInterval(timer)
    await this.#dialer.stop()
    this.#filter.stop()
    await Promise.allSettled(this.#background)
    await this.#host.libp2p.stop()
  }

  async #start(): Promise<void> {
    const { libp2p } = this.#host
    await this.#serve()
    libp2p.addEventListener('peer:disconnect', (event: CustomEvent<PeerId>) =>
      this.#filter.drop(event.detail.toString()),
    )
    libp2p.addEventListener('peer:identify', (event: CustomEvent<IdentifyResult>) =>
      this.#identified(event.detail),
    )
    await startHost(this.#host, this.#options.listen)
    this.#relay.start()
    this.#every(HOUSEKEEPING_MS, () => {
      this.#filter.sweep()
      this.#reportRelayPeers()
    })
    this.#every(ARCHIVE_SWEEP_MS, () => this.#options.archive.sweep())
    this.#relay.onChange(() => this.#reportRelayPeers())
    this.#dialer.start()
  }

  /** Registers the request protocols. Each stream is read to its end, bounded in size, number and idle time. */
  async #serve(): Promise<void> {
    const { pubsubTopic, limits, clock, clusterId, archive, faults } = this.#options
    const accept = async (message: NetworkMessage) => {
      this.#take(message, 'lightPush')
      return this.#relay.publish(message)
    }
    const lightPush = new LightPushService({ pubsubTopic, limits, clock, accept })
    const store = new StoreService(archive, limits.store, clock)
    type Answer = (request: Uint8ArrayList, connection: Connection) => Uint8Array | Promise<Uint8Array>
    const services: [string, number, Answer][] = [
      [codecs.metadata, MAX_SMALL_REQUEST_BYTES, () => encodeMetadata(clusterId, pubsubTopic)],
      [
        codecs.lightPushV3,
        MAX_PUSH_REQUEST_BYTES,
        (bytes, connection) => lightPush.answerV3(bytes, connection),
      ],
      [
        codecs.lightPushV2,
        MAX_PUSH_REQUEST_BYTES,
        (bytes, connection) => lightPush.answerV2(bytes, connection),
      ],
      [
        codecs.filterSubscribe,
        MAX_SMALL_REQUEST_BYTES,
        (bytes, connection) => this.#filter.answer(bytes, connection),
      ],
      [
        codecs.store,
        MAX_SMALL_REQUEST_BYTES,
        (bytes, connection) => {
          const answer = store.answer(bytes, connection)
          return faults ? faults.stored(answer) : answer
        },
      ],
    ]
    for (const [protocol, maxRequestBytes, answer] of services) {
      const handler = ({ stream, connection }: IncomingStreamData) => {
        const { idleStreamMs: idleMs } = limits
        void serveStream(stream, connection, { answer, maxRequestBytes, idleMs, log: this.#options.log })
      }
      await this.#host.libp2p.handle(protocol, handler, { maxInboundStreams: limits.maxInboundStreams })
    }
  }

  /** The one way in for every message. Archived before anyone hears of it; each message passes once. */
  #take(message: NetworkMessage, origin: Origin): void {
    if (this.#recent.has(message.id)) return
    const fresh = this.#isArchivable(message, origin)
      ? this.#options.archive.put(message)
      : !this.#options.archive.has(message.hash)
    this.#recent.add(message.id)
    if (this.#recent.size > RECENT_HASHES) this.#recent.delete(this.#recent.values().next().value as string)
    if (!fresh) return
    this.#filter.push(message)
    this.#options.onMessage(message, origin)
  }

  /** Archives take only messages of about now, so that nobody writes into their past or future (nwaku: ±20 s). */
  #isArchivable(message: NetworkMessage, origin: Origin): boolean {
    if (message.ephemeral || message.timestamp <= 0n) return false
    const window = this.#options.limits.archiveClockWindowMs
    if (origin === 'sync' || window === 0) return true
    return Math.abs(toMilliseconds(message.timestamp) - this.#options.clock.now()) <= window
  }

  #identified({ peerId, protocols, connection }: IdentifyResult): void {
    if (!protocols.includes(codecs.store) || !this.#mayAsk(peerId, protocols)) return
    const task = this.#sync.run(connection, this.#stopping.signal).catch((error: unknown) => {
      if (!this.#stopping.signal.aborted) {
        this.#options.log.warn(
          { error: String(error) },
          'could not fetch missed messages; the next walk tries again',
        )
      }
    })
    this.#background.add(task)
    void task.finally(() => this.#background.delete(task))
  }

  #mayAsk(peer: PeerId, protocols: readonly string[]): boolean {
    return this.#options.syncWith === 'configured'
      ? this.#dialer.isConfigured(peer)
      : protocols.includes(codecs.relay)
  }

  /** Connections to peers whose archive this node asks: one each. */
  archivePeers(): Promise<Connection[]> {
    return this.#peersServing(codecs.store)
  }

  /** Whether the archive of a peer holds a message; null when no peer with an archive is connected. */
  storedByPeers(hash: Uint8Array, signal: AbortSignal): Promise<boolean | null> {
    return this.#lookups.has(hash, signal)
  }

  /** Gives a message to the peers by Light Push, for those that relay has not reached. */
  async pushDirectly(message: NetworkMessage, signal: AbortSignal): Promise<void> {
    for (const connection of await this.#peersServing(codecs.lightPushV3)) {
      await lightPush(connection, [codecs.lightPushV3], message, signal)
    }
  }

  async #peersServing(protocol: string): Promise<Connection[]> {
    const peers = await peersServing(this.#host.libp2p, [protocol])
    return peers
      .filter(({ connection, protocols }) => this.#mayAsk(connection.remotePeer, protocols))
      .map(({ connection }) => connection)
  }

  #reportRelayPeers(): void {
    const count = this.#relay.peers()
    if (count === this.#relayPeers || this.#stopping.signal.aborted) return
    this.#relayPeers = count
    this.#options.onRelayPeers(count)
  }

  #every(ms: number, task: () => void): void {
    this.#timers.push(setInterval(task, ms))
  }
}
