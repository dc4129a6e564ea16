/** Embedded nodes for tests. */
import { randomBytes } from 'node:crypto'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { type AdapterLog, type Clock, systemClock } from '../../../src/adapter/index.ts'
import { contentTopics } from '../carriage.ts'
import { Archive } from '../embedded/archive.ts'
import {
  defaultLimits,
  type Origin,
  type ServiceLimits,
  type ServiceNodeOptions,
} from '../embedded/options.ts'
import { ServiceNode } from '../embedded/service-node.ts'
import { createMessage, type NetworkMessage, pubsubTopicOf, toNanoseconds } from '../wire/message.ts'

export const CLUSTER_ID = 42
export const SHARDS = 8
export const PUBSUB_TOPIC = pubsubTopicOf(CLUSTER_ID, SHARDS)

export const quietLog: AdapterLog = { debug() {}, info() {}, warn() {}, error() {} }

export interface TestNode {
  node: ServiceNode
  archive: Archive
  heard: { message: NetworkMessage; origin: Origin }[]
  websocket: string
  tcp: string
  stop(): Promise<void>
}

/** Starts a node on free ports with an archive in memory. */
export async function startTestNode(
  options: Partial<Omit<ServiceNodeOptions, 'limits'>> & { limits?: Partial<ServiceLimits> } = {},
): Promise<TestNode> {
  const clock = options.clock ?? systemClock
  const archive =
    options.archive ?? new Archive({ file: null, retentionMs: 3_600_000, maxBytes: 50_000_000, clock })
  const heard: TestNode['heard'] = []
  const node = await ServiceNode.start({
    clusterId: CLUSTER_ID,
    pubsubTopic: PUBSUB_TOPIC,
    syncTopics: contentTopics(64),
    privateKey: await generateKeyPair('Ed25519'),
    listen: ['/ip4/127.0.0.1/tcp/0/ws', '/ip4/127.0.0.1/tcp/0'],
    announce: [],
    peers: [],
    redial: { minMs: 100, maxMs: 500 },
    syncWith: 'configured',
    syncWindowMs: 3_600_000,
    random: { bytes: (length) => Uint8Array.from(randomBytes(length)), fraction: Math.random },
    log: quietLog,
    onMessage: (message, origin) => heard.push({ message, origin }),
    onRelayPeers() {},
    ...options,
    clock,
    archive,
    limits: { ...defaultLimits, ...options.limits },
  })
  const [websocket, tcp] = node.addresses() as [string, string]
  return {
    node,
    archive,
    heard,
    websocket,
    tcp,
    async stop() {
      await node.stop()
      archive.close()
    },
  }
}

/** A message of the project's shard, of now unless `at` (Unix milliseconds) is given. */
export function testMessage(
  options: { contentTopic?: string; payload?: Uint8Array; at?: number; ephemeral?: boolean } = {},
): NetworkMessage {
  return createMessage({
    pubsubTopic: PUBSUB_TOPIC,
    contentTopic: options.contentTopic ?? '/causeway/1/in-0/cbor',
    payload: options.payload ?? Uint8Array.from(randomBytes(32)),
    timestamp: toNanoseconds(options.at ?? Date.now()),
    ephemeral: options.ephemeral ?? false,
  })
}

/** The system clock with a step that tests may make. */
export function steppingClock(): Clock & { step(ms: number): void } {
  let offset = 0
  return {
    now: () => systemClock.now() + offset,
    monotonic: () => systemClock.monotonic() + offset,
    sleep: systemClock.sleep,
    step(ms) {
      offset += ms
    },
  }
}
