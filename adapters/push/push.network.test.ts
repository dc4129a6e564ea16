/** The adapter on the sandbox, with users of the unmodified SDK on the other side. */
import { afterEach, expect, it } from 'vitest'
import { type AdapterError, AdapterError as ErrorOfAdapter } from '../../src/adapter/index.ts'
import { sameBytes, waitFor } from '../../src/adapter/testing/index.ts'
import { encodeText } from './carriage.ts'
import { type PushSandbox, startSandbox } from './sandbox/index.ts'
import type { PushUser } from './sandbox/sdk-user.ts'
import {
  framesOf,
  neverAborted,
  startAdapter,
  startUser,
  type TestAdapter,
  testFrame,
  testIntent,
} from './testing.ts'

const closing: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface World {
  sandbox: PushSandbox
  gateway: TestAdapter
  alice: PushUser & { wallet: string }
}

async function setUp(config: Record<string, unknown> = {}): Promise<World> {
  const sandbox = await startSandbox()
  closing.push(() => sandbox.stop())
  const [gateway, alice] = await Promise.all([
    startAdapter({ ...sandbox.gatewayConfig, ...config }),
    startUser(sandbox),
  ])
  closing.push(() => gateway.stop())
  closing.push(() => alice.close())
  await gateway.connected()
  return { sandbox, gateway, alice }
}

async function errorOf(promise: Promise<unknown>): Promise<AdapterError> {
  const error = await promise.then(
    () => null,
    (caught: unknown) => caught,
  )
  if (!ErrorOfAdapter.is(error)) throw new Error(`no AdapterError: ${String(error)}`)
  return error
}

const arrives = (user: PushUser, frame: Uint8Array) =>
  waitFor(() => framesOf(user).some((other) => sameBytes(other, frame)), { what: 'the frame to arrive' })
const copies = (user: PushUser, frame: Uint8Array) =>
  framesOf(user).filter((other) => sameBytes(other, frame)).length
const heard = ({ context }: TestAdapter, frame: Uint8Array) =>
  waitFor(() => context.heard(frame)[0], { what: 'the frame to be delivered' })

async function walk({ adapter }: TestAdapter, since: number): Promise<Uint8Array[]> {
  const found: Uint8Array[] = []
  for await (const { frame } of adapter.history!.walk({ since, pairs: [] }, neverAborted)) found.push(frame)
  return found
}

it('asks for a chat with the first frame, and accepts the chat that a frame asks for', async () => {
  const { sandbox, gateway, alice } = await setUp()
  const outgoing = testIntent(alice)
  await gateway.adapter.send(outgoing, neverAborted)
  await arrives(alice, outgoing.frame)
  expect(sandbox.calls.get('POST /v1/chat/request')).toBe(1)
  const next = testIntent(alice)
  await gateway.adapter.send(next, neverAborted)
  await arrives(alice, next.frame)
  expect(sandbox.calls.get('POST /v1/chat/message')).toBe(1)

  const bob = await startUser(sandbox)
  closing.push(() => bob.close())
  const incoming = testFrame()
  const cid = await bob.sendText(gateway.did, encodeText(incoming))
  const inbound = await heard(gateway, incoming)
  expect(inbound).toMatchObject({ remoteId: cid, to: gateway.did, from: bob.did, via: 'stream' })
  await waitFor(() => sandbox.calls.get('PUT /v1/chat/request/accept') === 2, { what: 'both to be accepted' })
})

it('leaves a request alone that carries no frame', async () => {
  const { sandbox, gateway, alice } = await setUp()
  await alice.sendText(gateway.did, 'buy now')
  const frame = testFrame()
  const bob = await startUser(sandbox)
  closing.push(() => bob.close())
  await bob.sendText(gateway.did, encodeText(frame))
  await heard(gateway, frame)
  const requests = `${sandbox.addresses.rest}/v1/chat/users/${gateway.did}/requests`
  const open = async () => {
    const answer = (await (await fetch(requests)).json()) as { requests: { did: string }[] }
    return answer.requests.map(({ did }) => did)
  }
  await waitFor(async () => !(await open()).includes(bob.did), { what: 'Bob to be accepted' })
  expect(await open()).toEqual([alice.did])
})

it('comes back after an outage by itself, and a walk finds what was missed', async () => {
  const { sandbox, gateway, alice } = await setUp({ reconnectMaxMs: 500 })
  const first = testFrame()
  await alice.sendText(gateway.did, encodeText(first))
  await heard(gateway, first)
  sandbox.faults.loss(1)
  const missed = [testFrame(), testFrame()]
  for (const frame of missed) await alice.sendText(gateway.did, encodeText(frame))
  await sandbox.faults.outage(true)
  await waitFor(() => gateway.context.lastState() === 'transientDisconnect', {
    what: 'the outage to be seen',
  })
  expect((await errorOf(gateway.adapter.send(testIntent(alice), neverAborted))).class).toBe('retryable')
  sandbox.faults.loss(0)
  await sandbox.faults.outage(false)
  await gateway.connected()
  const found = await walk(gateway, Date.now() - 60_000)
  expect(found.map((frame) => [first, ...missed].findIndex((other) => sameBytes(other, frame)))).toEqual([
    0, 1, 2,
  ])
})

it('delivers in the order of the chain, fills gaps, and delivers each message once', async () => {
  const { sandbox, gateway, alice } = await setUp()
  const frames = Array.from({ length: 6 }, testFrame)
  const send = async (index: number) => alice.sendText(gateway.did, encodeText(frames[index]!))
  await send(0)
  await heard(gateway, frames[0]!)
  sandbox.faults.loss(1)
  await send(1)
  sandbox.faults.loss(0)
  sandbox.faults.duplication(1)
  sandbox.faults.outOfOrder(4)
  for (const index of [2, 3, 4, 5]) await send(index)
  await Promise.all(frames.map((frame) => heard(gateway, frame)))
  await gateway.context.clock.sleep(500)
  const order = gateway.context.deliveries.map(({ inbound }) =>
    frames.findIndex((frame) => sameBytes(frame, inbound.frame)),
  )
  expect(order).toEqual([0, 1, 2, 3, 4, 5])
})

it('leaves out a badly signed message, and reads those before and after it', async () => {
  const { sandbox, gateway, alice } = await setUp()
  const frames = [testFrame(), testFrame()]
  await alice.sendText(gateway.did, encodeText(frames[0]!))
  await heard(gateway, frames[0]!)
  sandbox.faults.plantBadlySigned(alice.did, gateway.did)
  await alice.sendText(gateway.did, encodeText(frames[1]!))
  await heard(gateway, frames[1]!)
  expect(await walk(gateway, Date.now() - 60_000)).toEqual(frames)
  const findings = await gateway.adapter.doctor!.examine(neverAborted)
  expect(findings.filter(({ check }) => check === 'messages')).toHaveLength(1)
})

it('refuses a substituted key, and says so', async () => {
  const { sandbox, gateway, alice } = await setUp({ profileCacheMs: 0 })
  const before = testIntent(alice)
  await gateway.adapter.send(before, neverAborted)
  await sandbox.faults.substituteKey(alice.did, true)
  const error = await errorOf(gateway.adapter.send(testIntent(alice), neverAborted))
  expect([error.class, error.remoteCode]).toEqual(['permanent', 'key-unverified'])
  const findings = await gateway.adapter.doctor!.examine(neverAborted)
  expect(findings.some(({ check }) => check === 'keys')).toBe(true)
  expect(sandbox.calls.get('POST /v1/chat/message')).toBeUndefined()
  await sandbox.faults.substituteKey(alice.did, false)
  await gateway.adapter.send(testIntent(alice), neverAborted)
})

it('sends nothing to a wallet without keys, before or after it was written to by others', async () => {
  const { sandbox, gateway, alice } = await setUp()
  const stranger = { did: 'eip155:0x52908400098527886E0F7030069857D2E4169EE7', wallet: 'eip155:*:0x52' }
  const refused = async () => {
    const error = await errorOf(gateway.adapter.send(testIntent(stranger), neverAborted))
    expect([error.class, error.remoteCode]).toEqual(['permanent', 'wallet-without-keys'])
  }
  await refused()
  expect(sandbox.calls.get('POST /v1/chat/request')).toBeUndefined()
  // The SDK by itself makes a profile without keys for it, and sends in plaintext.
  await alice.sendText(stranger.did, 'anybody there?')
  await refused()
  expect(sandbox.calls.get('POST /v1/chat/request')).toBe(1)
})

it('gives up on a call that hangs, and finds out whether the message arrived', async () => {
  const { sandbox, gateway, alice } = await setUp({ requestTimeoutMs: 1_500 })
  const intent = testIntent(alice)
  sandbox.faults.hang(1, { method: 'POST' })
  expect((await errorOf(gateway.adapter.send(intent, neverAborted))).class).toBe('uncertain')
  expect(await gateway.adapter.history!.find(intent, neverAborted)).toBe(null)
  await gateway.adapter.send({ ...intent, attempt: 2 }, neverAborted)
  await arrives(alice, intent.frame)

  const lost = testIntent(alice)
  sandbox.faults.answerLost(1)
  expect((await errorOf(gateway.adapter.send(lost, neverAborted))).class).toBe('uncertain')
  const receipt = await gateway.adapter.history!.find(lost, neverAborted)
  expect(receipt).toMatchObject({ remoteIds: [expect.stringMatching(/^b/)] })
  await arrives(alice, lost.frame)
  expect([copies(alice, intent.frame), copies(alice, lost.frame)]).toEqual([1, 1])
})

it('classes answers of failure: 429 with a pause, 5xx as uncertain once it left, 4xx for good', async () => {
  const { sandbox, gateway, alice } = await setUp()
  await gateway.adapter.send(testIntent(alice), neverAborted)
  const classOf = async (status: number) => {
    sandbox.faults.failWith(status, 1, { method: 'POST' })
    return (await errorOf(gateway.adapter.send(testIntent(alice), neverAborted))).class
  }
  expect([await classOf(429), await classOf(503), await classOf(400), await classOf(413)]).toEqual([
    'rateLimited',
    'uncertain',
    'permanent',
    'tooLarge',
  ])
})

it('two adapters at different addresses do not meet', async () => {
  const { sandbox, gateway, alice } = await setUp()
  const other = await startSandbox({ seed: 2 })
  closing.push(() => other.stop())
  const second = await startAdapter(other.gatewayConfig)
  closing.push(() => second.stop())
  await second.connected()
  const intent = testIntent(alice)
  expect((await errorOf(second.adapter.send(intent, neverAborted))).remoteCode).toBe('wallet-without-keys')
  await gateway.adapter.send(intent, neverAborted)
  await arrives(alice, intent.frame)
  expect(other.calls.get('POST /v1/chat/request')).toBeUndefined()
  expect(sandbox.calls.get('POST /v1/chat/request')).toBe(1)

  // Both at once, each to the wallet that its own service knows.
  const bob = await startUser(other)
  closing.push(() => bob.close())
  const pairs = Array.from({ length: 10 }, () => [testIntent(alice), testIntent(bob)] as const)
  await Promise.all(
    pairs.flatMap(([toAlice, toBob]) => [
      gateway.adapter.send(toAlice, neverAborted),
      second.adapter.send(toBob, neverAborted),
    ]),
  )
  for (const [toAlice, toBob] of pairs) {
    await arrives(alice, toAlice.frame)
    await arrives(bob, toBob.frame)
  }
  expect([framesOf(alice).length, framesOf(bob).length]).toEqual([11, 10])
})
