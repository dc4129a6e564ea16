/**
 * A wallet's inbox from a place on, without gap and without repeat: subscribe first, read the store up to the present, then
 * pass live items on. While the store is read, live items are only noted: they are durable, so the store will show them.
 */
import type { LiveHub, Subscriber } from '../live/hub.ts'
import type { ConversationState, InboxItem, Store } from '../store/port.ts'
import { readInboxPage } from './inbox-page.ts'

export interface FeedSink {
  /** Takes one item. False when too much waits for the reader. */
  write(item: InboxItem): boolean
  /** Takes the present state of a conversation. As `write`. */
  writeConversation(state: ConversationState): boolean
  /** Resolves to true when the reader has caught up with what was written, to false when it will not. */
  drained(): Promise<boolean>
}

/** `slow`: the reader fell behind. `failed`: the store could not be read. `dropped`: the hub was closed. */
export type FeedEnd = 'slow' | 'failed' | 'dropped'

export interface Feed {
  /** Ends it from the reader's side; `onEnd` is not called. */
  stop(): void
}

export interface FeedInput {
  store: Pick<Store, 'inbox'>
  live: Pick<LiveHub, 'subscribe'>
  wallet: string
  /** Items with a greater `seq` are passed on. */
  after: number
  pageItems: number
  sink: FeedSink
  /** Called once when the feed ends by itself. */
  onEnd(reason: FeedEnd, error?: unknown): void
}

export function startFeed({ store, live, wallet, after, pageItems, sink, onEnd }: FeedInput): Feed {
  let state: 'reading' | 'live' | 'ended' = 'reading'
  let sent = after
  let newest = after

  const subscriber: Subscriber = {
    item(item, completed) {
      if (state === 'ended') return false
      if (completed) {
        // One that was not sent yet is still to be read from the store.
        const taken = item.seq > sent || sink.write(item)
        if (!taken) end('slow')
        return taken
      }
      newest = Math.max(newest, item.seq)
      if (state === 'reading' || item.seq <= sent) return true
      sent = item.seq
      if (!sink.write(item)) end('slow')
      return state === 'live'
    },
    conversation(conversation) {
      if (state === 'ended') return false
      const taken = sink.writeConversation(conversation)
      if (!taken) end('slow')
      return taken
    },
    dropped: () => end('dropped'),
  }
  const unsubscribe = live.subscribe(wallet, subscriber)

  function end(reason: FeedEnd, error?: unknown): void {
    if (state === 'ended') return
    state = 'ended'
    unsubscribe()
    onEnd(reason, error)
  }

  async function catchUp(): Promise<void> {
    while (state === 'reading') {
      const noted = newest
      const query = { wallet, after: sent, limit: pageItems, conversation: null }
      const { items, through, complete } = await readInboxPage(store, query)
      for (const item of items) {
        if (state !== 'reading') return
        sent = item.seq
        if (!sink.write(item) && !(await sink.drained())) return end('slow')
      }
      sent = Math.max(sent, through)
      // Whatever was noted before the page was asked for is in it, or no longer exists.
      if (state === 'reading' && complete && newest <= Math.max(sent, noted)) state = 'live'
    }
  }
  catchUp().catch((error: unknown) => end('failed', error))

  return {
    stop() {
      if (state === 'ended') return
      state = 'ended'
      unsubscribe()
    },
  }
}

/**
 * Where a stream begins. Without a cursor: now. With one that the store can go on from: there, `recovered` is true.
 * Otherwise now, and `recovered` is false: the client has to read the inbox.
 */
export async function feedStart(
  store: Pick<Store, 'inboxBounds'>,
  wallet: string,
  cursor: { seq: number | null } | null,
): Promise<{ recovered: boolean; after: number }> {
  const { first, last } = await store.inboxBounds(wallet)
  if (cursor === null) return { recovered: true, after: last }
  const { seq } = cursor
  if (seq !== null && seq <= last && seq >= first - 1) return { recovered: true, after: seq }
  return { recovered: false, after: last }
}
