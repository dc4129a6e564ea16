import { decodeSealed, directConversation, equalBytes } from '../envelope/index.ts'
import type { ConversationState, InboxItem, InboxSettings } from '../store/port.ts'
import { RelayError } from './errors.ts'
import type { Held } from './held.ts'
import type { Journeys } from './journey.ts'
import type { NativeReceipts } from './native-receipts.ts'
import type { RelayContext } from './parts.ts'
import type { Conversations } from './types.ts'

/** Of one conversation, the latest items that are told as read. */
const LATEST = 200
/** They end with the one that reaches this many bytes. */
const LATEST_BYTES = 2 * 1_048_576

/** What wallets do with their conversations, beside writing in them. */
export function createConversations(
  context: RelayContext,
  tools: {
    held: Held
    journeys: Journeys
    /** Null without hop mode. */
    receipts: NativeReceipts | null
    /** Work that nobody waits for; failures are logged. */
    inBackground(what: string, work: () => Promise<void>): void
  },
): Conversations {
  const { store, live, clock, consents } = context
  const { held, journeys, receipts, inBackground } = tools

  async function latest(
    wallet: string,
    conversation: Uint8Array,
    range: { after: number; through: number },
  ): Promise<InboxItem[]> {
    const query = { wallet, conversation, order: 'newest' as const, limit: LATEST, maxBytes: LATEST_BYTES }
    const { items } = await store.inbox({ ...query, after: range.through + 1, downTo: range.after })
    return items.filter(({ direction }) => direction === 'received')
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
      // Waited for, and asked for by each `allowed`: a failure is told, and the choice can be made again.
      if (choice.consent === 'allowed' || (state.consent === 'allowed' && earlier !== 'allowed')) {
        await held.release(wallet, conversation)
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
