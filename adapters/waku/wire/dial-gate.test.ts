/** Peers can name addresses; the node dials none of them. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, it } from 'vitest'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { createHost } from '../embedded/libp2p.ts'
import { PUBSUB_TOPIC, startTestNode, testMessage } from '../testing/node.ts'
import { connectRawPeer } from '../testing/raw-peer.ts'
import { dialGate } from './dial-gate.ts'

const PEER = '12D3KooWGRUVh9fi7gJVZC3sb3uLJcrZVUXnLTHMWDVKfNDJjVmo'
const OTHER = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
const id = (text: string) => multiaddr(`/p2p/${text}`).getPeerId()!
const peerId = (text: string) => ({ toString: () => id(text) }) as never

it('the gate opens for configured addresses and peers alone', () => {
  const gate = dialGate([`/ip4/10.1.2.3/tcp/60000/p2p/${PEER}`, '/dns4/waku.example.org/tcp/443/wss'])
  const denied = (address: string) => gate.denyDialMultiaddr?.(multiaddr(address))
  expect(denied('/ip4/10.1.2.3/tcp/60000')).toBe(false)
  expect(denied(`/ip4/10.1.2.3/tcp/60000/p2p/${OTHER}`)).toBe(false)
  expect(denied(`/dns4/waku.example.org/tcp/443/wss/p2p/${OTHER}`)).toBe(false)
  for (const other of [
    '/ip4/10.1.2.3/tcp/60001',
    '/ip4/169.254.169.254/tcp/80',
    '/ip6/::ffff:10.1.2.3/tcp/60000',
    '/dns4/waku.example.org.evil.example/tcp/443/wss',
    `/ip4/10.1.2.3/tcp/60000/p2p/${PEER}/p2p-circuit/p2p/${OTHER}`,
  ]) {
    expect(denied(other), other).toBe(true)
  }
  expect(gate.denyDialPeer?.(peerId(PEER))).toBe(false)
  expect(gate.denyDialPeer?.(peerId(OTHER))).toBe(true)
})

it('a /dnsaddr lets its addresses through, but no peer that others name', () => {
  const gate = dialGate([`/dnsaddr/nodes.example.org/p2p/${PEER}`])
  expect(gate.denyDialMultiaddr?.(multiaddr(`/ip4/10.1.2.3/tcp/1/p2p/${PEER}`))).toBe(false)
  expect(gate.denyDialPeer?.(peerId(OTHER))).toBe(true)
})

it('a node dials nobody whom gossip offers it', async () => {
  let knocks = 0
  const target = createServer((socket) => {
    knocks += 1
    socket.destroy()
  })
  target.listen(0, '127.0.0.1')
  await once(target, 'listening')
  const { port } = target.address() as AddressInfo
  const node = await startTestNode()
  const peer = await connectRawPeer(node.tcp)
  try {
    const prune = {
      topicID: PUBSUB_TOPIC,
      peers: [await signedRecord(`/ip4/127.0.0.1/tcp/${port}`)],
      backoff: 60,
    }
    const rpc = {
      subscriptions: [],
      messages: [],
      control: { ihave: [], iwant: [], graft: [], prune: [prune] },
    }
    const gossip = peer.gossip as unknown as { sendRpc(id: string, rpc: unknown): boolean }
    await waitFor(() => gossip.sendRpc(peer.connection.remotePeer.toString(), rpc))
    // What one peer says is handled in order: once this has come, the offer was looked at.
    const after = testMessage()
    peer.gossip.subscribe(PUBSUB_TOPIC)
    await waitFor(() => peer.gossip.getSubscribers(PUBSUB_TOPIC).length > 0)
    await peer.gossip.publish(PUBSUB_TOPIC, after.wire)
    await waitFor(() => node.heard.some(({ message }) => message.id === after.id))
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(knocks).toBe(0)
  } finally {
    await peer.stop()
    await node.stop()
    target.close()
  }
})

/** What gossip says of a peer that others should dial: its id, and its addresses, signed by itself as Identify tells them. */
async function signedRecord(
  announced: string,
): Promise<{ peerID: Uint8Array; signedPeerRecord: Uint8Array }> {
  const introducer = await host({ listen: ['/ip4/127.0.0.1/tcp/0'] })
  const [address] = introducer.getMultiaddrs()
  const stranger = await host({ announce: [announced], peers: [String(address)] })
  try {
    await stranger.dial(address!)
    const signed = await waitFor(async () => {
      const known = await introducer.peerStore.all()
      return known.find(({ id }) => id.equals(stranger.peerId))?.peerRecordEnvelope
    })
    return { peerID: stranger.peerId.toMultihash().bytes, signedPeerRecord: signed }
  } finally {
    await stranger.stop()
    await introducer.stop()
  }
}

async function host(options: { listen?: string[]; announce?: string[]; peers?: string[] }) {
  const privateKey = await generateKeyPair('Ed25519')
  const rest = { listen: [], announce: [], peers: [], ...options }
  const { libp2p } = await createHost({ privateKey, pubsubTopic: PUBSUB_TOPIC, maxConnections: 10, ...rest })
  await libp2p.start()
  return libp2p
}
