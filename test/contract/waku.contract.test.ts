/** The adapter contract over Waku: the gateway's embedded node, the sandbox's node, and light clients of the real SDK. */
import { contentTopicOf } from '../../adapters/waku/carriage.ts'
import definition from '../../adapters/waku/index.ts'
import { startSandbox } from '../../adapters/waku/sandbox/index.ts'
import { connectLightClient } from '../../adapters/waku/sandbox/light-client.ts'
import { startCuttableProxy } from '../../adapters/waku/testing/cuttable-proxy.ts'
import { describeAdapterContract } from '../../src/adapter/testing/index.ts'

const BUCKETS = 64

/** Two wallets whose buckets differ. */
const wallets = ['a', 'b'].map((digit) => {
  const wallet = `eip155:*:0x${digit.repeat(40)}`
  return { wallet, address: contentTopicOf(wallet, BUCKETS) }
})

for (const driver of ['embedded', 'light'] as const) {
  describeAdapterContract({
    name: `waku, driver ${driver}`,
    async setup() {
      const sandbox = await startSandbox({ seed: 7 })
      const { websocket, tcp } = sandbox.addresses as { websocket: string; tcp: string }
      // The clients dial the sandbox itself and the gateway dials through the proxy, which plays the outage.
      const target = driver === 'embedded' ? tcp : websocket
      const proxy = await startCuttableProxy(portOf(target))
      const peer = target.replace(/\/tcp\/\d+/, `/tcp/${proxy.port}`)
      const clients = await Promise.all(
        wallets.map(async ({ address }) => {
          const client = await connectLightClient({ multiaddr: websocket, clusterId: 42, shards: 8 })
          const frames: Uint8Array[] = []
          await client.subscribe([address], (frame) => frames.push(frame))
          return { address, client, frames }
        }),
      )
      const at = (address: string) => {
        const found = clients.find((one) => one.address === address)
        if (!found) throw new Error('no client has this address')
        return found
      }
      return {
        definition,
        config:
          driver === 'embedded'
            ? { ...sandbox.gatewayConfig, peers: [peer] }
            : {
                driver,
                clusterId: 42,
                shardsInCluster: 8,
                buckets: BUCKETS,
                peers: [peer],
                redialMaxMs: 1_000,
              },
        wallets,
        network: {
          inject: (frame, { from, to }) => at(from).client.publishFrame(to, frame),
          received: async (address) => at(address).frames,
          outage: async (on) => proxy.cut(on),
        },
        async teardown() {
          await Promise.all(clients.map(({ client }) => client.stop()))
          await proxy.close()
          await sandbox.stop()
        },
      }
    },
  })
}

function portOf(multiaddr: string): number {
  return Number(/\/tcp\/(\d+)/.exec(multiaddr)?.[1])
}
