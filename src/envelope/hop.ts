/**
 * What the header of a hop envelope says beside its common fields, in `ext.hop`.
 *
 * Two sorts have the hop flag. A *native message* was heard by a gateway on a network on which the recipient's wallet has
 * enrolled it; the gateway's device signs. A *hop request* is what a wallet's own device gives to its gateway, to be sent as a
 * native message; it leaves the gateway in no other form.
 */

import { toHex } from './bytes.ts'
import { EnvelopeError } from './errors.ts'
import { H } from './hash.ts'
import { directConversation, type EnvelopeHeader, FLAGS } from './header.ts'

/** Longest native id or address that a header carries, in characters. */
export const MAX_NATIVE_ID = 256

const GATEWAY = /^[\x21-\x7e]{1,128}$/
const NETWORK = /^[a-z][a-z0-9-]{1,31}$/

/** Where a native message comes from, as the gateway attests it. */
export interface HopOrigin {
  /** Id of the gateway that signed. */
  gateway: string
  network: string
  /** The network's own id of the message. */
  id: string
  /** The network's own id of the conversation. */
  conversation: string
  kind: 'direct' | 'group'
  /** The network's own address of the sender. */
  sender: string
  /** `from` names the sender's wallet. False: the network names none, and `from` is {@link nativeSender}. */
  known: boolean
  /** The enrolled wallet sent it itself, with another client. */
  own: boolean
}

/** What a wallet asks of the gateway that it has enrolled. */
export interface HopRequest {
  /** Id of the gateway that is to send. */
  gateway: string
  network: string
  /** The network's own id of the conversation; null: the direct conversation with the one wallet in `to`. */
  conversation: string | null
  kind: 'direct' | 'group'
}

/** Whether the envelope is in hop mode. */
export function isHop(header: Pick<EnvelopeHeader, 'flags'>): boolean {
  return (header.flags & FLAGS.hop) !== 0
}

/** `ext` of a native message's envelope. Errors: `envelope-header-invalid`. */
export function encodeHopOrigin(origin: HopOrigin): Record<string, unknown> {
  return { hop: checkOrigin({ ...origin }) }
}

/** `ext` of a hop request. Errors: `envelope-header-invalid`. */
export function encodeHopRequest(request: HopRequest): Record<string, unknown> {
  return { hop: checkRequest({ ...request }) }
}

/** Reads `ext.hop` of a native message. Errors: `envelope-header-invalid`, also for a conversation that is not its own. */
export function readHopOrigin(header: EnvelopeHeader): HopOrigin {
  const origin = checkOrigin(hopOf(header))
  const [peer, ...others] = header.to
  if (peer === undefined || others.length > 0) throw invalid('a native message is for one wallet')
  if (!origin.known && !origin.own && header.from !== nativeSender(origin.network, origin.sender)) {
    throw invalid('a sender without a wallet has the name that follows from the address')
  }
  requireConversation(header, origin, peer)
  return origin
}

/** Reads `ext.hop` of a hop request. Errors: as {@link readHopOrigin}. */
export function readHopRequest(header: EnvelopeHeader): HopRequest {
  const request = checkRequest(hopOf(header))
  const [peer, ...others] = header.to
  if (peer === undefined || others.length > 0) throw invalid('a hop request names one wallet')
  if (request.kind === 'group' && peer !== header.from)
    throw invalid('a request for a group names the sender alone')
  requireConversation(header, request, peer)
  return request
}

/**
 * Conversation of a group of a network: `H('causeway/group/1', network, native conversation id)`, the same for every wallet
 * and gateway that is in it. No other group has this id: elsewhere a wallet key, which is no name of a network, stands first.
 */
export function nativeGroupConversation(network: string, conversation: string): Uint8Array {
  return H('causeway/group/1', network, conversation)
}

/**
 * Stands in `from` or `to` for somebody of whom the network names no wallet: a wallet key that follows from the address by a
 * hash, so that no key can be found for it and it is nobody's.
 */
export function nativeSender(network: string, address: string): string {
  return `eip155:*:0x${toHex(H('causeway/native-sender/1', network, address)).slice(0, 40)}`
}

function requireConversation(
  header: EnvelopeHeader,
  { network, kind, conversation }: Pick<HopRequest, 'network' | 'kind' | 'conversation'>,
  peer: string,
): void {
  const expected =
    kind === 'group' && conversation !== null
      ? nativeGroupConversation(network, conversation)
      : directConversation(header.from, peer)
  if (toHex(expected) !== toHex(header.conversation)) throw invalid('the conversation is another one')
}

function hopOf({ ext }: EnvelopeHeader): Record<string, unknown> {
  const { hop } = ext
  if (typeof hop !== 'object' || hop === null || Array.isArray(hop) || hop instanceof Uint8Array) {
    throw invalid('ext.hop is missing')
  }
  return hop as Record<string, unknown>
}

function checkOrigin(value: Record<string, unknown> | HopOrigin): HopOrigin {
  const { gateway, network, id, conversation, kind, sender, known, own, ...rest } = value
  checkPlace({ gateway, network, kind, rest })
  if (!isNativeId(id) || !isNativeId(conversation) || !isNativeId(sender)) {
    throw invalid(`native ids and addresses are text of 1 to ${MAX_NATIVE_ID} characters`)
  }
  if (typeof known !== 'boolean' || typeof own !== 'boolean') throw invalid('known and own are booleans')
  return value as HopOrigin
}

function checkRequest(value: Record<string, unknown> | HopRequest): HopRequest {
  const { gateway, network, conversation, kind, ...rest } = value
  checkPlace({ gateway, network, kind, rest })
  if (conversation !== null && !isNativeId(conversation)) {
    throw invalid(`conversation is null or text of 1 to ${MAX_NATIVE_ID} characters`)
  }
  if (conversation === null && kind === 'group') throw invalid('a group has a conversation')
  return value as HopRequest
}

function checkPlace(place: { gateway: unknown; network: unknown; kind: unknown; rest: object }): void {
  const { gateway, network, kind, rest } = place
  if (Object.keys(rest).length > 0) throw invalid('ext.hop has members that version 1 does not define')
  if (typeof gateway !== 'string' || !GATEWAY.test(gateway)) throw invalid('ext.hop names no gateway')
  if (typeof network !== 'string' || !NETWORK.test(network)) throw invalid('ext.hop names no network')
  if (kind !== 'direct' && kind !== 'group') throw invalid('kind is direct or group')
}

function isNativeId(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_NATIVE_ID
}

function invalid(reason: string): EnvelopeError {
  return new EnvelopeError('envelope-header-invalid', `The header of the hop envelope is invalid: ${reason}`)
}
