/** One interface over the three ways to join a Waku network. */
import type { AdapterContext, Finding, StateReport } from '../../src/adapter/index.ts'
import type { NetworkMessage } from './wire/message.ts'

/** What a driver tells the adapter. Handlers return at once and never throw. */
export interface DriverEvents {
  /** A message of the shard that was not published by this gateway. */
  message(message: NetworkMessage): void
  /** Messages since this time (Unix milliseconds) may have been missed on the live path. */
  gap(since: number): void
  state(report: StateReport): void
}

export interface HistoryRange {
  /** Unix milliseconds, both included. */
  since: number
  until: number
}

export interface SearchQuery extends HistoryRange {
  contentTopic: string
  payload: Uint8Array
}

export interface WakuDriver {
  /** Connects and goes on connecting. Resolves when the first attempt has ended; never rejects for connection trouble. */
  start(signal: AbortSignal): Promise<void>
  stop(): Promise<void>
  /**
   * Puts one message on the network. The same message (same hash) may be published again and then reaches peers once.
   * Rejects with `WakuError`; `answer-lost` means that it may have been taken.
   */
  publish(message: NetworkMessage, signal: AbortSignal): Promise<void>
  /** Archived messages of the range on this gateway's content topics. */
  history(range: HistoryRange, signal: AbortSignal): AsyncIterable<NetworkMessage>
  /** An archived message of the range with this content topic and payload, or null. Rejects when it cannot be asked. */
  search(wanted: SearchQuery, signal: AbortSignal): Promise<NetworkMessage | null>
  /** Whether the archive holds the message. Rejects when it cannot be asked. */
  lookup(hash: Uint8Array, signal: AbortSignal): Promise<boolean>
  /** Multiaddrs at which light clients reach this network, WebSocket first. */
  addresses(): string[]
  examine(signal: AbortSignal): Promise<Finding[]>
}

/** What every driver is made from, beside its configuration. */
export interface DriverSetting {
  context: AdapterContext
  events: DriverEvents
  clusterId: number
  pubsubTopic: string
  /** The gateway's content topics. */
  contentTopics: string[]
}
