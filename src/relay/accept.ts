import type { DeliverResult, Inbound } from '../adapter/index.ts'
import {
  decodeFrame,
  decodeSealed,
  EnvelopeError,
  type EnvelopeHeader,
  FLAGS,
  FRAME_KIND,
  type Frame,
  type Hop,
  LIMITS,
  type SealedEnvelope,
  toHex,
  verifySealed,
} from '../envelope/index.ts'
import type { DeviceStatus } from '../identity/types.ts'
import type { AcceptRecord, AcceptResult, NewDelivery } from '../store/port.ts'
import type { Arrivals } from './arrivals.ts'
import { RelayError, type RelayErrorCode, refusalCode } from './errors.ts'
import { encodeTrace, type Frames } from './frames.ts'
import { type LoopGuard, maySendOn } from './loop-guard.ts'
import type { Outbox } from './outbox.ts'
import type { RelayContext } from './parts.ts'
import type { Ranking } from './ranking.ts'
import { planDeliveries } from './route.ts'
import { createSerializer } from './serializer.ts'
import type { Accepted } from './types.ts'

/** Takes envelopes in: from a wallet's own client, or from a network. */
export interface Acceptor {
  submit(input: { sealed: Uint8Array; via: 'http' | 'socket'; submitter: string }): Promise<Accepted>
  /** Refusals are answers; rejects only when the frame could not be made durable. */
  hear(network: string, inbound: Inbound): Promise<DeliverResult>
}

/** An envelope on its way in. */
interface Entry {
  envelope: SealedEnvelope
  via: string
  trace: Hop[]
  certificate: Uint8Array | null
  inbound: Inbound | null
  receivedAt: number
  monotonic: number
}

/** Wallets of `to`, by where they are. */
interface Recipients {
  /** Served by this gateway. */
  here: string[]
  /** Reached on networks where anyone can be addressed. */
  elsewhere: string[]
  senderServed: boolean
}

const DEVICE_REFUSALS: Record<
  Exclude<DeviceStatus, 'certified'>,
  { code: RelayErrorCode; message: string }
> = {
  unknown: {
    code: 'device-unknown',
    message: 'The sender has not certified this device; sign in with it first',
  },
  expired: { code: 'device-expired', message: 'The certificate of this device has expired; sign in again' },
  revoked: { code: 'device-revoked', message: 'The sender has revoked this device' },
  certificateInvalid: {
    code: 'device-certificate-invalid',
    message: 'The certificate beside the envelope does not certify its device',
  },
}

export function createAcceptor(
  context: RelayContext,
  tools: { guard: LoopGuard; arrivals: Arrivals; frames: Frames; outbox: Outbox; ranking: Ranking },
): Acceptor {
  const { store, trust, directory, networks, live, clock, settings, observer } = context
  const { guard, arrivals, frames, outbox, ranking } = tools
  /** Copies of one envelope that come at once wait for the first: they then cost a look-up, not a verification. */
  const inTurn = createSerializer()
  let names: readonly string[] | null = null

  /** The set of networks does not change while a gateway runs, and a full status is costly to ask for. */
  function networkNames(): readonly string[] {
    names ??= networks.list().map(({ network }) => network)
    return names
  }

  function checkTimes({ created, ttl, to }: EnvelopeHeader, now: number): void {
    if (to.length > settings.maxRecipients) {
      throw new RelayError(
        'envelope-too-many-recipients',
        `${to.length} recipients, this gateway takes ${settings.maxRecipients}; send several envelopes`,
      )
    }
    if (created > now + settings.maxFutureMs) {
      throw new RelayError('envelope-from-future', 'created lies in the future; set the clock of the device')
    }
    if (ttl !== 0 && created + ttl * 1000 <= now) {
      throw new RelayError('envelope-expired', 'The envelope has outlived its ttl; seal it anew')
    }
  }

  async function checkSender({ envelope, certificate, receivedAt }: Entry): Promise<void> {
    const { from: wallet, device } = envelope.header
    const status = await trust.deviceStatus({ wallet, device, certificate, receivedAt })
    if (status !== 'certified') {
      throw new RelayError(DEVICE_REFUSALS[status].code, DEVICE_REFUSALS[status].message)
    }
    if (!(await verifySealed(envelope, context.verify))) {
      throw new EnvelopeError(
        'envelope-signature-invalid',
        'The device that the header names did not sign this envelope',
      )
    }
  }

  /**
   * A copy from which wraps were dropped on the way must still hold one for each recipient served here: it would take the
   * id, and a complete copy would then come as a duplicate.
   */
  async function checkWraps({ envelope, receivedAt }: Entry, recipients: string[]): Promise<void> {
    if (envelope.wraps.length === envelope.wrapDigests.length) return
    const opens = await Promise.all(
      recipients.map((wallet) => frames.opensFor(envelope.bytes, wallet, receivedAt)),
    )
    if (opens.includes(false)) {
      throw new RelayError(
        'envelope-wraps-missing',
        'This copy lacks key wraps of a recipient served here; send a complete one',
      )
    }
  }

  /** Addresses of a wallet that this gateway does not serve, on networks where anyone can be addressed. */
  function reachable(wallet: string): { network: string; address: string }[] {
    return networks.list().flatMap(({ network, capabilities }) => {
      const address = capabilities.reachesAnyone && networks.get(network)?.adapter.identity?.addressOf(wallet)
      return address ? [{ network, address }] : []
    })
  }

  /** Who of the recipients is served here and who is reached elsewhere. Throws `recipient-unreachable`. */
  async function recipientsOf({ envelope, inbound }: Entry): Promise<Recipients> {
    const { from, to } = envelope.header
    const [senderServed = false, ...served] = await Promise.all(
      [from, ...to].map((wallet) => directory.isServed(wallet)),
    )
    const here = to.filter((_, index) => served[index])
    // No open relay: what is heard on a network goes on to the wallets of this gateway and to nobody else.
    const elsewhere = inbound ? [] : to.filter((_, index) => !served[index])
    if (here.length + elsewhere.length === 0 || elsewhere.some((wallet) => reachable(wallet).length === 0)) {
      throw new RelayError(
        'recipient-unreachable',
        'A recipient has not signed in here and no network reaches it',
      )
    }
    return { here, elsewhere, senderServed }
  }

  async function plan(entry: Entry, { here, elsewhere }: Recipients): Promise<NewDelivery[]> {
    // A frame at the end of its trace reaches inboxes and goes no further.
    if (!maySendOn(entry.trace)) return []
    const { envelope, inbound, receivedAt, via } = entry
    const planned = await Promise.all(
      [...here, ...elsewhere].map(async (wallet) => {
        const [route, endpoints] = await Promise.all([
          directory.route(wallet),
          here.includes(wallet) ? directory.endpoints(wallet) : reachable(wallet),
        ])
        return planDeliveries({
          envelopeId: envelope.id,
          wallet,
          route,
          endpoints,
          networks: networkNames(),
          ranking,
          heardAt: inbound ? { network: via, address: inbound.to } : null,
          now: receivedAt,
        })
      }),
    )
    return planned.flat()
  }

  /** Everything from the ttl on; ends with the one transaction. */
  async function take(entry: Entry): Promise<AcceptResult> {
    const { from } = entry.envelope.header
    checkTimes(entry.envelope.header, entry.receivedAt)
    // Ahead of the signatures, because shared addresses carry much that is for wallets of other gateways.
    const recipients = await recipientsOf(entry)
    await checkSender(entry)
    await checkWraps(entry, recipients.here)
    const { here, elsewhere, senderServed } = recipients
    await context.admission.admit({
      from,
      to: [...here, ...elsewhere],
      via: entry.via,
      bytes: entry.envelope.bytes.length,
    })
    const received = here.map((wallet) => ({ wallet, direction: 'received' as const }))
    const sent = senderServed && !here.includes(from) ? [{ wallet: from, direction: 'sent' as const }] : []
    const record = recordOf(entry, [...received, ...sent], await plan(entry, recipients))
    const result = await store.accept(record)
    if (result.outcome === 'accepted') {
      publish(record, result.seq)
      outbox.offer(result.deliveries)
    }
    return result
  }

  function publish(record: AcceptRecord, seq: number): void {
    frames.remember({ ...record, seq, wallets: record.inbox.map(({ wallet }) => wallet) })
    const { id, mode, from, conversation, contentType, flags, created, receivedAt, via, bytes, certificate } =
      record
    for (const { wallet, direction } of record.inbox) {
      live.publish(wallet, {
        seq,
        id,
        direction,
        mode,
        from,
        conversation,
        contentType,
        flags,
        created,
        receivedAt,
        via,
        bytes,
        certificate,
      })
    }
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
    requireSealed(envelope.header)
    return inTurn(toHex(envelope.id), async () => {
      const { id } = envelope
      const result: Pick<AcceptResult, 'outcome' | 'deliveries'> = (await guard.byEnvelopeId(id))
        ? { outcome: 'duplicate', deliveries: await store.deliveriesOf(id) }
        : await take(entryOf(envelope, via, null, null))
      return {
        id,
        duplicate: result.outcome === 'duplicate',
        deliveries: result.deliveries.map(({ network, wallet, state }) => ({ network, wallet, state })),
      }
    })
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

  async function hearFrame(network: string, inbound: Inbound): Promise<DeliverResult> {
    const known = await arrivals.known(network, inbound)
    if (known) return known
    const frame = decodeFrame(inbound.frame, {
      maxBytes: settings.maxEnvelopeBytes + LIMITS.frameOverheadBytes,
    })
    if (frame.kind !== FRAME_KIND.envelope) {
      throw new RelayError('envelope-mode-unsupported', 'This gateway carries no opaque parcels')
    }
    const envelope = decodeSealed(frame.bytes, { maxBytes: settings.maxEnvelopeBytes })
    requireSealed(envelope.header)
    return inTurn(toHex(envelope.id), async () => {
      if (await guard.byEnvelopeId(envelope.id))
        return arrivals.again(network, inbound, envelope.id, frame.bytes)
      guard.byTrace(frame.trace)
      const { outcome } = await take(entryOf(envelope, network, frame, inbound))
      if (outcome === 'duplicate') return arrivals.again(network, inbound, envelope.id, frame.bytes)
      const result: DeliverResult = { outcome, id: toHex(envelope.id) }
      // Should it come again, it is not new.
      arrivals.remember(network, inbound.remoteId, { outcome: 'duplicate', id: result.id })
      return result
    })
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

/** Code of a refusal that is an answer. */
function codeOf(value: unknown): string | null {
  return typeof value === 'object' && value !== null && 'code' in value ? String(value.code) : null
}

/** A hop envelope is attested by a gateway that the recipient enrolled. There are no enrolments here. */
function requireSealed({ flags }: EnvelopeHeader): void {
  if ((flags & FLAGS.hop) !== 0) {
    throw new RelayError('envelope-mode-unsupported', 'This gateway takes no envelopes with the hop flag')
  }
}

function recordOf(entry: Entry, inbox: AcceptRecord['inbox'], deliveries: NewDelivery[]): AcceptRecord {
  const { envelope, via, inbound, receivedAt, monotonic } = entry
  const { from, device, conversation, contentType, flags, created, ttl } = envelope.header
  return {
    id: envelope.id,
    kind: FRAME_KIND.envelope,
    mode: 'sealed',
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
