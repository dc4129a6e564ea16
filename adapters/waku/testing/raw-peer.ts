/** A libp2p host without manners, for tests: speaks any bytes on any protocol. */

import type { GossipSub } from '@chainsafe/libp2p-gossipsub'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, Libp2p } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createHost } from '../embedded/libp2p.ts'
import { PUBSUB_TOPIC } from './node.ts'

export interface RawPeer {
  libp2p: Libp2p
  gossip: GossipSub
  connection: Connection
  /** Writes raw bytes on a new stream and resolves with what came back; an error of the stream counts as nothing. */
  speak(protocol: string, bytes: Uint8Array): Promise<Uint8Array[]>
  stop(): Promise<void>
}

export async function connectRawPeer(address: string): Promise<RawPeer> {
  const { libp2p, gossip } = await createHost({
    privateKey: await generateKeyPair('Ed25519'),
    listen: [],
    announce: [],
    peers: [address],
    pubsubTopic: PUBSUB_TOPIC,
    maxConnections: 10,
  })
  await libp2p.start()
  const connection = await libp2p.dial(multiaddr(address))
  return {
    libp2p,
    gossip,
    connection,
    async speak(protocol, bytes) {
      const answers: Uint8Array[] = []
      try {
        const stream = await connection.newStream(protocol)
        const reading = (async () => {
          for await (const chunk of stream.source) answers.push(chunk.subarray())
        })()
        await stream.sink([bytes])
        await reading
      } catch {
        // A reset stream is an answer too: nothing.
      }
      return answers
    },
    stop: async () => {
      await libp2p.stop()
    },
  }
}
