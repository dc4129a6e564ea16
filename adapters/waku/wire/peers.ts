/** What is known of connected peers. */
import type { Connection, Libp2p, PeerId } from '@libp2p/interface'

export interface ServingPeer {
  connection: Connection
  protocols: string[]
}

/** Protocols that a peer named when it was identified; none before that. */
export async function protocolsOf(libp2p: Libp2p, peer: PeerId): Promise<string[]> {
  return (await libp2p.peerStore.has(peer)) ? (await libp2p.peerStore.get(peer)).protocols : []
}

/** Connected peers that serve at least one of the protocols, with one open connection each. */
export async function peersServing(libp2p: Libp2p, anyOf: readonly string[]): Promise<ServingPeer[]> {
  const found: ServingPeer[] = []
  for (const peer of libp2p.getPeers()) {
    const protocols = await protocolsOf(libp2p, peer)
    const connection = libp2p.getConnections(peer).find((candidate) => candidate.status === 'open')
    if (connection && protocols.some((protocol) => anyOf.includes(protocol)))
      found.push({ connection, protocols })
  }
  return found
}
