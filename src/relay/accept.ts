import type { DeliverResult, Inbound } from '../adapter/index.ts'
import {
  decodeFrame,
  decodeSealed,
  FRAME_KIND,
  type Frame,
  isHop,
  LIMITS,
  type SealedEnvelope,
  toHex,
} from '../envelope/index.ts'
import type { AcceptRecord, AcceptResult, Delivery, NewDelivery } from '../store/port.ts'
import type { Arrivals } from './arrivals.ts'
import { createChecks, type Entry } from './checks.ts'
import type { Verdict } from './consent.ts'
import { createCopies, publishItems } from './copies.ts'
import { RelayError, refusalCode } from './errors.ts'
import { encodeTrace, type Frames } from './frames.ts'
import type { Held } from './held.ts'
import { createHopRequests } from './hop-out.ts'
import { requireRelayable } from './hop-trust.ts'
import type { LoopGuard } from './loop-guard.ts'
import type { Outbox } from './outbox.ts'
import type { RelayContext, Stranger } from './parts.ts'
import type { Resolver } from './recipients.ts'
import { createSerializer } from './serializer.ts'
import { createStrangers } from './strangers.ts'
import type { Accepted } from './types.ts'

/** Takes envelopes in: from a wallet's own client, or from a network. */
export interface Acceptor {
  submit(input: { sealed: Uint8Array; via: 'http' | 'socket'; submitter: string }): Promise<Accepted>
  /** Refusals are answers; rejects only when the frame could not be made durable. */
  hear(network: string, inbound: Inbound): Promise<DeliverResult>
}

export function createAcceptor(
  context: RelayContext,
  tools: {
    guard: LoopGuard
    arrivals: Arrivals
    frames: Frames
    outbox: Outbox
    resolver: Resolver
    held: Held
  },
): Acceptor {
  const { store, live, clock, settings, observer, consents } = context
  const { guard, arrivals, frames, outbox, resolver, held } = tools
  const checks = createChecks(context, frames)
  const copies = createCopies(context, frames)
  const requests = createHopRequests(context, checks)
  const strangers = createStrangers(context, { checks, resolver, frames, outbox })
  /** Copies of one envelope that come at once wait for the first: they then cost a look-up, not a verification. */
  const inTurn = createSerializer()
  /** Everything from the ttl on; ends with the one transaction. */
  async function take(entry: Entry): Promise<AcceptResult> {
    const { from } = entry.envelope.header
    checks.times(entry)
    // Ahead of the signatures, because shared addresses carry much that is for wallets of other gateways.
    const recipients = await resolver.recipientsOf(entry)
    const hop = isHop(entry.envelope.header)
    const stranger = entry.inbound && (hop || !recipients.senderServed) ? strangerOf(entry) : null
    if (stranger) await context.admission.examine?.(stranger)
    await checks.sender(entry)
    await checks.wraps(entry, recipients.here)
    const { here, elsewhere, senderServed } = recipients
    await context.admission.admit({
      from,
      to: [...here, ...elsewhere],
      via: entry.via,
      bytes: entry.envelope.bytes.length,
      stranger,
    })
    const received = here.map((wallet) => ({ wallet, direction: 'received' as const }))
    // A native sender did not send this envelope, also when the wallet is served here.
    const isSender = senderServed && !here.includes(from) && !hop
    const sent = isSender ? [{ wallet: from, direction: 'sent' as const }] : []
    const verdict = await consents.judge(entry.envelope.header, here)
    const unclaimed = await resolver.plan(entry, { ...recipients, here: verdict.relayed })
    const claim = outbox.claim(unclaimed, entry.envelope.header.conversation)
    try {
      const record = recordOf(entry, [...received, ...sent], claim.deliveries)
      return await keep(record, entry.envelope, verdict)
    } finally {
      claim.end()
    }
  }

  async function keep(
    record: AcceptRecord,
    { header }: SealedEnvelope,
    verdict: Verdict | null = null,
  ): Promise<AcceptResult> {
    const result = await store.accept(record)
    if (result.outcome === 'accepted') {
      const stored = { ...record, seq: result.seq, wallets: record.inbox.map(({ wallet }) => wallet) }
      frames.remember(stored)
      publishItems(live, stored, header.to, { verdict })
      outbox.offer(result.deliveries)
      if (verdict) await held.reconsider(record, verdict.kept)
    }
    return result
  }

  async function submit({ sealed, via, submitter }: Parameters<Acceptor['submit']>[0]): Promise<Accepted> {
    const envelope = decodeSealed(sealed, { maxBytes: settings.maxEnvelopeBytes })
    // Before anything is said of the id: others' deliveries are none of the submitter's business.
    if (envelope.header.from !== submitter) {
      throw new RelayError(
        'sender-mismatch',
        'The envelope names another sender than the wallet that is signed in',
      )
    }
    const { id } = envelope
    const hop = isHop(envelope.header)
    const accepted = (duplicate: boolean, deliveries: Delivery[]): Accepted => ({
      id,
      duplicate,
      deliveries: deliveries.map(({ network, wallet, state }) => ({ network, wallet, state })),
    })
    const entry = entryOf(envelope, via, null, null)
    const again = async () => {
      await copies.complete(envelope)
      return accepted(true, await (hop ? store.deliveriesOf(id) : strangers.deliveries(entry)))
    }
    return inTurn(toHex(id), () =>
      unlessTaken(id, {
        first: async () => {
          const { outcome, deliveries } = await (hop
            ? keep(await requests.record(entry), envelope)
            : take(entry))
          return outcome === 'duplicate' ? again() : accepted(false, deliveries)
        },
        again,
      }),
    )
  }

  /**
   * Layer 3 of the loop guard. Whatever is wrong with a copy, an envelope that is taken is a duplicate. Nearly all are new, so
   * the store is not asked ahead: its transaction finds a duplicate for sure, and a refusal is worth a look-up.
   */
  async function unlessTaken<T>(
    id: Uint8Array,
    { first, again }: { first: () => Promise<T>; again: () => Promise<T> },
  ): Promise<T> {
    if (frames.remembers(id)) return again()
    try {
      return await first()
    } catch (error) {
      if (refusalCode(error) !== null && (await guard.byEnvelopeId(id))) return again()
      throw error
    }
  }

  function entryOf(
    envelope: SealedEnvelope,
    via: string,
    frame: Frame | null,
    inbound: Inbound | null,
  ): Entry {
    return {
      envelope,
      via,
      inbound,
      trace: frame?.trace ?? [],
      certificate: frame?.certificate ?? null,
      receivedAt: clock.now(),
      monotonic: clock.monotonic(),
    }
  }

  /**
   * Nobody signs a parcel, so that none is believed but the ones that this gateway's own mirrors make. What comes back of
   * those is an echo; anything else is forged, or meant for the client of another gateway's wallet.
   */
  async function hearParcel(network: string, inbound: Inbound, { id, bytes }: Frame): Promise<DeliverResult> {
    const sent = guard.byTransaction(await store.deliveriesOf(id), network, inbound)
    if (sent) return arrivals.again(network, inbound, id, bytes)
    throw new RelayError(
      'envelope-mode-unsupported',
      'An opaque parcel is taken from the mirrors of this gateway alone',
    )
  }

  async function hearFrame(network: string, inbound: Inbound): Promise<DeliverResult> {
    const known = await arrivals.known(network, inbound)
    if (known) return known
    const frame = decodeFrame(inbound.frame, {
      maxBytes: settings.maxEnvelopeBytes + LIMITS.frameOverheadBytes,
    })
    if (frame.kind === FRAME_KIND.opaque) return hearParcel(network, inbound, frame)
    const envelope = decodeSealed(frame.bytes, { maxBytes: settings.maxEnvelopeBytes })
    requireRelayable({ envelope })
    const { id } = envelope
    const again = async () => {
      await copies.complete(envelope)
      return arrivals.again(network, inbound, id, frame.bytes)
    }
    return inTurn(toHex(id), () =>
      unlessTaken(id, {
        first: async () => {
          guard.byTrace(frame.trace)
          const { outcome } = await take(entryOf(envelope, network, frame, inbound))
          if (outcome === 'duplicate') return again()
          const result: DeliverResult = { outcome, id: toHex(id) }
          // Should it come again, it is not new.
          arrivals.remember(network, inbound.remoteId, { outcome: 'duplicate', id: result.id })
          return result
        },
        again,
      }),
    )
  }

  /** Runs `work` and tells the observer how it went. */
  async function observed<T>(
    via: string,
    outcomeOf: (value: T) => Parameters<typeof observer.accepted>[1],
    work: () => Promise<T>,
  ): Promise<T> {
    const startedAt = clock.monotonic()
    try {
      const value = await work()
      observer.accepted(via, outcomeOf(value), codeOf(value), clock.monotonic() - startedAt)
      return value
    } catch (error) {
      observer.accepted(via, 'refused', refusalCode(error) ?? 'internal-error', clock.monotonic() - startedAt)
      throw error
    }
  }

  return {
    submit: (input) =>
      observed(
        input.via,
        ({ duplicate }) => (duplicate ? 'duplicate' : 'accepted'),
        () => submit(input),
      ),
    hear: (network, inbound) =>
      observed(
        network,
        ({ outcome }) => outcome,
        async () => {
          try {
            return await hearFrame(network, inbound)
          } catch (error) {
            const code = refusalCode(error)
            if (code === null) throw error
            return { outcome: 'refused', code }
          }
        },
      ),
  }
}

function strangerOf({ envelope, certificate, via }: Entry): Stranger {
  const { from, device } = envelope.header
  return { from, device, certificate, via }
}

/** Code of a refusal that is an answer. */
function codeOf(value: unknown): string | null {
  return typeof value === 'object' && value !== null && 'code' in value ? String(value.code) : null
}

function recordOf(entry: Entry, inbox: AcceptRecord['inbox'], deliveries: NewDelivery[]): AcceptRecord {
  const { envelope, via, inbound, receivedAt, monotonic } = entry
  const { from, device, conversation, contentType, flags, created, ttl } = envelope.header
  return {
    id: envelope.id,
    kind: FRAME_KIND.envelope,
    mode: isHop(envelope.header) ? 'hop' : 'sealed',
    from,
    device,
    conversation,
    contentType,
    flags,
    created,
    expiresAt: ttl === 0 ? 0 : created + ttl * 1000,
    bytes: envelope.bytes,
    certificate: entry.certificate,
    trace: encodeTrace(entry.trace),
    via,
    receivedAt,
    monotonic,
    inbox,
    deliveries,
    alias: inbound ? { network: via, remoteId: inbound.remoteId } : null,
  }
}
