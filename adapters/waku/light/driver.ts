/** Driver for an operator's service nodes: Filter through the SDK, Light Push and Store through this adapter's own clients. */
import { randomUUID } from 'node:crypto'
import type { Connection, IdentifyResult } from '@libp2p/interface'
import { proto_filter_v2 } from '@waku/proto'
import type { LightNode } from '@waku/sdk'
import { createRoutingInfo } from '@waku/utils'
import type { Finding } from '../../../src/adapter/index.ts'
import { ClockSkew } from '../clock-skew.ts'
import type { LightConfig } from '../config.ts'
import { confirmStored } from '../confirm.ts'
import type { DriverSetting, HistoryRange, WakuDriver } from '../driver.ts'
import { WakuError } from '../errors.ts'
import { codecs } from '../wire/codecs.ts'
import { lightPush } from '../wire/lightpush-client.ts'
import { type NetworkMessage, toNanoseconds } from '../wire/message.ts'
import { PeerDialer } from '../wire/peer-dialer.ts'
import { storeHas, storeHashes, storeMessages } from '../wire/store-client.ts'
import { request } from '../wire/streams.ts'
import { ExactDecoder } from './decoder.ts'
import { createQuietLightNode } from './node.ts'

/** Senders' clocks differ by up to 20 s; and a Store range is asked for from before its start, never from above it. */
const HISTORY_OVERLAP_MS = 20_001

interface Peer {
  connection: Connection
  protocols: string[]
}

export class LightDriver implements WakuDriver {
  readonly #config: LightConfig
  readonly #setting: DriverSetting
  readonly #skew: ClockSkew
  readonly #stopped = new AbortController()
  #node: LightNode | null = null
  #dialer: PeerDialer | null = null
  #check: NodeJS.Timeout | null = null
  #subscriptionSeen: number
  #checking = false

  constructor(config: LightConfig, setting: DriverSetting) {
    this.#config = config
    this.#setting = setting
    this.#skew = new ClockSkew(setting.context.clock)
    this.#subscriptionSeen = setting.context.clock.now()
  }

  async start(_signal: AbortSignal): Promise<void> {
    const { events, context, contentTopics, clusterId } = this.#setting
    const { shardsInCluster, peers, redialMinMs, redialMaxMs, pingIntervalMs } = this.#config
    const { clock, random, log } = context
    events.state({ state: 'connecting' })
    const node = await createQuietLightNode({ clusterId, shardsInCluster, pingIntervalMs })
    this.#node = node
    node.libp2p.addEventListener('peer:identify', ({ detail }: CustomEvent<IdentifyResult>) => {
      if (detail.protocols.includes(codecs.filterSubscribe)) events.state({ state: 'connected' })
    })
    node.libp2p.addEventListener('peer:disconnect', () => {
      if (node.libp2p.getPeers().length === 0 && !this.#stopped.signal.aborted) {
        events.state({ state: 'transientDisconnect', reason: 'no Waku service node is connected; dialing' })
      }
    })
    await node.start()
    const routing = { clusterId, numShardsInCluster: shardsInCluster }
    const decoders = contentTopics.map(
      (contentTopic) => new ExactDecoder(contentTopic, createRoutingInfo(routing, { contentTopic })),
    )
    // Before the first peer is known: the SDK subscribes to all topics, in one request, whenever a peer is identified.
    await node.filter.subscribe(decoders, (message) => {
      if (!message) return
      this.#skew.observe(message.exact)
      events.message(message.exact)
    })
    this.#dialer = new PeerDialer(node.libp2p, {
      peers,
      redial: { minMs: redialMinMs, maxMs: Math.max(redialMinMs, redialMaxMs) },
      clock,
      random,
      log,
    })
    this.#dialer.start()
    this.#check = setInterval(() => void this.#checkSubscription(), pingIntervalMs)
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('stopped'))
    if (this.#check) clearInterval(this.#check)
    await this.#dialer?.stop()
    // Without this the SDK's subscription keeps its timers after `stop`.
    this.#node?.filter.unsubscribeAll()
    await this.#node?.stop()
    this.#node = null
  }

  async publish(message: NetworkMessage, signal: AbortSignal): Promise<void> {
    const peers = await this.#peers(codecs.lightPushV3, codecs.lightPushV2)
    let failure: WakuError | null = null
    for (const { connection, protocols } of peers) {
      try {
        await lightPush(connection, protocols, message, this.#deadline(signal))
        failure = null
        break
      } catch (error) {
        if (!(error instanceof WakuError)) throw error
        // The same bytes may go to the next peer: the network drops repeats. A lost answer outweighs later refusals.
        if (failure?.code !== 'answer-lost') failure = error
        if (error.code === 'refused' && [400, 413, 420, 421].includes(error.status ?? 0)) break
      }
    }
    if (peers.length === 0)
      throw new WakuError('no-peer', 'No Waku service node with Light Push is connected; nothing was sent')
    if (failure && failure.code !== 'answer-lost') throw failure
    if (failure || (this.#config.confirm && !message.ephemeral)) {
      await confirmStored({
        clock: this.#setting.context.clock,
        log: this.#setting.context.log,
        lost: failure,
        lookup: () => this.lookup(message.hash, signal),
        signal,
      })
    }
  }

  async *history({ since, until }: HistoryRange, signal: AbortSignal): AsyncIterable<NetworkMessage> {
    const [peer] = await this.#peers(codecs.store)
    if (!peer) throw new WakuError('no-peer', 'No Waku service node with Store is connected')
    const { pubsubTopic, contentTopics } = this.#setting
    const range = { from: toNanoseconds(since - HISTORY_OVERLAP_MS), to: toNanoseconds(until) }
    for await (const hashes of storeHashes(
      peer.connection,
      { pubsubTopic, contentTopics, ...range },
      signal,
    )) {
      yield* await storeMessages(peer.connection, hashes, signal)
    }
  }

  async lookup(hash: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const [peer] = await this.#peers(codecs.store)
    if (!peer) throw new WakuError('no-peer', 'No Waku service node with Store is connected')
    return storeHas(peer.connection, hash, this.#deadline(signal))
  }

  addresses(): string[] {
    return this.#config.peers
  }

  async examine(signal: AbortSignal): Promise<Finding[]> {
    signal.throwIfAborted()
    const findings: Finding[] = []
    const needed = {
      'light push': [codecs.lightPushV3, codecs.lightPushV2],
      filter: [codecs.filterSubscribe],
      store: [codecs.store],
    }
    for (const [check, protocols] of Object.entries(needed)) {
      const peers = await this.#peers(...protocols)
      findings.push(
        peers.length > 0
          ? { check, status: 'ok', message: `${peers.length} connected peers serve it` }
          : {
              check,
              status: 'error',
              message: `No connected peer serves ${check}`,
              fix: 'Make sure that networks.waku.peers are reachable service nodes of the same cluster and shard',
            },
      )
    }
    return [...findings, this.#skew.finding()]
  }

  /** Connected peers that serve one of the protocols, in the order of the configuration. */
  async #peers(...anyOf: string[]): Promise<Peer[]> {
    const libp2p = this.#node?.libp2p
    if (!libp2p) return []
    const found: Peer[] = []
    for (const connection of libp2p.getConnections()) {
      if (
        connection.status !== 'open' ||
        found.some((peer) => peer.connection.remotePeer.equals(connection.remotePeer))
      )
        continue
      const { protocols } = await libp2p.peerStore.get(connection.remotePeer)
      if (anyOf.some((protocol) => protocols.includes(protocol))) found.push({ connection, protocols })
    }
    const rank = ({ connection }: Peer) => {
      const index = this.#config.peers.findIndex((address) =>
        address.endsWith(connection.remotePeer.toString()),
      )
      return index < 0 ? this.#config.peers.length : index
    }
    return found.sort((left, right) => rank(left) - rank(right))
  }

  #deadline(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#stopped.signal, AbortSignal.timeout(this.#config.requestTimeoutMs)])
  }

  /**
   * Asks the peers whether our subscription lives. The SDK reports health while a subscription is dead; it renews one when
   * its own ping fails, but tells nobody, so what was missed until then is read from the Store.
   */
  async #checkSubscription(): Promise<void> {
    if (this.#checking) return
    this.#checking = true
    const { clock, log } = this.#setting.context
    const started = clock.now()
    try {
      const [peer] = await this.#peers(codecs.filterSubscribe)
      if (!peer) return
      const ping = proto_filter_v2.FilterSubscribeRequest.encode({
        requestId: randomUUID(),
        filterSubscribeType: proto_filter_v2.FilterSubscribeRequest.FilterSubscribeType.SUBSCRIBER_PING,
        contentTopics: [],
      })
      const signal = this.#deadline(this.#stopped.signal)
      const answer = await request(peer.connection, codecs.filterSubscribe, ping, {
        signal,
        maxAnswerBytes: 16_384,
      })
      const { statusCode } = proto_filter_v2.FilterSubscribeResponse.decode(answer)
      if (statusCode === 200) {
        this.#subscriptionSeen = started
        return
      }
      log.warn({ statusCode }, 'the Filter subscription had ended; reading what was missed')
      this.#setting.events.gap(this.#subscriptionSeen)
    } catch (error) {
      if (!this.#stopped.signal.aborted)
        log.debug({ error: String(error) }, 'the Filter subscription could not be checked')
    } finally {
      this.#checking = false
    }
  }
}
