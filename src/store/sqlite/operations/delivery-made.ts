import { type Delivery, type NewDelivery, StoreError } from '../../port.ts'

/** Delivery ids of one envelope are `seq * 4096` and those after it, so 4096 is also the most that one envelope can have. */
const IDS_PER_ENVELOPE = 4096

/** Id of the delivery at `place` (from 0) of the envelope with this seq. */
export function deliveryId(seq: number, place: number): number {
  if (place >= IDS_PER_ENVELOPE) {
    throw new StoreError('store-failed', `An envelope has at most ${IDS_PER_ENVELOPE} deliveries`)
  }
  return seq * IDS_PER_ENVELOPE + place
}

/** First and last id that deliveries of the envelope can have. */
export function deliveryIds(seq: number): [first: number, last: number] {
  return [seq * IDS_PER_ENVELOPE, (seq + 1) * IDS_PER_ENVELOPE - 1]
}

/** A delivery as it is when it was made, at `place` among those of its envelope. */
export function deliveryMade(
  envelope: { id: Uint8Array; seq: number; conversation: Uint8Array; receivedAt: number },
  planned: NewDelivery,
  place: number,
): Delivery {
  const { wallet, network, address, transactionId, state, rank, notBefore } = planned
  return {
    id: deliveryId(envelope.seq, place),
    envelopeSeq: envelope.seq,
    envelopeId: envelope.id,
    conversation: envelope.conversation,
    wallet,
    network,
    address,
    transactionId,
    state,
    rank,
    attempt: state === 'dispatching' ? 1 : 0,
    nextAt: notBefore,
    reason: null,
    remoteIds: [],
    createdAt: envelope.receivedAt,
    updatedAt: envelope.receivedAt,
  }
}
