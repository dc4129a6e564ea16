/** Native messages of an enrolled wallet on their way out. The gateway sends those of one conversation one after the other. */
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { Clock, NativeIntent } from '../../../src/adapter/index.ts'
import type { GroupVisibility } from '../bridge.ts'
import type { Chain } from '../chain.ts'
import { PushError } from '../errors.ts'
import type { Profiles } from '../profiles.ts'
import type { RestClient } from '../rest.ts'
import type { SdkMessage } from '../sdk/protocol.ts'
import type { EnrolledAccount } from './account.ts'
import { writePushContent } from './content.ts'
import { type Destination, destinationOf, type Groups } from './conversations.ts'
import type { SentMessages } from './sent.ts'

/** Clocks of the gateway and the service may differ by this much unnoticed, in milliseconds. */
const CLOCK_SKEW_MS = 120_000
/** How far back a send is looked for whose time is not known, in milliseconds. */
const FIND_WINDOW_MS = 7 * 86_400_000

const hashSchema = z.looseObject({
  threadHash: z.string().nullish(),
  intent: z.boolean().nullish().catch(null),
})

export interface NativeSender {
  /** Resolves with the cid. `onLeave` is called just before the message goes out. */
  send(intent: NativeIntent, onLeave: () => void, signal: AbortSignal): Promise<string>
  /** The cid of an earlier send of the intent. */
  find(intent: NativeIntent, signal: AbortSignal): Promise<string | null>
}

export interface NativeSenderParts {
  account: EnrolledAccount
  rest: RestClient
  profiles: Profiles
  chain: Chain
  groups: Groups
  sent: SentMessages
  clock: Clock
}

export function createNativeSender(parts: NativeSenderParts): NativeSender {
  const { account, rest, profiles, chain, groups, sent, clock } = parts
  const own = encodeURIComponent(account.did)

  function hashOf(destination: Destination, signal: AbortSignal) {
    const other = destination.kind === 'direct' ? encodeURIComponent(destination.peer) : destination.chatId
    return rest.get(`/v1/chat/users/${own}/conversations/${other}/hash`, hashSchema, signal)
  }

  /** Answering is what accepts a request. A receipt tells nothing to people whom the wallet has not let in. */
  async function enter(
    destination: Destination,
    { type }: SdkMessage,
    signal: AbortSignal,
  ): Promise<{ address: string; group: GroupVisibility | null }> {
    const address = destination.kind === 'direct' ? destination.peer : destination.chatId
    let isOpen = true
    let group: GroupVisibility | null = null
    if (destination.kind === 'direct') {
      await profiles.lookUp(address, signal)
      const { threadHash, intent } = await hashOf(destination, signal)
      isOpen = !threadHash || intent !== false
    } else {
      group = await groups.visibility(address, signal)
      isOpen = (await groups.membership(address, account.did, signal)) === 'member'
    }
    if (!isOpen && type === 'Receipt') {
      throw new PushError('content-invalid', 'No receipt is sent before the wallet has answered the request')
    }
    if (!isOpen) await account.accept(address, signal)
    return { address, group }
  }

  async function find(intent: NativeIntent, signal: AbortSignal): Promise<string | null> {
    const known = await sent.of(intent.transactionId)
    if (known?.cid) return known.cid
    const message = messageOf(intent)
    const wanted = wireOf(message)
    const { threadHash } = await hashOf(destinationOf(account.did, intent.to), signal)
    if (!threadHash) return null
    const earliest = (known?.at ?? clock.now() - FIND_WINDOW_MS) - CLOCK_SKEW_MS
    for await (const earlier of chain.backwards(threadHash, signal)) {
      if (earlier.timestamp !== null && earlier.timestamp < earliest) return null
      if (earlier.fromDID !== account.did || earlier.messageType !== wanted.type) continue
      if ((await sent.transactionOf(earlier.cid)) !== null) continue
      const { object } = await account.open(earlier, signal)
      // The same reaction to another message is another one.
      const isThis = isDeepStrictEqual(object?.content, wanted.content)
      if (isThis && (object?.reference || undefined) === message.reference) return earlier.cid
    }
    return null
  }

  return {
    find,
    async send(intent, onLeave, signal) {
      const { transactionId } = intent
      const message = messageOf(intent)
      const destination = destinationOf(account.did, intent.to)
      const earlier = await sent.of(transactionId)
      const there = earlier && (await find(intent, signal))
      if (there) return there
      const to = await enter(destination, message, signal)
      const at = earlier?.at ?? clock.now()
      await sent.note(transactionId, { at, cid: null })
      const cid = await account.send(to, message, onLeave, signal)
      await sent.note(transactionId, { at, cid })
      return cid
    },
  }
}

function messageOf({ content, reference, replaces }: NativeIntent): SdkMessage {
  if (replaces !== null) throw new PushError('content-invalid', 'Push has no edits')
  return writePushContent(content, reference)
}

/** The message as the SDK writes it. */
function wireOf({ type, content }: SdkMessage): { type: string; content: unknown } {
  if (typeof content === 'string') return { type, content }
  return { type, content: { messageType: content.type, messageObj: { content: content.content } } }
}
