/**
 * What an adapter declares of its network as configured. The contract suite checks each field against real behaviour.
 */
export interface Capabilities {
  /** Largest frame in bytes that `send` takes. */
  maxFrameBytes: number
  /** A frame sent by the gateway is heard again by the gateway (stream, webhook or history). */
  echo: boolean
  /** `history.walk` returns frames that were not heard while the adapter was down. */
  history: boolean
  /** `history.find` tells whether an uncertain send arrived. */
  lookup: boolean
  /** Sending the same transaction twice reaches the recipient once, by the network's own doing. */
  idempotentSend: boolean
  /** A frame marked ephemeral is not kept by the network. */
  ephemeral: boolean
  /** Anyone's wallet can be addressed, without an account on the network made beforehand. */
  reachesAnyone: boolean
  /** Several wallets have one address on purpose (Waku's buckets); elsewhere an address belongs to one wallet. */
  sharedAddresses: boolean
}
