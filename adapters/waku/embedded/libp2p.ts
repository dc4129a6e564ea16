/** The libp2p host of an embedded node, with gossipsub set as Waku Relay (11/WAKU2-RELAY) asks. */
import { createHash } from 'node:crypto'
import { GossipSub, type GossipSubComponents } from '@chainsafe/libp2p-gossipsub'
import { createPeerScoreParams, createTopicScoreParams } from '@chainsafe/libp2p-gossipsub/score'
import { SignaturePolicy } from '@chainsafe/libp2p-gossipsub/types'
import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import type { Libp2p, PrivateKey } from '@libp2p/interface'
import { mplex } from '@libp2p/mplex'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { all as anyWebSocket } from '@libp2p/websockets/filters'
import { createLibp2p } from 'libp2p'
import { WakuError } from '../errors.ts'
import { codecs } from '../wire/codecs.ts'
import { dialGate } from '../wire/dial-gate.ts'

export interface HostOptions {
  privateKey: PrivateKey
  listen: string[]
  announce: string[]
  /** Multiaddrs that the host may dial, and no others. */
  peers: string[]
  pubsubTopic: string
  maxConnections: number
}

export interface Host {
  libp2p: Libp2p
  gossip: GossipSub
}

/** Length-prefix decoders take 4 MiB; a relay packet may hold several messages. */
const MAX_RELAY_PACKET_BYTES = 4 * 1024 * 1024

/** Makes the host without starting it. */
export async function createHost(options: HostOptions): Promise<Host> {
  const libp2p = await createLibp2p({
    start: false,
    privateKey: options.privateKey,
    addresses: { listen: options.listen, announce: options.announce },
    transports: [tcp(), webSockets({ filter: anyWebSocket })],
    // A browser that leaves a page drops its streams at once: more unknown-stream frames than the default of 5 a second.
    streamMuxers: [mplex({ disconnectThreshold: 100 })],
    connectionEncrypters: [noise()],
    connectionGater: dialGate(options.peers),
    connectionManager: {
      maxConnections: options.maxConnections,
      inboundConnectionThreshold: 100,
      maxIncomingPendingConnections: 100,
      // Redialing is done by PeerDialer, which does not give up.
      reconnectRetries: 0,
    },
    services: {
      identify: identify({ agentVersion: 'causeway' }),
      ping: ping({ maxInboundStreams: 10 }),
      pubsub: (components: GossipSubComponents) => createGossip(components, options),
    },
  })
  return { libp2p, gossip: (libp2p.services as unknown as { pubsub: GossipSub }).pubsub }
}

function createGossip(components: GossipSubComponents, options: HostOptions): GossipSub {
  const gossip = new GossipSub(components, {
    globalSignaturePolicy: SignaturePolicy.StrictNoSign,
    msgIdFn: (message) => createHash('sha256').update(message.data).digest(),
    fallbackToFloodsub: false,
    emitSelf: false,
    // Own messages go to every subscribed peer at once, so nothing waits for the mesh, which forms within a heartbeat (1 s).
    floodPublish: true,
    allowPublishToZeroTopicPeers: false,
    allowedTopics: [options.pubsubTopic],
    maxInboundDataLength: MAX_RELAY_PACKET_BYTES,
    scoreThresholds: {
      gossipThreshold: -100,
      publishThreshold: -1000,
      graylistThreshold: -10_000,
      // Peer exchange would let any peer say whom this host dials.
      acceptPXThreshold: Number.MAX_VALUE,
      opportunisticGraftThreshold: 0,
    },
    scoreParams: createPeerScoreParams({
      // Nodes of one operator often share an address (a host, a NAT); message validity decides instead.
      IPColocationFactorWeight: 0,
      topics: { [options.pubsubTopic]: validityScore },
    }),
  })
  gossip.multicodecs = [codecs.relay]
  return gossip
}

/** Only invalid messages count against a peer; the weight is nwaku's. A private network is too quiet for delivery rates. */
const validityScore = createTopicScoreParams({
  topicWeight: 1,
  timeInMeshWeight: 0,
  firstMessageDeliveriesWeight: 0,
  meshMessageDeliveriesWeight: 0,
  meshFailurePenaltyWeight: 0,
  invalidMessageDeliveriesWeight: -100,
  invalidMessageDeliveriesDecay: 0.5,
})

/** Starts the host; rejects with `listen-failed` unless every address is listened on. */
export async function startHost({ libp2p }: Host, listen: string[]): Promise<void> {
  try {
    await libp2p.start()
  } catch (cause) {
    await libp2p.stop()
    throw new WakuError('listen-failed', `Cannot listen on ${listen.join(', ')}; a port may be in use`, {
      cause,
    })
  }
}
