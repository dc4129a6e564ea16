/** What a noisy caller gets: its limit and no more, on a clock that the test moves, so that the speed of the machine is nothing. */
import fc from 'fast-check'
import { afterEach, expect, it } from 'vitest'
import { call, seal } from '../../src/http/testing/bench.ts'
import { createBucket } from '../../src/token-bucket.ts'
import { base64url, connectSocket } from '../security/clients.ts'
import { PLENTY, startWholeGateway, steppedClock, type WholeGateway } from './gateway.ts'

const PER_SECOND = 20
const BURST = 20
const SECONDS = 5
const STEPS_PER_SECOND = 10
/** Ten times the limit. */
const OFFERED_PER_STEP = (10 * PER_SECOND) / STEPS_PER_SECOND

let gateway: WholeGateway | null = null

afterEach(async () => {
  await gateway?.stop()
  gateway = null
})

/** Offers ten times the limit for the window; answers how much was taken after the first burst was used up. */
async function offer(
  clock: { step(ms: number): void },
  many: (count: number) => Promise<number>,
  others: () => Promise<void>,
): Promise<number> {
  await many(BURST)
  let taken = 0
  for (let step = 0; step < SECONDS * STEPS_PER_SECOND; step++) {
    clock.step(1000 / STEPS_PER_SECOND)
    taken += await many(OFFERED_PER_STEP)
    if (step % STEPS_PER_SECOND === 0) await others()
  }
  return taken
}

function expectTheLimit(taken: number): void {
  expect(taken).toBeLessThanOrEqual(PER_SECOND * SECONDS * 1.01)
  expect(taken).toBeGreaterThanOrEqual(PER_SECOND * SECONDS * 0.99)
}

/** How many of `count` requests, made side by side, were taken; any refusal must be a 429. */
async function taken(count: number, request: () => Promise<{ status: number }>): Promise<number> {
  const answers = await Promise.all(Array.from({ length: count }, request))
  const refused = answers.filter(({ status }) => status === 429).length
  const accepted = answers.filter(({ status }) => status < 300).length
  expect(accepted + refused).toBe(count)
  return accepted
}

it('a wallet at ten times its limit stays within it, over requests, and others are not refused once', async () => {
  const clock = steppedClock({ standing: true })
  const limits = { ...PLENTY, walletPerSecond: PER_SECOND, walletBurst: BURST }
  gateway = await startWholeGateway({ clock, limits })
  const [noisy, quiet] = [await gateway.signIn(), await gateway.signIn()]
  const count = await offer(
    clock,
    (wanted) => taken(wanted, () => noisy.call('GET', '/v1/inbox?limit=1')),
    async () => expect((await quiet.call('GET', '/v1/inbox?limit=1')).status).toBe(200),
  )
  expectTheLimit(count)
})

it('the budget of a wallet is one for requests, batches and sockets, and for all of its devices', async () => {
  const clock = steppedClock({ standing: true })
  const limits = { ...PLENTY, walletPerSecond: PER_SECOND, walletBurst: BURST }
  gateway = await startWholeGateway({ clock, limits })
  const noisy = await gateway.signIn()
  const { bytes } = await seal(noisy.person, [noisy.person])
  const socket = await connectSocket(gateway.url, null)
  socket.send(1, 1, { token: noisy.token, after: null })
  await socket.answer(1)
  let requestId = 10
  const overSocket = async () => {
    const id = requestId++
    socket.send(3, id, { wallet: noisy.wallet, sealed: bytes })
    const [kind, , payload] = await socket.answer(id)
    return { status: kind === 19 ? 202 : (payload.status as number) }
  }
  const batch = { sealed: [base64url(bytes), base64url(bytes)] }
  const ways = [
    { cost: 1, send: () => noisy.call('POST', '/v1/envelopes', bytes) },
    { cost: 2, send: () => noisy.call('POST', '/v1/envelopes/batch', batch) },
    { cost: 1, send: overSocket },
  ]
  const count = await offer(
    clock,
    async (wanted) => {
      let used = 0
      for (let index = 0; index < wanted; index++) {
        const { cost, send } = ways[index % ways.length]!
        const { status } = await send()
        if (status < 300) used += cost
      }
      return used
    },
    async () => undefined,
  )
  socket.close()
  expect(count).toBeLessThanOrEqual(PER_SECOND * SECONDS * 1.01)
  // A batch that was refused has used the token with which it came.
  expect(count).toBeGreaterThan(PER_SECOND * SECONDS * 0.4)
})

it('an address at ten times its limit stays within it, whatever tokens and paths it uses', async () => {
  const clock = steppedClock({ standing: true })
  const limits = { ...PLENTY, addressPerSecond: PER_SECOND, addressBurst: BURST }
  gateway = await startWholeGateway({ clock, limits, settings: { trustProxy: true } })
  const { url } = gateway
  let serial = 0
  const from = (address: string, path: string) =>
    call(url, 'GET', path, undefined, { 'x-forwarded-for': `198.51.100.${serial++ % 250}, ${address}` })
  const count = await offer(
    clock,
    (wanted) => taken(wanted, () => from('203.0.113.7', `/v1/gateway?x=${serial}`)),
    async () => expect((await from('203.0.113.8', '/v1/gateway')).status).toBe(200),
  )
  expectTheLimit(count)
})

it('a bucket gives no window more than its burst and its rate, however calls fall', () => {
  const calls = fc.array(
    fc.record({ wait: fc.integer({ min: 0, max: 400 }), cost: fc.integer({ min: 1, max: 40 }) }),
    {
      minLength: 1,
      maxLength: 60,
    },
  )
  const settings = fc.record({
    perSecond: fc.integer({ min: 1, max: 100 }),
    burst: fc.integer({ min: 1, max: 50 }),
    tracked: fc.constant(4),
  })
  fc.assert(
    fc.property(settings, calls, (limit, plan) => {
      let now = 0
      const bucket = createBucket(limit, { monotonic: () => now })
      const granted: { at: number; cost: number }[] = []
      for (const { wait, cost } of plan) {
        now += wait
        if (bucket.take('one', cost) === 0) granted.push({ at: now, cost })
      }
      for (const [first, { at: start }] of granted.entries()) {
        let sum = 0
        for (const { at, cost } of granted.slice(first)) {
          // The last of a window may be larger than the burst: it is paid for by the time after it.
          expect(sum).toBeLessThanOrEqual(limit.burst + ((at - start) / 1000) * limit.perSecond + 1e-6)
          sum += cost
        }
      }
    }),
    { numRuns: 300 },
  )
})
