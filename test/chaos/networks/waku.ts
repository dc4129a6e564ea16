/**
 * Waku: the gateway joins the sandbox's node through a proxy, as a node of its own or as a light client; wallets with light
 * clients of the real SDK.
 */
import { join as joinPath } from 'node:path'
import { Archive } from '../../../adapters/waku/embedded/archive.ts'
import { startSandbox, type WakuSandbox } from '../../../adapters/waku/sandbox/index.ts'
import { connectLightClient, type LightClient } from '../../../adapters/waku/sandbox/light-client.ts'
import { systemClock } from '../../../src/adapter/index.ts'
import { decodeFrame, toHex } from '../../../src/envelope/index.ts'
import { hear, type Person } from '../people.ts'
import { startTcpProxy } from '../tcp-proxy.ts'
import type { ChaosNetwork, FaultKind, NetworkOptions, RunningNetwork } from './row.ts'
import { tcpFaults } from './row.ts'

const NETWORK = 'waku'
const CLOCK_SHIFT_MS = 5 * 60_000

type Driver = 'embedded' | 'light'

export const waku: ChaosNetwork = { name: 'waku', start: (options) => start('embedded', options) }
export const wakuLight: ChaosNetwork = { name: 'waku-light', start: (options) => start('light', options) }

async function start(driver: Driver, { random, directory }: NetworkOptions): Promise<RunningNetwork> {
  let shiftMs = 0
  const sandbox = await startSandbox({
    seed: random.between(1, 999_999),
    directory,
    now: () => Date.now() + shiftMs,
  })
  const { tcp, websocket } = sandbox.addresses as { tcp: string; websocket: string }
  const dialed = driver === 'embedded' ? tcp : websocket
  const proxy = await startTcpProxy(Number(/\/tcp\/(\d+)/.exec(dialed)?.[1]), random.fork('node'))
  const peers = [dialed.replace(/\/tcp\/\d+/, `/tcp/${proxy.port}`)]
  const clients = new Map<Person, LightClient>()
  const { clusterId, shardsInCluster, buckets } = sandbox.gatewayConfig as {
    clusterId: number
    shardsInCluster: number
    buckets: number
  }
  const clocks = ([CLOCK_SHIFT_MS, -CLOCK_SHIFT_MS] as const).map(
    (shift): FaultKind => ({
      name: `clock of the network 5 minutes ${shift > 0 ? 'ahead' : 'behind'}`,
      start: () => {
        shiftMs = shift
      },
      heal: () => {
        shiftMs = 0
      },
      // Its archive takes only messages of about its own time: these are relayed, and kept nowhere.
      inboxOnly: true,
      needsStream: true,
    }),
  )
  return {
    name: driver === 'embedded' ? 'waku' : 'waku-light',
    adapter: NETWORK,
    gatewayConfig:
      driver === 'embedded'
        ? { ...sandbox.gatewayConfig, peers }
        : { driver, clusterId, shardsInCluster, buckets, peers },
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
    faults: [...tcpFaults('node', proxy, true), ...nodeFaults(sandbox), ...clocks],
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

function nodeFaults({ faults }: WakuSandbox): FaultKind[] {
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
    switched('Store does not answer', faults.storeOutage),
    switched('Store answers late', (on) => faults.storeLatency(on ? 2_000 : 0)),
    switched('Store answers in part', (on) => faults.storeLoss(on ? 0.5 : 0)),
    {
      name: 'Filter subscriptions silently gone',
      start: faults.forgetSubscriptions,
      heal: () => undefined,
    },
  ]
}

function addressOf({ name, addresses }: Person): string {
  const address = addresses.get(NETWORK)
  if (!address) throw new Error(`${name} has no address on Waku`)
  return address
}
