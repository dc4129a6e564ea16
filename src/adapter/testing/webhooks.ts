/** Serves an adapter's webhook facet on loopback as the gateway's HTTP layer does. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { WebhookFacet } from '../facets.ts'

export interface WebhookServer {
  /** `http://127.0.0.1:<port>` */
  baseUrl: string
  close(): Promise<void>
}

/** Answers `POST /hooks/<network>/<secret>`; a handler that rejects is answered with 503, so that the network tries again. */
export async function serveWebhooks(network: string, facet: WebhookFacet): Promise<WebhookServer> {
  const stopped = new AbortController()
  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
        response.end(JSON.stringify(body ?? null))
      },
      () => {
        response.writeHead(503, { 'retry-after': '1', connection: 'close' })
        response.end()
      },
    )
  })

  async function answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const [, hooks, name, secret] = url.pathname.split('/')
    if (request.method !== 'POST' || hooks !== 'hooks' || name !== network || !secret) {
      return { status: 404, body: { code: 'not-found' } }
    }
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const headers = new Headers()
    for (const [key, value] of Object.entries(request.headers)) {
      if (value !== undefined) headers.set(key, Array.isArray(value) ? value.join(', ') : value)
    }
    const body = Uint8Array.from(Buffer.concat(chunks))
    return facet.handle(
      { secret: decodeURIComponent(secret), query: url.searchParams, headers, body },
      stopped.signal,
    )
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      stopped.abort()
      server.closeAllConnections()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}
