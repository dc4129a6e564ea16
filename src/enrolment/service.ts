/** Enrolling wallets in hop mode: consent, the network's own signature, custody, and the end of it. */
import {
  AdapterError,
  type EnrolledAccount,
  type EnrolmentFacet,
  type EnrolmentRevocation,
  type EnrolmentTerms,
  type StateReport,
} from '../adapter/index.ts'
import { EnvelopeError, equalBytes, openSecret, toHex } from '../envelope/index.ts'
import {
  consentHash,
  decodeConsent,
  IdentityError,
  meaningHash,
  parseAccount,
  type SignedConsent,
  walletKind,
} from '../identity/index.ts'
import type { Session } from '../identity/types.ts'
import type { NewEnrolment, StoredEnrolment } from '../store/port.ts'
import { requireConsent } from './consent.ts'
import { EnrolmentError } from './errors.ts'
import { createKeeper } from './keeper.ts'
import { activeOf, encodeConsentRecord, handoverPurpose, viewOf } from './records.ts'
import type { ActiveEnrolment, EnrolmentParts, Enrolments } from './types.ts'

const SECRET_BYTES = 32
const PAGE = 500
/** How long the network may take to end a client of its own at the end of an enrolment, milliseconds. */
const REVOKE_WITHIN_MS = 30_000

interface Begun {
  wallet: string
  network: string
  account: EnrolledAccount
  signed: SignedConsent
  device: Uint8Array
  terms: EnrolmentTerms
  secret: Uint8Array
  consentUntil: number
  expiresAt: number
  completing: boolean
  /** It stands in the store. */
  kept: boolean
}

/**
 * Makes the enrolment part. Nothing runs before `start`, which comes after the store's and before the networks'.
 *
 * @example
 * const enrolments = createEnrolments({ gateway, store, networks, trust, custody, verify, clock, random, log, settings, deliver })
 * await enrolments.start()
 */
export function createEnrolments(parts: EnrolmentParts): Enrolments {
  const { gateway, store, networks, trust, custody, clock, random, log, settings } = parts
  const keeper = createKeeper(parts, holds)
  const begun = new Map<string, Begun>()
  const ending = new Map<string, Promise<EnrolmentRevocation>>()
  const interrupted: StoredEnrolment[] = []
  let stopListening = () => {}

  function facetOf(network: string): EnrolmentFacet {
    const running = networks.get(network)
    if (!running) throw new EnrolmentError('enrolment-unsupported', 'This gateway has not joined the network')
    const { enrolment } = running.adapter
    if (!enrolment) throw new EnrolmentError('enrolment-unsupported', 'This network has no hop mode')
    return enrolment
  }

  async function cancel(id: string, { network, secret, kept }: Begun): Promise<void> {
    begun.delete(id)
    secret.fill(0)
    if (kept) await store.endEnrolment({ id, at: clock.now(), reason: 'cancelled' })
    await networks.get(network)?.adapter.enrolment?.cancel(id)
  }

  async function forgetOverdue(): Promise<void> {
    const overdue = [...begun].filter(
      ([, { expiresAt, completing }]) => !completing && expiresAt <= clock.now(),
    )
    for (const [id, entry] of overdue) await cancel(id, entry)
  }

  function requireRoom(wallet: string): void {
    const active = [...keeper.all()]
    const pending = [...begun.values()]
    const own = [...active, ...pending].filter((other) => other.wallet === wallet).length
    if (own >= settings.maxPerWallet || active.length + pending.length >= settings.maxTotal) {
      throw new EnrolmentError(
        'enrolment-limit',
        'No more enrolments are taken; end one first, or ask the operator',
      )
    }
  }

  async function begin(...[session, network, signed, signal]: Parameters<Enrolments['begin']>) {
    const facet = facetOf(network)
    const now = clock.now()
    const terms = termsOf(facet, signed)
    const expected = { session, gateway, network, meaning: terms.meaning, now }
    const consent = await requireConsent(signed, expected, parts.verify)
    await forgetOverdue()
    const used = toHex(consentHash(signed.bytes))
    if ([...begun.values()].some((other) => toHex(consentHash(other.signed.bytes)) === used)) {
      throw new IdentityError('consent-used', 'The consent was used before; sign a new one')
    }
    if (keeper.of(session.wallet, network)) {
      throw new EnrolmentError(
        'enrolment-exists',
        'The wallet is enrolled on this network; end that enrolment first',
      )
    }
    // One that was begun and left for another attempt.
    for (const [id, other] of begun) {
      if (other.wallet === session.wallet && other.network === network && !other.completing)
        await cancel(id, other)
    }
    requireRoom(session.wallet)
    const id = toHex(random.bytes(16))
    const entry: Begun = {
      wallet: session.wallet,
      network,
      account: accountOf(session),
      signed,
      device: consent.device,
      terms,
      secret: random.bytes(SECRET_BYTES),
      consentUntil: consent.expiresAt,
      expiresAt: now + settings.completeWithinMs,
      completing: false,
      kept: false,
    }
    begun.set(id, entry)
    try {
      const { wallet, account, secret } = entry
      const covers = terms === facet.notifications ? 'notifications' : 'messages'
      const { text } = await facet.begin({ id, wallet, account, covers, secret }, signal)
      return { id, network, text, expiresAt: entry.expiresAt }
    } catch (error) {
      await cancel(id, entry)
      throw translated(error, 'enrolment-refused', 'The network does not take the wallet')
    }
  }

  async function openHandover(id: string, { network, wallet, terms }: Begun, sealed: Uint8Array | null) {
    if ((terms.handover === 'key') !== (sealed !== null)) {
      const what = sealed
        ? 'takes no key of the wallet’s'
        : 'needs a key of the wallet’s, sealed to this gateway'
      throw new EnrolmentError('enrolment-handover-invalid', `This enrolment ${what}`)
    }
    if (sealed === null) return null
    try {
      const purpose = handoverPurpose({ gateway: gateway.id, network, id, wallet })
      return await openSecret({ sealed, privateKey: gateway.encryptionKey, purpose })
    } catch (cause) {
      if (!(cause instanceof EnvelopeError)) throw cause
      throw new EnrolmentError('enrolment-handover-invalid', 'What was handed over does not open here', {
        cause,
      })
    }
  }

  async function complete(...[session, network, id, completion, signal]: Parameters<Enrolments['complete']>) {
    const entry = begun.get(id)
    if (!entry || entry.wallet !== session.wallet || entry.network !== network || entry.completing)
      throw unknown()
    const facet = facetOf(network)
    if (entry.expiresAt <= clock.now()) {
      await cancel(id, entry)
      throw new EnrolmentError(
        'enrolment-expired',
        'The text has waited too long for its signature; begin again',
      )
    }
    entry.completing = true
    try {
      const handover = await openHandover(id, entry, completion.handover)
      const active = await join(id, entry, facet, { ...completion, handover }, signal)
      begun.delete(id)
      entry.secret.fill(0)
      keeper.add(active, 'open')
      return viewOf((await store.getEnrolment(id))!, keeper.connection(id))
    } finally {
      entry.completing = false
    }
  }

  /**
   * Kept as `completing` before the network is asked: after a crash nobody knows whether the network has confirmed, and the
   * client is then taken off.
   */
  async function join(
    id: string,
    entry: Begun,
    facet: EnrolmentFacet,
    completion: { signature: string; chainId: number | null; handover: Uint8Array | null },
    signal: AbortSignal,
  ): Promise<ActiveEnrolment> {
    const { network, wallet } = entry
    const kept: NewEnrolment = {
      id,
      wallet,
      network,
      account: JSON.stringify(entry.account),
      secret: custody.wrap(entry.secret, { id, network }),
      consent: encodeConsentRecord(entry.signed),
      consentHash: consentHash(entry.signed.bytes),
      meaning: entry.terms.meaning,
      expiresAt: entry.consentUntil,
      createdAt: clock.now(),
    }
    if (!entry.kept) {
      const outcome = await store.putEnrolment(kept)
      if (outcome === 'replayed')
        throw new IdentityError('consent-used', 'The consent was used before; sign a new one')
      if (outcome === 'taken')
        throw new EnrolmentError('enrolment-exists', 'The wallet is enrolled on this network')
      entry.kept = true
    }
    let completed = false
    try {
      const { address, secret } = await facet.complete({ id, ...completion }, signal)
      completed = true
      const wrapped = custody.wrap(secret ?? entry.secret, { id, network })
      secret?.fill(0)
      const stored = await store.completeEnrolment({ id, address, secret: wrapped })
      if (!stored) throw unknown()
      return activeOf(stored)
    } catch (error) {
      // Open at the network, and not in the store: nobody would ever end it.
      if (completed) {
        await facet.close(id).catch((failure: unknown) => {
          log.error({ network, enrolment: id, error: failure }, 'an enrolment could not be closed')
        })
      }
      throw translated(error, 'enrolment-signature-refused', 'The network does not take the signature')
    } finally {
      completion.handover?.fill(0)
    }
  }

  /** Closes and deletes here first; what the network does about it comes after. */
  async function endNow(
    stored: StoredEnrolment,
    reason: string,
    signal: AbortSignal,
  ): Promise<EnrolmentRevocation> {
    const { id, network, wallet, address } = stored
    await keeper.remove(id)
    const facet = networks.get(network)?.adapter.enrolment
    const secret = stored.secret && custody.unwrap(stored.secret, { id, network }).secret
    await store.endEnrolment({ id, at: clock.now(), reason })
    if (!facet || !secret)
      return { remote: 'pending', userAction: 'Take the gateway off with a client of your own.' }
    try {
      const account = JSON.parse(stored.account) as EnrolledAccount
      return await facet.revoke({ id, wallet, account, address: address ?? '', secret }, signal)
    } catch (error) {
      log.warn({ network, enrolment: id, error }, 'the network could not be told that an enrolment has ended')
      await facet.close(id)
      return { remote: 'pending', userAction: 'Take the gateway off with a client of your own.' }
    } finally {
      secret.fill(0)
    }
  }

  function end(stored: StoredEnrolment, reason: string, signal: AbortSignal): Promise<EnrolmentRevocation> {
    const known = ending.get(stored.id)
    if (known) return known
    const work = endNow(stored, reason, signal).finally(() => ending.delete(stored.id))
    ending.set(stored.id, work)
    return work
  }

  async function endById(id: string, reason: string): Promise<void> {
    const stored = await store.getEnrolment(id)
    if (stored && stored.state !== 'ended') await end(stored, reason, AbortSignal.timeout(REVOKE_WITHIN_MS))
  }

  async function holds(id: string): Promise<boolean> {
    const enrolment = keeper.get(id)
    if (!enrolment) return false
    const now = clock.now()
    const { wallet, device } = enrolment
    const isOver = enrolment.expiresAt <= now
    const ask = { wallet, device, certificate: null, receivedAt: now }
    if (!isOver && (await trust.deviceStatus(ask)) !== 'revoked') return true
    const reason = isOver ? 'consent-expired' : 'device-revoked'
    // Not waited for: whoever asks may be what the end has to wait for.
    endById(id, reason).catch((error: unknown) => {
      log.error({ network: enrolment.network, enrolment: id, error }, 'an enrolment could not be ended')
    })
    return false
  }

  /** The network may have confirmed what was under way when the process ended: its client is taken off. */
  async function endInterrupted(network: string): Promise<void> {
    for (const stored of interrupted.splice(0)) {
      if (stored.network === network) await end(stored, 'interrupted', AbortSignal.timeout(REVOKE_WITHIN_MS))
      else interrupted.push(stored)
    }
  }

  function onNetwork(network: string, { state }: StateReport): void {
    if (state !== 'connected') return
    endInterrupted(network).catch((error: unknown) => {
      log.error({ network, error }, 'an interrupted enrolment could not be ended')
    })
  }

  return {
    begin,
    complete,
    get: keeper.get,
    of: keeper.of,
    use: keeper.use,
    touched: keeper.touched,
    report: (_network, id, report) => keeper.report(id, report),
    holds,
    async list(wallet) {
      const stored = await store.enrolmentsOf(wallet)
      return stored
        .filter(({ state }) => state !== 'completing')
        .map((enrolment) => viewOf(enrolment, keeper.connection(enrolment.id)))
    },
    async revoke(wallet, network, id, signal) {
      const pending = begun.get(id)
      if (pending?.wallet === wallet && pending.network === network && !pending.completing) {
        await cancel(id, pending)
        return { remote: 'none' }
      }
      const stored = await store.getEnrolment(id)
      if (!stored || stored.wallet !== wallet || stored.network !== network) throw unknown()
      if (stored.state === 'ended') return { remote: 'none' }
      return end(stored, 'revoked', signal)
    },
    async start() {
      keeper.start()
      stopListening = networks.onState(onNetwork)
      for (let after = ''; ; ) {
        const page = await store.liveEnrolments({ after, limit: PAGE })
        for (const stored of page) {
          if (stored.state === 'active') keeper.add(activeOf(stored), 'closed')
          else interrupted.push(stored)
        }
        if (page.length < PAGE) return
        after = page.at(-1)!.id
      }
    },
    async stop() {
      stopListening()
      await keeper.stop()
      for (const { secret } of begun.values()) secret.fill(0)
      begun.clear()
    },
  }
}

/** The terms that the consent names; where it names none of the network's, it is refused for the first. */
function termsOf({ terms, notifications }: EnrolmentFacet, { bytes }: SignedConsent): EnrolmentTerms {
  const { meaning } = decodeConsent(bytes)
  const isLighter = notifications && equalBytes(meaning, meaningHash(notifications.meaning))
  return isLighter ? notifications : terms
}

function accountOf({ wallet, account }: Session): EnrolledAccount {
  const { address, reference, namespace } = parseAccount(account)
  return { kind: walletKind(wallet), address, chainId: namespace === 'eip155' ? Number(reference) : null }
}

function unknown(): EnrolmentError {
  return new EnrolmentError('enrolment-unknown', 'The wallet has no such enrolment')
}

/** What the network refuses for good is the caller's matter; anything else is the network's. */
function translated(
  error: unknown,
  code: 'enrolment-refused' | 'enrolment-signature-refused',
  text: string,
): unknown {
  if (!AdapterError.is(error) || error.class !== 'permanent') return error
  if (error.remoteCode === 'handover-invalid') {
    const refusal = 'What was handed over is not the key of the wallet’s account on the network'
    return new EnrolmentError('enrolment-handover-invalid', refusal, { cause: error })
  }
  return new EnrolmentError(code, text, { cause: error })
}
