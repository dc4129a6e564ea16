/** Driver for an operator's nwaku over REST: polls for new messages, and takes the Store as the truth about all others. */
import type { Finding } from '../../../src/adapter/index.ts'
import { ClockSkew } from '../clock-skew.ts'
import type { RestConfig } from '../config.ts'
import { confirmStored } from '../confirm.ts'
import type { DriverSetting, HistoryRange, SearchQuery, WakuDriver } from '../driver.ts'
import { WakuError } from '../errors.ts'
import { type NetworkMessage, toNanoseconds } from '../wire/message.ts'
import type { TimeRange } from '../wire/store-client.ts'
import { RestClient } from './client.ts'

/** nwaku caches 50 messages a topic between polls and drops older ones without a word. */
const RELAY_CACHE_CAPACITY = 50

/** Senders' clocks differ by up to 20 s. */
const HISTORY_OVERLAP_MS = 20_001

const RETRY_MAX_MS = 10_000

export class RestDriver implements WakuDriver {
  readonly #config: RestConfig
  readonly #setting: DriverSetting
  readonly #client: RestClient
  readonly #skew: ClockSkew
  readonly #stopped = new AbortController()
  #loop: Promise<void> | null = null
  #subscribed = false
  #connected = false
  #lastPoll: number

  constructor(config: RestConfig, setting: DriverSetting) {
    this.#config = config
    this.#setting = setting
    this.#skew = new ClockSkew(setting.context.clock)
    this.#lastPoll = setting.context.clock.now()
    this.#client = new RestClient({
      url: config.url,
      pubsubTopic: setting.pubsubTopic,
      storePeer: config.storePeer,
      timeoutMs: config.requestTimeoutMs,
    })
  }

  async start(_signal: AbortSignal): Promise<void> {
    this.#setting.events.state({ state: 'connecting' })
    await this.#poll()
    this.#loop = this.#keepPolling()
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('stopped'))
    await this.#loop
  }

  async publish(message: NetworkMessage, signal: AbortSignal): Promise<void> {
    const { context } = this.#setting
    let lost: WakuError | null = null
    try {
      await this.#client.publish(this.#config.publish, message, signal)
    } catch (error) {
      if (!(error instanceof WakuError)) throw error
      if (error.status === 503) this.#subscribed = false
      if (error.code !== 'answer-lost') throw error
      lost = error
    }
    if (lost || (this.#config.confirm && !message.ephemeral)) {
      const lookup = () => this.lookup(message.hash, signal)
      await confirmStored({ clock: context.clock, log: context.log, lost, lookup, signal })
    }
  }

  history(range: HistoryRange, signal: AbortSignal): AsyncIterable<NetworkMessage> {
    return this.#client.range(this.#setting.contentTopics, toTimeRange(range), signal)
  }

  async search(wanted: SearchQuery, signal: AbortSignal): Promise<NetworkMessage | null> {
    for await (const message of this.#client.range([wanted.contentTopic], toTimeRange(wanted), signal)) {
      if (Buffer.from(message.payload).equals(wanted.payload)) return message
    }
    return null
  }

  lookup(hash: Uint8Array, signal: AbortSignal): Promise<boolean> {
    return this.#client.has(hash, signal)
  }

  /** The REST interface does not tell how light clients dial the node. */
  addresses(): string[] {
    return []
  }

  async examine(signal: AbortSignal): Promise<Finding[]> {
    const findings: Finding[] = [
      this.#connected
        ? { check: 'rest', status: 'ok', message: 'nwaku answers and has joined the shard' }
        : {
            check: 'rest',
            status: 'error',
            message: 'nwaku does not answer, or has not joined the shard',
            fix: 'Make sure that nwaku runs with --rest=true --relay=true and that networks.waku.url is its address',
          },
    ]
    try {
      await this.#client.has(new Uint8Array(32), signal)
      findings.push({ check: 'store', status: 'ok', message: 'The Store answers' })
    } catch (error) {
      findings.push({
        check: 'store',
        status: 'error',
        message: `The Store does not answer, so missed messages cannot be found: ${String(error)}`,
        fix: 'Run nwaku with --store=true, or name a Store node in networks.waku.storePeer',
      })
    }
    return [...findings, this.#skew.finding()]
  }

  async #keepPolling(): Promise<void> {
    const { clock } = this.#setting.context
    const { signal } = this.#stopped
    let wait = this.#config.pollIntervalMs
    while (!signal.aborted) {
      try {
        await clock.sleep(wait, signal)
      } catch (error) {
        if (!signal.aborted) throw error
        return
      }
      const reached = await this.#poll()
      wait = reached ? this.#config.pollIntervalMs : Math.min(wait * 2, RETRY_MAX_MS)
    }
  }

  /** Asks once for new messages; returns whether the node answered. */
  async #poll(): Promise<boolean> {
    const { events, context } = this.#setting
    const { signal } = this.#stopped
    const started = context.clock.now()
    try {
      if (!this.#subscribed) {
        await this.#client.subscribe(signal)
        this.#subscribed = true
        if (this.#connected) events.gap(this.#lastPoll)
      }
      const messages = await this.#client.drain(signal)
      for (const message of messages) {
        this.#skew.observe(message)
        events.message(message)
      }
      if (messages.length >= RELAY_CACHE_CAPACITY) events.gap(this.#lastPoll)
      this.#lastPoll = started
      if (!this.#connected) events.state({ state: 'connected' })
      this.#connected = true
      return true
    } catch (error) {
      if (signal.aborted) return false
      // 404: the node was restarted and has left the shard. Joined again by the next poll.
      this.#subscribed = false
      if (error instanceof WakuError && error.status === 404) return true
      this.#connected = false
      events.state({
        state: 'transientDisconnect',
        reason: error instanceof Error ? error.message : String(error),
        userAction: 'Make sure that nwaku runs and that networks.waku.url is its REST address',
      })
      return false
    }
  }
}

function toTimeRange({ since, until }: HistoryRange): TimeRange {
  return { from: toNanoseconds(since - HISTORY_OVERLAP_MS), to: toNanoseconds(until) }
}
