import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Inbound, WebhookRequest } from '../index.ts'
import {
  createMemoryStorage,
  createRecordingContext,
  createVirtualClock,
  randomFrame,
  settles,
  waitFor,
} from './index.ts'
import { serveWebhooks } from './webhooks.ts'

const inbound = (frame: Uint8Array): Inbound => ({
  frame,
  remoteId: '1',
  to: null,
  from: null,
  via: 'stream',
  remoteTime: null,
  transactionId: null,
})

describe('createRecordingContext', () => {
  it('keeps copies of what is delivered, and tells duplicates', async () => {
    const context = createRecordingContext()
    const frame = randomFrame()
    const kept = Uint8Array.from(frame)
    expect((await context.deliver(inbound(frame))).outcome).toBe('accepted')
    expect((await context.deliver(inbound(frame))).outcome).toBe('duplicate')
    frame.fill(0)
    expect(context.heard(kept)).toHaveLength(2)
    expect(context.heard(frame)).toHaveLength(0)
  })

  it('rejects while told to, and tells offered from heard', async () => {
    const context = createRecordingContext()
    const frame = randomFrame()
    context.rejectDeliveries(true)
    await expect(context.deliver(inbound(frame))).rejects.toThrow(/turned this frame away/)
    expect([context.offered(frame).length, context.heard(frame).length]).toEqual([1, 0])
    context.rejectDeliveries(false)
    expect((await context.deliver(inbound(frame))).outcome).toBe('accepted')
    expect([context.offered(frame).length, context.heard(frame).length]).toEqual([2, 1])
  })

  it('keeps states and logs in order', () => {
    const context = createRecordingContext()
    expect(context.lastState()).toBe(null)
    context.state({ state: 'connecting' })
    context.state({ state: 'connected' })
    context.log.warn({ attempt: 2 }, 'slow')
    expect(context.states.map(({ state }) => state)).toEqual(['connecting', 'connected'])
    expect(context.lastState()).toBe('connected')
    expect(context.logs).toEqual([{ level: 'warn', details: { attempt: 2 }, text: 'slow' }])
  })

  it('makes its folder on first use and removes it', async () => {
    const context = createRecordingContext()
    expect(context.directoryUsed).toBe(false)
    await context.dispose()
    const folder = await context.directory()
    expect(await context.directory()).toBe(folder)
    await writeFile(join(folder, 'state'), 'x')
    await context.dispose()
    expect(existsSync(folder)).toBe(false)
  })

  it('gives storage that outlives it where it is handed on', async () => {
    const storage = createMemoryStorage()
    await createRecordingContext({ storage }).storage.set('cursor', '7')
    expect(await createRecordingContext({ storage }).storage.get('cursor')).toBe('7')
    await storage.set('cursor', null)
    expect(await storage.get('cursor')).toBe(null)
  })
})

describe('waitFor and settles', () => {
  it('gives the first truthy value', async () => {
    let looks = 0
    expect(await waitFor(() => (looks++ === 3 ? 'seen' : null), { intervalMs: 1 })).toBe('seen')
  })

  it('names what it waited for in vain, and passes errors of the condition on', async () => {
    await expect(waitFor(() => false, { timeoutMs: 5, intervalMs: 1, what: 'rain' })).rejects.toThrow(
      /5 ms.*rain/,
    )
    await expect(
      waitFor(() => {
        throw new Error('broken')
      }),
    ).rejects.toThrow('broken')
  })

  it('passes a promise on, or tells that it did not settle', async () => {
    expect(await settles(Promise.resolve(3), 'a number')).toBe(3)
    await expect(settles(Promise.reject(new Error('no')), 'a refusal')).rejects.toThrow('no')
    await expect(settles(new Promise(() => undefined), 'for ever', 5)).rejects.toThrow(
      /for ever did not settle in 5/,
    )
  })
})

describe('createVirtualClock', () => {
  it('moves only when told, and wakes sleepers in the order of their times', async () => {
    const clock = createVirtualClock(1_000_000)
    const woken: string[] = []
    void clock.sleep(30).then(() => woken.push(`c ${clock.now()}`))
    void clock.sleep(10).then(async () => {
      woken.push(`a ${clock.now()}`)
      await clock.sleep(10)
      woken.push(`b ${clock.now()}`)
    })
    await clock.advance(9)
    expect(woken).toEqual([])
    expect(clock.sleeping).toBe(2)
    await clock.advance(100)
    expect(woken).toEqual(['a 1000010', 'b 1000020', 'c 1000030'])
    expect(clock.monotonic()).toBe(109)
  })

  it('wakes nobody who was aborted', async () => {
    const clock = createVirtualClock()
    const abort = new AbortController()
    const sleeping = clock.sleep(10, abort.signal)
    abort.abort(new Error('enough'))
    await expect(sleeping).rejects.toThrow('enough')
    expect(clock.sleeping).toBe(0)
    await expect(clock.sleep(1, abort.signal)).rejects.toThrow('enough')
  })
})

describe('serveWebhooks', () => {
  it('gives the adapter secret, query, headers and raw body, and 503 to the network when the adapter rejects', async () => {
    const seen: WebhookRequest[] = []
    const server = await serveWebhooks('example', {
      async handle(request) {
        seen.push(request)
        if (request.query.has('fail')) throw new Error('the store is down')
        return { status: 202, body: { ok: true } }
      },
    })
    try {
      const url = `${server.baseUrl}/hooks/example/s%20ecret`
      const body = Uint8Array.from({ length: 256 }, (_, index) => index)
      const answer = await fetch(`${url}?a=1&a=2`, { method: 'POST', body, headers: { 'x-sign': 'abc' } })
      expect([answer.status, await answer.json()]).toEqual([202, { ok: true }])
      expect(seen[0]?.secret).toBe('s ecret')
      expect(seen[0]?.query.getAll('a')).toEqual(['1', '2'])
      expect(seen[0]?.headers.get('x-sign')).toBe('abc')
      expect(seen[0]?.body).toEqual(body)
      expect((await fetch(`${url}?fail`, { method: 'POST', body: 'x' })).status).toBe(503)
      expect(
        (await fetch(`${server.baseUrl}/hooks/other/secret`, { method: 'POST', body: 'x' })).status,
      ).toBe(404)
      expect((await fetch(url)).status).toBe(404)
    } finally {
      await server.close()
    }
  })
})
