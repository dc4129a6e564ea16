/** Hop mode on Push: the gateway holds the PGP key of a wallet's account, which its client handed over. */
import type {
  AdapterContext,
  EnrolmentCompletion,
  EnrolmentFacet,
  EnrolmentRequest,
  EnrolmentResult,
  EnrolledAccount as Wallet,
} from '../../../src/adapter/index.ts'
import { pushContents } from '../../../src/content/index.ts'
import { createChain } from '../chain.ts'
import { baseUrlOf, type PushConfig } from '../config.ts'
import { didOfAddress } from '../did.ts'
import { PushError, toAdapterError } from '../errors.ts'
import type { Profiles } from '../profiles.ts'
import type { RestClient } from '../rest.ts'
import type { SdkHost } from '../sdk/host.ts'
import { createEnrolledAccount, type EnrolledAccount } from './account.ts'
import { requireSignature, terms, textOf } from './ceremony.ts'
import { createGroups } from './conversations.ts'
import { type Member, openMember } from './member.ts'
import { createSentMessages, forgetSentMessages } from './sent.ts'

/** Enrolments that wait for a signature at once. */
const MOST_BEGUN = 1_000
/** Of a key that is handed over, in bytes: the SDK's are under 4 KiB. */
const LONGEST_KEY = 32_768

interface Begun {
  did: string
  text: string
}

export interface EnrolmentParts {
  config: PushConfig
  context: AdapterContext
  /** The gateway's own DID. */
  gateway: string
  rest: RestClient
  profiles: Profiles
  host: SdkHost
  /** Ends with the adapter's present run. */
  lifetime(): AbortSignal
}

export interface PushEnrolments extends EnrolmentFacet {
  /** Closes every enrolment and forgets the ones that were begun. */
  stop(): Promise<void>
}

export function createEnrolments(parts: EnrolmentParts): PushEnrolments {
  const { config, context, gateway, rest, profiles, host, lifetime } = parts
  const chain = createChain(rest)
  const groups = createGroups({ rest, storage: context.storage })
  const begun = new Map<string, Begun>()
  const members = new Map<string, Promise<Member>>()
  const line = {
    baseUrl: baseUrlOf(config),
    timeoutMs: config.requestTimeoutMs,
    longestPauseMs: config.reconnectMaxMs,
  }

  const accountOf = (id: string, did: string, key: Uint8Array) =>
    createEnrolledAccount(id, did, key, { rest, profiles, host, environment: config.environment })

  function join(id: string, account: EnrolledAccount): Member {
    const sent = createSentMessages(context.storage, id)
    return openMember({ id, account, gateway, rest, profiles, chain, groups, sent, context, line })
  }

  async function begin({ id, account }: EnrolmentRequest, signal: AbortSignal): Promise<{ text: string }> {
    if (begun.size >= MOST_BEGUN) {
      throw new PushError('not-connected', 'Too many enrolments wait for a signature')
    }
    const did = didOf(account)
    // Without keys there is nothing to hand over.
    profiles.forget(did)
    await profiles.lookUp(did, signal)
    const text = textOf({ id, did, gateway: context.gateway })
    begun.set(id, { did, text })
    return { text }
  }

  async function complete(
    { id, signature, handover }: EnrolmentCompletion,
    signal: AbortSignal,
  ): Promise<EnrolmentResult> {
    const entry = begun.get(id)
    if (!entry) {
      throw new PushError('enrolment-unknown', 'No such enrolment waits for a signature; begin again')
    }
    const { did, text } = entry
    requireSignature(did, text, signature)
    requireKey(handover)
    const account = accountOf(id, did, handover.slice())
    try {
      await account.check(signal)
    } catch (error) {
      await account.dispose()
      if (!(error instanceof PushError) || error.code !== 'key-replaced') throw error
      throw new PushError('handover-invalid', error.message)
    }
    begun.delete(id)
    members.set(id, Promise.resolve(join(id, account)))
    return { address: did, secret: handover.slice() }
  }

  async function open(id: string, wallet: Wallet, secret: Uint8Array, signal: AbortSignal): Promise<Member> {
    // The caller wipes its copy.
    const account = accountOf(id, didOf(wallet), secret.slice())
    try {
      await account.check(signal)
      return join(id, account)
    } catch (error) {
      await account.dispose()
      throw error
    }
  }

  async function close(id: string): Promise<void> {
    const opening = members.get(id)
    members.delete(id)
    const member = await opening?.catch(() => undefined)
    await member?.close()
  }

  async function within<Value>(
    id: string,
    signal: AbortSignal,
    work: (member: Member, signal: AbortSignal) => Promise<Value>,
  ): Promise<Value> {
    const member = await memberOf(id)
    return work(member, AbortSignal.any([signal, member.lifetime]))
  }

  async function memberOf(id: string): Promise<Member> {
    const member = await members.get(id)
    if (member) return member
    throw new PushError('not-connected', 'The enrolment is not open')
  }

  /** Nothing but `AdapterError` leaves; nothing is begun before `start` and after `stop`. */
  async function guarded<Value>(
    work: (onLeave: () => void) => Promise<Value>,
    needsAdapter = true,
  ): Promise<Value> {
    let left = false
    try {
      if (needsAdapter && lifetime().aborted) {
        throw new PushError('not-connected', 'The Push adapter is not started')
      }
      return await work(() => {
        left = true
      })
    } catch (error) {
      throw toAdapterError(error, left)
    }
  }

  return {
    terms,
    contents: pushContents,
    begin: (request, signal) => guarded(() => begin(request, AbortSignal.any([signal, lifetime()]))),
    complete: (completion, signal) =>
      guarded(() => complete(completion, AbortSignal.any([signal, lifetime()]))),
    async cancel(id) {
      begun.delete(id)
      // One that was completed, but not kept.
      await guarded(() => close(id), false)
    },
    open: ({ id, account, secret }, signal) =>
      guarded(async () => {
        const opening = members.get(id) ?? open(id, account, secret, AbortSignal.any([signal, lifetime()]))
        members.set(id, opening)
        opening.catch(() => {
          if (members.get(id) === opening) members.delete(id)
        })
        await opening
      }),
    close: (id) => guarded(() => close(id), false),
    revoke: ({ id }) =>
      guarded(async () => {
        begun.delete(id)
        await close(id)
        await forgetSentMessages(context.storage, id)
        return {
          remote: 'pending',
          userAction:
            'The gateway has destroyed its copy of the key. Push cannot take a key back: if you want to be sure that no copy is of use, make a new key for the account in a Push application, which ends the older one.',
        }
      }, false),
    send: (intent, signal) =>
      guarded(async (onLeave) =>
        within(intent.enrolment, signal, async (member, either) => ({
          remoteIds: [await member.send(intent, onLeave, either)],
        })),
      ),
    find: (intent, signal) =>
      guarded(() =>
        within(intent.enrolment, signal, async (member, either) => {
          const cid = await member.find(intent, either)
          return cid === null ? null : { remoteIds: [cid] }
        }),
      ),
    async *walk({ enrolment, since }, signal) {
      try {
        const member = await memberOf(enrolment)
        yield* member.walk(since, AbortSignal.any([signal, member.lifetime]))
      } catch (error) {
        throw toAdapterError(error, false)
      }
    },
    async stop() {
      begun.clear()
      await Promise.all([...members.keys()].map(close))
    },
  }
}

/** Throws `address-invalid` for smart accounts and other chains, whose Push accounts have keys of another kind. */
function didOf({ kind, address }: Wallet): string {
  if (kind === 'evm-account') return didOfAddress(address)
  throw new PushError('address-invalid', 'Hop mode on Push is for plain accounts of EVM chains alone')
}

function requireKey(handover: Uint8Array | null): asserts handover is Uint8Array {
  if (handover && handover.length > 0 && handover.length <= LONGEST_KEY) return
  throw new PushError('handover-invalid', 'The key of the wallet’s Push account has to be handed over')
}
