/** Callers in number: 100,000 distinct addresses, tokens, wallets and devices leave nothing behind in memory. */
import type { IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRateLimits } from '../../src/http/rate-limit.ts'
import { defaultHttpSettings } from '../../src/http/settings.ts'
import { HttpBench, type HttpGateway } from '../../src/http/testing/bench.ts'
import { createLog } from '../../src/observability/log.ts'
import { createMetrics } from '../../src/observability/metrics.ts'
import { heldBytes } from './heap.ts'

const DISTINCT = 100_000
const AT_ONCE = 500
const MEGABYTE = 1024 * 1024

const bench = new HttpBench()
let gateway: HttpGateway

beforeAll(async () => {
  gateway = await bench.gateway({
    settings: { trustProxy: true },
    limits: { trackedCallers: 1_000 },
    replace: () => ({ log: createLog({ level: 'silent' }) }),
  })
})

afterAll(() => bench.close())

const random = (length: number) => Buffer.from(crypto.getRandomValues(new Uint8Array(length)))

/** Bytes held after `count` calls beyond those held after a fifth of them, which fills the caches. */
async function growth(count: number, work: () => Promise<unknown>): Promise<number> {
  const many = async (calls: number) => {
    for (let done = 0; done < calls; done += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, work))
  }
  await many(count / 5)
  const before = await heldBytes()
  await many((count / 5) * 4)
  return (await heldBytes()) - before
}

it('100,000 tokens that open nothing', async () => {
  const { identity } = gateway.gateway
  const grown = await growth(DISTINCT, async () => {
    expect(await identity.authenticate(random(32).toString('base64url'))).toBeNull()
  })
  expect(grown).toBeLessThan(10 * MEGABYTE)
})

it('100,000 wallets that were never here', async () => {
  const { identity, store } = gateway.gateway
  const grown = await growth(DISTINCT, async () => {
    const wallet = `eip155:*:0x${random(20).toString('hex')}`
    await Promise.all([identity.allEndpoints(wallet), identity.route(wallet)])
  })
  expect(grown).toBeLessThan(25 * MEGABYTE)
  expect((await store.statistics()).wallets).toBeLessThan(10)
})

it('requests of callers that nobody has seen before: address, token, path, wallet', async () => {
  const grown = await growth(10_000, async () => {
    const group = () => random(2).toString('hex')
    const incoming = { headers: { 'x-forwarded-for': `2001:db8:${group()}:${group()}::1` } }
    const bindings = { incoming: incoming as unknown as IncomingMessage }
    const headers = { authorization: `Bearer ${random(32).toString('base64url')}` }
    const path = `/v1/envelopes/${random(32).toString('hex')}`
    const response = await gateway.api.app.request(path, { headers }, bindings)
    expect(response.status).toBe(401)
  })
  expect(grown).toBeLessThan(10 * MEGABYTE)
  const text = await (await gateway.api.app.request('/metrics')).text()
  expect(text.split('\n').length).toBeLessThan(2_000)
})

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
