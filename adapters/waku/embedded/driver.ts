/** The default driver: the gateway is a Waku node itself. */
import { join } from 'node:path'
import type { Finding } from '../../../src/adapter/index.ts'
import { ClockSkew } from '../clock-skew.ts'
import type { EmbeddedConfig } from '../config.ts'
import { confirmStored } from '../confirm.ts'
import type { DriverSetting, HistoryRange, SearchQuery, WakuDriver } from '../driver.ts'
import { WakuError } from '../errors.ts'
import { until } from '../until.ts'
import type { NetworkMessage } from '../wire/message.ts'
import { Archive } from './archive.ts'
import { examineNode } from './examine.ts'
import { loadNodeKey } from './identity.ts'
import { defaultLimits, type ServiceLimits } from './options.ts'
import { ServiceNode } from './service-node.ts'

const PAGE = 100

/** Time that a started node gives its first peer to join the shard before `start` resolves. */
const FIRST_PEER_MS = 3_000

/** Longest wait for peers to come back before a walk gives up, and for a peer to confirm a send. */
const PATIENCE_MS = 5_000

export class EmbeddedDriver implements WakuDriver {
  readonly #config: EmbeddedConfig
  readonly #setting: DriverSetting
  readonly #topics: Set<string>
  readonly #skew: ClockSkew
  readonly #stopped = new AbortController()
  #archive: Archive | null = null
  #node: ServiceNode | null = null
  #starting: Promise<void> | null = null
  #retry: Promise<void> | null = null
  /** Until a first peer had its chance, having none is `connecting`, not a lost connection. */
  #impatient = false
  readonly #firstPeer = Promise.withResolvers<void>()

  constructor(config: EmbeddedConfig, setting: DriverSetting) {
    this.#config = config
    this.#setting = setting
    this.#topics = new Set(setting.contentTopics)
    this.#skew = new ClockSkew(setting.context.clock)
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#setting.events.state({ state: 'connecting' })
    this.#starting = this.#startNode().catch((error: unknown) => {
      this.#reportFailure(error)
      this.#retry = this.#keepStarting()
    })
    await this.#starting
    if (!this.#node || this.#config.peers.length === 0) return
    const either = AbortSignal.any([signal, this.#stopped.signal])
    const patience = this.#setting.context.clock.sleep(FIRST_PEER_MS, either).catch(() => {
      // Aborted: the caller stops waiting, and the node goes on in the background.
    })
    await Promise.race([this.#firstPeer.promise, patience])
    this.#impatient = true
    if (this.#node && !this.#stopped.signal.aborted) this.#reportPeers(this.#node.relayPeers())
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('stopped'))
    this.#firstPeer.resolve()
    await this.#starting
    await this.#retry
    await this.#node?.stop()
    this.#node = null
    this.#archive?.close()
    this.#archive = null
  }

  async publish(message: NetworkMessage, signal: AbortSignal): Promise<void> {
    const node = this.#running()
    signal.throwIfAborted()
    if (node.relayPeers() < this.#config.requirePeers) {
      throw new WakuError(
        'no-peer',
        `Fewer than ${this.#config.requirePeers} Waku peers are connected; nothing was sent`,
      )
    }
    await node.publish(message)
    if (this.#config.requirePeers > 0 && !message.ephemeral) await this.#confirm(node, message, signal)
  }

  async *history({ since, until: end }: HistoryRange, signal: AbortSignal): AsyncIterable<NetworkMessage> {
    const node = this.#running()
    const failed = await this.#sync(node, since, signal)
    let after: { received: bigint; hash: Uint8Array } | null = null
    for (;;) {
      signal.throwIfAborted()
      // A message received after `since` may be older by its own time; one received before was walked before.
      const entries = this.#open().received(since, after, PAGE)
      for (const { message, received } of entries) {
        if (received > BigInt(end)) break
        if (this.#topics.has(message.contentTopic)) yield message
      }
      const last = entries.at(-1)
      if (!last || entries.length < PAGE || last.received > BigInt(end)) break
      after = { received: last.received, hash: last.message.hash }
    }
    // What this node has was given; a walk without a peer's share must not count as complete.
    if (failed) throw failed
  }

  async search(
    { contentTopic, payload, since }: SearchQuery,
    signal: AbortSignal,
  ): Promise<NetworkMessage | null> {
    const found = this.#open().find(contentTopic, payload, since)
    if (found) return found
    // The archive may be new while the network remembers: what peers have had since the last sync is fetched first.
    const failed = await this.#sync(this.#running(), this.#setting.context.clock.now(), signal)
    if (failed) throw failed
    return this.#open().find(contentTopic, payload, since)
  }

  async lookup(hash: Uint8Array, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted()
    // Every message of ours is archived before it leaves: what the archive does not have was not sent.
    if (!this.#open().has(hash)) return false
    if (this.#config.requirePeers === 0) return true
    const node = this.#running()
    const stored = await node.storedByPeers(hash, signal)
    if (stored !== null) return stored
    if (node.relayPeers() >= this.#config.requirePeers) return true
    throw new WakuError('no-peer', 'No Waku peer is connected that could tell whether it has the message')
  }

  addresses(): string[] {
    return this.#node?.addresses() ?? []
  }

  async examine(signal: AbortSignal): Promise<Finding[]> {
    return examineNode(this.#config, this.#setting, this.#node, this.#archive, this.#skew, signal)
  }

  /** Asks the peers' archives; returns why that is not complete, or null. */
  async #sync(node: ServiceNode, since: number, signal: AbortSignal): Promise<unknown> {
    const { clock } = this.#setting.context
    try {
      const hasPeers = async () => (await node.archivePeers()).length > 0
      const isAlone = this.#config.peers.length === 0
      if (!isAlone && !(await until(hasPeers, { clock, signal, withinMs: PATIENCE_MS }))) {
        return new WakuError(
          'no-peer',
          'No configured Waku peer with an archive is connected; messages may be missing',
        )
      }
      await node.sync(since, signal)
      return null
    } catch (error) {
      return error
    }
  }

  /**
   * Where peers are required, a send counts when a peer's archive shows it: a connection that has just died takes bytes
   * without an error. gossipsub does not repeat a message, so one that is missing is pushed to the peers directly.
   */
  async #confirm(node: ServiceNode, message: NetworkMessage, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#setting.context
    const lost = new WakuError(
      'answer-lost',
      'A Waku peer was lost while it was sent to; it may have the message',
    )
    const deadline = AbortSignal.any([signal, this.#stopped.signal, AbortSignal.timeout(PATIENCE_MS)])
    let looks = 0
    const lookup = async () => {
      looks += 1
      if (looks === 4) await node.pushDirectly(message, deadline)
      return this.lookup(message.hash, deadline)
    }
    await confirmStored({ clock, log, lost, lookup, signal: deadline })
  }

  async #startNode(): Promise<void> {
    const { context, events, clusterId, pubsubTopic, contentTopics } = this.#setting
    const { clock, random, log } = context
    const { archive, limits, peers, redialMinMs, redialMaxMs } = this.#config
    const directory = await context.directory()
    this.#archive ??= new Archive({
      file: join(directory, 'archive.sqlite'),
      retentionMs: archive.retentionMs,
      maxBytes: archive.maxBytes,
      clock,
    })
    this.#node = await ServiceNode.start({
      clusterId,
      pubsubTopic,
      syncTopics: contentTopics,
      privateKey: await loadNodeKey(directory),
      listen: this.#config.listen,
      announce: this.#config.announce,
      peers,
      redial: { minMs: redialMinMs, maxMs: Math.max(redialMinMs, redialMaxMs) },
      syncWith: 'configured',
      syncWindowMs: this.#config.syncWindowMs,
      archive: this.#archive,
      limits: toLimits(limits, archive.clockWindowMs),
      clock,
      random,
      log,
      onMessage: (message, origin) => {
        if (origin === 'local') return
        if (origin !== 'sync') this.#skew.observe(message)
        events.message(message)
      },
      onRelayPeers: (count) => this.#reportPeers(count),
    })
    log.info(
      { addresses: this.#node.addresses(), clusterId, pubsubTopic },
      'Waku node listening; clients dial these addresses',
    )
    this.#reportPeers(this.#node.relayPeers())
  }

  /** Goes on trying to listen, e.g. until another process has let go of the port. */
  async #keepStarting(): Promise<void> {
    const { clock } = this.#setting.context
    const { signal } = this.#stopped
    while (!signal.aborted) {
      try {
        await clock.sleep(this.#config.redialMaxMs, signal)
        await this.#startNode()
        return
      } catch (error) {
        if (!signal.aborted) this.#reportFailure(error)
      }
    }
  }

  #reportFailure(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    const inUse = error instanceof WakuError && error.code === 'listen-failed'
    this.#setting.events.state({
      state: 'transientDisconnect',
      reason,
      userAction: inUse
        ? 'Free the port or change networks.waku.listen'
        : 'Make sure that the data directory can be written to',
    })
  }

  #reportPeers(count: number): void {
    if (this.#stopped.signal.aborted) return
    if (count > 0) {
      this.#impatient = true
      this.#firstPeer.resolve()
    }
    if (count > 0 || (this.#config.peers.length === 0 && this.#config.requirePeers === 0)) {
      this.#setting.events.state({ state: 'connected', reason: `${count} relay peers` })
    } else if (this.#impatient) {
      this.#setting.events.state({
        state: 'transientDisconnect',
        reason: 'no relay peer is connected; dialing',
      })
    }
  }

  #running(): ServiceNode {
    if (this.#node) return this.#node
    throw new WakuError('no-peer', 'The Waku node is not running')
  }

  #open(): Archive {
    if (this.#archive) return this.#archive
    throw new WakuError('no-peer', 'The Waku node is not running')
  }
}

function toLimits(limits: EmbeddedConfig['limits'], archiveClockWindowMs: number): ServiceLimits {
  return { ...defaultLimits, ...limits, archiveClockWindowMs }
}
