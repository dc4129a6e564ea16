import { decodeSealed, directConversation, equalBytes } from '../envelope/index.ts'
import type { ConversationState, InboxItem, InboxSettings } from '../store/port.ts'
import { RelayError } from './errors.ts'
import { decodeTrace, type Frames } from './frames.ts'
import type { Journeys } from './journey.ts'
import type { NativeReceipts } from './native-receipts.ts'
import type { Outbox } from './outbox.ts'
import type { RelayContext } from './parts.ts'
import type { Resolver } from './recipients.ts'
import type { Conversations } from './types.ts'

/** Of one conversation, the latest items that are told as read, or sent on when it is allowed. */
const LATEST = 200

/** What wallets do with their conversations, beside writing in them. */
export function createConversations(
  context: RelayContext,
  tools: {
    frames: Frames
    outbox: Outbox
    resolver: Resolver
    journeys: Journeys
    /** Null without hop mode. */
    receipts: NativeReceipts | null
    /** Work that nobody waits for; failures are logged. */
    inBackground(what: string, work: () => Promise<void>): void
  },
): Conversations {
  const { store, live, clock, consents } = context
  const { frames, outbox, resolver, journeys, receipts, inBackground } = tools

  async function latest(
    wallet: string,
    conversation: Uint8Array,
    range: { after: number; through: number },
  ): Promise<InboxItem[]> {
    const query = { wallet, conversation, order: 'newest' as const, limit: LATEST }
    const { items } = await store.inbox({ ...query, after: range.through + 1 })
    return items.filter(({ seq, direction }) => seq > range.after && direction === 'received')
  }

  async function mayTell(wallet: string, { consent }: ConversationState): Promise<boolean> {
    const { sendReadReceipts } = await consents.settings(wallet)
    if (sendReadReceipts === 'never' || consent === 'denied') return false
    return sendReadReceipts === 'always' || consent === 'allowed'
  }

  /** Tells senders on this gateway by the journey, and native ones where their network has receipts. */
  async function tellRead(wallet: string, items: readonly InboxItem[]): Promise<void> {
    const at = clock.now()
    const sealed = items.filter(({ mode }) => mode === 'sealed')
    if (sealed.length > 0) {
      const network = 'http'
      await journeys.receipts(
        wallet,
        sealed.map(({ id }) => ({ id, network, kind: 'read', at })),
      )
    }
    // The latest of each network stands for those before it.
    const native = Map.groupBy(
      items.filter(({ mode }) => mode === 'hop'),
      ({ via }) => via,
    )
    await Promise.all([...native.values()].map(([last]) => last && receipts?.send(wallet, last)))
  }

  /** What was held back, or hidden, goes to the wallet's endpoints, oldest first. */
  async function release(wallet: string, conversation: Uint8Array): Promise<void> {
    const range = { after: 0, through: Number.MAX_SAFE_INTEGER - 1 }
    for (const item of (await latest(wallet, conversation, range)).reverse()) {
      const stored = item.mode === 'opaque' ? null : await frames.envelope(item.id)
      if (!stored || (stored.expiresAt !== 0 && stored.expiresAt <= clock.now())) continue
      const known = await store.deliveriesOf(item.id)
      if (known.some((delivery) => delivery.wallet === wallet)) continue
      const entry = {
        envelope: decodeSealed(stored.bytes),
        via: stored.via,
        trace: decodeTrace(stored.trace),
        certificate: stored.certificate,
        inbound: null,
        receivedAt: clock.now(),
        monotonic: clock.monotonic(),
      }
      const planned = await resolver.plan(entry, { here: [wallet], elsewhere: [], senderServed: false })
      // On the network over which it came the wallet's own client has it.
      const deliveries = planned.filter(({ network }) => network !== stored.via)
      outbox.offer(await store.addDeliveries({ id: item.id, deliveries, receivedAt: clock.now() }))
    }
  }

  return {
    async read(wallet, conversation, through) {
      const marked = await store.markRead({ wallet, conversation, through, at: clock.now() })
      if (!marked) throw new RelayError('conversation-unknown', 'The wallet has no such conversation')
      const { before, state } = marked
      if (state.readThrough === before) return state
      live.publishConversation(wallet, state)
      if (await mayTell(wallet, state)) {
        const range = { after: before, through: state.readThrough }
        inBackground('telling senders what was read', async () =>
          tellRead(wallet, await latest(wallet, conversation, range)),
        )
      }
      return state
    },
    async choose({ wallet, conversation, peer, ...choice }) {
      const other = peer ?? (await peerOf(wallet, conversation))
      const earlier = await store.consentOf(wallet, conversation)
      const state = await store.chooseConversation({
        wallet,
        conversation,
        peer: other,
        at: clock.now(),
        ...choice,
      })
      if (state === 'full') {
        throw new RelayError('conversation-choices-full', 'The wallet has as many choices as there may be')
      }
      consents.changed(wallet)
      live.publishConversation(wallet, state)
      if (state.consent === 'allowed' && earlier !== 'allowed') {
        inBackground('sending on what was held back', () => release(wallet, conversation))
      }
      return state
    },
    settings: consents.settings,
    async setSettings(wallet, settings: InboxSettings) {
      await store.putInboxSettings(wallet, settings)
      consents.changed(wallet)
      return consents.settings(wallet)
    },
  }

  /** The other wallet, so that what it writes elsewhere can be known too. Null in groups, and before there is an item. */
  async function peerOf(wallet: string, conversation: Uint8Array): Promise<string | null> {
    const summary = await store.conversation(wallet, conversation)
    return summary && peerIn(wallet, summary.last)
  }
}

/** The other wallet of a direct conversation, as one of its items names it; null in groups and for opaque parcels. */
export function peerIn(
  wallet: string,
  { mode, from, conversation, bytes }: Pick<InboxItem, 'mode' | 'from' | 'conversation' | 'bytes'>,
): string | null {
  if (mode === 'opaque') return null
  const [to = wallet] = from === wallet ? decodeSealed(bytes).header.to : [from]
  return equalBytes(directConversation(wallet, to), conversation) ? to : null
}
