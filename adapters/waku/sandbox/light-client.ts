/** A wallet's light client over the unmodified SDK, in one call. For tests, the demo and latency research; offline. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { createLightNode, type LightNode } from '@waku/sdk'
import { codecs } from '../wire/codecs.ts'
import { filterSubscribe } from '../wire/filter-client.ts'
import { messageHash, toNanoseconds } from '../wire/message.ts'
import { protocolsOf } from '../wire/peers.ts'

export interface LightClientOptions {
  /** WebSocket multiaddr of a service node, with its peer id. */
  multiaddr: string
  clusterId: number
  /** Number of shards in the cluster. */
  shards: number
  /** Publish by Light Push 2 instead of 3. */
  useLegacyLightPush?: boolean
}

/** Hears one message of the network. */
export type FrameListener = (frame: Uint8Array, contentTopic: string) => void

export interface LightClient {
  /**
   * Publishes a frame and resolves with the message hash in hexadecimal. Tries again with the same timestamp, so that the
   * network drops repeats; rejects when it is refused, or no try succeeded.
   */
  publishFrame(contentTopic: string, frame: Uint8Array, options?: { ephemeral?: boolean }): Promise<string>
  /** Hears frames by Filter from now on, and after a lost connection from the Store. Resolves when subscribed. */
  subscribe(contentTopics: string[], onFrame: FrameListener): Promise<void>
  /** Frames that the Store has kept since a time (Unix milliseconds, at most 23 hours ago), oldest first. */
  catchUp(contentTopics: string[], since: number): Promise<Uint8Array[]>
  /** Ends the connection and the SDK's subscription timers. */
  stop(): Promise<void>
}

type Decoder = ReturnType<LightNode['createDecoder']>

const CONNECT_TIMEOUT_MS = 20_000
const PUBLISH_TRIES = 20
const PAUSE_MS = 250
const CATCH_UP_OVERLAP_MS = 60_000
const STORE_RANGE_MS = 23 * 3_600_000

/** Connects and waits until the node's protocols are known. Rejects when the node cannot be reached in 20 s. */
export async function connectLightClient(options: LightClientOptions): Promise<LightClient> {
  const { clusterId, shards, useLegacyLightPush: useLegacy = false } = options
  const target = multiaddr(options.multiaddr)
  const node = await createLightNode({
    defaultBootstrap: false,
    discovery: { dns: false, peerExchange: false, peerCache: false },
    networkConfig: { clusterId, numShardsInCluster: shards },
    libp2p: { filterMultiaddrs: false, hideWebSocketInfo: true },
    lightPush: { autoRetry: false },
  })
  await node.start()
  try {
    await node.libp2p.dial(target)
    await untilServed(node)
  } catch (error) {
    await node.stop()
    throw error
  }
  const stopped = new AbortController()
  const resumers: ((since: number) => Promise<void>)[] = []
  const staying = stayConnected(node, target, stopped.signal, async (since) => {
    for (const resume of resumers) await resume(since)
  })

  return {
    async publishFrame(contentTopic, frame, { ephemeral = false } = {}) {
      const encoder = node.createEncoder({ contentTopic, ephemeral })
      const timestamp = new Date()
      let failure = 'no answer'
      for (let attempt = 0; attempt < PUBLISH_TRIES; attempt++) {
        const result = await node.lightPush.send(encoder, { payload: frame, timestamp }, { useLegacy })
        if (result.successes.length > 0) {
          const message = { payload: frame, contentTopic, timestamp: toNanoseconds(timestamp.getTime()) }
          return Buffer.from(messageHash(encoder.pubsubTopic, message)).toString('hex')
        }
        failure = result.failures.map(({ error }) => error).join(', ')
        if (/reject|size|payload/i.test(failure)) break
        await sleep(PAUSE_MS)
      }
      throw new Error(`Light Push failed: ${failure}`)
    },

    async subscribe(contentTopics, onFrame) {
      const seen = new Set<string>()
      const take = (message: { payload: Uint8Array; contentTopic: string; hashStr: string } | undefined) => {
        if (!message || seen.has(message.hashStr)) return
        seen.add(message.hashStr)
        onFrame(message.payload, message.contentTopic)
      }
      const decoders = contentTopics.map((contentTopic) => node.createDecoder({ contentTopic }))
      if (!(await node.filter.subscribe(decoders, take)))
        throw new Error('The Waku node refused the Filter subscription')
      resumers.push(async (since) => {
        // The SDK subscribes anew by itself, but does not notice when that fails.
        const pubsubTopic = decoders[0]?.pubsubTopic
        const [connection] = node.libp2p.getConnections()
        if (pubsubTopic && connection) {
          await filterSubscribe(
            connection,
            pubsubTopic,
            contentTopics,
            AbortSignal.timeout(CONNECT_TIMEOUT_MS),
          )
        }
        for await (const message of stored(node, decoders, since - CATCH_UP_OVERLAP_MS)) take(message)
      })
    },

    async catchUp(contentTopics, since) {
      const decoders = contentTopics.map((contentTopic) => node.createDecoder({ contentTopic }))
      const frames: Uint8Array[] = []
      for await (const { payload } of stored(node, decoders, since)) frames.push(payload)
      return frames
    },

    async stop() {
      stopped.abort()
      await staying
      node.filter.unsubscribeAll()
      await node.stop()
    },
  }
}

/** Messages of the Store since a time; each page is taken before the next is asked for. */
async function* stored(node: LightNode, decoders: Decoder[], since: number) {
  // One millisecond earlier: the SDK rounds the start through a double, at times above the first message. And at most 24
  // hours, because it drops the rest of longer ranges.
  const timeStart = new Date(Math.max(since - 1, Date.now() - STORE_RANGE_MS))
  const timeEnd = new Date(Date.now() + CATCH_UP_OVERLAP_MS)
  for await (const page of node.store.queryGenerator(decoders, { timeStart, timeEnd })) {
    for (const pending of page) {
      const message = await pending
      if (message) yield message
    }
  }
}

async function untilServed(node: LightNode): Promise<void> {
  const deadline = Date.now() + CONNECT_TIMEOUT_MS
  while (Date.now() < deadline) {
    const [peer] = node.libp2p.getPeers()
    const served = peer ? await protocolsOf(node.libp2p, peer) : []
    const pushes = served.includes(codecs.lightPushV3) || served.includes(codecs.lightPushV2)
    if (pushes && served.includes(codecs.filterSubscribe) && served.includes(codecs.store)) return
    await sleep(20)
  }
  throw new Error('The Waku node does not serve Light Push, Filter and Store')
}

/** Dials again whenever the connection is lost: the SDK itself waits up to a minute after a failed dial. */
async function stayConnected(
  node: LightNode,
  target: Multiaddr,
  signal: AbortSignal,
  resume: (since: number) => Promise<void>,
): Promise<void> {
  let connectedAt = Date.now()
  let wasLost = false
  // An event, because the SDK may have dialed again before anyone looks.
  node.libp2p.addEventListener('peer:disconnect', () => {
    wasLost = true
  })
  while (!signal.aborted) {
    try {
      if (node.libp2p.getPeers().length === 0) await node.libp2p.dial(target)
      if (wasLost) {
        await untilServed(node)
        wasLost = false
        await resume(connectedAt)
      }
      connectedAt = Date.now()
    } catch {
      // The node is away, or went away again: the next round dials and resumes anew.
      wasLost = true
    }
    await sleep(PAUSE_MS)
  }
}
