/** Calls to a service that misbehaves: what is made again, what is not, and what is told of it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { z } from 'zod'
import { systemClock } from '../../src/adapter/clock.ts'
import { type PushError, PushError as PushFailure, toAdapterError } from './errors.ts'
import { createRestClient, type RestClient } from './rest.ts'

const { signal } = new AbortController()
let handle: (request: IncomingMessage, response: ServerResponse) => void
let asked = 0
let observed: (string | null)[] = []
let rest: RestClient
const server = createServer((request, response) => {
  asked++
  handle(request, response)
})

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  asked = 0
  observed = []
  rest = clientAt((server.address() as AddressInfo).port, 300)
})

function clientAt(port: number, timeoutMs: number): RestClient {
  return createRestClient({
    baseUrl: `http://127.0.0.1:${port}/apis`,
    timeoutMs,
    clock: systemClock,
    observe: (error) => observed.push(error?.code ?? null),
  })
}

async function failureOf(promise: Promise<unknown>): Promise<PushError> {
  const error = await promise.then(
    () => null,
    (caught: unknown) => caught,
  )
  if (error instanceof PushFailure) return error
  throw new Error(`no PushError: ${String(error)}`)
}

it('gives any status as an answer, with its JSON', async () => {
  handle = (_request, response) => response.writeHead(404).end('{"message":"none"}')
  expect(await rest.call({ method: 'GET', path: '/x' }, signal)).toEqual({
    status: 404,
    body: { message: 'none' },
  })
  const error = await failureOf(rest.get('/x', z.unknown(), signal))
  expect([error.code, error.status]).toEqual(['refused', 404])
  handle = (_request, response) => response.writeHead(204).end()
  expect(await rest.call({ method: 'POST', path: '/x', body: {} }, signal)).toEqual({
    status: 204,
    body: null,
  })
  expect(Math.abs(rest.clockOffsetMs() ?? Number.NaN)).toBeLessThan(60_000)
})

it.each(['hangs', 'breaks off'])('makes a GET that %s once more, and a POST never', async (how) => {
  handle = (request) => {
    if (how === 'breaks off') request.socket.destroy()
  }
  const code = how === 'hangs' ? 'timed-out' : 'answer-lost'
  expect((await failureOf(rest.call({ method: 'GET', path: '/x' }, signal))).code).toBe(code)
  expect([asked, observed]).toEqual([2, [code, code]])
  asked = 0
  expect((await failureOf(rest.call({ method: 'POST', path: '/x', body: {} }, signal))).code).toBe(code)
  expect(asked).toBe(1)
})

it('tells that nothing was sent where no connection came about', async () => {
  const free = createServer()
  await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve))
  const { port } = free.address() as AddressInfo
  await new Promise((resolve) => free.close(resolve))
  const error = await failureOf(clientAt(port, 5_000).call({ method: 'POST', path: '/x', body: {} }, signal))
  expect(error.code).toBe('unreachable')
  expect(toAdapterError(error, true).class).toBe('retryable')
})

it('gives up with its caller, and tells nobody', async () => {
  handle = () => undefined
  const abort = new AbortController()
  const call = rest.call({ method: 'GET', path: '/x' }, abort.signal)
  abort.abort()
  expect((await failureOf(call)).code).toBe('aborted')
  expect((await failureOf(rest.call({ method: 'GET', path: '/x' }, abort.signal))).code).toBe('aborted')
  expect(observed).toEqual([])
})

it('takes no answers that are not JSON, too long, or of another form', async () => {
  handle = (_request, response) => response.end('<html>')
  expect((await failureOf(rest.call({ method: 'GET', path: '/x' }, signal))).code).toBe('malformed-answer')
  handle = (_request, response) => response.writeHead(200, { 'content-length': String(2 ** 40) }).end()
  expect((await failureOf(rest.call({ method: 'GET', path: '/x' }, signal))).code).toBe('malformed-answer')
  handle = (_request, response) => response.end('[1]')
  expect((await failureOf(rest.get('/x', z.array(z.string()), signal))).code).toBe('malformed-answer')
})

it('follows no redirect', async () => {
  handle = (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()
  expect((await rest.call({ method: 'GET', path: '/x' }, signal)).status).toBe(302)
  expect(asked).toBe(1)
})

it.each([
  [400, 'permanent', 'permanent'],
  [413, 'tooLarge', 'tooLarge'],
  [429, 'rateLimited', 'rateLimited'],
  [503, 'retryable', 'uncertain'],
  [302, 'retryable', 'retryable'],
] as const)('status %i is %s before a message left and %s after', (status, before, after) => {
  const error = new PushFailure('refused', 'no', { status })
  expect([toAdapterError(error, false).class, toAdapterError(error, true).class]).toEqual([before, after])
})

it('what cannot be told is uncertain once a message left', () => {
  for (const error of [
    new Error('?'),
    new PushFailure('sdk-ended', 'x'),
    new PushFailure('timed-out', 'x'),
  ]) {
    expect([toAdapterError(error, false).class, toAdapterError(error, true).class]).toEqual([
      'retryable',
      'uncertain',
    ])
  }
})
