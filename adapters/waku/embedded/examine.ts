/** `causeway doctor` for the embedded node. */
import type { Finding } from '../../../src/adapter/index.ts'
import type { ClockSkew } from '../clock-skew.ts'
import type { EmbeddedConfig } from '../config.ts'
import type { DriverSetting } from '../driver.ts'
import { createMessage, shardOf } from '../wire/message.ts'
import type { Archive } from './archive.ts'
import type { ServiceNode } from './service-node.ts'

/** Looks at peers, clock, archive, shard and listening. Sends nothing. */
export async function examineNode(
  config: EmbeddedConfig,
  setting: DriverSetting,
  node: ServiceNode | null,
  archive: Archive | null,
  skew: ClockSkew,
  signal: AbortSignal,
): Promise<Finding[]> {
  signal.throwIfAborted()
  return [
    examineListening(config, node),
    examinePeers(config, node),
    examineArchive(setting, archive),
    skew.finding(),
    {
      check: 'shard',
      status: 'ok',
      message: `Cluster ${setting.clusterId}, shard ${shardOf(setting.pubsubTopic)} of ${config.shardsInCluster}`,
    },
  ]
}

function examineListening(config: EmbeddedConfig, node: ServiceNode | null): Finding {
  if (node)
    return { check: 'listening', status: 'ok', message: `Listening on ${node.addresses().length} addresses` }
  return {
    check: 'listening',
    status: 'error',
    message: `The node does not listen on ${config.listen.join(', ')}, so no client can reach it`,
    fix: 'Free the port, or change networks.waku.listen; port 0 takes any',
  }
}

function examinePeers(config: EmbeddedConfig, node: ServiceNode | null): Finding {
  const peers = node?.relayPeers() ?? 0
  if (peers >= Math.max(config.requirePeers, config.peers.length > 0 ? 1 : 0)) {
    return {
      check: 'peers',
      status: 'ok',
      message: `${peers} relay peers on the shard, ${config.peers.length} configured`,
    }
  }
  return {
    check: 'peers',
    status: config.requirePeers > peers ? 'error' : 'warning',
    message: `${peers} relay peers are connected of ${config.peers.length} configured; messages stay on this node until one is`,
    fix: 'Make sure that the peers run, that their addresses are right, and that cluster and shards are the same',
  }
}

function examineArchive(setting: DriverSetting, archive: Archive | null): Finding {
  const fix = 'Make sure that the disk has room and that the data directory can be written to'
  if (!archive) return { check: 'archive', status: 'error', message: 'The archive is not open', fix }
  const probe = createMessage({
    pubsubTopic: setting.pubsubTopic,
    contentTopic: '/causeway/1/doctor/cbor',
    payload: setting.context.random.bytes(16),
    timestamp: 1n,
    ephemeral: false,
  })
  try {
    // A message from 1970 is written and swept at once: it proves that the archive takes messages.
    archive.put(probe)
    archive.sweep()
    return { check: 'archive', status: 'ok', message: `${archive.count()} messages, ${archive.bytes} bytes` }
  } catch (error) {
    return {
      check: 'archive',
      status: 'error',
      message: `The archive cannot be written: ${String(error)}`,
      fix,
    }
  }
}
