/** How conversations of Push are named, and what is known of groups. */
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import type { AdapterStorage, NativeConversation, NativeParty } from '../../../src/adapter/index.ts'
import type { GroupVisibility } from '../bridge.ts'
import { addressOfDid, canonicalDid, didOfWallet } from '../did.ts'
import { PushError } from '../errors.ts'
import type { RestClient } from '../rest.ts'

/** Groups whose titles are kept in mind. */
const REMEMBERED = 10_000
/** How long a title is shown before it is looked up again, in milliseconds. */
const TITLE_MS = 300_000

const groupSchema = z.looseObject({ groupName: z.string().catch(''), isPublic: z.boolean() })
const statusSchema = z.looseObject({ isMember: z.boolean(), isPending: z.boolean() })

/** Where a message goes. */
export type Destination = { kind: 'direct'; peer: string } | { kind: 'group'; chatId: string }

/**
 * A direct conversation is named by both DIDs, as Push's `combinedDID`: the service's own id of it changes when a request is
 * rejected and made again, and does not stand in every message.
 */
export function directId(one: string, other: string): string {
  return [one, other].toSorted().join('_')
}

export function directConversationOf(own: string, peer: string): NativeConversation {
  return { remoteId: directId(own, peer), kind: 'direct', name: null, peer: partyOf(peer) }
}

export function partyOf(did: string): NativeParty {
  return { wallet: `eip155:*:${addressOfDid(did).toLowerCase()}`, address: did }
}

/** Throws `address-invalid`, `conversation-unknown`. */
export function destinationOf(own: string, to: { conversation: string } | { wallet: string }): Destination {
  if ('wallet' in to) {
    const peer = didOfWallet(to.wallet)
    if (peer !== null && peer !== own) return { kind: 'direct', peer }
    throw new PushError(
      'address-invalid',
      'Push knows no account of this kind of wallet, or it is the sender',
    )
  }
  const sides = to.conversation.split('_').map(canonicalDid)
  if (sides.length === 2 && sides.includes(own)) {
    const peer = sides.find((side) => side !== own)
    if (peer) return { kind: 'direct', peer }
  }
  if (/^[\w.-]{8,128}$/.test(to.conversation)) return { kind: 'group', chatId: to.conversation }
  throw new PushError('conversation-unknown', 'Push has no conversation of this name')
}

export interface Groups {
  /** What a list told of a group. */
  learn(chatId: string, group: { name: string; isPublic: boolean }): Promise<void>
  describe(chatId: string, signal: AbortSignal): Promise<NativeConversation>
  /**
   * Whether messages to it are encrypted. Rejects with `plaintext-refused` where a group that was private is said to be public:
   * what is written to it would go out in the clear.
   */
  visibility(chatId: string, signal: AbortSignal): Promise<GroupVisibility>
  /** `invited`: the account has to accept first. Rejects with `conversation-unknown` when it is not in the group. */
  membership(chatId: string, did: string, signal: AbortSignal): Promise<'member' | 'invited'>
}

export function createGroups({ rest, storage }: { rest: RestClient; storage: AdapterStorage }): Groups {
  const titles = new LRUCache<string, { name: string }>({ max: REMEMBERED, ttl: TITLE_MS })
  const keyOf = (chatId: string) => `private-group/${chatId}`
  /** Groups that were pinned as private by this process. */
  const pinned = new LRUCache<string, true>({ max: REMEMBERED })

  async function learn(chatId: string, { name, isPublic }: { name: string; isPublic: boolean }) {
    titles.set(chatId, { name })
    if (isPublic || pinned.has(chatId)) return
    if ((await storage.get(keyOf(chatId))) === null) await storage.set(keyOf(chatId), '1')
    pinned.set(chatId, true)
  }

  async function lookUp(chatId: string, signal: AbortSignal) {
    const { groupName: name, isPublic } = await rest.get(`/v2/chat/groups/${chatId}`, groupSchema, signal)
    await learn(chatId, { name, isPublic })
    return { name, isPublic }
  }

  return {
    learn,
    async describe(chatId, signal) {
      const { name } = titles.get(chatId) ?? (await lookUp(chatId, signal))
      return { remoteId: chatId, kind: 'group', name: name || null, peer: null }
    },
    async visibility(chatId, signal) {
      const { isPublic } = await lookUp(chatId, signal)
      if (!isPublic) return 'private'
      if ((await storage.get(keyOf(chatId))) === null) return 'public'
      throw new PushError(
        'plaintext-refused',
        'The group was private, and the service says it is public: nothing is sent in plaintext',
      )
    },
    async membership(chatId, did, signal) {
      const path = `/v1/chat/groups/${chatId}/members/${encodeURIComponent(did)}/status`
      const { isMember, isPending } = await rest.get(path, statusSchema, signal)
      if (isMember) return 'member'
      if (isPending) return 'invited'
      throw new PushError('conversation-unknown', 'The account is not in this group')
    },
  }
}
