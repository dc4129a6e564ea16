/** Read receipts of networks that have them, out and in, for the clients that the gateway is there for wallets. */
import type { NativeInbound } from '../adapter/index.ts'
import type { ActiveEnrolment } from '../enrolment/types.ts'
import {
  decodeSealed,
  directConversation,
  equalBytes,
  type HopOrigin,
  readHopOrigin,
} from '../envelope/index.ts'
import type { Checkpoint, InboxItem } from '../store/port.ts'
import { withDeadline } from './deadline.ts'
import { type HopParts, hopAddress, nativeAlias, transactionAlias } from './hop.ts'
import type { HopSends } from './hop-out.ts'
import type { RelayContext } from './parts.ts'
import { transactionIdOf } from './route.ts'

const READ_RECEIPT = 'xmtp.org/readReceipt:1.0'
/** Sent messages that one receipt is looked up for: those before them were read by an earlier one. */
const LOOKED_UP = 100
/** How long a send may take to obey its signal, milliseconds. */
const OBEY_MS = 1_000
/** Makes the transaction id of a receipt another one than that of any message. */
const RECEIPT_OF = 'read:'

export interface NativeReceipts {
  /**
   * Tells the sender of a native message that the wallet has read the conversation up to it. Nothing happens where the network
   * has no receipts or the enrolment has ended. Rejects with what the adapter rejects with: a receipt is not sent again.
   */
  send(wallet: string, item: InboxItem): Promise<void>
  /** Notes in the journeys of what the wallet sent natively that the peer has read it. */
  hear(network: string, enrolment: ActiveEnrolment, inbound: NativeInbound): Promise<void>
}

export function createNativeReceipts(
  context: Pick<RelayContext, 'store' | 'clock' | 'settings' | 'gateway'>,
  hop: HopParts,
  sends: HopSends,
): NativeReceipts {
  const { store, clock, settings, gateway } = context
  const { enrolments, device } = hop

  async function sendTo(
    enrolment: ActiveEnrolment,
    item: InboxItem,
    { id: remoteId, conversation }: HopOrigin,
    signal: AbortSignal,
  ): Promise<void> {
    const { id, network } = enrolment
    const transactionId = transactionIdOf(item.id, network, RECEIPT_OF + hopAddress(id))
    await enrolments.use(id, signal, async (facet) => {
      const rendering = facet.contents?.kinds.readReceipt ?? 'native'
      if (rendering === 'fallback' || rendering === 'dropped') return
      // What comes back of it is known by this, and is no message of the wallet's.
      await store.addAlias(network, transactionAlias(id, transactionId), item.id, clock.now())
      const intent = {
        enrolment: id,
        transactionId,
        envelopeId: item.id,
        to: { conversation },
        content: { type: READ_RECEIPT, parameters: {}, fallback: null, bytes: new Uint8Array() },
        reference: facet.contents?.receiptsNameMessage ? remoteId : null,
        replaces: null,
        silent: true,
        attempt: 1,
      }
      const receipt = await facet.send(intent, signal)
      for (const sent of 'remoteIds' in receipt ? receipt.remoteIds : []) {
        await store.addAlias(network, nativeAlias(id, sent), item.id, clock.now())
      }
    })
  }

  return {
    async send(wallet, item) {
      const { header } = decodeSealed(item.bytes)
      if (!equalBytes(header.device, device.publicKey)) return
      const origin = readHopOrigin(header)
      const enrolment = origin.gateway === gateway ? enrolments.of(wallet, origin.network) : null
      if (!enrolment || origin.kind !== 'direct' || origin.own) return
      const limits = { milliseconds: settings.sendTimeoutMs, graceMs: OBEY_MS }
      const work = (signal: AbortSignal) => sendTo(enrolment, item, origin, signal)
      await sends.track(enrolment.id, withDeadline(clock, limits, work))
    },

    async hear(network, { wallet }, { content, conversation, from, own, remoteTime }) {
      const peer = conversation.peer?.wallet ?? null
      if (own || peer === null || from.wallet !== peer || content.type !== READ_RECEIPT) return
      const { items } = await store.inbox({
        wallet,
        from: wallet,
        conversation: directConversation(wallet, peer),
        order: 'newest',
        after: Number.MAX_SAFE_INTEGER,
        limit: LOOKED_UP,
      })
      const sent = items.filter(({ mode, created }) => mode === 'hop' && created <= remoteTime)
      for (const { id, via } of sent) {
        const [journey, deliveries] = await Promise.all([store.journey(id), store.deliveriesOf(id)])
        const delivery = deliveries.find((other) => other.network === network)
        // One conversation holds what was sent over several networks; a receipt speaks for its own.
        if (via !== network && !delivery) continue
        const isTold = (point: Checkpoint) =>
          point.name === 'read' && point.wallet === peer && point.network === network
        if (journey.some(isTold)) return
        const point: Checkpoint = {
          name: 'read',
          status: 'success',
          at: remoteTime,
          monotonic: clock.monotonic(),
          deliveryId: delivery?.id ?? null,
          network,
          wallet: peer,
          detail: 'network-clock',
        }
        await store.addCheckpoints(id, [point])
      }
    },
  }
}
