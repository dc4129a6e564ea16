/** Native messages of enrolled wallets, on their way into the inbox: re-sealed to the wallet's devices, signed by the gateway's own. */
import { randomBytes } from 'node:crypto'
import type { DeliverResult, NativeInbound, NativeParty } from '../adapter/index.ts'
import type { ActiveEnrolment } from '../enrolment/types.ts'
import {
  commonSuite,
  decodeSealed,
  directConversation,
  type EnvelopeHeader,
  encodeHopOrigin,
  FLAGS,
  type HopOrigin,
  isWalletKey,
  keysOfSuite,
  nativeGroupConversation,
  nativeSender,
  sealEnvelope,
  toHex,
} from '../envelope/index.ts'
import { encodeHopCertificate } from '../identity/index.ts'
import type { AcceptRecord, NewDelivery } from '../store/port.ts'
import type { Arrivals } from './arrivals.ts'
import { publishItems } from './copies.ts'
import { RelayError, refusalCode } from './errors.ts'
import { encodeTrace, type Frames } from './frames.ts'
import type { Held } from './held.ts'
import { type HopParts, hopAddress, nativeAlias, transactionAlias } from './hop.ts'
import { innerOf } from './hop-content.ts'
import type { HopSends } from './hop-out.ts'
import type { NativeReceipts } from './native-receipts.ts'
import type { Outbox } from './outbox.ts'
import type { RelayContext } from './parts.ts'
import type { Resolver } from './recipients.ts'
import { createSerializer } from './serializer.ts'

export interface NativeIntake {
  /** Rejects when the message could not be made durable, also for want of keys: it comes again with a walk. */
  hear(network: string, inbound: NativeInbound): Promise<DeliverResult>
}

export function createNativeIntake(
  context: RelayContext,
  hop: HopParts,
  tools: {
    arrivals: Arrivals
    frames: Frames
    outbox: Outbox
    resolver: Resolver
    held: Held
    sends: HopSends
    receipts: NativeReceipts
  },
): NativeIntake {
  const { store, trust, clock, live, gateway, observer, log, consents } = context
  const { arrivals, frames, outbox, resolver, held, sends, receipts } = tools
  const { enrolments } = hop
  /** In order within an enrolment: a reply comes after what it answers. */
  const inTurn = createSerializer()

  async function known(network: string, inbound: NativeInbound): Promise<DeliverResult | null> {
    const { enrolment, remoteId, transactionId } = inbound
    const alias = { remoteId: nativeAlias(enrolment, remoteId) }
    const earlier = await arrivals.known(network, alias)
    if (earlier || !inbound.own) return earlier
    if (transactionId !== null) {
      const id = await store.envelopeOfRemote(network, transactionAlias(enrolment, transactionId))
      return id && (await echo(network, inbound, alias.remoteId, id))
    }
    // Whether it is ours is told by the answer of the send, if one is under way.
    await sends.settled(enrolment)
    return arrivals.known(network, alias)
  }

  async function echo(
    network: string,
    { enrolment, partial = false }: NativeInbound,
    remoteId: string,
    id: Uint8Array,
  ): Promise<DeliverResult> {
    const address = hopAddress(enrolment)
    const sent = (await store.deliveriesOf(id)).find((delivery) => delivery.address === address)
    // A part tells of itself alone: those after it may not have been sent.
    if (partial) await store.addAlias(network, remoteId, id, clock.now())
    else if (sent) await arrivals.settle(sent, remoteId, true)
    const result: DeliverResult = { outcome: 'echo', id: toHex(id) }
    arrivals.remember(network, remoteId, result)
    return result
  }

  /** Envelope ids of what the message refers to, where this gateway knows them. */
  async function referencesOf(network: string, { enrolment, reference, replaces }: NativeInbound) {
    const find = async (remoteId: string | null) =>
      remoteId === null ? null : store.envelopeOfRemote(network, nativeAlias(enrolment, remoteId))
    const [inReplyTo, replaced] = await Promise.all([find(reference), find(replaces)])
    return { inReplyTo, replaces: replaced }
  }

  function headerOf(
    network: string,
    enrolment: ActiveEnrolment,
    inbound: NativeInbound,
  ): Omit<EnvelopeHeader, 'version' | 'suite' | 'contentType' | 'replyTo'> {
    const { conversation, from, own } = inbound
    const { wallet } = enrolment
    const nameOf = (party: NativeInbound['from']) =>
      party.wallet !== null && isWalletKey(party.wallet) ? party.wallet : nativeSender(network, party.address)
    const peer = conversation.kind === 'direct' && conversation.peer ? nameOf(conversation.peer) : wallet
    const sender = own ? wallet : nameOf(from)
    const recipient = own ? peer : wallet
    const origin: HopOrigin = {
      gateway,
      network,
      id: inbound.remoteId,
      conversation: conversation.remoteId,
      kind: conversation.kind,
      sender: from.address,
      known: own || sender === from.wallet,
      own,
    }
    return {
      from: sender,
      device: hop.device.publicKey,
      to: [recipient],
      conversation:
        conversation.kind === 'group'
          ? nativeGroupConversation(network, conversation.remoteId)
          : directConversation(sender, recipient),
      created: Math.max(0, Math.floor(Math.min(inbound.remoteTime, clock.now()))),
      ttl: 0,
      nonce: new Uint8Array(randomBytes(16)),
      flags: FLAGS.hop,
      ext: encodeHopOrigin(origin),
    }
  }

  async function seal(network: string, enrolment: ActiveEnrolment, inbound: NativeInbound) {
    const devices = await hop.devicesOf(enrolment.wallet)
    const suite = devices.length === 0 ? null : commonSuite(devices)
    if (suite === null) {
      throw new RelayError(
        'hop-without-keys',
        'The wallet has no device with current keys; the message waits',
      )
    }
    const content = innerOf(inbound, await referencesOf(network, inbound))
    const header = { ...headerOf(network, enrolment, inbound), suite }
    const { bytes } = await sealEnvelope({
      header: { ...header, contentType: content.contentType, replyTo: content.inReplyTo },
      content,
      recipients: keysOfSuite(devices, suite),
      sign: hop.device.sign,
    })
    return decodeSealed(bytes)
  }

  async function certificateOf({ wallet, device, consent }: ActiveEnrolment): Promise<Uint8Array> {
    return encodeHopCertificate({ consent, device: await trust.certificateOf(wallet, device) })
  }

  async function take(
    network: string,
    enrolment: ActiveEnrolment,
    inbound: NativeInbound,
  ): Promise<DeliverResult> {
    const moment = { receivedAt: clock.now(), monotonic: clock.monotonic() }
    const envelope = await seal(network, enrolment, inbound)
    const certificate = await certificateOf(enrolment)
    const { header, id, bytes } = envelope
    // Own messages stay in the inbox, like everything that a wallet sends.
    const entry = { envelope, via: network, trace: [], certificate, inbound: null, ...moment }
    const verdict = await consents.judge(header, [enrolment.wallet])
    const here = { here: verdict.relayed, elsewhere: [], senderServed: false }
    const deliveries: NewDelivery[] = inbound.own ? [] : await resolver.plan(entry, here)
    const record: AcceptRecord = {
      id,
      kind: 1,
      mode: 'hop',
      from: header.from,
      device: header.device,
      conversation: header.conversation,
      contentType: header.contentType,
      flags: header.flags,
      created: header.created,
      expiresAt: 0,
      bytes,
      certificate,
      trace: encodeTrace([]),
      via: network,
      ...moment,
      inbox: [{ wallet: enrolment.wallet, direction: inbound.own ? 'sent' : 'received' }],
      deliveries,
      alias: {
        network,
        remoteId: nativeAlias(enrolment.id, inbound.remoteId),
        otherIds: inbound.otherIds?.map((other) => nativeAlias(enrolment.id, other)),
        claims: true,
      },
    }
    const result = await store.accept(record)
    if (result.outcome === 'duplicate') {
      const earlier = await arrivals.known(network, { remoteId: nativeAlias(enrolment.id, inbound.remoteId) })
      return earlier ?? { outcome: 'duplicate', id: toHex(id) }
    }
    const stored = { ...record, seq: result.seq, wallets: [enrolment.wallet] }
    frames.remember(stored)
    publishItems(live, stored, header.to, { verdict })
    outbox.offer(result.deliveries)
    if (!inbound.own) await held.reconsider(record, verdict.kept)
    await receipts.hear(network, enrolment, inbound)
    return { outcome: 'accepted', id: toHex(id) }
  }

  /**
   * Where a network names no wallet, the address map does, for wallets whose address follows from the wallet: one that was chosen
   * could be somebody else's.
   */
  async function named(network: string, party: NativeParty): Promise<NativeParty> {
    if (party.wallet !== null) return party
    const identity = context.networks.get(network)?.adapter.identity
    const wallets = (await store.walletsAt(network, party.address)).filter(
      (wallet) => identity?.addressOf(wallet) === party.address,
    )
    return wallets.length === 1 ? { ...party, wallet: wallets[0]! } : party
  }

  async function withNames(network: string, inbound: NativeInbound): Promise<NativeInbound> {
    const { conversation } = inbound
    const peer = conversation.peer && (await named(network, conversation.peer))
    const from = await named(network, inbound.from)
    return { ...inbound, from, conversation: { ...conversation, peer } }
  }

  async function hearOne(network: string, inbound: NativeInbound): Promise<DeliverResult> {
    const enrolment = enrolments.get(inbound.enrolment)
    if (!enrolment || enrolment.network !== network || !(await enrolments.holds(enrolment.id))) {
      return { outcome: 'refused', code: 'enrolment-unknown' }
    }
    if (inbound.own && inbound.conversation.kind === 'direct' && !inbound.conversation.peer) {
      return { outcome: 'refused', code: 'native-malformed' }
    }
    enrolments.touched(enrolment.id)
    return (await known(network, inbound)) ?? take(network, enrolment, await withNames(network, inbound))
  }

  /** As other acceptances, it is told to the observer. Refusals are answers. */
  async function observed(network: string, inbound: NativeInbound): Promise<DeliverResult> {
    const startedAt = clock.monotonic()
    const tell = (outcome: DeliverResult['outcome'], code: string | null) =>
      observer.accepted(network, outcome, code, clock.monotonic() - startedAt)
    try {
      const result = await hearOne(network, inbound)
      tell(result.outcome, 'code' in result ? result.code : null)
      return result
    } catch (error) {
      const code = refusalCode(error)
      tell('refused', code ?? 'internal-error')
      if (code === null) throw error
      log.warn({ network, enrolment: inbound.enrolment, code }, 'a native message was refused')
      return { outcome: 'refused', code }
    }
  }

  return {
    hear: (network, inbound) => inTurn(inbound.enrolment, () => observed(network, inbound)),
  }
}
