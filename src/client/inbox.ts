/** Reading the inbox: live over the stream, and page by page. */
import { fromBase64url } from '../envelope/index.ts'
import type { Api } from './api.ts'
import type { ConversationState } from './conversations.ts'
import { isTransient } from './errors.ts'
import type { Opener } from './opening.ts'
import { pause, pauseBefore } from './pause.ts'
import type { Receipts } from './receipts.ts'
import type { SeenIds } from './seen.ts'
import { type OnRetry, readStream } from './stream.ts'
import type { InboxEntry } from './types.ts'

export interface LiveOptions {
  signal: AbortSignal
  /** Inbox cursor to go on from. Default: only what arrives from now on. */
  after?: string
  /** Told before each pause, when the gateway is away. */
  onRetry?: OnRetry
  /**
   * Told when the wallet has read in a conversation, or chose for it, on whichever device. What happened while the stream was
   * away is not told: list the conversations then.
   */
  onConversation?: (state: ConversationState) => void
}

/** Which items, and from where on. */
export interface InboxOptions {
  /** `oldest` first, the default, or `newest` first. */
  order?: 'oldest' | 'newest'
  /** Cursor from which to go on, with `oldest`. */
  after?: string
  /** Cursor from which to go back, with `newest`. */
  before?: string
  /** Default 50, at most 200. */
  limit?: number
  /** Only of this conversation (id, hex), a denied one too. */
  conversation?: string
  /** Only of this content type, with its version or without. */
  type?: string
  /** Only from this wallet. */
  from?: string
}

export interface Inbox {
  live(options: LiveOptions): AsyncGenerator<InboxEntry>
  page(options: InboxOptions): Promise<InboxEntry[]>
  /** Opens one item of an answer. It is given as often as it is asked for. */
  open(item: InboxItemAnswer): Promise<InboxEntry>
}

interface InboxAnswer {
  items: InboxItemAnswer[]
  next: string | null
  complete: boolean
}

/** An item as the gateway tells it. */
export interface InboxItemAnswer {
  id: string
  cursor: string
  sealed: string
  certificate: string | null
  receivedAt: number
  via: string
  mode: string
}

/** How often it is looked whether today's prekeys are due, while a client only listens. */
const ROTATION_CHECK_MS = 15 * 60_000
const PAGE = 200

export function createInbox(options: {
  api: Api
  /** Gives each message once. */
  opener: Opener
  /** Gives a message as often as it is asked for. */
  rereader: Opener
  seen: SeenIds
  receipts: Receipts
  /** Publishes today's prekeys if they are due. */
  rotate: () => Promise<void>
  now: () => number
}): Inbox {
  const { api, opener, receipts, now } = options

  async function fetchPage(asked: InboxOptions, signal?: AbortSignal): Promise<InboxAnswer> {
    const query = new URLSearchParams(
      Object.entries(asked).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
    )
    return api.get<InboxAnswer>(`/v1/inbox?${query}`, signal ? { signal } : {})
  }

  /**
   * Opens an item. One that cannot be opened is handed over with its error: nothing is dropped in silence. Rejects only when
   * the gateway could not be asked for the sender's keys.
   */
  async function openItem(using: Opener, item: InboxItemAnswer): Promise<InboxEntry | null> {
    const place = { id: item.id, cursor: item.cursor, parcel: null }
    if (item.mode === 'opaque') {
      const parcel = { id: item.id, network: item.via, bytes: fromBase64url(item.sealed) }
      return { ...place, message: null, parcel, error: null }
    }
    try {
      const message = await using.sealed(fromBase64url(item.sealed), {
        via: item.via,
        cursor: item.cursor,
        certificate: item.certificate ? fromBase64url(item.certificate) : null,
        receivedAt: item.receivedAt,
      })
      return message && { ...place, message, error: null }
    } catch (error) {
      if (!(error instanceof Error) || isTransient(error)) throw error
      return { ...place, message: null, error: error as Error & { code?: string } }
    }
  }

  async function open(item: InboxItemAnswer): Promise<InboxEntry> {
    const entry = await openItem(options.rereader, item)
    if (entry === null) throw new Error('an item was taken for one that was shown before')
    return entry
  }

  /** Opens an item that is new here, and notes that it came. */
  async function take(item: InboxItemAnswer, live: LiveOptions): Promise<InboxEntry | null> {
    const entry = await untilAnswered(() => openItem(opener, item), live)
    if (entry?.message?.direction === 'received') {
      receipts.add({ id: entry.id, network: 'http', kind: 'delivered', at: now() })
    }
    return entry
  }

  /** Everything that the gateway keeps and this device has not shown: after a gap that the stream could not close. */
  async function* missed(live: LiveOptions): AsyncGenerator<InboxEntry> {
    let after: string | undefined
    while (!live.signal.aborted) {
      const asked = { limit: PAGE, ...(after === undefined ? {} : { after }) }
      const page = await untilAnswered(() => fetchPage(asked, live.signal), live)
      if (!page || (page.items.length === 0 && page.complete)) return
      for (const item of page.items) {
        const entry = await take(item, live)
        if (entry) yield entry
      }
      after = page.next ?? undefined
    }
  }

  return {
    async *live(live) {
      const rotation = setInterval(() => {
        // Earlier prekeys are offered for weeks: a failure is told, and it is tried again at the next look.
        options.rotate().catch((error: Error) => live.onRetry?.(error, ROTATION_CHECK_MS))
      }, ROTATION_CHECK_MS)
      try {
        for await (const event of readStream(api, live)) {
          if (event.event === 'ready') {
            const { recovered } = JSON.parse(event.data) as { recovered: boolean }
            // What arrives meanwhile waits in the open stream, and is shown once: seen ids drop what the pages had.
            if (!recovered) yield* missed(live)
          } else if (event.event === 'envelope') {
            const entry = await take(JSON.parse(event.data) as InboxItemAnswer, live)
            if (entry) yield entry
          } else if (event.event === 'conversation') {
            live.onConversation?.(JSON.parse(event.data) as ConversationState)
          }
        }
      } finally {
        clearInterval(rotation)
        await Promise.all([options.seen.save(), receipts.flush()])
      }
    },
    async page({ limit = 50, ...asked }) {
      const place = asked.order === 'newest' ? 'before' : 'after'
      for (let from = asked[place]; ; ) {
        const { items, next, complete } = await fetchPage({
          ...asked,
          limit,
          ...(from === undefined ? {} : { [place]: from }),
        })
        // A page of which no item passes the filter may not be the last.
        if (items.length === 0 && !complete && next !== null) {
          from = next
          continue
        }
        const entries: InboxEntry[] = []
        for (const item of items) entries.push(await open(item))
        return entries
      }
    },
    open,
  }
}

/** Repeats what failed for want of an answer, with growing pauses. Null when the signal aborts before it succeeds. */
async function untilAnswered<Result>(
  work: () => Promise<Result>,
  { signal, onRetry }: LiveOptions,
): Promise<Result | null> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (signal.aborted) return null
      if (!isTransient(error)) throw error
      const pauseMs = pauseBefore(attempt, error.retryAfterMs)
      onRetry?.(error, pauseMs)
      await pause(pauseMs, signal)
    }
  }
  return null
}
