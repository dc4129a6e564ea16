import type { Inbound } from '../adapter/index.ts'
import { type Hop, LIMITS } from '../envelope/index.ts'
import type { Delivery, Store } from '../store/port.ts'
import { RelayError } from './errors.ts'

/**
 * The four layers that keep a frame from going round in circles. Each stands by itself: a network that carries no transaction
 * id is covered by the alias table, one that changes its message ids by the envelope id, and an envelope that this gateway
 * has forgotten by the hop trace.
 */
export interface LoopGuard {
  /**
   * Layer 1, transaction id carried by the network: which of the envelope's deliveries this is the echo of. The id is no
   * secret, so it counts only together with the envelope's own id and, where the network tells it, the address.
   */
  byTransaction(deliveries: readonly Delivery[], network: string, inbound: Inbound): Delivery | null
  /** Layer 2, the network's own message id: the envelope that this message is known to carry. */
  byRemoteId(network: string, remoteId: string): Promise<Uint8Array | null>
  /** Layer 3, the envelope's id: whether it was taken before, by whatever way. */
  byEnvelopeId(id: Uint8Array): Promise<boolean>
  /** Layer 4, the hop trace. Throws `RelayError` `frame-looped` when it names this gateway. */
  byTrace(trace: readonly Hop[]): void
}

export function createLoopGuard(
  gateway: string,
  store: Pick<Store, 'envelopeOfRemote' | 'isTaken'>,
): LoopGuard {
  return {
    byTransaction(deliveries, network, { transactionId, to }) {
      if (transactionId === null) return null
      const sent = deliveries.find(
        (delivery) => delivery.network === network && delivery.transactionId === transactionId,
      )
      return sent && (to === null || to === sent.address) ? sent : null
    },
    byRemoteId: (network, remoteId) => store.envelopeOfRemote(network, remoteId),
    byEnvelopeId: (id) => store.isTaken(id),
    byTrace(trace) {
      if (trace.some((hop) => hop.gateway === gateway)) {
        throw new RelayError('frame-looped', 'The frame has passed this gateway before; it goes no further')
      }
    },
  }
}

/** Whether a frame may pass one more gateway. */
export function maySendOn(trace: readonly Hop[]): boolean {
  return trace.length < LIMITS.hops
}
