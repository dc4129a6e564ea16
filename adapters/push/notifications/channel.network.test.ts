/** The gateway's own channel on the sandbox, which checks its signatures, and users of the unmodified SDK who read it. */
import { createRequire } from 'node:module'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { AdapterStorage } from '../../../src/adapter/index.ts'
import { createRecordingContext } from '../../../src/adapter/testing/context.ts'
import { configSchema } from '../config.ts'
import { createRestClient } from '../rest.ts'
import { type PushSandbox, startSandbox } from '../sandbox/index.ts'
import { connectPushUser, type PushUser } from '../sandbox/sdk-user.ts'
import { neverAborted } from '../testing.ts'
import { type Channel, createChannel } from './channel.ts'

const INTERVAL_MS = 60_000
const owner = Wallet.createRandom()
const signer = Wallet.createRandom()
const wallet = `eip155:*:${signer.address.toLowerCase()}`
const noop = () => {}
let sandbox: PushSandbox
let user: PushUser

beforeAll(async () => {
  sandbox = await startSandbox()
  user = await connectPushUser({ baseUrl: sandbox.addresses.rest ?? '', signer })
}, 120_000)

afterAll(async () => {
  await user?.close()
  await sandbox?.stop()
})

interface Made {
  channel: Channel
  storage: AdapterStorage
  time: { now: number }
}

function made(
  change: Record<string, unknown> = {},
  storage?: AdapterStorage,
  node = sandbox,
  timeoutMs = 30_000,
): Made {
  const context = createRecordingContext(storage ? { storage } : {})
  const time = { now: 1_700_000_000_000 }
  const settings = { address: owner.address, key: owner.privateKey, intervalMs: INTERVAL_MS, ...change }
  const config = configSchema.parse({ ...node.gatewayConfig, channel: settings })
  const rest = createRestClient({
    baseUrl: config.url ?? '',
    timeoutMs,
    clock: context.clock,
    observe: noop,
  })
  const clock = { ...context.clock, now: () => time.now }
  const channel = createChannel({ config, rest, storage: context.storage, clock })
  if (!channel) throw new Error('no channel')
  return { channel, storage: context.storage, time }
}

const wake = ({ channel }: Made, seenAt: number | null = null) =>
  channel.wake(wallet, seenAt, noop, neverAborted)
const sent = () => sandbox.calls.get('POST /v1/payloads/') ?? 0

interface Listed {
  title: string
  message: string
  cta: string
  app: string
}
/** What the user's own application shows, newest first. */
const listed = async (list = 'INBOX') => (await user.invoke('notification.list', list)) as Listed[]

describe('the gateway’s own channel', () => {
  it('is none unless it is configured', () => {
    const { storage } = made()
    const config = configSchema.parse(sandbox.gatewayConfig)
    const context = createRecordingContext()
    const rest = createRestClient({
      baseUrl: 'http://127.0.0.1:1',
      timeoutMs: 1,
      clock: context.clock,
      observe: noop,
    })
    expect(createChannel({ config, rest, storage, clock: context.clock })).toBeNull()
  })

  it('leaves a wallet alone that did not subscribe', async () => {
    const one = made()
    expect(await wake(one)).toEqual({ outcome: 'not-wanted', quietUntil: one.time.now + INTERVAL_MS })
    expect(await one.channel.wake(`eip155:1:0x${'1'.repeat(40)}`, null, noop, neverAborted)).toMatchObject({
      outcome: 'not-wanted',
    })
    expect(sent()).toBe(0)
  })

  it('tells a subscriber that something waits and nothing else, where the SDK reads it', async () => {
    const one = made({ link: 'https://inbox.example/' })
    await user.invoke('notification.subscribe', one.channel.caip)
    expect((await wake(one)).outcome).toBe('sent')
    const [shown] = await listed()
    expect(shown).toMatchObject({
      title: 'New message',
      message: 'You have a new message',
      cta: 'https://inbox.example/',
    })
    expect(shown?.app).toContain(owner.address.slice(0, 6))
    expect(await listed('SPAM')).toEqual([])
  })

  it('tells it once an interval, unless it was seen since; a restart changes nothing', async () => {
    const one = made()
    expect((await wake(one)).outcome).toBe('sent')
    const before = sent()
    const start = one.time.now
    expect(await wake(one)).toEqual({ outcome: 'too-soon', quietUntil: start + INTERVAL_MS })
    expect((await wake(one, start - 1)).outcome).toBe('too-soon')
    expect((await wake(made({}, one.storage))).outcome).toBe('too-soon')
    expect(sent()).toBe(before)
    expect((await wake(one, start + 1)).outcome).toBe('sent')
    one.time.now += INTERVAL_MS
    expect((await wake(one)).outcome).toBe('sent')
    expect(sent()).toBe(before + 2)
  })

  it('tells it once where the answer is lost, and again where nothing had left', async () => {
    const one = made({}, undefined, sandbox, 1_000)
    sandbox.faults.hang(1, { method: 'POST', path: '/payloads' })
    await expect(wake(one)).rejects.toMatchObject({ code: 'timed-out' })
    sandbox.faults.healCalls()
    expect((await wake(one)).outcome).toBe('too-soon')
    const other = made()
    sandbox.faults.failWith(429, 1, { method: 'POST', path: '/payloads' })
    await expect(wake(other)).rejects.toMatchObject({ status: 429 })
    expect((await wake(other)).outcome).toBe('sent')
  })

  it('is refused with a key that is not the channel’s', async () => {
    const one = made({ key: Wallet.createRandom().privateKey })
    expect(one.channel.isOwner).toBe(false)
    await expect(wake(one)).rejects.toMatchObject({ status: 403 })
    expect(made().channel.isOwner).toBe(true)
  })

  it('is not checked by a sandbox that is told not to', async () => {
    const lenient = await startSandbox({ strict: false })
    const reader = await connectPushUser({ baseUrl: lenient.addresses.rest ?? '', signer })
    const one = made({ key: Wallet.createRandom().privateKey }, undefined, lenient)
    await reader.invoke('notification.subscribe', one.channel.caip)
    expect((await wake(one)).outcome).toBe('sent')
    await reader.close()
    await lenient.stop()
  })

  it('signs as the SDK does: the sandbox takes both by the same check', async () => {
    const require = createRequire(import.meta.url)
    const config = require('@pushprotocol/restapi/src/lib/config.js') as {
      API_BASE_URL: Record<string, string>
    }
    config.API_BASE_URL.local = sandbox.addresses.rest ?? ''
    const { payloads } = require('@pushprotocol/restapi') as {
      payloads: { sendNotification(options: object): Promise<{ status: number }> }
    }
    const caip = (address: string) => `eip155:11155111:${address}`
    const notification = { title: 'by the SDK', body: 'signed with EIP-712' }
    const options = {
      signer: owner,
      type: 3,
      identityType: 2,
      notification,
      payload: { ...notification, cta: '', img: '' },
      recipients: caip(signer.address),
      channel: caip(owner.address),
      env: 'local',
    }
    expect(await payloads.sendNotification(options)).toMatchObject({ status: 204 })
    expect((await listed())[0]).toMatchObject({ title: 'by the SDK', message: 'signed with EIP-712' })
    // The SDK prints what it could not send.
    vi.spyOn(console, 'error').mockReturnValue()
    const forged = { ...options, channel: caip(Wallet.createRandom().address) }
    await expect(payloads.sendNotification(forged)).rejects.toThrow()
  })
})
