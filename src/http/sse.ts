/**
 * Server-sent events, written to the raw response: one encoding of an item serves every stream of the wallet.
 *
 * Events: `ready` {recovered, cursor}, `envelope` (an inbox item), `conversation` (its state), `shutdown` {}, `ended` {code}. `id:` is the cursor to resume from.
 */
import type { ServerResponse } from 'node:http'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { InboxItem } from '../store/port.ts'
import { type AppContext, sessionOf } from './context.ts'
import type { Cursors } from './cursor.ts'
import { encodeConversationState, encodeInboxItem } from './encode.ts'
import { HttpError } from './errors.ts'
import { type Feed, feedStart, startFeed } from './feed.ts'
import { commonHeaders } from './perimeter.ts'
import type { OpenStream } from './stream-registry.ts'

const HEARTBEAT = Buffer.from(':\n\n')
/** Items encoded lately, by identity: the hub hands one object to every subscriber of a wallet. */
const encoded = new WeakMap<InboxItem, Buffer>()

function encodeItem(item: InboxItem, cursors: Cursors): Buffer {
  let bytes = encoded.get(item)
  if (!bytes) {
    const text = JSON.stringify(encodeInboxItem(item, cursors))
    bytes = Buffer.from(`id: ${cursors.encode(item.seq)}\nevent: envelope\ndata: ${text}\n\n`)
    encoded.set(item, bytes)
  }
  return bytes
}

function eventText(name: string, data: unknown, fields: { id?: string; retry?: number } = {}): string {
  const retry = fields.retry === undefined ? '' : `retry: ${fields.retry}\n`
  const id = fields.id === undefined ? '' : `id: ${fields.id}\n`
  return `${retry}${id}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

/** Answers `GET /v1/stream`. `after`: the cursor of the request, if it has one. */
export async function serveEvents(context: AppContext, after: string | undefined): Promise<Response> {
  const {
    store,
    live,
    cursors: source,
    streams,
    settings,
    clock,
    identity,
    metrics,
    log,
  } = context.get('services')
  const session = sessionOf(context)
  const token = context.get('token') ?? ''
  const outgoing = context.env?.outgoing
  if (!outgoing || context.req.method !== 'GET') {
    throw new HttpError('method-not-allowed', 'Streams are read with a plain GET', {
      headers: { Allow: 'GET' },
    })
  }

  const cursors = await source.load()
  const start = await feedStart(
    store,
    session.wallet,
    after === undefined ? null : { seq: cursors.decode(after) },
  )
  if (outgoing.destroyed) return RESPONSE_ALREADY_SENT

  let feed: Feed | null = null
  let checkAt = clock.monotonic() + settings.streams.sessionCheckMs
  const requestId = context.get('requestId')

  const stream: OpenStream = {
    tick() {
      if (outgoing.writableLength > settings.streams.bufferBytes) return cut('slow')
      outgoing.write(HEARTBEAT)
      if (clock.monotonic() < checkAt) return
      checkAt = clock.monotonic() + settings.streams.sessionCheckMs
      identity.authenticate(token).then(
        (found) => {
          if (!found) goodbye('session', eventText('ended', { code: 'session-invalid' }))
        },
        (error: unknown) =>
          log.warn({ err: error, requestId }, 'the session of a stream could not be looked up'),
      )
    },
    shutdown: () => goodbye('shutdown', eventText('shutdown', {}, { retry: settings.streams.retryMs })),
  }
  const leave = streams.add(stream)
  let release: () => void
  try {
    release = streams.claim(session.wallet)
  } catch (error) {
    leave()
    throw error
  }

  function close(): void {
    feed?.stop()
    leave()
    release()
  }
  /** Ends it so that the client sees why. */
  function goodbye(reason: 'session' | 'shutdown', text: string): void {
    close()
    metrics.streamCut('sse', reason)
    outgoing?.end(text)
  }
  /** Ends it at once: what waits for the reader is given up, and read again from the store when it resumes. */
  function cut(reason: 'slow' | 'failed'): void {
    close()
    metrics.streamCut('sse', reason)
    outgoing?.destroy()
  }
  outgoing.once('close', close).once('error', close)

  outgoing.writeHead(200, {
    ...commonHeaders(context),
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store, no-transform',
    'X-Accel-Buffering': 'no',
  })
  const cursor = cursors.encode(start.after)
  outgoing.write(
    eventText(
      'ready',
      { recovered: start.recovered, cursor },
      { id: cursor, retry: settings.streams.retryMs },
    ),
  )
  feed = startFeed({
    store,
    live,
    wallet: session.wallet,
    after: start.after,
    pageItems: settings.streams.pageItems,
    sink: {
      write(item) {
        outgoing.write(encodeItem(item, cursors))
        return outgoing.writableLength <= settings.streams.bufferBytes
      },
      writeConversation(state) {
        outgoing.write(eventText('conversation', encodeConversationState(state, cursors)))
        return outgoing.writableLength <= settings.streams.bufferBytes
      },
      drained: () => drained(outgoing, settings.streams.heartbeatMs),
    },
    onEnd(reason, error) {
      if (reason === 'dropped') return stream.shutdown()
      if (error) log.error({ err: error, requestId }, 'a stream could not go on')
      cut(reason)
    },
  })
  return RESPONSE_ALREADY_SENT
}

/** Waits until everything written has left, for at most `timeoutMs`. */
function drained(outgoing: ServerResponse, timeoutMs: number): Promise<boolean> {
  if (outgoing.destroyed) return Promise.resolve(false)
  if (!outgoing.writableNeedDrain) return Promise.resolve(true)
  return new Promise((resolve) => {
    const timer = setTimeout(() => settle(false), timeoutMs)
    const onDrain = () => settle(true)
    const onClose = () => settle(false)
    function settle(done: boolean): void {
      clearTimeout(timer)
      outgoing.off('drain', onDrain).off('close', onClose)
      resolve(done)
    }
    outgoing.once('drain', onDrain).once('close', onClose)
  })
}
