/** HTTP servers on loopback that stand where an upstream network is expected and answer what they like. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HostileServer {
  url: string
  /** Paths of the requests that came. */
  requests: string[]
  stop(): Promise<void>
}

export async function startHostileServer(listener: RequestListener): Promise<HostileServer> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(request.url ?? '')
    listener(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Answers of an upstream that is broken or was taken over. `elsewhere`: a host that must never be asked. */
export function hostileAnswers(elsewhere: string): Record<string, RequestListener> {
  const json = (body: unknown, status = 200): RequestListener => {
    return (_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    }
  }
  const redirect = (status: number): RequestListener => {
    return (request, response) => response.writeHead(status, { location: elsewhere + request.url }).end()
  }
  return {
    'a redirect 301': redirect(301),
    'a redirect 302': redirect(302),
    'a redirect 303': redirect(303),
    'a redirect 307': redirect(307),
    'a redirect 308': redirect(308),
    'a refresh': (_request, response) => response.writeHead(200, { refresh: `0;url=${elsewhere}` }).end(),
    'no JSON': json('<html>hello</html>'),
    'a list': json([]),
    null: json('null'),
    'a number': json('42'),
    'deep nesting': json('['.repeat(200_000)),
    'wrong types': json({ ErrorCode: '0', MsgKey: 7, messages: 'none', Complete: {}, MsgList: 3 }),
    'prototype members': json('{"__proto__":{"ErrorCode":0},"constructor":null}'),
    'an error that quotes': json({ ErrorCode: 1, ErrorInfo: 'x'.repeat(10_000), ActionStatus: 'FAIL' }, 500),
    '30 MB': (_request, response) => pour(response, 30),
    '30 MB declared': (_request, response) => {
      response.writeHead(200, { 'content-length': 30 * 1024 * 1024 })
      pour(response, 30)
    },
    'an end in the middle': (_request: IncomingMessage, response) => {
      response.writeHead(200, { 'content-length': 1_000 })
      response.write('{"ErrorCode":0')
      setTimeout(() => response.destroy(), 20)
    },
  }
}

/** Writes megabytes as fast as they are taken. */
function pour(response: ServerResponse, megabytes: number): void {
  const chunk = Buffer.alloc(1024 * 1024, ' ')
  let left = megabytes
  const more = () => {
    while (left-- > 0) if (!response.write(chunk)) return void response.once('drain', more)
    response.end()
  }
  response.on('error', () => response.destroy())
  more()
}
