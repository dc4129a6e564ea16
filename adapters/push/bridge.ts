/**
 * What the SDK may do on the network: the few calls that belong to the task at hand, with verified keys and nothing in
 * plaintext. Everything else is refused before it leaves.
 */
import { z } from 'zod'
import { canonicalDid } from './did.ts'
import { PushError } from './errors.ts'
import { createGroupCalls } from './group-calls.ts'
import type { Profiles } from './profiles.ts'
import { type HttpAnswer, type HttpCall, type RestClient, refusal } from './rest.ts'
import type { Transport } from './sdk/thread.ts'

export type Purpose =
  | { kind: 'unlock'; mayCreate: boolean }
  /** An account whose key somebody else has opened. */
  | { kind: 'admit' }
  /** `to`: a DID, or the id of `group`. `onLeave` is called just before the message goes out. */
  | { kind: 'send'; to: string; group: GroupVisibility | null; onLeave(): void }
  /** `from`: a DID, or the id of a group that the account is invited to. */
  | { kind: 'accept'; from: string }
  | { kind: 'open' }

/** Messages of public groups are not encrypted, those of private ones are. */
export type GroupVisibility = 'public' | 'private'

export interface BridgeOptions {
  /** DID of the account whose calls these are. */
  own: string
  rest: RestClient
  profiles: Profiles
  /** Accounts with which there is a chat already: the next message to them is no request. Added to here. */
  threads: Pick<Set<string>, 'has' | 'add'>
}

/** What the SDK's cipher (CryptoJS, AES with a passphrase) begins with: `Salted__` in base64. */
const ciphertext = z.string().startsWith('U2FsdGVk')
const addressed = { fromDID: z.string(), toDID: z.string() }
const encryptedMessage = z.looseObject({
  ...addressed,
  encType: z.literal('pgp'),
  messageObj: ciphertext,
  messageContent: ciphertext,
  encryptedSecret: z.string().min(1),
})
const sessionMessage = z.looseObject({
  ...addressed,
  encType: z.literal('pgpv1:group'),
  messageObj: ciphertext,
  messageContent: ciphertext,
  sessionKey: z.string().min(1),
})
const publicMessage = z.looseObject({ ...addressed, encType: z.literal('PlainText') })
/** What the SDK may send, by where it goes. */
const sendable = {
  direct: encryptedMessage,
  private: z.union([encryptedMessage, sessionMessage]),
  public: publicMessage,
}
const hashSchema = z.looseObject({ threadHash: z.string().nullish() })
const acceptSchema = z.looseObject({ fromDID: z.string(), toDID: z.string() })
const newProfile = z.looseObject({ did: z.string(), publicKey: z.string().min(1) })

/** Makes the transport of one task. */
export function createBridge({ own, rest, profiles, threads }: BridgeOptions) {
  const groupCalls = createGroupCalls({ own, made, profiles })

  async function made(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
    const answer = await rest.call(call, signal)
    if (answer.status >= 400) throw refusal(answer)
    return answer
  }

  async function profileOf(did: string, purpose: Purpose, signal: AbortSignal): Promise<HttpAnswer> {
    try {
      return { status: 200, body: await profiles.lookUp(did, signal) }
    } catch (error) {
      if (did !== own || !(error instanceof PushError) || error.code !== 'wallet-without-keys') throw error
      // A profile that vanished is not made anew: that would cut the account off from all that was written to it.
      if (purpose.kind === 'unlock' && purpose.mayCreate && !(await profiles.isPinned(own))) {
        return firstProfile(signal)
      }
      throw new PushError('profile-missing', 'The Push service has no profile of the account’s wallet')
    }
  }

  /** No profile, by two answers: one that was wrong would have an existing profile replaced. */
  async function firstProfile(signal: AbortSignal): Promise<HttpAnswer> {
    try {
      return { status: 200, body: await profiles.lookUp(own, signal) }
    } catch (error) {
      if (error instanceof PushError && error.code === 'wallet-without-keys')
        return { status: 200, body: null }
      throw error
    }
  }

  async function threadWith(peer: string, call: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
    // The SDK only asks whether there is one.
    if (threads.has(peer)) return { status: 200, body: { threadHash: 'known', intent: true } }
    const answer = await made(call, signal)
    if (hashSchema.safeParse(answer.body).data?.threadHash) threads.add(peer)
    return answer
  }

  function send(purpose: Extract<Purpose, { kind: 'send' }>, call: HttpCall, signal: AbortSignal) {
    const message = sendable[purpose.group ?? 'direct'].safeParse(call.body)
    if (!message.success || message.data.fromDID !== own || message.data.toDID !== purpose.to) {
      throw new PushError('plaintext-refused', 'The Push SDK did not encrypt the message as it should')
    }
    if (signal.aborted) throw new PushError('aborted', 'The send was given up before it left')
    purpose.onLeave()
    return made(call, signal)
  }

  async function decide(purpose: Purpose, call: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
    const { method, path } = call
    const asked = method === 'GET' ? canonicalDid(after(path, '/v2/users/?caip10=')) : null
    if (asked) return profileOf(asked, purpose, signal)
    const forGroup = groupCalls(purpose, call, signal)
    if (forGroup) return forGroup
    const peer = /^\/v1\/chat\/users\/[^/]+\/conversations\/([^/]+)\/hash$/.exec(path)?.[1]
    if (method === 'GET' && peer && purpose.kind === 'send') {
      return threadWith(decodeURIComponent(peer), call, signal)
    }
    if (method === 'POST' && /^\/v1\/chat\/(request|message)$/.test(path) && purpose.kind === 'send') {
      return send(purpose, call, signal)
    }
    if (method === 'PUT' && path === '/v1/chat/request/accept' && purpose.kind === 'accept') {
      const body = acceptSchema.safeParse(call.body).data
      const [asker, answerer] =
        canonicalDid(purpose.from) === null ? [own, purpose.from] : [purpose.from, own]
      if (body?.fromDID === asker && body.toDID === answerer) return made(call, signal)
    }
    if (method === 'POST' && path === '/v2/users/' && purpose.kind === 'unlock' && purpose.mayCreate) {
      if (newProfile.safeParse(call.body).data?.did === own) return made(call, signal)
    }
    throw new PushError('sdk-failed', 'The Push SDK asked for a call that does not belong to its task')
  }

  return (purpose: Purpose, signal: AbortSignal): Transport =>
    (call) =>
      decide(purpose, call, signal)
}

function after(text: string, prefix: string): string {
  return text.startsWith(prefix) ? decodeURIComponent(text.slice(prefix.length)) : ''
}
