/**
 * What the SDK may do on the network: the few calls that belong to the task at hand, with verified keys and nothing in
 * plaintext. Everything else is refused before it leaves.
 */
import { z } from 'zod'
import { TEXT_PREFIX } from './carriage.ts'
import { canonicalDid } from './did.ts'
import { PushError } from './errors.ts'
import type { Profiles } from './profiles.ts'
import { type HttpAnswer, type HttpCall, type RestClient, refusal } from './rest.ts'
import type { Transport } from './sdk/thread.ts'

export type Purpose =
  | { kind: 'unlock'; mayCreate: boolean }
  /** `onLeave` is called just before the message goes out. */
  | { kind: 'send'; to: string; onLeave(): void }
  | { kind: 'accept'; from: string }
  | { kind: 'open' }

export interface BridgeOptions {
  /** The gateway's DID. */
  own: string
  rest: RestClient
  profiles: Profiles
  /** Accounts with which there is a chat already: the next message to them is no request. Added to here. */
  threads: Pick<Set<string>, 'has' | 'add'>
}

const encryptedMessage = z.looseObject({
  fromDID: z.string(),
  toDID: z.string(),
  encType: z.literal('pgp'),
  messageObj: z.string().refine((text) => !text.includes(TEXT_PREFIX)),
  messageContent: z.string().refine((text) => !text.includes(TEXT_PREFIX)),
  encryptedSecret: z.string().min(1),
})
const hashSchema = z.looseObject({ threadHash: z.string().nullish() })
const acceptSchema = z.looseObject({ fromDID: z.string(), toDID: z.string() })
const newProfile = z.looseObject({ did: z.string(), publicKey: z.string().min(1) })

/** Makes the transport of one task. */
export function createBridge({ own, rest, profiles, threads }: BridgeOptions) {
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
      throw new PushError('profile-missing', 'The Push service has no profile of the gateway’s wallet')
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
    const message = encryptedMessage.safeParse(call.body)
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
    const peer = /^\/v1\/chat\/users\/[^/]+\/conversations\/([^/]+)\/hash$/.exec(path)?.[1]
    if (method === 'GET' && peer && purpose.kind === 'send') {
      return threadWith(decodeURIComponent(peer), call, signal)
    }
    if (method === 'POST' && /^\/v1\/chat\/(request|message)$/.test(path) && purpose.kind === 'send') {
      return send(purpose, call, signal)
    }
    if (method === 'PUT' && path === '/v1/chat/request/accept' && purpose.kind === 'accept') {
      const body = acceptSchema.safeParse(call.body).data
      if (body?.fromDID === purpose.from && body.toDID === own) return made(call, signal)
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
