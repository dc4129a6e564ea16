import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/adapter/clock.ts'
import { AdapterError, type Clock, type HistoryQuery, type Inbound } from '../../src/adapter/index.ts'
import { createRecordingContext, type RecordingContext } from '../../src/adapter/testing/context.ts'
import { waitFor } from '../../src/adapter/testing/wait.ts'
import { serveWebhooks } from '../../src/adapter/testing/webhooks.ts'
import { type ChatClient, connectChatClient } from './sandbox/chat-client.ts'
import { startSandbox, type TrtcSandbox } from './sandbox/index.ts'
import {
  alice,
  arrived,
  bob,
  clientOf,
  type Joined,
  joinSandbox,
  never,
  randomFrame,
  sameBytes,
  shiftedClock,
} from './testing.ts'

let sandbox: TrtcSandbox
let gateway: Joined<RecordingContext>
let aliceClient: ChatClient

const join = (to: TrtcSandbox, options: { clock?: Clock; config?: object } = {}) => {
  const { clock, config } = options
  const context = createRecordingContext(clock ? { clock } : {})
  return joinSandbox({ sandbox: to, context, serveWebhooks, ...(config ? { config } : {}) })
}

beforeAll(async () => {
  sandbox = await startSandbox()
  gateway = await join(sandbox)
  aliceClient = await clientOf(gateway, alice)
  await gateway.adapter.identity?.provision?.({ wallet: bob, address: gateway.addressOf(bob) }, never)
})

afterEach(() => {
  for (const share of ['loss', 'duplication', 'reordering'] as const) sandbox.faults[share](0)
  sandbox.faults.latency(0)
})

afterAll(async () => {
  await aliceClient?.close()
  await gateway?.close()
  await sandbox?.stop()
})

async function walk(query: HistoryQuery): Promise<Inbound[]> {
  const collected: Inbound[] = []
  for await (const inbound of gateway.adapter.history!.walk(query, never)) collected.push(inbound)
  return collected
}

const refused = (promise: Promise<unknown>): Promise<AdapterError> =>
  promise.then(
    () => expect.unreachable('the call must reject'),
    (error) => {
      expect(AdapterError.is(error)).toBe(true)
      return error as AdapterError
    },
  )

describe('what webhooks lose', () => {
  it('is found by a walk through history, over pages, oldest first, with the same ids', async () => {
    sandbox.faults.loss(1)
    const since = Date.now()
    const frames = Array.from({ length: 5 }, () => randomFrame(4000))
    const keys: string[] = []
    for (const frame of frames)
      keys.push((await aliceClient.sendFrame(gateway.addressOf(bob), frame)).messageKey)
    await sandbox.idle()
    expect(frames.flatMap((frame) => gateway.context.offered(frame))).toEqual([])
    const found = (
      await walk({ since, pairs: [{ local: gateway.addressOf(bob), peer: gateway.addressOf(alice) }] })
    ).filter(({ remoteId }) => keys.includes(remoteId))
    expect(found.map(({ remoteId }) => remoteId)).toEqual(keys)
    expect(found.map(({ frame }) => frame)).toEqual(frames)
    expect(found[0]).toMatchObject({
      via: 'history',
      from: gateway.addressOf(alice),
      to: gateway.addressOf(bob),
      transactionId: null,
    })
  })

  it('a walk reads many pairs and skips those without accounts', async () => {
    const frame = randomFrame()
    await aliceClient.sendFrame(gateway.addressOf(bob), frame)
    const here = { local: gateway.addressOf(alice), peer: gateway.addressOf(bob) }
    const strangers = Array.from({ length: 30 }, (_, index) => ({
      local: gateway.addressOf(`eip155:*:0x${String(index).padStart(40, '0')}`),
      peer: gateway.addressOf(alice),
    }))
    const pairs = [...strangers, here]
    const found = await walk({ since: Date.now() - 5000, pairs })
    expect(found.filter((inbound) => sameBytes(inbound.frame, frame))).toHaveLength(1)
  })

  it('comes late, twice or in another order, and is all heard', async () => {
    sandbox.faults.latency(50)
    sandbox.faults.duplication(0.5)
    sandbox.faults.reordering(0.5)
    const frames = Array.from({ length: 20 }, () => randomFrame())
    for (const frame of frames) await aliceClient.sendFrame(gateway.addressOf(bob), frame)
    await sandbox.idle()
    const offers = frames.map((frame) => gateway.context.offered(frame).length)
    expect(Math.min(...offers)).toBe(1)
    expect(Math.max(...offers)).toBe(2)
    const order = gateway.context.deliveries
      .map(({ inbound }) => frames.findIndex((frame) => sameBytes(frame, inbound.frame)))
      .filter((index) => index >= 0)
    expect(order).not.toEqual(order.toSorted((left, right) => left - right))
  })
})

describe('connection', () => {
  it('an outage is retryable, reported, and over when the service is back on its port', async () => {
    const own = await startSandbox({ seed: 2 })
    const joined = await join(own)
    const states = () => joined.context.states.map(({ state }) => state)
    expect(states()).toEqual(['connecting', 'connected'])
    const intent = joined.intent()
    await joined.adapter.send(joined.intent(), never)
    await own.faults.outage(true)
    // The first send may still find a connection that is only just being cut.
    expect((await refused(joined.adapter.send(joined.intent(), never))).class).toMatch(
      /^(retryable|uncertain)$/,
    )
    expect(await refused(joined.adapter.send(intent, never))).toMatchObject({ class: 'retryable' })
    expect(new Set(states())).toEqual(new Set(['connecting', 'connected', 'transientDisconnect']))
    expect(await refused(joined.adapter.history!.find(intent, never))).toMatchObject({ class: 'retryable' })
    await own.faults.outage(false)
    await waitFor(() => joined.context.lastState() === 'connected', { what: 'the adapter to be back' })
    expect(await joined.adapter.send({ ...intent, attempt: 2 }, never)).toHaveProperty('remoteIds')
    await joined.close()
    expect(joined.context.lastState()).toBe('stopped')
    await own.stop()
  })

  it('an outage is noticed without any traffic', async () => {
    const own = await startSandbox({ seed: 3 })
    const joined = await join(own, { config: { probeIntervalMs: 100 } })
    await own.faults.gatewayOutage(true)
    await waitFor(() => joined.context.lastState() === 'transientDisconnect', { what: 'a probe to fail' })
    await own.faults.gatewayOutage(false)
    await waitFor(() => joined.context.lastState() === 'connected', { what: 'a probe to succeed' })
    await joined.close()
    await own.stop()
  })

  it('wrong credentials are reported with what to do, and by the doctor', async () => {
    const wrong: [object, RegExp][] = [
      [{ secretKey: 'f'.repeat(64) }, /secretKey/],
      [{ sdkAppId: 1400009999 }, /sdkAppId/],
      [{ adminUserId: 'bob' }, /adminUserId/],
    ]
    for (const [config, action] of wrong) {
      const joined = await join(sandbox, { config })
      expect(joined.context.states.at(-1)).toMatchObject({
        state: 'badCredentials',
        userAction: expect.stringMatching(action),
      })
      const findings = await joined.adapter.doctor!.examine(never)
      expect(findings.find(({ status }) => status === 'error')).toMatchObject({
        check: 'credentials',
        fix: expect.stringMatching(action),
      })
      await joined.close()
    }
  })

  it('an administrator signature that the service finds expired is renewed', async () => {
    const remote = shiftedClock(systemClock)
    const local = shiftedClock(systemClock)
    const own = await startSandbox({ seed: 4, now: remote.now })
    const joined = await join(own, { clock: local })
    await joined.adapter.send(joined.intent(), never)
    // By our clock the signature has 1.5 hours left; the service's clock is 2.5 hours ahead.
    local.shift(22.5 * 3_600_000)
    remote.shift(25 * 3_600_000)
    expect(await joined.adapter.send(joined.intent(), never)).toHaveProperty('remoteIds')
    const findings = await joined.adapter.doctor!.examine(never)
    expect(findings.find(({ check }) => check === 'credentials')?.status).toBe('ok')
    expect(joined.context.states.map(({ state }) => state)).not.toContain('badCredentials')
    await joined.close()
    await own.stop()
  })

  it('the doctor sees a wrong clock and missing webhooks', async () => {
    const own = await startSandbox({ seed: 5 })
    const late = shiftedClock(systemClock)
    late.shift(-300_000)
    const joined = await join(own, { clock: late })
    const findings = await joined.adapter.doctor!.examine(never)
    expect(findings.find(({ check }) => check === 'clock')).toMatchObject({
      status: 'error',
      message: expect.stringMatching(/\b(299|300|301) s behind/),
    })
    expect(findings.find(({ check }) => check === 'webhook')).toMatchObject({ status: 'warning' })
    await joined.close()
    await own.stop()
  })

  it('a process that starts and stops the adapter ends by itself', async () => {
    const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
    const script = `
      const { default: definition } = await import(${url('./index.ts')})
      const { createRecordingContext } = await import(${url('../../src/adapter/testing/context.ts')})
      const config = definition.config.parse(${JSON.stringify(sandbox.gatewayConfig)})
      const context = createRecordingContext()
      const adapter = definition.create(config, context)
      await adapter.start(new AbortController().signal)
      await adapter.stop(new AbortController().signal)
      console.log(context.states.map(({ state }) => state).join(' '))`
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { timeout: 30_000 })
    expect(stdout.trim()).toBe('connecting connected stopped')
  })
})

describe('the chat client', () => {
  it('tells of its end, starts again, and has what it missed in its history', async () => {
    const carol = `eip155:*:0x${'e5'.repeat(20)}`
    const client = await clientOf(gateway, carol)
    const exit = new Promise<{ signal: string | null }>((resolve) => client.onExit(resolve))
    process.kill(client.processId!, 'SIGKILL')
    expect((await exit).signal).toBe('SIGKILL')
    await expect(client.sendText(gateway.addressOf(bob), 'lost')).rejects.toThrow('has ended')
    const intent = gateway.intent({ to: { wallet: carol, address: client.userId } })
    await gateway.adapter.send(intent, never)
    await client.restart()
    const kept = await client.messageList(gateway.addressOf(alice))
    expect(kept.some(({ frame }) => frame !== null && sameBytes(frame, intent.frame))).toBe(true)
    await client.close()
    await client.close()
  })

  it('survives that the SDK ends its process: a login refused after a lost connection', async () => {
    const own = await startSandbox({ seed: 6 })
    const joined = await join(own)
    const client = await clientOf(joined, bob)
    const exit = new Promise<{ code: number | null; reason: string }>((resolve) => client.onExit(resolve))
    own.faults.forgetLogins()
    expect(await exit).toMatchObject({ code: 1, reason: expect.stringContaining('70009') })
    await client.restart()
    const intent = joined.intent()
    await joined.adapter.send(intent, never)
    await arrived(client, intent.frame)
    await client.close()
    await joined.close()
    await own.stop()
  })

  it('passes on the code with which a login is refused', async () => {
    const credentials = {
      sdkAppId: sandbox.app.sdkAppId,
      userId: gateway.addressOf(bob),
      userSig: sandbox.userSig('somebody else'),
      proxyServer: sandbox.addresses.socket!,
    }
    await expect(connectChatClient(credentials)).rejects.toMatchObject({
      name: 'ChatClientError',
      code: 70013,
    })
  })
})
