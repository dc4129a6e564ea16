/** A wallet's light client over the unmodified SDK, in one call. For tests, the demo and latency research; offline. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createLightNode, Protocols } from '@waku/sdk'
import { messageHash, toNanoseconds } from '../wire/message.ts'

export interface LightClientOptions {
  /** WebSocket multiaddr of a service node, with its peer id. */
  multiaddr: string
  clusterId: number
  /** Number of shards in the cluster. */
  shards: number
  /** Publish by Light Push 2 instead of 3. */
  useLegacyLightPush?: boolean
}

export interface LightClient {
  /**
   * Publishes a frame and resolves with the message hash in hexadecimal. Tries again with the same timestamp, so that the
   * network drops repeats; rejects when no try succeeded.
   */
  publishFrame(contentTopic: string, frame: Uint8Array, options?: { ephemeral?: boolean }): Promise<string>
  /** Hears frames, by Filter from now on; after a lost connection also from the Store. Resolves when subscribed. */
  subscribe(
    contentTopics: string[],
    onFrame: (frame: Uint8Array, contentTopic: string) => void,
  ): Promise<void>
  /** Frames that the Store keeps since a time (Unix milliseconds), oldest first. */
  catchUp(contentTopics: string[], since: number): Promise<Uint8Array[]>
  /** Ends the connection. The SDK may leave timers behind: a program that is done calls `process.exit`. */
  stop(): Promise<void>
}

const CONNECT_TIMEOUT_MS = 20_000
const PUBLISH_TRIES = 20
const TRY_PAUSE_MS = 250
const REDIAL_MS = 250
const CATCH_UP_OVERLAP_MS = 60_000

/** Connects and waits until the node's protocols are known. */
export async function connectLightClient(options: LightClientOptions): Promise<LightClient> {
  const { multiaddr, clusterId, shards, useLegacyLightPush: useLegacy = false } = options
  const node = await createLightNode({
    defaultBootstrap: false,
    discovery: { dns: false, peerExchange: false, peerCache: false },
    networkConfig: { clusterId, numShardsInCluster: shards },
    libp2p: { filterMultiaddrs: false, hideWebSocketInfo: true },
    lightPush: { autoRetry: false },
  })
  await node.start()
  const stopped = new AbortController()
  const resumers = new Set<(since: number) => Promise<void>>()
  let lastConnected = Date.now()

  /** Dials until stopped: the SDK itself waits up to a minute after a failed dial. */
  async function stayConnected(): Promise<void> {
    let wasLost = false
    while (!stopped.signal.aborted) {
      try {
        if (node.libp2p.getPeers().length === 0) {
          wasLost = true
          await node.dial(multiaddr)
        } else if (wasLost) {
          wasLost = false
          const since = lastConnected
          for (const resume of resumers) await resume(since)
        } else lastConnected = Date.now()
      } catch {
        // The node is away, or went away again: the next round tries anew.
        wasLost = true
      }
      await sleep(REDIAL_MS, undefined, { ref: false })
    }
  }

  try {
    await node.dial(multiaddr)
    await ready()
  } catch (error) {
    await node.stop()
    throw error
  }
  void stayConnected()

  async function ready(): Promise<void> {
    const deadline = Date.now() + CONNECT_TIMEOUT_MS
    const needed = [node.lightPush, node.filter, node.store].flatMap((protocol) => protocol?.multicodec ?? [])
    for (;;) {
      const [peer] = await node.libp2p.peerStore.all()
      const served = peer?.protocols ?? []
      if (needed.filter((codec) => served.includes(codec)).length >= Object.keys(Protocols).length - 1) return
      if (Date.now() > deadline) throw new Error('The Waku node does not serve Light Push, Filter and Store')
      await sleep(20)
    }
  }

  async function catchUp(contentTopics: string[], since: number): Promise<Uint8Array[]> {
    const decoders = contentTopics.map((contentTopic) => node.createDecoder({ contentTopic }))
    const frames: Uint8Array[] = []
    // One millisecond earlier: the SDK rounds the start through a double, at times above the first message.
    const timeStart = new Date(Math.max(since - 1, Date.now() - 23 * 3_600_000))
    for await (const page of node.store.queryGenerator(decoders, {
      timeStart,
      timeEnd: new Date(Date.now() + 30_000),
    })) {
      for (const pending of page) {
        const message = await pending
        if (message) frames.push(message.payload)
      }
    }
    return frames
  }

  return {
    async publishFrame(contentTopic, frame, { ephemeral = false } = {}) {
      const encoder = node.createEncoder({ contentTopic, ephemeral })
      const timestamp = new Date()
      let failure = 'no answer'
      for (let attempt = 0; attempt < PUBLISH_TRIES; attempt++) {
        const result = await node.lightPush.send(encoder, { payload: frame, timestamp }, { useLegacy })
        if (result.successes.length > 0) {
          const hash = messageHash(encoder.pubsubTopic, {
            payload: frame,
            contentTopic,
            timestamp: toNanoseconds(timestamp.getTime()),
          })
          return Buffer.from(hash).toString('hex')
        }
        failure = result.failures.map(({ error }) => error).join(', ')
        if (/reject|size|payload/i.test(failure)) break
        await sleep(TRY_PAUSE_MS)
      }
      throw new Error(`Light Push failed: ${failure}`)
    },

    async subscribe(contentTopics, onFrame) {
      const seen = new Set<string>()
      const take = (frame: Uint8Array, contentTopic: string, hash: string) => {
        if (seen.has(hash)) return
        seen.add(hash)
        onFrame(frame, contentTopic)
      }
      const decoders = contentTopics.map((contentTopic) => node.createDecoder({ contentTopic }))
      const subscribed = await node.filter.subscribe(decoders, (message) => {
        if (message) take(message.payload, message.contentTopic, message.hashStr)
      })
      if (!subscribed) throw new Error('The Waku node refused the Filter subscription')
      resumers.add(async (since) => {
        const timeStart = new Date(since - CATCH_UP_OVERLAP_MS)
        for await (const page of node.store.queryGenerator(decoders, { timeStart })) {
          for (const pending of page) {
            const message = await pending
            if (message) take(message.payload, message.contentTopic, message.hashStr)
          }
        }
      })
    },

    catchUp,

    async stop() {
      stopped.abort()
      node.filter.unsubscribeAll()
      await node.stop()
    },
  }
}
