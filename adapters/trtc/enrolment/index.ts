/**
 * Hop mode on TRTC: the gateway is the administrator of the app, and so can read and write every user's messages. An enrolment
 * is the wallet's leave to do it for the wallet. Nothing is handed over and nothing is kept on the network.
 */
import {
  type AdapterContext,
  AdapterError,
  type EnrolledAccount,
  type Enrolment,
  type EnrolmentFacet,
  type EnrolmentTerms,
  type StateReport,
} from '../../../src/adapter/index.ts'
import { trtcContents } from '../../../src/content/index.ts'
import type { Accounts } from '../accounts.ts'
import type { TrtcConfig } from '../config.ts'
import { createRoamingReader } from '../history.ts'
import type { RestClient } from '../rest.ts'
import { consentText, requireCheckable, requireSignature } from './consent.ts'
import { createNativeIntake, type Member, type NativeIntake } from './intake.ts'
import { createNativeSender } from './sender.ts'
import { createNativeService } from './service.ts'

const terms: EnrolmentTerms = {
  meaning:
    'The gateway runs this chat app and can read and write the messages of all of its users. With this it reads the messages of your chat user, in one-to-one chats and in groups, for your own inbox, and writes as your chat user what you ask it to. No key is handed over. You can end it at any time.',
  handover: 'none',
  groups: true,
}

/** Enrolments that wait for a signature at once. */
const MOST_BEGUN = 1_000

export interface TrtcEnrolments extends EnrolmentFacet {
  readonly intake: NativeIntake
  /** Tells the open enrolments of a change of the connection. */
  connection(report: StateReport): void
  /** Closes all. */
  stop(): void
}

export interface EnrolmentParts {
  config: Pick<TrtcConfig, 'sdkAppId'>
  context: AdapterContext
  rest: RestClient
  accounts: Accounts
  addressOf(wallet: string): string
  /** Ends a call with the adapter; rejects before `start`. */
  whileStarted<T>(signal: AbortSignal, call: (signal: AbortSignal) => Promise<T>): Promise<T>
  connectionState(): StateReport['state']
}

export function createEnrolments(parts: EnrolmentParts): TrtcEnrolments {
  const { config, context, rest, accounts, addressOf, whileStarted } = parts
  const begun = new Map<string, { wallet: string; account: EnrolledAccount; text: string }>()
  const open = new Map<string, Member>()
  const service = createNativeService(rest)
  const roaming = createRoamingReader(rest, context.clock)
  const sender = createNativeSender({ rest, service, roaming, clock: context.clock, addressOf })
  const intake = createNativeIntake({
    service,
    roaming,
    clock: context.clock,
    members: () => open.values(),
    deliver: (inbound) => context.deliverNative(inbound),
  })

  function admit(id: string, wallet: string): Member {
    const member = { id, wallet, userId: addressOf(wallet) }
    open.set(id, member)
    context.enrolmentState(id, {
      state: parts.connectionState() === 'connected' ? 'connected' : 'connecting',
    })
    return member
  }

  function close(id: string): void {
    if (open.delete(id)) context.enrolmentState(id, { state: 'stopped' })
  }

  function memberOf(id: string): Member {
    const member = open.get(id)
    if (member) return member
    throw new AdapterError('retryable', 'The enrolment is not open', { remoteCode: 'enrolment-closed' })
  }

  return {
    terms,
    contents: trtcContents,
    intake,
    async begin({ id, wallet, account }) {
      requireCheckable(account)
      if (begun.size >= MOST_BEGUN) {
        throw new AdapterError('rateLimited', 'Too many enrolments wait for a signature', {
          retryAfterMs: 60_000,
        })
      }
      const text = consentText({
        account,
        sdkAppId: config.sdkAppId,
        userId: addressOf(wallet),
        gateway: context.gateway,
        enrolment: id,
        issuedAt: context.clock.now(),
        meaning: terms.meaning,
      })
      begun.set(id, { wallet, account, text })
      return { text }
    },
    complete: ({ id, signature }, signal) =>
      whileStarted(signal, async (either) => {
        const waiting = begun.get(id)
        if (!waiting) {
          throw new AdapterError('permanent', 'No such enrolment waits for a signature; begin again', {
            remoteCode: 'enrolment-unknown',
          })
        }
        requireSignature(waiting.account, waiting.text, signature)
        await accounts.ensure(addressOf(waiting.wallet), either)
        begun.delete(id)
        return { address: admit(id, waiting.wallet).userId }
      }),
    async cancel(id) {
      begun.delete(id)
    },
    open: ({ id, wallet }: Enrolment, signal) =>
      whileStarted(signal, async (either) => {
        if (open.has(id)) return
        await accounts.ensure(addressOf(wallet), either)
        admit(id, wallet)
      }),
    async close(id) {
      close(id)
    },
    async revoke({ id }) {
      begun.delete(id)
      close(id)
      return { remote: 'none' }
    },
    send: (intent, signal) =>
      whileStarted(signal, (either) => sender.send(memberOf(intent.enrolment).userId, intent, either)),
    find: (intent, signal) =>
      whileStarted(signal, (either) => sender.find(memberOf(intent.enrolment).userId, intent, either)),
    walk: ({ enrolment, since }, signal) => intake.walk(memberOf(enrolment), since, signal),
    connection(report) {
      for (const id of open.keys()) context.enrolmentState(id, report)
    },
    stop() {
      begun.clear()
      for (const id of [...open.keys()]) close(id)
    },
  }
}
