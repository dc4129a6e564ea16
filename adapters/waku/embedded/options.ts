/** What an embedded service node needs. The gateway's driver and the sandbox build it from their own configuration. */
import type { PrivateKey } from '@libp2p/interface'
import type { AdapterLog, Clock, Random } from '../../../src/adapter/index.ts'
import type { NetworkMessage } from '../wire/message.ts'
import type { Archive } from './archive.ts'
import type { RateLimit } from './rate-limit.ts'

export interface ServiceLimits {
  /** Largest encoded message in bytes. */
  maxMessageBytes: number
  /** Archived are only messages whose timestamp is within this many milliseconds of now; 0 archives whatever the time. */
  archiveClockWindowMs: number
  /** A Filter subscription that is neither renewed nor pinged for this long ends. */
  subscriptionTtlMs: number
  /** Peers with Filter subscriptions at once. */
  filterPeers: number
  /** Content topics of one peer's subscriptions together. */
  filterCriteriaPerPeer: number
  /** Bytes waiting for one slow Filter peer before its subscription is ended. */
  filterQueueBytes: number
  /** Inbound streams without traffic for this long are reset. */
  idleStreamMs: number
  /** Inbound streams of one protocol and connection. */
  maxInboundStreams: number
  maxConnections: number
  lightPush: RateLimit
  filter: RateLimit
  store: RateLimit
}

/** Faults that a sandbox puts between its node and others. */
export interface Faults {
  /** Calls `send` now, later, twice or never. */
  deliver(send: () => void): void
  /** Resolves, after any delay, to whether a relayed message may pass on. */
  forward(): Promise<boolean>
  /** Passes the answer to a Store query on: late, in part, or not at all by rejecting. */
  stored(answer: Uint8Array): Promise<Uint8Array>
}

/** How a message reached this node. `sync`: it was fetched from another node's archive. */
export type Origin = 'relay' | 'lightPush' | 'local' | 'sync'

export interface ServiceNodeOptions {
  clusterId: number
  /** The shard that the node relays and serves. */
  pubsubTopic: string
  /** Content topics that are fetched from other nodes' archives after an absence. */
  syncTopics: string[]
  privateKey: PrivateKey
  /** Multiaddrs to listen on, without peer id. */
  listen: string[]
  /** Public multiaddrs, where they differ from those listened on. */
  announce: string[]
  /** Multiaddrs of relay peers to stay connected to. */
  peers: string[]
  /** Shortest and longest wait between two dials of a lost peer in milliseconds. */
  redial: { minMs: number; maxMs: number }
  /** Whose archives are asked for missed messages: those in `peers`, or every relay peer. */
  syncWith: 'configured' | 'relay'
  /** How far back a node that was away asks for, in milliseconds. */
  syncWindowMs: number
  archive: Archive
  limits: ServiceLimits
  clock: Clock
  random: Random
  log: AdapterLog
  faults?: Faults
  /** Every message that is new to this node, once. */
  onMessage(message: NetworkMessage, origin: Origin): void
  /** The number of connected relay peers changed. */
  onRelayPeers(count: number): void
}

/** nwaku's limits where it has them; rates wide enough for a platform that carries many wallets. */
export const defaultLimits: ServiceLimits = {
  maxMessageBytes: 150 * 1024,
  archiveClockWindowMs: 20_000,
  subscriptionTtlMs: 5 * 60_000,
  filterPeers: 1000,
  filterCriteriaPerPeer: 1000,
  filterQueueBytes: 8 * 1024 * 1024,
  idleStreamMs: 60_000,
  maxInboundStreams: 1000,
  maxConnections: 300,
  lightPush: { burst: 500, perSecond: 200 },
  filter: { burst: 30, perSecond: 1 },
  store: { burst: 100, perSecond: 20 },
}
