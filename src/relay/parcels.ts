import type { DeliverResult, OpaqueInbound } from '../adapter/index.ts'
import { FLAGS, FRAME_KIND, H, opaqueIdentifier, toHex } from '../envelope/index.ts'
import type { AcceptRecord } from '../store/port.ts'
import { createBucket } from '../token-bucket.ts'
import { publishItems } from './copies.ts'
import { encodeTrace, type Frames } from './frames.ts'
import type { Outbox } from './outbox.ts'
import type { RelayContext } from './parts.ts'
import type { Planner } from './planner.ts'

/** Content types of opaque parcels: a network's own message, or word that one waits at the network. */
export const PARCEL_TYPE = 'causeway/parcel:1.0'
export const WAKE_TYPE = 'causeway/wake:1.0'

/** A wallet's own software fetches from its network what it missed; a parcel that comes later than this helps nobody. */
const USEFUL_FOR_MS = 30 * 24 * 60 * 60 * 1000

/** Defaults of `settings.mirrorPerSecond` and `mirrorBurst`. */
const PER_SECOND = 50
const BURST = 5_000
const TRACKED_WALLETS = 20_000
/** Over its budget a wallet is woken this often for each topic, milliseconds. */
const WAKE_EVERY_MS = 60_000

/** A parcel names no device: nobody signed it. */
const NO_DEVICE = new Uint8Array(32)

/**
 * Id of the parcel that mirrors a network's message to a wallet. Its remote id names the wallet before the network's own id:
 * what two wallets of a group get are two parcels, each with an inbox item, deliveries and a journey that only its wallet sees.
 */
export function parcelIdentifier(network: string, wallet: string, remoteId: string): Uint8Array {
  return opaqueIdentifier(network, `${wallet}/${remoteId}`)
}

/** Conversation of the parcels of one topic, 32 bytes. */
export function parcelConversation(network: string, topic: string): Uint8Array {
  return H('causeway/opaque-conversation/1', network, topic)
}

/** Takes in what mirrors hear. */
export interface Parcels {
  /**
   * Resolves when the parcel is durable, or was before. Nothing in it is checked: the facet of this gateway made it. What is
   * over the wallet's budget is refused with `mirror-rate-limited`, and the wallet is woken instead.
   */
  take(network: string, wallet: string, inbound: OpaqueInbound): Promise<DeliverResult>
}

export function createParcels(
  context: RelayContext,
  tools: { frames: Frames; outbox: Outbox; planner: Planner },
): Parcels {
  const { store, live, clock, directory, consents, settings } = context
  const { frames, outbox, planner } = tools
  const budget = createBucket(
    {
      perSecond: settings.mirrorPerSecond ?? PER_SECOND,
      burst: settings.mirrorBurst ?? BURST,
      tracked: TRACKED_WALLETS,
    },
    clock,
  )

  /** By the wallet's route, but never back to where it came from: there the wallet has it already. */
  async function plan(id: Uint8Array, wallet: string, source: string): Promise<AcceptRecord['deliveries']> {
    const endpoints = await directory.endpoints(wallet)
    return planner.plan({
      envelopeId: id,
      wallet,
      sender: null,
      endpoints: endpoints.filter((endpoint) => endpoint.network !== source),
      heardAt: null,
      now: clock.now(),
    })
  }

  async function take(network: string, wallet: string, inbound: OpaqueInbound): Promise<DeliverResult> {
    const id = parcelIdentifier(network, wallet, inbound.remoteId)
    const duplicate: DeliverResult = { outcome: 'duplicate', id: toHex(id) }
    const receivedAt = clock.now()
    // What is larger than this gateway keeps is fetched from the network itself.
    const isMessage = inbound.kind === 'message' && inbound.bytes.length <= settings.maxEnvelopeBytes
    const conversation = parcelConversation(network, inbound.conversation)
    const verdict = await consents.judge({ from: wallet, conversation }, [wallet])
    const record: AcceptRecord = {
      id,
      kind: FRAME_KIND.opaque,
      mode: 'opaque',
      // Who wrote it cannot be told. The recipient stands in for a sender: nobody else's name is lent to a parcel.
      from: wallet,
      device: NO_DEVICE,
      conversation,
      contentType: isMessage ? PARCEL_TYPE : WAKE_TYPE,
      flags: inbound.silent ? FLAGS.silent : 0,
      created: inbound.remoteTime ?? receivedAt,
      expiresAt: receivedAt + USEFUL_FOR_MS,
      bytes: isMessage ? Uint8Array.from(inbound.bytes) : new Uint8Array(),
      certificate: null,
      trace: encodeTrace([]),
      via: network,
      receivedAt,
      monotonic: clock.monotonic(),
      inbox: [{ wallet, direction: 'received' }],
      deliveries: verdict.relayed.length > 0 ? await plan(id, wallet, network) : [],
      alias: null,
    }
    const result = await store.accept(record)
    if (result.outcome === 'duplicate') return duplicate
    // Nothing is waited for from here on: what is durable and not offered would stay behind until a restart.
    const stored = { ...record, seq: result.seq, wallets: [wallet] }
    frames.remember(stored)
    publishItems(live, stored, [wallet], { verdict })
    outbox.offer(result.deliveries)
    return { outcome: 'accepted', id: toHex(id) }
  }

  return {
    async take(network, wallet, inbound) {
      const id = parcelIdentifier(network, wallet, inbound.remoteId)
      if (frames.remembers(id)) return { outcome: 'duplicate', id: toHex(id) }
      if (budget.take(wallet) === 0) return take(network, wallet, inbound)
      await take(network, wallet, wakeInstead(inbound, clock.now()))
      return { outcome: 'refused', code: 'mirror-rate-limited' }
    },
  }
}

/** One wake-up for a topic and minute: the wallet's own software then fetches what was too much. */
function wakeInstead({ conversation, ...inbound }: OpaqueInbound, now: number): OpaqueInbound {
  const remoteId = `${conversation}/limit/${Math.floor(now / WAKE_EVERY_MS)}`
  return { ...inbound, conversation, remoteId, kind: 'wake', bytes: new Uint8Array() }
}
