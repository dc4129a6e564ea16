/**
 * SANDBOX of the Waku network: a second service node on loopback, so that the gateway's node has a peer and light clients
 * have a node that is not the gateway. The same code as the embedded node, with its own key and archive, and with faults.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import {
  type AdapterLog,
  type NetworkClient,
  type NetworkClientInput,
  type Sandbox,
  type SandboxOptions,
  systemClock,
} from '../../../src/adapter/index.ts'
import { contentTopics } from '../carriage.ts'
import { Archive } from '../embedded/archive.ts'
import { defaultLimits } from '../embedded/options.ts'
import { ServiceNode } from '../embedded/service-node.ts'
import { pubsubTopicOf } from '../wire/message.ts'
import { SandboxFaults, seededFractions, type WakuFaults } from './faults.ts'
import { connectLightClient } from './light-client.ts'

const CLUSTER_ID = 42
const SHARDS = 8
const BUCKETS = 64
const RETENTION_MS = 24 * 3_600_000
const ARCHIVE_BYTES = 100_000_000

/** A sandbox reports through its addresses and switches; its node's log is not the gateway's. */
const quiet: AdapterLog = { debug() {}, info() {}, warn() {}, error() {} }

export interface WakuSandboxOptions extends SandboxOptions {
  /** The node's clock in Unix milliseconds. Default: the system's. */
  now?(): number
}

export interface WakuSandbox extends Sandbox {
  faults: WakuFaults
}

/** Starts the sandbox. The gateway joins it with `gatewayConfig`; light clients dial `addresses.websocket`. */
export async function startSandbox(options: WakuSandboxOptions = {}): Promise<WakuSandbox> {
  const clock = { ...systemClock, now: options.now ?? systemClock.now }
  const seed = options.seed ?? 1
  const faults = new SandboxFaults(seed)
  const fraction = seededFractions(seed + 1)
  const temporary =
    options.directory === undefined ? await mkdtemp(join(tmpdir(), 'causeway-waku-sandbox-')) : null
  const directory = temporary ?? (options.directory as string)
  await mkdir(directory, { recursive: true })
  const archive = new Archive({
    file: temporary ? null : join(directory, 'sandbox-archive.sqlite'),
    retentionMs: RETENTION_MS,
    maxBytes: ARCHIVE_BYTES,
    clock,
  })
  const privateKey = await generateKeyPairFromSeed('Ed25519', seedBytes(seed))
  let listen = [`/ip4/127.0.0.1/tcp/${options.port ?? 0}/ws`, '/ip4/127.0.0.1/tcp/0']
  const start = () =>
    ServiceNode.start({
      clusterId: CLUSTER_ID,
      pubsubTopic: pubsubTopicOf(CLUSTER_ID, SHARDS),
      syncTopics: contentTopics(BUCKETS),
      privateKey,
      listen,
      announce: [],
      peers: [],
      redial: { minMs: 250, maxMs: 5_000 },
      // The gateway dials the sandbox; after an outage the sandbox asks it for what it missed.
      syncWith: 'relay',
      syncWindowMs: RETENTION_MS,
      archive,
      limits: defaultLimits,
      clock,
      random: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)), fraction },
      log: quiet,
      faults,
      onMessage() {},
      onRelayPeers() {},
    })
  let node: ServiceNode | null = await start()
  const [websocket, tcp] = node.addresses() as [string, string]
  // Fixed from now on, so that clients find the node again after an outage.
  listen = [websocket, tcp].map((address) => address.replace(/\/p2p\/.*$/, ''))

  /** Outages follow one another; the last call decides. */
  let switching: Promise<void> = Promise.resolve()
  const outage = (on: boolean) => {
    switching = switching.then(async () => {
      if (on && node) {
        faults.clear()
        await node.stop()
        node = null
      } else if (!on && !node) node = await start()
    })
    return switching
  }
  return {
    network: 'waku',
    addresses: { websocket, tcp },
    gatewayConfig: {
      driver: 'embedded',
      clusterId: CLUSTER_ID,
      shardsInCluster: SHARDS,
      buckets: BUCKETS,
      listen: ['/ip4/127.0.0.1/tcp/0/ws', '/ip4/127.0.0.1/tcp/0'],
      peers: [tcp],
      requirePeers: 1,
      redialMaxMs: 1_000,
    },
    faults: {
      outage,
      latency: (ms) => {
        faults.latencyMs = ms
      },
      loss: (share) => {
        faults.loss = share
      },
      duplication: (share) => {
        faults.duplication = share
      },
      reordering: (share) => {
        faults.reordering = share
      },
      storeOutage: (on) => {
        faults.storeDown = on
      },
      storeLatency: (ms) => {
        faults.storeLatencyMs = ms
      },
      storeLoss: (share) => {
        faults.storeLoss = share
      },
      forgetSubscriptions: () => node?.forgetFilterPeers(),
    },
    stop: async () => {
      await outage(true)
      archive.close()
      if (temporary) await rm(temporary, { recursive: true, force: true })
    },
  }
}

/** Joins the network as a wallet's own client: a light node of the unmodified SDK that dials the gateway. */
export async function connectClient({ address, description }: NetworkClientInput): Promise<NetworkClient> {
  const { clusterId, shards, multiaddrs } = description as {
    clusterId: number
    shards: number
    multiaddrs: string[]
  }
  const [multiaddr] = multiaddrs
  if (multiaddr === undefined) throw new Error('The gateway names no multiaddr; is its Waku adapter started?')
  const client = await connectLightClient({ multiaddr, clusterId, shards })
  const listeners = new Set<(frame: Uint8Array, from: string | null) => void>()
  await client.subscribe([address], (frame) => {
    for (const listener of listeners) listener(frame, null)
  })
  return {
    send: (to, frame) => client.publishFrame(to, frame),
    onFrame: (listener) => {
      listeners.add(listener)
    },
    close: () => client.stop(),
  }
}

function seedBytes(seed: number): Uint8Array {
  const bytes = new Uint8Array(32)
  new DataView(bytes.buffer).setUint32(0, seed >>> 0)
  return bytes
}
