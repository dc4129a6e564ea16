/** Openings that do not end, as on a connection that died silently: they hold nobody, and are closed when they come. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import * as sdk from '@xmtp/node-sdk'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../../src/adapter/clock.ts'
import type { EnrolmentFacet } from '../../../src/adapter/index.ts'
import { createRecordingContext, type RecordingContext } from '../../../src/adapter/testing/context.ts'
import { createXmtpAdapter } from '../adapter.ts'
import { configSchema } from '../config.ts'
import { startSandbox, type XmtpSandbox } from '../sandbox/index.ts'
import { newWallet } from '../sandbox/testing/clients.ts'
import type { Sdk } from '../sdk.ts'
import { PATIENCE_MS } from './departures.ts'

const signal = () => AbortSignal.timeout(60_000)
const wallet = newWallet()

let sandbox: XmtpSandbox
let context: RecordingContext
let adapter: ReturnType<typeof createXmtpAdapter>
let enrolment: EnrolmentFacet
/** While it is set, clients open no further than to here. */
let gate: PromiseWithResolvers<void> | null = null
let impatient = false
let waiting = 0
let opened = 0
let closed = 0

const create: (typeof sdk.Client)['create'] = async (...parameters) => {
  waiting++
  await gate?.promise
  const client = await sdk.Client.create(...parameters)
  opened++
  const close = client.close.bind(client)
  client.close = async () => {
    await close()
    closed++
  }
  return client
}
const load = async () => ({ ...sdk, Client: { create } }) as unknown as Sdk

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 29 })
  const clock = {
    ...systemClock,
    sleep: (ms: number, until?: AbortSignal) =>
      systemClock.sleep(impatient && ms === PATIENCE_MS ? 100 : ms, until),
  }
  context = createRecordingContext({ clock })
  adapter = createXmtpAdapter(configSchema.parse(sandbox.gatewayConfig), context, load)
  enrolment = adapter.enrolment as EnrolmentFacet
  await adapter.start(signal())
})
afterAll(async () => {
  await adapter.stop(signal())
  await context.dispose()
  await sandbox.stop()
})
beforeEach(() => {
  gate = null
  impatient = false
})

const requestOf = (id: string) => ({
  id,
  wallet: `eip155:*:${wallet.address.toLowerCase()}`,
  account: { kind: 'evm-account' as const, address: wallet.address, chainId: 1 },
  secret: new Uint8Array(32).fill(5),
})
const folders = async () => readdirSync(join(await context.directory(), 'enrolments'))

/** An enrolment that is closed. */
async function enrol(id: string) {
  const request = requestOf(id)
  const { text } = await enrolment.begin(request, signal())
  const signature = await wallet.signMessage(text)
  const { address } = await enrolment.complete({ id, signature, chainId: null, handover: null }, signal())
  await enrolment.close(id)
  return { ...request, address }
}

/** Holds what opens from now on, and answers what lets it go. */
function hold(): () => void {
  const held = Promise.withResolvers<void>()
  gate = held
  impatient = true
  return () => {
    gate = null
    impatient = false
    held.resolve()
  }
}

/** Calls, and gives up once the SDK is at it. */
async function givenUp(call: (until: AbortSignal) => Promise<unknown>): Promise<void> {
  const before = waiting
  const caller = new AbortController()
  const outcome = expect(call(caller.signal)).rejects.toMatchObject({ remoteCode: 'aborted' })
  await expect.poll(() => waiting, { timeout: 30_000 }).toBe(before + 1)
  caller.abort()
  await outcome
}

it('a try that was given up is not the next one’s, which opens when the late client has closed', async () => {
  const enrolled = await enrol('1'.repeat(32))
  const release = hold()
  await givenUp((until) => enrolment.open(enrolled, until))
  const tries = waiting
  await expect(enrolment.open(enrolled, signal())).rejects.toMatchObject({ remoteCode: 'unavailable' })
  expect(waiting, 'no second client on the same database').toBe(tries)
  const before = closed
  const secret = enrolled.secret.slice()
  release()
  await expect.poll(() => closed, { timeout: 30_000 }).toBe(before + 1)
  const opening = enrolment.open({ ...enrolled, secret }, signal())
  secret.fill(0)
  await opening
  expect(opened - closed, 'the gateway’s own inbox and this one').toBe(2)
  await enrolment.close(enrolled.id)
})

it('a revocation does not wait for an opening, and removes its files for good', async () => {
  const enrolled = await enrol('2'.repeat(32))
  const release = hold()
  const opening = expect(enrolment.open(enrolled, signal())).rejects.toMatchObject({ class: 'retryable' })
  const before = opened
  await enrolment.revoke(enrolled, signal())
  expect(await folders()).not.toContain(enrolled.id)
  release()
  await opening
  await expect(enrolment.open(enrolled, signal())).rejects.toMatchObject({
    remoteCode: 'installation-revoked',
  })
  expect(opened - closed, 'the gateway’s own inbox').toBe(1)
  expect(opened - before).toBeLessThanOrEqual(1)
  expect(await folders()).not.toContain(enrolled.id)
})

it('an enrolment that was begun in vain leaves nothing', async () => {
  const id = '3'.repeat(32)
  const release = hold()
  await givenUp((until) => enrolment.begin(requestOf(id), until))
  expect(await folders()).not.toContain(id)
  release()
  await expect.poll(() => opened - closed, { timeout: 30_000 }).toBe(1)
  await expect.poll(folders, { timeout: 30_000 }).not.toContain(id)
})

it('the end of the adapter waits for no opening', async () => {
  const enrolled = await enrol('4'.repeat(32))
  const release = hold()
  const opening = expect(enrolment.open(enrolled, signal())).rejects.toMatchObject({ class: 'retryable' })
  await adapter.stop(signal())
  release()
  await opening
  await expect.poll(() => opened - closed, { timeout: 30_000 }).toBe(0)
})
