/** Configuration of the Waku adapter: `networks.waku`. */
import { multiaddr } from '@multiformats/multiaddr'
import { z } from 'zod'
import { MAX_CONTENT_TOPICS_PER_REQUEST } from './wire/codecs.ts'

const address = z.string().refine(isMultiaddr, 'must be a multiaddr, e.g. /ip4/127.0.0.1/tcp/60001/ws')
const peerAddress = address.describe('Multiaddr of a peer, best with its /p2p/<peer id>')

const network = {
  clusterId: z
    .int()
    .min(0)
    .max(65_535)
    .default(42)
    .describe(
      'Waku cluster. 42 is this project’s default for private networks; 1 is The Waku Network (nwaku-rest only)',
    ),
  shardsInCluster: z
    .int()
    .min(1)
    .max(1024)
    .default(8)
    .describe('Number of shards in the cluster; the shard of Causeway follows from it (automatic sharding)'),
}

const buckets = (most: number) =>
  z
    .int()
    .min(1)
    .max(most)
    .default(64)
    .describe(
      'Number of content topics that wallets are spread over by hash. Must be the same for all who talk together',
    )

const rate = (burst: number, perSecond: number, what: string) =>
  z
    .strictObject({
      burst: z.int().min(1).default(burst).describe('Requests in a row'),
      perSecond: z.number().positive().default(perSecond).describe('Requests a second in the long run'),
    })
    .prefault({})
    .describe(`Rate of ${what} of one peer`)

export const embeddedConfig = z
  .strictObject({
    driver: z.literal('embedded').default('embedded').describe('A full Waku node inside the gateway'),
    ...network,
    buckets: buckets(10_000),
    listen: z
      .array(address)
      .default(['/ip4/127.0.0.1/tcp/60001/ws', '/ip4/127.0.0.1/tcp/60000'])
      .describe(
        'Multiaddrs to listen on: WebSocket for browsers and the SDK, TCP for other nodes. Port 0 takes any',
      ),
    announce: z
      .array(address)
      .default([])
      .describe(
        'Public multiaddrs, where a proxy stands before the node, e.g. /dns4/waku.example.org/tcp/443/wss',
      ),
    peers: z.array(peerAddress).default([]).describe('Relay nodes to stay connected to'),
    requirePeers: z
      .int()
      .min(0)
      .default(0)
      .describe(
        'Relay peers that must be connected before a send is accepted; 0 lets a lone gateway serve its own clients',
      ),
    redialMinMs: z
      .int()
      .min(50)
      .default(250)
      .describe('First wait before dialing a lost peer again, in milliseconds'),
    redialMaxMs: z.int().min(50).default(5_000).describe('Longest wait between dials, in milliseconds'),
    syncWindowMs: z
      .int()
      .min(0)
      .default(24 * 3_600_000)
      .describe('How far back a node that was away asks its peers’ archives, in milliseconds'),
    archive: z
      .strictObject({
        retentionMs: z
          .int()
          .min(60_000)
          .default(2 * 24 * 3_600_000)
          .describe('Age at which archived messages are removed, in milliseconds'),
        maxBytes: z
          .int()
          .min(1_000_000)
          .default(1_000_000_000)
          .describe('Bytes of messages that the archive holds at most'),
        clockWindowMs: z
          .int()
          .min(0)
          .default(20_000)
          .describe('Archive only messages whose timestamp is this close to now, in milliseconds; 0 for any'),
      })
      .prefault({})
      .describe('Archive that the node serves to its clients'),
    limits: z
      .strictObject({
        maxMessageBytes: z
          .int()
          .min(1024)
          .max(1_048_576)
          .default(153_600)
          .describe('Largest message, encoded'),
        subscriptionTtlMs: z
          .int()
          .min(100)
          .default(300_000)
          .describe('Life of a Filter subscription without a ping'),
        filterPeers: z.int().min(1).default(1000).describe('Peers with Filter subscriptions at once'),
        filterCriteriaPerPeer: z
          .int()
          .min(1)
          .default(1000)
          .describe('Content topics that one peer may subscribe to'),
        idleStreamMs: z
          .int()
          .min(1000)
          .default(60_000)
          .describe('Streams without traffic for this long are reset'),
        maxConnections: z.int().min(1).default(300).describe('Connections at once'),
        lightPush: rate(500, 200, 'Light Push'),
        filter: rate(30, 1, 'Filter requests'),
        store: rate(100, 20, 'Store queries'),
      })
      .prefault({})
      .describe('What the node grants to clients'),
  })
  .describe('Embedded node: for private clusters, development, and gateways among themselves')

export const lightConfig = z
  .strictObject({
    driver: z.literal('light').describe('A light client of an operator’s service nodes'),
    ...network,
    // The SDK renews all topics of a subscription in one request, and nodes refuse more than 100 in one.
    buckets: buckets(MAX_CONTENT_TOPICS_PER_REQUEST),
    peers: z
      .array(peerAddress)
      .min(1)
      .describe('Service nodes with Light Push, Filter and Store, in order of preference'),
    redialMinMs: z
      .int()
      .min(50)
      .default(250)
      .describe('First wait before dialing a lost peer again, in milliseconds'),
    redialMaxMs: z.int().min(50).default(5_000).describe('Longest wait between dials, in milliseconds'),
    requestTimeoutMs: z
      .int()
      .min(100)
      .default(10_000)
      .describe('Longest wait for an answer of a service node'),
    pingIntervalMs: z
      .int()
      .min(1_000)
      .default(15_000)
      .describe('How often the subscription is checked; a dead one is renewed after a failed check'),
    confirm: z
      .boolean()
      .default(true)
      .describe('Look a sent message up in the Store before it counts as sent'),
  })
  .describe('Light client')

export const restConfig = z
  .strictObject({
    driver: z.literal('nwaku-rest').describe('An operator’s nwaku over its REST interface'),
    ...network,
    buckets: buckets(MAX_CONTENT_TOPICS_PER_REQUEST),
    url: z
      .url({ protocol: /^https?$/ })
      .describe('Base URL of the REST interface, e.g. http://127.0.0.1:8645'),
    publish: z
      .enum(['relay', 'lightpush'])
      .default('relay')
      .describe('relay: the node relays itself; lightpush: it pushes through a service node'),
    storePeer: address
      .optional()
      .describe('Store node that the nwaku asks; absent where it keeps an archive of its own'),
    pollIntervalMs: z
      .int()
      .min(50)
      .default(500)
      .describe('How often new messages are asked for: the latency of receiving'),
    requestTimeoutMs: z.int().min(100).default(10_000).describe('Longest wait for one REST answer'),
    confirm: z
      .boolean()
      .default(true)
      .describe('Look a sent message up in the Store before it counts as sent'),
  })
  .describe('nwaku over REST: the way onto The Waku Network, whose rate limit proofs only nwaku can make')

/** Schema of `networks.waku`; the driver decides which keys there are. */
export const configSchema = z.discriminatedUnion('driver', [embeddedConfig, lightConfig, restConfig])

export type WakuConfig = z.output<typeof configSchema>
export type EmbeddedConfig = z.output<typeof embeddedConfig>
export type LightConfig = z.output<typeof lightConfig>
export type RestConfig = z.output<typeof restConfig>

function isMultiaddr(text: string): boolean {
  try {
    multiaddr(text)
    return true
  } catch {
    // Only whether it parses is asked; the refinement's message says what is wrong.
    return false
  }
}
