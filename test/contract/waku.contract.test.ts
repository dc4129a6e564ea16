/** The adapter contract over Waku, for each driver: the gateway, a service node, and light clients of the real SDK. */
import { contentTopicOf } from '../../adapters/waku/carriage.ts'
import definition from '../../adapters/waku/index.ts'
import { startSandbox } from '../../adapters/waku/sandbox/index.ts'
import { connectLightClient } from '../../adapters/waku/sandbox/light-client.ts'
import { startCuttableProxy } from '../../adapters/waku/testing/cuttable-proxy.ts'
import { startNwakuRest } from '../../adapters/waku/testing/nwaku-rest.ts'
import { describeAdapterContract } from '../../src/adapter/testing/index.ts'

const BUCKETS = 64

/** Two wallets whose buckets differ. */
const wallets = ['a', 'b'].map((digit) => {
  const wallet = `eip155:*:0x${digit.repeat(40)}`
  return { wallet, address: contentTopicOf(wallet, BUCKETS) }
})

/** A network for one driver: where clients dial it, the port that the gateway uses, and the gateway's way through a proxy. */
interface Network {
  websocket: string
  port: number
  config(proxyPort: number): Record<string, unknown>
  stop(): Promise<void>
}

const networks: Record<string, () => Promise<Network>> = {
  async embedded() {
    const sandbox = await startSandbox({ seed: 7 })
    const { websocket, tcp } = sandbox.addresses as { websocket: string; tcp: string }
    const config = (port: number) => ({ ...sandbox.gatewayConfig, peers: [withPort(tcp, port)] })
    return { websocket, port: portOf(tcp), config, stop: () => sandbox.stop() }
  },
  async light() {
    const sandbox = await startSandbox({ seed: 7 })
    const { websocket } = sandbox.addresses as { websocket: string }
    const config = (port: number) => ({
      driver: 'light',
      peers: [withPort(websocket, port)],
      redialMaxMs: 1_000,
    })
    return { websocket, port: portOf(websocket), config, stop: () => sandbox.stop() }
  },
  async 'nwaku-rest'() {
    const nwaku = await startNwakuRest()
    const config = (port: number) => ({
      driver: 'nwaku-rest',
      url: `http://127.0.0.1:${port}`,
      pollIntervalMs: 100,
    })
    return {
      websocket: nwaku.node.websocket,
      port: Number(new URL(nwaku.url).port),
      config,
      stop: () => nwaku.stop(),
    }
  },
}

for (const [driver, startNetwork] of Object.entries(networks)) {
  describeAdapterContract({
    name: `waku, driver ${driver}`,
    async setup() {
      const network = await startNetwork()
      const { websocket } = network
      // The clients dial the network itself and the gateway goes through the proxy, which plays the outage.
      const proxy = await startCuttableProxy(network.port)
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
        config: { clusterId: 42, shardsInCluster: 8, buckets: BUCKETS, ...network.config(proxy.port) },
        wallets,
        network: {
          inject: (frame, { from, to }) => at(from).client.publishFrame(to, frame),
          received: async (address) => at(address).frames,
          outage: async (on) => proxy.cut(on),
        },
        async teardown() {
          await Promise.all(clients.map(({ client }) => client.stop()))
          await proxy.close()
          await network.stop()
        },
      }
    },
  })
}

function portOf(multiaddr: string): number {
  return Number(/\/tcp\/(\d+)/.exec(multiaddr)?.[1])
}

function withPort(multiaddr: string, port: number): string {
  return multiaddr.replace(/\/tcp\/\d+/, `/tcp/${port}`)
}
