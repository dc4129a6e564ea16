/** Driver for an operator's service nodes: Filter through the SDK, Light Push and Store through this adapter's own clients. */
import type { Connection, IdentifyResult } from '@libp2p/interface'
import type { LightNode } from '@waku/sdk'
import { createRoutingInfo } from '@waku/utils'
import type { Finding } from '../../../src/adapter/index.ts'
import { ClockSkew } from '../clock-skew.ts'
import type { LightConfig } from '../config.ts'
import { confirmStored } from '../confirm.ts'
import type { DriverSetting, HistoryRange, SearchQuery, WakuDriver } from '../driver.ts'
import { WakuError } from '../errors.ts'
import { until } from '../until.ts'
import { codecs } from '../wire/codecs.ts'
import { filterPing, filterSubscribe } from '../wire/filter-client.ts'
import { lightPush } from '../wire/lightpush-client.ts'
import { type NetworkMessage, toNanoseconds } from '../wire/message.ts'
import { PeerDialer } from '../wire/peer-dialer.ts'
import { peersServing, type ServingPeer } from '../wire/peers.ts'
import { storeHas, storeHashes, storeMessages } from '../wire/store-client.ts'
import { ExactDecoder } from './decoder.ts'
import { createQuietLightNode } from './node.ts'

/** Senders' clocks differ by up to 20 s; and a Store range is asked for from before its start, never from above it. */
const HISTORY_OVERLAP_MS = 20_001

/** Time that a first connection has before `start` resolves, and a lost one before a walk gives up, in milliseconds. */
const PATIENCE_MS = 5_000

/** Refusals that every peer would repeat. */
const FINAL_STATUS = new Set([400, 413, 420, 421])

export class LightDriver implements WakuDriver {
  readonly #config: LightConfig
  readonly #setting: DriverSetting
  readonly #skew: ClockSkew
  readonly #stopped = new AbortController()
  readonly #subscribed = new Set<string>()
  #starting: Promise<void> | null = null
  #node: LightNode | null = null
  #dialer: PeerDialer | null = null
  #check: NodeJS.Timeout | null = null
  #checking: Promise<void> | null = null
  #alive: number

  constructor(config: LightConfig, setting: DriverSetting) {
    this.#config = config
    this.#setting = setting
    this.#skew = new ClockSkew(setting.context.clock)
    this.#alive = setting.context.clock.now()
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#setting.events.state({ state: 'connecting' })
    this.#starting = this.#startNode()
    await this.#starting
    const either = AbortSignal.any([signal, this.#stopped.signal])
    const { clock } = this.#setting.context
    const connected = await until(async () => this.#subscribed.size > 0, {
      clock,
      signal: either,
      withinMs: PATIENCE_MS,
    })
    if (!connected) this.#reportLost()
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('stopped'))
    await this.#starting
    if (this.#check) clearInterval(this.#check)
    await this.#dialer?.stop()
    await this.#checking
    // Without this the SDK's subscription keeps its timers after `stop`.
    this.#node?.filter.unsubscribeAll()
    await this.#node?.stop()
    this.#node = null
  }

  async publish(message: NetworkMessage, signal: AbortSignal): Promise<void> {
    const peers = await this.#peers(codecs.lightPushV3, codecs.lightPushV2)
    if (peers.length === 0) {
      this.#reportLost()
      throw new WakuError('no-peer', 'No Waku service node with Light Push is connected; nothing was sent')
    }
    const failure = await this.#push(peers, message, signal)
    if (failure && failure.code !== 'refused' && (await this.#peers(codecs.filterSubscribe)).length === 0)
      this.#reportLost()
    if (failure && failure.code !== 'answer-lost') throw failure
    if (failure || (this.#config.confirm && !message.ephemeral)) {
      const { clock, log } = this.#setting.context
      await confirmStored({
        clock,
        log,
        lost: failure,
        lookup: () => this.lookup(message.hash, signal),
        signal,
      })
    }
  }

  history(range: HistoryRange, signal: AbortSignal): AsyncIterable<NetworkMessage> {
    return this.#stored(this.#setting.contentTopics, range, signal)
  }

  async search(wanted: SearchQuery, signal: AbortSignal): Promise<NetworkMessage | null> {
    for await (const message of this.#stored([wanted.contentTopic], wanted, signal)) {
      if (Buffer.from(message.payload).equals(wanted.payload)) return message
    }
    return null
  }

  async lookup(hash: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const [peer] = await this.#peers(codecs.store)
    if (!peer) throw this.#noStore()
    return storeHas(peer.connection, hash, this.#deadline(signal))
  }

  addresses(): string[] {
    return this.#config.peers
  }

  async examine(signal: AbortSignal): Promise<Finding[]> {
    signal.throwIfAborted()
    const needed = {
      'light push': [codecs.lightPushV3, codecs.lightPushV2],
      filter: [codecs.filterSubscribe],
      store: [codecs.store],
    }
    const findings: Finding[] = []
    for (const [check, protocols] of Object.entries(needed)) {
      const { length } = await this.#peers(...protocols)
      if (length > 0) findings.push({ check, status: 'ok', message: `${length} connected peers serve it` })
      else {
        const fix =
          'Make sure that networks.waku.peers are reachable service nodes of the same cluster and shard'
        findings.push({ check, status: 'error', message: `No connected peer serves ${check}`, fix })
      }
    }
    return [...findings, this.#skew.finding()]
  }

  async #startNode(): Promise<void> {
    const { events, context, contentTopics, clusterId } = this.#setting
    const { shardsInCluster, peers, redialMinMs, redialMaxMs, pingIntervalMs } = this.#config
    const { clock, random, log } = context
    const node = await createQuietLightNode({ clusterId, shardsInCluster, pingIntervalMs, peers })
    this.#node = node
    node.libp2p.addEventListener('peer:identify', ({ detail }: CustomEvent<IdentifyResult>) => {
      if (detail.protocols.includes(codecs.filterSubscribe))
        this.#inBackground(() => this.#subscribe(detail.connection))
    })
    node.libp2p.addEventListener('peer:disconnect', ({ detail }) => {
      this.#subscribed.delete(detail.toString())
      if (this.#subscribed.size === 0) this.#reportLost()
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
    const redial = { minMs: redialMinMs, maxMs: Math.max(redialMinMs, redialMaxMs) }
    this.#dialer = new PeerDialer(node.libp2p, { peers, redial, clock, random, log })
    this.#dialer.start()
    this.#check = setInterval(() => this.#inBackground(() => this.#checkSubscriptions()), pingIntervalMs)
  }

  async *#stored(
    contentTopics: string[],
    { since, until: end }: HistoryRange,
    signal: AbortSignal,
  ): AsyncGenerator<NetworkMessage> {
    const { pubsubTopic, context } = this.#setting
    const options = { clock: context.clock, signal, withinMs: PATIENCE_MS }
    const peer = await until(async () => (await this.#peers(codecs.store))[0] ?? null, options)
    if (!peer) throw this.#noStore()
    const range = { from: toNanoseconds(since - HISTORY_OVERLAP_MS), to: toNanoseconds(end) }
    for await (const hashes of storeHashes(
      peer.connection,
      { pubsubTopic, contentTopics, ...range },
      signal,
    )) {
      yield* await storeMessages(peer.connection, hashes, signal)
    }
  }

  /** Tries peers until one takes the message. The same bytes may go to several: the network drops repeats. */
  async #push(peers: ServingPeer[], message: NetworkMessage, signal: AbortSignal): Promise<WakuError | null> {
    let failure: WakuError | null = null
    for (const { connection, protocols } of peers) {
      try {
        await lightPush(connection, protocols, message, this.#deadline(signal))
        return null
      } catch (error) {
        if (!(error instanceof WakuError)) throw error
        // That one peer may have taken it outweighs that another refused.
        if (failure?.code !== 'answer-lost') failure = error
        if (error.code === 'refused' && FINAL_STATUS.has(error.status ?? 0)) break
      }
    }
    return failure
  }

  /** Connected peers that serve one of the protocols, in the order of the configuration. */
  async #peers(...anyOf: string[]): Promise<ServingPeer[]> {
    const found = this.#node ? await peersServing(this.#node.libp2p, anyOf) : []
    const rank = ({ connection }: ServingPeer) => {
      const peer = connection.remotePeer.toString()
      const index = this.#config.peers.findIndex((address) => address.endsWith(peer))
      return index < 0 ? this.#config.peers.length : index
    }
    return found.sort((left, right) => rank(left) - rank(right))
  }

  #deadline(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#stopped.signal, AbortSignal.timeout(this.#config.requestTimeoutMs)])
  }

  /** Connected is a peer that took our subscription, not one that answered a dial. */
  async #subscribe(connection: Connection): Promise<void> {
    const { pubsubTopic, contentTopics, events } = this.#setting
    await filterSubscribe(connection, pubsubTopic, contentTopics, this.#deadline(this.#stopped.signal))
    this.#subscribed.add(connection.remotePeer.toString())
    this.#alive = this.#setting.context.clock.now()
    events.state({ state: 'connected' })
  }

  /**
   * Asks the peers whether our subscription lives. The SDK reports health while a subscription is dead; it renews one when
   * its own ping fails, but tells nobody, so what was missed until then is read from the Store.
   */
  async #checkSubscriptions(): Promise<void> {
    const { clock, log } = this.#setting.context
    const started = clock.now()
    const peers = await this.#peers(codecs.filterSubscribe)
    let lost = false
    for (const { connection } of peers) {
      if (await filterPing(connection, this.#deadline(this.#stopped.signal))) continue
      lost = true
      await this.#subscribe(connection)
    }
    if (lost) {
      log.warn({}, 'a Filter subscription had ended; reading what was missed')
      this.#setting.events.gap(this.#alive)
    }
    if (peers.length > 0) this.#alive = started
  }

  /** Runs work that nobody waits for, one after the other; `stop` waits for it. A failure is tried again by the next check. */
  #inBackground(work: () => Promise<void>): void {
    const previous = this.#checking ?? Promise.resolve()
    this.#checking = previous.then(work).catch((error: unknown) => {
      if (!this.#stopped.signal.aborted) {
        this.#setting.context.log.warn(
          { error: String(error) },
          'a Filter subscription could not be made or checked',
        )
      }
    })
  }

  #reportLost(): void {
    if (this.#stopped.signal.aborted) return
    this.#setting.events.state({
      state: 'transientDisconnect',
      reason: 'no Waku service node is connected; dialing',
    })
  }

  #noStore(): WakuError {
    return new WakuError('no-peer', 'No Waku service node with Store is connected')
  }
}
