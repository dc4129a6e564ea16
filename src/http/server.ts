/** The listening server: limits on what a connection may cost, WebSocket upgrades, and an orderly end. */
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { WebSocketServer } from 'ws'
import type { App, HttpServices } from './context.ts'

export interface ListenOptions {
  host: string
  /** 0 for any free port. */
  port: number
}

export interface HttpServer {
  port: number
  /** Without a trailing slash. */
  url: string
  /**
   * Takes no more connections, tells streams and sockets to come back later, and waits for requests under way, up to the
   * signal; then closes what is left.
   */
  close(signal: AbortSignal): Promise<void>
}

/** Headers of a request must have arrived within this many milliseconds. */
const HEADERS_TIMEOUT_MS = 10_000
/** What a socket message may add to the envelope in it, bytes. */
const SOCKET_OVERHEAD_BYTES = 4_096

export async function serveHttp(
  app: App,
  services: HttpServices,
  options: ListenOptions,
): Promise<HttpServer> {
  const { settings, streams, cursors, log } = services
  await cursors.load()
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: settings.limits.envelopeBytes + SOCKET_OVERHEAD_BYTES,
  })
  const server = createAdaptorServer({
    fetch: app.fetch,
    websocket: { server: sockets },
    serverOptions: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: settings.limits.bodyTimeoutMs + HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: 5_000,
      keepAliveTimeout: 30_000,
      maxHeaderSize: 16_384,
    },
  }) as Server
  // Without it, whoever reads nothing keeps an answer in memory for ever. Streams have their heartbeat, and bounds of their own.
  server.timeout = settings.limits.stalledMs
  const connections = new Set<Socket>()
  server.on('connection', (connection: Socket) => {
    connections.add(connection)
    connection.once('close', () => connections.delete(connection))
  })
  server.listen(options.port, options.host)
  await once(server, 'listening')
  server.on('error', (error) => log.error({ err: error }, 'the HTTP server failed'))
  const { port } = server.address() as AddressInfo
  let closing: Promise<void> | null = null

  async function close(signal: AbortSignal): Promise<void> {
    const closed = once(server, 'close')
    server.close()
    streams.shutdown()
    server.closeIdleConnections()
    // Node does not count a connection as idle before its first request: clients that dial ahead would hold the end up.
    for (const connection of connections) if (connection.bytesRead === 0) connection.destroy()
    const cutOff = () => {
      server.closeAllConnections()
      for (const socket of sockets.clients) socket.terminate()
    }
    if (signal.aborted) cutOff()
    else signal.addEventListener('abort', cutOff, { once: true })
    await closed
    signal.removeEventListener('abort', cutOff)
  }

  return {
    port,
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    close(signal) {
      closing ??= close(signal)
      return closing
    },
  }
}
