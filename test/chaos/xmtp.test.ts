/**
 * XMTP under faults: Alice's real XMTP client on one end, Bob on TRTC and HTTP on the other. Kills of the gateway are in
 * `crash.test.ts`.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type EnvelopeContent, envelopeCodec, isEnvelope } from '../../adapters/xmtp/codec.ts'
import { connectClient, type XmtpNetworkClient } from '../../adapters/xmtp/sandbox/client.ts'
import { startSandbox } from '../../adapters/xmtp/sandbox/index.ts'
import { waitFor } from '../../src/adapter/testing/index.ts'
import { createParticipant, type Participant } from '../../src/cli/demo.ts'
import { decodeFrame, toHex } from '../../src/envelope/index.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { seededRandom } from './random.ts'
import { startTcpProxy } from './tcp-proxy.ts'
import { startNodeProcess } from './xmtp-node.ts'

const LIMIT_MS = 240_000
/** Delivery states, which the SDK has in its types alone. */
const PUBLISHED = 1
const FAILED = 2
const later: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const step of later.splice(0).reverse()) await step()
}, 60_000)

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'causeway-xmtp-chaos-'))
  later.push(() => rm(path, { recursive: true, force: true }))
  return path
}

interface World {
  gateway: TestGateway
  alice: Participant
  bob: Participant
  client: XmtpNetworkClient
}

/** A gateway on a node of XMTP, Alice with a client on `nodeUrl`, Bob with nothing but the API. */
async function world(config: Record<string, unknown>, nodeUrl: string): Promise<World> {
  const gateway = await startTestGateway({
    networks: { xmtp: { ...config, probeIntervalMs: 500, databaseDirectory: await folder() } },
    data: { directory: await folder() },
    relay: { reconcileIntervalMs: 5_000 },
  })
  later.push(() => gateway.stop())
  await connected(gateway)
  const over = new AbortController()
  const alice = await createParticipant('Alice', gateway.url, over.signal)
  const bob = await createParticipant('Bob', gateway.url, over.signal)
  later.push(async () => {
    over.abort(new Error('the test is over'))
    await Promise.all([alice.close(), bob.close()])
  })
  const { description } = gateway.gateway.networks.list()[0]!
  const client = await connectClient({
    address: '',
    description: { ...description, apiUrl: nodeUrl },
    credentials: null,
    signer: alice.signer,
    directory: await folder(),
  })
  later.push(() => client.close())
  return { gateway, alice, bob, client }
}

async function connected(gateway: TestGateway): Promise<void> {
  await waitFor(() => gateway.gateway.networks.list().every(({ state }) => state === 'connected'), {
    what: 'XMTP to connect',
    timeoutMs: LIMIT_MS,
  })
}

/** Seals envelopes of Alice for Bob and writes them to the gateway's inbox, as long as it takes. Resolves with their ids. */
async function sendFromXmtp(
  { alice, bob, client }: World,
  count: number,
  published: (messages: number) => void = () => undefined,
): Promise<string[]> {
  const dm = await client.client.conversations.createDm(client.gatewayAddress!)
  const ids: string[] = []
  for (let index = 0; index < count; index++) {
    const sealed = await alice.client.seal({ to: bob.client.account, text: `from XMTP ${index}` })
    const key = sealed.id
    const put = () =>
      dm.send(envelopeCodec.encode({ frame: sealed.frame }), {
        shouldPush: true,
        optimistic: true,
        idempotencyKey: key,
      })
    const messageId = await put()
    await waitFor(
      async () => {
        // Fails while the node is down. Three failures later the SDK gives the message up until it is sent again.
        await dm.sync().catch(() => undefined)
        const status = client.client.conversations.getMessageById(messageId)?.deliveryStatus
        if (status === FAILED) await put()
        return status === PUBLISHED
      },
      { timeoutMs: LIMIT_MS, what: 'a message of Alice to be published' },
    )
    ids.push(sealed.id)
    published(ids.length)
  }
  return ids
}

async function sendFromHttp(
  { alice, bob }: World,
  count: number,
  turn: (index: number) => Promise<unknown> = async () => undefined,
): Promise<string[]> {
  const ids: string[] = []
  for (let index = 0; index < count; index++) {
    await turn(index)
    const sealed = await bob.client.seal({ to: alice.client.account, text: `to XMTP ${index}` })
    await bob.client.submit(sealed)
    ids.push(sealed.id)
  }
  return ids
}

/** How often each envelope stands in the database of Alice's client. */
async function onXmtp({ client }: World): Promise<Map<string, number>> {
  await client.client.conversations.syncAll()
  const counts = new Map<string, number>()
  for (const conversation of await client.client.conversations.list()) {
    for (const { content, contentType, senderInboxId } of await conversation.messages()) {
      if (!isEnvelope(contentType) || senderInboxId === client.address) continue
      const id = toHex(decodeFrame((content as EnvelopeContent).frame).id)
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
  }
  return counts
}

async function inInbox(participant: Participant): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  let after: string | undefined
  for (;;) {
    const page = await participant.client.inbox({ limit: 200, ...(after ? { after } : {}) })
    for (const { id } of page) counts.set(id, (counts.get(id) ?? 0) + 1)
    if (page.length < 200) return counts
    after = page.at(-1)!.cursor
  }
}

/** Waits until all arrived; answers those that did not and those that came more than once. */
async function onceEach(
  ids: readonly string[],
  read: () => Promise<Map<string, number>>,
): Promise<{ lost: string[]; doubled: string[] }> {
  let counts = new Map<string, number>()
  await waitFor(
    async () => {
      counts = await read()
      return ids.every((id) => counts.has(id))
    },
    { timeoutMs: LIMIT_MS, intervalMs: 500, what: `${ids.length} messages to arrive` },
  ).catch(() => undefined)
  return {
    lost: ids.filter((id) => !counts.has(id)),
    doubled: ids.filter((id) => (counts.get(id) ?? 0) > 1),
  }
}

it('the node is killed and started again under 400 messages in both directions: none lost, none twice', async () => {
  const node = await startNodeProcess(await folder())
  later.push(() => node.kill())
  const all = await world(node.gatewayConfig, node.url)
  // Once over, so that both conversations stand before the first kill.
  const first = [await sendFromXmtp(all, 1), await sendFromHttp(all, 1)]
  let published = 0
  const reached = (count: number) =>
    waitFor(() => published >= count, { timeoutMs: LIMIT_MS, what: `${count} messages of Alice's` })
  const sending = Promise.all([
    sendFromXmtp(all, 199, (count) => {
      published = count
    }),
    // A little ahead of Alice: while the node is down, some of these wait in the gateway.
    sendFromHttp(all, 199, (index) => reached(index - 15)),
  ])
  for (const moment of [40, 90, 140]) {
    await reached(moment)
    await node.kill()
    await waitFor(() => all.gateway.gateway.networks.list()[0]!.state !== 'connected', {
      timeoutMs: LIMIT_MS,
      what: 'the gateway to notice',
    })
    await node.restart()
  }
  const [out, back] = await sending
  expect(await onceEach([...first[0]!, ...out], () => inInbox(all.bob))).toEqual({ lost: [], doubled: [] })
  expect(await onceEach([...first[1]!, ...back], () => onXmtp(all))).toEqual({ lost: [], doubled: [] })
}, 600_000)

it('the stream is cut and 150 messages are missed: all of them arrive, once', async () => {
  const sandbox = await startSandbox()
  later.push(() => sandbox.stop())
  const port = Number(new URL(sandbox.addresses.grpc).port)
  const proxy = await startTcpProxy(port, seededRandom(3))
  later.push(() => proxy.stop())
  const behindProxy = { ...sandbox.gatewayConfig, apiUrl: `http://127.0.0.1:${proxy.port}` }
  const all = await world(behindProxy, sandbox.addresses.grpc)
  await proxy.apply({ kind: 'refuse' })
  await waitFor(() => all.gateway.gateway.networks.list()[0]!.state !== 'connected', { timeoutMs: LIMIT_MS })
  const missed = await sendFromXmtp(all, 150)
  expect((await inInbox(all.bob)).size).toBe(0)
  await proxy.heal()
  expect(await onceEach(missed, () => inInbox(all.bob))).toEqual({ lost: [], doubled: [] })
}, 600_000)

it('a stream that goes silent without an end loses nothing: the next walk finds it', async () => {
  const sandbox = await startSandbox()
  later.push(() => sandbox.stop())
  const all = await world(sandbox.gatewayConfig, sandbox.addresses.grpc)
  const heard = await sendFromXmtp(all, 3)
  sandbox.faults.muteSubscriptions()
  const silent = await sendFromXmtp(all, 20)
  expect(await onceEach([...heard, ...silent], () => inInbox(all.bob))).toEqual({ lost: [], doubled: [] })
}, 600_000)
