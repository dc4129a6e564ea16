/** A light node of the unmodified SDK, set so that nothing happens behind our back: no discovery, no retries, own dialing. */
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { all as anyWebSocket } from '@libp2p/websockets/filters'
import { createLightNode, type LightNode } from '@waku/sdk'
import { dialGate } from '../wire/dial-gate.ts'

export interface LightNodeOptions {
  clusterId: number
  shardsInCluster: number
  /** Multiaddrs that the node may dial, and no others: the SDK dials what is in its peer store, which peers write. */
  peers: readonly string[]
  /** How often the SDK pings its Filter subscription, in milliseconds. */
  pingIntervalMs: number
}

/** Makes a light node without starting it. */
export function createQuietLightNode(options: LightNodeOptions): Promise<LightNode> {
  return createLightNode({
    autoStart: false,
    defaultBootstrap: false,
    discovery: { dns: false, peerExchange: false, peerCache: false },
    networkConfig: { clusterId: options.clusterId, numShardsInCluster: options.shardsInCluster },
    userAgent: 'causeway',
    // One failed ping renews a subscription; the default waits for three, a minute apart.
    filter: { keepAliveIntervalMs: options.pingIntervalMs, pingsBeforePeerRenewed: 1 },
    // A retry of the SDK repeats sends that succeeded; retries are the outbox's.
    lightPush: { autoRetry: false },
    connectionManager: { enableAutoRecovery: false },
    libp2p: {
      connectionGater: dialGate(options.peers),
      filterMultiaddrs: false,
      hideWebSocketInfo: true,
      transports: [webSockets({ filter: anyWebSocket }), tcp()],
    },
  })
}
