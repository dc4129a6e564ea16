/** Reading the inbox: live over the stream, and page by page. */
import { fromBase64url } from '../envelope/index.ts'
import type { Api } from './api.ts'
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
}

export interface Inbox {
  live(options: LiveOptions): AsyncGenerator<InboxEntry>
  page(options: { after?: string; limit?: number }): Promise<InboxEntry[]>
}

interface InboxAnswer {
  items: InboxItemAnswer[]
  next: string
}

interface InboxItemAnswer {
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

  async function fetchPage(
    after: string | undefined,
    limit: number,
    signal?: AbortSignal,
  ): Promise<InboxAnswer> {
    const query = new URLSearchParams({ limit: String(limit), ...(after === undefined ? {} : { after }) })
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
      const page = await untilAnswered(() => fetchPage(after, PAGE, live.signal), live)
      if (!page || page.items.length === 0) return
      for (const item of page.items) {
        const entry = await take(item, live)
        if (entry) yield entry
      }
      after = page.next
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
          }
        }
      } finally {
        clearInterval(rotation)
        await Promise.all([options.seen.save(), receipts.flush()])
      }
    },
    async page({ after, limit = 50 }) {
      const entries: InboxEntry[] = []
      for (const item of (await fetchPage(after, limit)).items) {
        const entry = await openItem(options.rereader, item)
        if (entry) entries.push(entry)
      }
      return entries
    },
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
