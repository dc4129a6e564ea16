import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/adapter/clock.ts'
import { AdapterError } from '../../src/adapter/index.ts'
import { configSchema } from './config.ts'
import { createRestClient, type SendMessageRequest } from './rest.ts'

const never = new AbortController().signal
const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** An address at which nothing listens. */
async function deadUrl(): Promise<string> {
  const url = await listen(() => {})
  await new Promise((resolve) => servers.pop()?.close(resolve))
  return url
}

const config = configSchema.parse({
  sdkAppId: 1400000000,
  secretKey: 'k'.repeat(64),
  webhookToken: 'token-of-the-console',
  webhookSecret: 's'.repeat(24),
  requestTimeoutMs: 2_000,
})

function client(urls: string[], change: Partial<typeof config> = {}) {
  const outcomes: (AdapterError | null)[] = []
  const tools = {
    clock: systemClock,
    random: { bytes: (length: number) => new Uint8Array(length), fraction: () => 0.5 },
  }
  const rest = createRestClient({ ...config, ...change }, tools, (error) => outcomes.push(error), urls)
  return { rest, outcomes }
}

const message: SendMessageRequest = {
  From_Account: 'alice',
  To_Account: 'bob',
  MsgSeq: 1,
  MsgRandom: 2,
  SyncOtherMachine: 1,
  MsgBody: [{ MsgType: 'TIMCustomElem', MsgContent: { Data: 'AQID', Desc: '', Ext: 'causeway/1' } }],
  CloudCustomData: '{}',
}
const sent = { ActionStatus: 'OK', ErrorCode: 0, ErrorInfo: '', MsgKey: '1_2_3', MsgTime: 3 }

const answering =
  (body: unknown, status = 200): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }

async function failure(promise: Promise<unknown>): Promise<AdapterError> {
  const error: unknown = await promise.then(
    () => expect.unreachable('the call must reject'),
    (caught: unknown) => caught,
  )
  if (!AdapterError.is(error)) throw error
  // The UserSig stands in the URL; it must stand nowhere else.
  expect(`${error.message} ${error.stack} ${String(error.cause)}`).not.toContain('usersig')
  return error
}

describe('a request', () => {
  it('is the documented one', async () => {
    let url = new URL('http://none')
    let body = ''
    const base = await listen((request, response) => {
      url = new URL(request.url ?? '', 'http://host')
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => response.end(JSON.stringify(sent)))
    })
    const { rest, outcomes } = client([base])
    expect(await rest.sendMessage(message, never)).toMatchObject({ MsgKey: '1_2_3' })
    expect(url.pathname).toBe('/v4/openim/sendmsg')
    expect(Object.fromEntries(url.searchParams)).toEqual({
      sdkappid: '1400000000',
      identifier: 'administrator',
      usersig: expect.stringMatching(/^eJ[A-Za-z0-9*\-_]+$/),
      random: '2147483648',
      contenttype: 'json',
    })
    expect(JSON.parse(body)).toEqual(message)
    expect(outcomes).toEqual([null])
    expect(Math.abs(rest.clockOffsetMs() ?? Number.NaN)).toBeLessThan(3_000)
  })

  it('knows the furthest that the service’s clock was seen behind, from wherever it was seen', () => {
    const { rest } = client(['http://127.0.0.1:9'])
    expect(rest.clockLagMs()).toBe(0)
    rest.observeServiceTime(Date.now() - 300_000)
    rest.observeServiceTime(Date.now() + 300_000)
    expect(rest.clockLagMs()).toBeGreaterThanOrEqual(300_000)
    expect(rest.clockLagMs()).toBeLessThan(600_000)
  })

  it('goes to the backup host when the first cannot be reached, and stays there', async () => {
    let calls = 0
    const backup = await listen((request, response) => {
      calls++
      answering(sent)(request, response)
    })
    const { rest, outcomes } = client([await deadUrl(), backup])
    await rest.sendMessage(message, never)
    await rest.sendMessage(message, never)
    expect(calls).toBe(2)
    expect(rest.currentUrl()).toBe(backup)
    expect(outcomes).toEqual([null, null])
  })

  it('is retryable when no host can be reached', async () => {
    const { rest, outcomes } = client([await deadUrl(), await deadUrl()])
    const error = await failure(rest.sendMessage(message, never))
    expect(error).toMatchObject({ class: 'retryable', remoteCode: 'ECONNREFUSED' })
    expect(outcomes).toEqual([error])
  })

  it('is not sent when the caller has given up before', async () => {
    let calls = 0
    const base = await listen(() => calls++)
    const { rest } = client([base])
    expect(await failure(rest.sendMessage(message, AbortSignal.abort()))).toMatchObject({
      class: 'retryable',
    })
    expect(calls).toBe(0)
  })

  it('is uncertain when the caller gives up, or time runs out, while it waits', async () => {
    const abort = new AbortController()
    const base = await listen(() => abort.abort())
    expect(await failure(client([base]).rest.sendMessage(message, abort.signal))).toMatchObject({
      class: 'uncertain',
    })
    const { rest } = client([await listen(() => {})], { requestTimeoutMs: 100 })
    expect(await failure(rest.sendMessage(message, never))).toMatchObject({
      class: 'uncertain',
      remoteCode: 'TimeoutError',
    })
    expect(await failure(rest.existingAccounts(['a'], never))).toMatchObject({ class: 'retryable' })
  })

  it('is made once more when the connection breaks, and uncertain when it breaks again', async () => {
    let calls = 0
    const base = await listen((request, response) => {
      calls++
      if (calls % 2 === 1 || calls > 2) request.socket.destroy()
      else answering(sent)(request, response)
    })
    const { rest } = client([base])
    expect(await rest.sendMessage(message, never)).toMatchObject({ MsgKey: '1_2_3' })
    expect(calls).toBe(2)
    expect(await failure(rest.sendMessage(message, never))).toMatchObject({ class: 'uncertain' })
    expect(calls).toBe(4)
  })

  it('never follows a redirect, which would hand the signature to another host', async () => {
    let calls = 0
    const elsewhere = await listen(() => calls++)
    const base = await listen((_request, response) => {
      response.writeHead(307, { location: elsewhere }).end()
    })
    await failure(client([base]).rest.sendMessage(message, never))
    expect(calls).toBe(0)
  })
})

describe('an answer', () => {
  it.each([
    ['an error code', { ...sent, ActionStatus: 'FAIL', ErrorCode: 20007 }, 200, 'permanent', 20007],
    ['HTML', '<html>gateway</html>', 200, 'uncertain', 'unreadable-answer'],
    ['nothing', '', 200, 'uncertain', 'unreadable-answer'],
    ['no error code', { ActionStatus: 'OK' }, 200, 'uncertain', 'unreadable-answer'],
    ['no MsgKey', { ActionStatus: 'OK', ErrorCode: 0 }, 200, 'uncertain', 'unreadable-answer'],
    ['HTTP 500', 'oops', 500, 'uncertain', 500],
    ['HTTP 503', 'busy', 503, 'retryable', 503],
    ['HTTP 429', 'slow down', 429, 'rateLimited', 429],
  ] as const)('with %s is told by its class', async (_name, body, status, errorClass, remoteCode) => {
    const { rest } = client([await listen(answering(body, status))])
    expect(await failure(rest.sendMessage(message, never))).toMatchObject({ class: errorClass, remoteCode })
  })

  it('may hold fields that are not known yet', async () => {
    const { rest } = client([await listen(answering({ ...sent, NewField: { a: 1 } }))])
    expect(await rest.sendMessage(message, never)).toMatchObject({ MsgKey: '1_2_3' })
  })
})
