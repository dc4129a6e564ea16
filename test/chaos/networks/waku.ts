/** Waku: the gateway’s embedded node joins the sandbox’s node through a proxy; wallets with light clients of the real SDK. */
import { join as joinPath } from 'node:path'
import { Archive } from '../../../adapters/waku/embedded/archive.ts'
import { startSandbox } from '../../../adapters/waku/sandbox/index.ts'
import { connectLightClient, type LightClient } from '../../../adapters/waku/sandbox/light-client.ts'
import type { Sandbox } from '../../../src/adapter/index.ts'
import { systemClock } from '../../../src/adapter/index.ts'
import { decodeFrame, toHex } from '../../../src/envelope/index.ts'
import { hear, type Person } from '../people.ts'
import { startTcpProxy } from '../tcp-proxy.ts'
import type { ChaosNetwork, FaultKind, NetworkOptions, RunningNetwork } from './row.ts'
import { tcpFaults } from './row.ts'

const NETWORK = 'waku'

export const waku: ChaosNetwork = { name: NETWORK, start }

async function start({ random, directory }: NetworkOptions): Promise<RunningNetwork> {
  const sandbox = await startSandbox({ seed: random.between(1, 999_999), directory })
  const { tcp, websocket } = sandbox.addresses as { tcp: string; websocket: string }
  const proxy = await startTcpProxy(Number(/\/tcp\/(\d+)/.exec(tcp)?.[1]), random.fork('relay'))
  const clients = new Map<Person, LightClient>()
  const { clusterId, shardsInCluster } = sandbox.gatewayConfig as {
    clusterId: number
    shardsInCluster: number
  }
  return {
    name: NETWORK,
    adapter: NETWORK,
    gatewayConfig: { ...sandbox.gatewayConfig, peers: [tcp.replace(/\/tcp\/\d+/, `/tcp/${proxy.port}`)] },
    connectGateway: async () => undefined,
    async join(person) {
      const client = await connectLightClient({ multiaddr: websocket, clusterId, shards: shardsInCluster })
      await client.subscribe([addressOf(person)], (frame) => void hear(person, NETWORK, frame))
      clients.set(person, client)
    },
    async send(from, to, { frame }) {
      const client = clients.get(from)
      if (!client) throw new Error(`${from.name} has no Waku client`)
      await client.publishFrame(addressOf(to), frame)
    },
    async copies(people) {
      const archive = new Archive({
        file: joinPath(directory, 'sandbox-archive.sqlite'),
        retentionMs: 24 * 3_600_000,
        maxBytes: 1_000_000_000,
        clock: systemClock,
      })
      try {
        return countCopies(archive, [...new Set(people.map(addressOf))])
      } finally {
        archive.close()
      }
    },
    proxies: [proxy],
    faults: [...tcpFaults('relay', proxy, true), ...nodeFaults(sandbox)],
    async stop() {
      await Promise.all([...clients.values()].map((client) => client.stop()))
      await sandbox.stop()
      await proxy.stop()
    },
  }
}

function countCopies(archive: Archive, contentTopics: string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (let cursor: Uint8Array | undefined; ; ) {
    const page = archive.page({
      contentTopics,
      forward: true,
      limit: 500,
      maxBytes: 10_000_000,
      ...(cursor ? { cursor } : {}),
    })
    for (const { contentTopic, payload } of page.messages) {
      const key = `${contentTopic} ${toHex(decodeFrame(payload).id)}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    if (!page.next) return counts
    cursor = page.next
  }
}

function nodeFaults({ faults }: Sandbox): FaultKind[] {
  const switched = (
    name: string,
    put: (on: boolean) => Promise<void> | void,
    more: Partial<FaultKind> = {},
  ): FaultKind => ({ name, start: () => put(true), heal: () => put(false), ...more })
  return [
    switched('node down', faults.outage, { cutsClients: true }),
    switched('all messages lost', (on) => faults.loss(on ? 1 : 0)),
    switched('half of the messages lost', (on) => faults.loss(on ? 0.5 : 0)),
    switched('messages doubled', (on) => faults.duplication(on ? 1 : 0)),
    switched('messages out of order', (on) => faults.reordering(on ? 1 : 0)),
    switched('messages late', (on) => faults.latency(on ? 700 : 0)),
  ]
}

function addressOf({ name, addresses }: Person): string {
  const address = addresses.get(NETWORK)
  if (!address) throw new Error(`${name} has no address on Waku`)
  return address
}
