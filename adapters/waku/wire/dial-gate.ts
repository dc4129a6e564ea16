/**
 * Whom a libp2p host may dial: the addresses of the operator's configuration and nobody else. Peers name addresses too, in
 * Identify, in signed peer records and in gossipsub's peer exchange; a host that dialed those would open connections to
 * wherever a stranger says, inside the operator's network.
 */
import type { ConnectionGater } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'

const P2P = 421
const DNSADDR = 56

/**
 * The gate for `peers`, the configured multiaddrs. A `/dnsaddr` among them stands for addresses that only its name server
 * knows: then every address passes, but still no peer that libp2p knows from others alone.
 */
export function dialGate(
  peers: readonly string[],
): Pick<ConnectionGater, 'denyDialPeer' | 'denyDialMultiaddr'> {
  const configured = peers.map((text) => multiaddr(text))
  const ids = new Set(configured.flatMap((address) => address.getPeerId() ?? []))
  const addresses = new Set(configured.map(withoutPeer))
  const anyAddress = configured.some((address) => address.protoCodes().includes(DNSADDR))
  return {
    denyDialPeer: (peer) => !ids.has(peer.toString()),
    denyDialMultiaddr: (address) => !anyAddress && !addresses.has(withoutPeer(address)),
  }
}

function withoutPeer(address: Multiaddr): string {
  return address.decapsulateCode(P2P).toString()
}
