/**
 * Enrolment on Push with notifications in it: a wallet that hands over its key gets them beside its messages, and one that
 * wants nothing but them enrols by a signature alone. What such an enrolment reads is public, so no key is needed for it; the
 * signature says whose inbox it is for.
 */
import { verifyMessage } from 'ethers/hash'
import {
  type AdapterContext,
  AdapterError,
  type EnrolmentFacet,
  type EnrolmentTerms,
} from '../../../src/adapter/index.ts'
import { addressOfDid, canonicalDid, didOfWallet } from '../did.ts'
import { toAdapterError } from '../errors.ts'
import type { Feeds } from './feeds.ts'

export const NOTIFICATION_TERMS: EnrolmentTerms = {
  meaning:
    'The gateway reads the public feed of what channels on Push notify this wallet of, and puts it into its inbox until this ends. It gets no key: it reads no messages there and sends none.',
  handover: 'none',
  groups: false,
}

/** Kept in place of a secret by enrolments that have none. */
const NO_SECRET = 'causeway/push-notifications/1'

export interface NotificationParts {
  feeds: Feeds
  context: Pick<AdapterContext, 'gateway' | 'enrolmentState'>
  /** Ends with the adapter's present run. */
  lifetime(): AbortSignal
}

/** The facet, and its end. */
export interface StoppableEnrolments extends EnrolmentFacet {
  /** Closes every enrolment and forgets the ones that were begun. */
  stop(): Promise<void>
}

/** `messages`: enrolments that hand over a key. */
export function withNotifications(
  messages: StoppableEnrolments,
  parts: NotificationParts,
): StoppableEnrolments {
  const { feeds, context, lifetime } = parts
  /** Begun ones for notifications alone, by id. */
  const begun = new Map<string, { did: string; text: string }>()
  /** Open ones of both kinds, by id. */
  const open = new Map<string, { did: string; notificationsOnly: boolean }>()

  function follow(id: string, did: string, notificationsOnly: boolean): void {
    open.set(id, { did, notificationsOnly })
    feeds.follow(id, did, (report) => {
      // Of an enrolment with a key the state is that of its messages.
      if (notificationsOnly) context.enrolmentState(id, report)
    })
  }

  async function leave(id: string): Promise<boolean> {
    const isOurs = open.get(id)?.notificationsOnly ?? false
    open.delete(id)
    await feeds.unfollow(id)
    return isOurs
  }

  function requireStarted(): void {
    if (lifetime().aborted) throw new AdapterError('retryable', 'The Push adapter is not started')
  }

  const refuse = (id: string) => {
    if (!open.get(id)?.notificationsOnly) return
    throw new AdapterError(
      'permanent',
      'The wallet has enrolled for notifications alone: nothing is sent for it',
      {
        remoteCode: 'notifications-only',
      },
    )
  }

  return {
    terms: messages.terms,
    notifications: NOTIFICATION_TERMS,
    ...(messages.contents ? { contents: messages.contents } : {}),
    async begin(request, signal) {
      if (request.covers !== 'notifications') return messages.begin(request, signal)
      requireStarted()
      const did = didOfWallet(request.wallet)
      if (did === null) {
        throw new AdapterError(
          'permanent',
          'Notifications are read for accounts of Ethereum with a key of their own',
          {
            remoteCode: 'account-unsupported',
          },
        )
      }
      const text = textFor({ gateway: context.gateway, id: request.id, did })
      begun.set(request.id, { did, text })
      return { text }
    },
    async complete(completion, signal) {
      const { id, signature } = completion
      const own = begun.get(id)
      if (!own) {
        const result = await messages.complete(completion, signal)
        const did = canonicalDid(result.address)
        if (did !== null) follow(id, did, false)
        return result
      }
      requireStarted()
      if (signerOf(own.text, signature) !== addressOfDid(own.did)) {
        throw new AdapterError('permanent', 'The signature is not the wallet’s', {
          remoteCode: 'signature-invalid',
        })
      }
      begun.delete(id)
      follow(id, own.did, true)
      return { address: own.did, secret: new TextEncoder().encode(NO_SECRET) }
    },
    async cancel(id) {
      if (begun.delete(id)) return
      await leave(id)
      await messages.cancel(id)
    },
    async open(enrolment, signal) {
      const { id, address, secret } = enrolment
      const notificationsOnly = isNoSecret(secret)
      requireStarted()
      if (!notificationsOnly) await messages.open(enrolment, signal)
      const did = canonicalDid(address)
      if (did !== null) follow(id, did, notificationsOnly)
    },
    async close(id) {
      if (!(await leave(id))) await messages.close(id)
    },
    async revoke(enrolment, signal) {
      await leave(enrolment.id)
      // Nothing at the service knows of it.
      return isNoSecret(enrolment.secret) ? { remote: 'none' } : messages.revoke(enrolment, signal)
    },
    async send(intent, signal) {
      refuse(intent.enrolment)
      return messages.send(intent, signal)
    },
    async find(intent, signal) {
      refuse(intent.enrolment)
      return messages.find(intent, signal)
    },
    async *walk(query, signal) {
      const { enrolment, since } = query
      const entry = open.get(enrolment)
      let failure: unknown = null
      try {
        if (!entry?.notificationsOnly) yield* messages.walk(query, signal)
      } catch (error) {
        // Messages that cannot be read do not keep notifications from being read.
        failure = error
      }
      try {
        if (entry) yield* feeds.walk(enrolment, entry.did, since, AbortSignal.any([signal, lifetime()]))
      } catch (error) {
        failure ??= error
      }
      if (failure !== null) throw toAdapterError(failure, false)
    },
    async stop() {
      begun.clear()
      open.clear()
      await Promise.all([messages.stop(), feeds.stop()])
    },
  }
}

function textFor({ gateway, id, did }: { gateway: string; id: string; did: string }): string {
  return [
    'Put what channels on Push notify this wallet of into its inbox at a Causeway gateway.',
    'No key is handed over. The gateway reads no messages and sends none.',
    '',
    `Wallet: ${did}`,
    `Gateway: ${gateway}`,
    `Enrolment: ${id}`,
  ].join('\n')
}

/** Address of the account that signed; null for what is no signature. */
function signerOf(text: string, signature: string): string | null {
  try {
    return verifyMessage(text, signature)
  } catch {
    return null // not a signature at all
  }
}

const isNoSecret = (secret: Uint8Array) => new TextDecoder().decode(secret) === NO_SECRET
