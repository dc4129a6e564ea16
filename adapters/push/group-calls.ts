/**
 * The SDK's calls for groups. The service names the members and their keys; here each member's key is the one that its
 * wallet has signed, or nothing is sent to the group.
 */
import { z } from 'zod'
import type { Purpose } from './bridge.ts'
import { canonicalDid } from './did.ts'
import { PushError } from './errors.ts'
import type { Profiles } from './profiles.ts'
import type { HttpAnswer, HttpCall } from './rest.ts'

const membersSchema = z.looseObject({
  members: z.array(z.looseObject({ wallet: z.string().optional(), did: z.string().optional() })),
})

export interface GroupCallsOptions {
  /** DID of the account whose calls these are. */
  own: string
  /** Makes a call; rejects for a status of failure. */
  made(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer>
  profiles: Profiles
}

/** The answer to a call about a group that belongs to the purpose; null for all other calls. */
export function createGroupCalls({ own, made, profiles }: GroupCallsOptions) {
  async function withVerifiedKeys(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
    const { status, body } = await made(call, signal)
    const group = membersSchema.safeParse(body)
    if (!group.success) {
      throw new PushError('malformed-answer', 'The Push service answered in a form that is not known')
    }
    const members = await Promise.all(
      group.data.members.map(async (member) => {
        const did = canonicalDid(member.wallet ?? member.did ?? '')
        if (did === null) {
          throw new PushError('key-unverified', 'A member of the group has keys that cannot be verified')
        }
        return { ...member, publicKey: armoredKeyOf((await profiles.lookUp(did, signal)).publicKey) }
      }),
    )
    return { status, body: { ...group.data, members } }
  }

  return (purpose: Purpose, call: HttpCall, signal: AbortSignal): Promise<HttpAnswer> | null => {
    const { method, path } = call
    if (method !== 'GET') return null
    if (purpose.kind === 'open') {
      // The key of a group's messages, encrypted to its members; and the names of older messages.
      const isKnown = /^\/v1\/chat\/encryptedsecret\/sessionKey\/[^/?]+$|^\/v1\/ipfs\/[^/?]+$/.test(path)
      return isKnown ? made(call, signal) : null
    }
    const group = groupOf(purpose)
    if (group === null) return null
    switch (path) {
      case `/v1/chat/${group}/address/${own}`:
      case `/v2/chat/groups/${group}`:
      case `/v1/chat/groups/${group}/members/count`:
      case `/v1/chat/users/${own}/conversations/${group}/hash`:
        return made(call, signal)
      case `/v1/chat/groups/${group}`:
        return withVerifiedKeys(call, signal)
    }
    return path.startsWith(`/v1/chat/groups/${group}/members/publicKeys?`)
      ? withVerifiedKeys(call, signal)
      : null
  }
}

function groupOf(purpose: Purpose): string | null {
  if (purpose.kind === 'send') return purpose.group === null ? null : purpose.to
  if (purpose.kind === 'accept') return canonicalDid(purpose.from) === null ? purpose.from : null
  return null
}

/** The key in a profile's `publicKey`: `{"key": …}`, or in old profiles the key itself. */
function armoredKeyOf(publicKey: unknown): unknown {
  if (typeof publicKey !== 'string' || !publicKey.startsWith('{')) return publicKey
  return z.object({ key: z.string() }).parse(JSON.parse(publicKey)).key
}
