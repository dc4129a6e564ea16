/** Nodes and clients that are stopped after each test, the last one first. */
import { afterEach } from 'vitest'
import { connectLightClient, type LightClient } from '../sandbox/light-client.ts'
import { CLUSTER_ID, SHARDS, startTestNode, type TestNode } from './node.ts'
import { connectRawPeer, type RawPeer } from './raw-peer.ts'

export interface NetworkBench {
  /** To be run after the test. */
  later(cleanup: () => Promise<unknown>): void
  startNode(options?: Parameters<typeof startTestNode>[0]): Promise<TestNode>
  connect(node: TestNode, options?: { useLegacyLightPush?: boolean }): Promise<LightClient>
  connectRaw(node: TestNode): Promise<RawPeer>
}

/** Call it once at the top of a test file. */
export function createNetworkBench(): NetworkBench {
  const cleanups: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  return {
    later: (cleanup) => {
      cleanups.push(cleanup)
    },
    async startNode(options) {
      const node = await startTestNode(options)
      cleanups.push(() => node.stop())
      return node
    },
    async connect(node, options = {}) {
      const client = await connectLightClient({
        multiaddr: node.websocket,
        clusterId: CLUSTER_ID,
        shards: SHARDS,
        ...options,
      })
      cleanups.push(() => client.stop())
      return client
    },
    async connectRaw(node) {
      const peer = await connectRawPeer(node.tcp)
      cleanups.push(() => peer.stop())
      return peer
    },
  }
}
