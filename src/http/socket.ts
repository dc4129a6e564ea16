/** One WebSocket connection of `GET /v1/socket`; the protocol stands in `socket-protocol.ts`. */
import type { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'
import type { Session } from '../identity/types.ts'
import type { InboxItem } from '../store/port.ts'
import type { HttpServices } from './context.ts'
import type { Cursors } from './cursor.ts'
import { HttpError } from './errors.ts'
import { type Feed, feedStart, startFeed } from './feed.ts'
import { problemBody, refusalOf } from './problem-response.ts'
import { limitError } from './rate-limit.ts'
import { parseReceipts } from './receipts.ts'
import { countSession } from './session.ts'
import {
  CLOSE,
  type ClientFrame,
  decodeClientFrame,
  encodeConversationFrame,
  encodeItemFrame,
  encodeServerFrame,
  KIND,
  requestIdOf,
} from './socket-protocol.ts'
import type { OpenStream } from './stream-registry.ts'

interface Attachment {
  session: Session
  token: string
  feed: Feed | null
  release: () => void
}

/** Messages made lately, by item: the hub hands one object to every subscriber of a wallet. */
const encoded = new WeakMap<InboxItem, Uint8Array>()

/**
 * Serves the connection until it closes. `first`: a session from the request's header, attached at once. Where no more
 * streams are taken, the connection closes at once with 1013.
 */
export function serveSocket(
  socket: WebSocket,
  services: HttpServices,
  request: {
    id: string
    address: string
    first: { token: string; after: string | null } | null
    /** What the socket writes to, where that is known. */
    connection: Duplex | null
  },
): void {
  const { relay, identity, store, live, streams, settings, clock, metrics, log, rates } = services
  const limits = settings.streams
  const { id: requestId, address, first, connection } = request
  const attachments = new Map<string, Attachment>()
  let inFlight = 0
  let answered = true
  let corked = false
  let checkAt = clock.monotonic() + limits.sessionCheckMs
  let idleSince = clock.monotonic()

  const stream: OpenStream = {
    tick() {
      const now = clock.monotonic()
      if (!answered || socket.bufferedAmount > limits.bufferBytes) return cut('slow')
      if (attachments.size > 0) idleSince = now
      else if (now - idleSince > limits.socketIdleMs) return socket.close(CLOSE.idle, 'no wallet is attached')
      answered = false
      socket.ping()
      if (now < checkAt) return
      checkAt = now + limits.sessionCheckMs
      for (const attachment of attachments.values()) checkSession(attachment)
    },
    shutdown() {
      metrics.streamCut('socket', 'shutdown')
      socket.close(CLOSE.goingAway, 'the gateway shuts down')
    },
  }
  let leave: () => void
  try {
    leave = streams.add(stream)
  } catch (error) {
    log.debug({ err: error, requestId }, 'a socket was refused')
    socket.close(CLOSE.tryAgainLater, refusalOf(error).code)
    return
  }

  /** Messages of one turn of the event loop leave in one write: answers come in groups, as the store commits them. */
  function transmit(bytes: Uint8Array): void {
    if (connection !== null && !corked) {
      corked = true
      connection.cork()
      process.nextTick(() => {
        corked = false
        connection.uncork()
      })
    }
    socket.send(bytes)
  }
  function send(kind: number, id: number, payload: unknown): void {
    transmit(encodeServerFrame(kind, id, payload))
    // Asking without reading the answers must not fill the gateway's memory.
    if (socket.bufferedAmount > limits.bufferBytes) cut('slow')
  }
  function cut(reason: 'slow' | 'failed'): void {
    metrics.streamCut('socket', reason)
    socket.close(CLOSE.tryAgainLater, reason)
    socket.terminate()
  }
  function refuse(id: number, error: unknown): void {
    const refusal = refusalOf(error)
    if (refusal.code === 'internal-error')
      log.error({ err: error, requestId }, 'a message on a socket failed')
    const { code, status, title, detail, fix } = problemBody(refusal, requestId)
    send(KIND.refused, id, { code, status, title, detail: detail ?? null, fix })
  }
  function checkSession({ token, session }: Attachment): void {
    identity.authenticate(token).then(
      (found) => {
        if (found || !detach(session.wallet)) return
        metrics.streamCut('socket', 'session')
        send(KIND.ended, 0, { wallet: session.wallet, code: 'session-invalid' })
      },
      (error: unknown) =>
        log.warn({ err: error, requestId }, 'the session of a socket could not be looked up'),
    )
  }
  function detach(wallet: string): boolean {
    const attachment = attachments.get(wallet)
    attachment?.feed?.stop()
    attachment?.release()
    return attachments.delete(wallet)
  }

  async function attach(id: number, token: string, after: string | null): Promise<void> {
    const limited = limitError(rates.address.take(address), 'address')
    if (limited) metrics.rateLimited('address')
    if (limited) throw limited
    const session = await identity.authenticate(token)
    if (!session) throw new HttpError('session-invalid', 'The token is not one of a running session')
    const { wallet } = session
    services.seen(wallet)
    const cursors = await services.cursors.load()
    const start = await feedStart(store, wallet, after === null ? null : { seq: cursors.decode(after) })
    if (socket.readyState !== socket.OPEN) return
    detach(wallet)
    const attachment: Attachment = { session, token, feed: null, release: streams.claim(wallet) }
    attachments.set(wallet, attachment)
    send(KIND.attached, id, { wallet, recovered: start.recovered, cursor: cursors.encode(start.after) })
    attachment.feed = startFeed({
      store,
      live,
      wallet,
      after: start.after,
      pageItems: limits.pageItems,
      sink: {
        write: (item) => writeItem(item, wallet, cursors),
        writeConversation: (state) => {
          transmit(encodeConversationFrame(state, wallet, cursors))
          return socket.bufferedAmount <= limits.bufferBytes
        },
        drained,
      },
      onEnd(reason, error) {
        if (reason === 'dropped') return stream.shutdown()
        if (error) log.error({ err: error, requestId }, 'a socket could not go on')
        cut(reason)
      },
    })
  }
  function writeItem(item: InboxItem, wallet: string, cursors: Cursors): boolean {
    let bytes = encoded.get(item)
    if (!bytes) {
      bytes = encodeItemFrame(item, wallet, cursors)
      encoded.set(item, bytes)
    }
    transmit(bytes)
    return socket.bufferedAmount <= limits.bufferBytes
  }
  async function drained(): Promise<boolean> {
    const until = clock.monotonic() + limits.heartbeatMs
    while (socket.readyState === socket.OPEN && socket.bufferedAmount > limits.bufferBytes / 2) {
      if (clock.monotonic() > until) return false
      await clock.sleep(10)
    }
    return socket.readyState === socket.OPEN
  }
  function attached(wallet: string): Session {
    const attachment = attachments.get(wallet)
    if (!attachment) throw new HttpError('wallet-mismatch', 'The wallet is not attached to this socket')
    countSession(services, attachment.session)
    return attachment.session
  }

  async function handle(frame: ClientFrame): Promise<void> {
    switch (frame.kind) {
      case 'attach':
        return attach(frame.requestId, frame.token, frame.after)
      case 'detach':
        detach(frame.wallet)
        return send(KIND.detached, frame.requestId, { wallet: frame.wallet })
      case 'submit': {
        const { wallet } = attached(frame.wallet)
        const accepted = await relay.submit({ sealed: frame.sealed, via: 'socket', submitter: wallet })
        const { id, duplicate, deliveries } = accepted
        return send(KIND.accepted, frame.requestId, { id, duplicate, deliveries })
      }
      case 'receipts': {
        const { wallet } = attached(frame.wallet)
        const count = await relay.receipts(wallet, parseReceipts(frame.receipts))
        return send(KIND.noted, frame.requestId, { count })
      }
    }
  }

  socket.on('message', (data: RawData, isBinary: boolean) => {
    // What had come before the connection was cut.
    if (socket.readyState !== socket.OPEN) return
    if (!isBinary) return socket.close(CLOSE.unsupported, 'messages are binary')
    const bytes = data as Buffer
    let frame: ClientFrame
    try {
      frame = decodeClientFrame(bytes)
    } catch (error) {
      return refuse(requestIdOf(bytes), error)
    }
    if (++inFlight >= limits.socketInFlight) socket.pause()
    handle(frame)
      .catch((error: unknown) => refuse(frame.requestId, error))
      .finally(() => {
        inFlight--
        if (socket.isPaused && inFlight < limits.socketInFlight) socket.resume()
      })
  })
  socket.on('pong', () => {
    answered = true
  })
  socket.on('error', (error) => log.debug({ err: error, requestId }, 'a socket broke'))
  socket.once('close', () => {
    leave()
    for (const wallet of [...attachments.keys()]) detach(wallet)
  })
  if (first) attach(0, first.token, first.after).catch((error: unknown) => refuse(0, error))
}
