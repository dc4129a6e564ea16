/** Callers in number: 100,000 distinct addresses, tokens, wallets and devices leave nothing behind in memory. */
import type { IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRateLimits } from '../../src/http/rate-limit.ts'
import { defaultHttpSettings } from '../../src/http/settings.ts'
import { HttpBench, type HttpGateway } from '../../src/http/testing/bench.ts'
import { createMetrics } from '../../src/observability/metrics.ts'
import { heldBytes } from './heap.ts'

const DISTINCT = 100_000
const AT_ONCE = 500
const MEGABYTE = 1024 * 1024

const bench = new HttpBench()
let gateway: HttpGateway

beforeAll(async () => {
  gateway = await bench.gateway({ settings: { trustProxy: true } })
})

afterAll(() => bench.close())

const random = (length: number) => Buffer.from(crypto.getRandomValues(new Uint8Array(length)))

/** A request of a caller that nobody has seen before, past the socket but through everything else. */
async function ask(path: string, headers: Record<string, string> = {}): Promise<number> {
  const incoming = {
    headers: {
      'x-forwarded-for': `2001:db8:${random(4)
        .toString('hex')
        .replace(/(.{4})/, '$1:')}::1`,
    },
  }
  const response = await gateway.api.app.request(
    path,
    { headers },
    { incoming: incoming as unknown as IncomingMessage },
  )
  await response.arrayBuffer()
  return response.status
}

async function askMany(count: number, request: () => Promise<number>, status: number): Promise<void> {
  for (let sent = 0; sent < count; sent += AT_ONCE) {
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, request))
    expect(answers.every((answer) => answer === status)).toBe(true)
  }
}

/** Bytes that are held after `count` requests beyond those held after the caches are full. */
async function growth(request: () => Promise<number>, status: number): Promise<number> {
  gateway.lines.length = 0
  await askMany(20_000, request, status)
  gateway.lines.length = 0
  const before = await heldBytes()
  await askMany(DISTINCT - 20_000, request, status)
  gateway.lines.length = 0
  return (await heldBytes()) - before
}

it('100,000 addresses, each with a token of its own and a path of its own', async () => {
  const request = () => {
    const token = random(32).toString('base64url')
    return ask(`/v1/envelopes/${random(32).toString('hex')}`, { authorization: `Bearer ${token}` })
  }
  expect(await growth(request, 401)).toBeLessThan(25 * MEGABYTE)
  const text = await (await gateway.api.app.request('/metrics')).text()
  expect(text.split('\n').length).toBeLessThan(2_000)
}, 180_000)

it('100,000 wallets that were never here', async () => {
  const request = () => ask(`/v1/wallets/0x${random(20).toString('hex')}`)
  expect(await growth(request, 200)).toBeLessThan(25 * MEGABYTE)
  expect((await gateway.gateway.store.statistics()).wallets).toBeLessThan(10)
}, 180_000)

it('the budgets of 100,000 wallets, devices and addresses are bounded', async () => {
  const limits = { ...defaultHttpSettings.limits, trackedCallers: 5_000 }
  const rates = createRateLimits(limits, { monotonic: () => 0 })
  for (let index = 0; index < DISTINCT; index++) {
    rates.session({ wallet: `wallet ${index}`, device: random(32) })
    rates.address.take(`address ${index}`)
    rates.signIn.take(`address ${index}`)
  }
  expect(rates.address.size).toBe(5_000)
  expect(rates.signIn.size).toBe(5_000)
  // Those seen last still have less than a full bucket; those seen first were forgotten.
  expect(rates.remembered).toEqual({ wallets: 5_000, devices: 5_000 })
})

it('metrics do not grow with networks, methods and codes that callers make up', async () => {
  const metrics = createMetrics()
  for (let index = 0; index < DISTINCT; index++) {
    metrics.request(`/nowhere/${index}`, `METHOD${index}`, 404, 1)
    metrics.webhook(`network-${index}`, 'refused', `code-${index}`)
  }
  expect((await metrics.render()).length).toBeLessThan(300_000)
})
