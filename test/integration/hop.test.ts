/** Hop mode end to end on a simulated network: its own people know nothing of gateways. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  createSimulatedNetwork,
  type NativeMessage,
  type SimulatedNetwork,
  simulatorAddress,
  simulatorSignature,
} from '../../adapters/simulator/index.ts'
import { randomHex, waitFor } from '../../src/adapter/testing/index.ts'
import { type Client, createClient, type Message, memoryStorage } from '../../src/client/index.ts'
import { utf8Decode, utf8Encode } from '../../src/envelope/index.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

const TEXT = 'xmtp.org/text:1.0'
const textContent = (text: string) => ({
  type: TEXT,
  parameters: {},
  fallback: null,
  bytes: utf8Encode(text),
})

let directory: string
let network: SimulatedNetwork
let gateway: TestGateway
let alice: Client
let phone: Client
let bob: { wallet: string; address: string; heard: NativeMessage[] }
const signer = Wallet.createRandom()
const storage = memoryStorage()
const phoneStorage = memoryStorage()

function start(): Promise<TestGateway> {
  return startTestGateway({
    data: { directory },
    networks: { simulator: { network: network.name } },
    enrolments: { walkIntervalMs: 1_000, wakeIntervalMs: 1_000 },
  })
}

/** Somebody with a client of the network's own. */
function person(): typeof bob {
  const wallet = `eip155:*:0x${randomHex(20)}`
  const address = network.natives.register(wallet)
  const heard: NativeMessage[] = []
  network.natives.join({
    id: `client of ${address}`,
    address,
    receive: async (message) => void heard.push(message),
  })
  return { wallet, address, heard }
}

async function enrol(client: Client): Promise<string> {
  const begun = await client.enrolments.begin('simulator')
  const signature = simulatorSignature(client.wallet, begun.text)
  return (await client.enrolments.complete(begun, { signature })).id
}

const post = (from: { address: string }, text: string, more: Partial<NativeMessage> = {}) => {
  const { id } = network.natives.direct(from.address, simulatorAddress(alice.wallet))
  return network.natives.post({ address: from.address, client: `client of ${from.address}` }, id, {
    content: textContent(text),
    ...more,
  })
}

async function opened(client: Client, text: string): Promise<Message> {
  return waitFor(
    async () => {
      const found = (await client.inbox({ limit: 200 })).find((entry) => entry.message?.text === text)
      return found?.message
    },
    { what: `"${text}" in the inbox` },
  )
}

async function texts(client: Client): Promise<string[]> {
  const entries = await client.inbox({ limit: 200 })
  const failed = entries.filter(({ error }) => error)
  expect(failed).toEqual([])
  return entries.flatMap(({ message }) => message?.text ?? [])
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-hop-'))
  network = createSimulatedNetwork({ name: `hop-${process.pid}-${randomHex(4)}` })
  gateway = await start()
  alice = await gateway.signIn({ signer, storage })
  phone = await gateway.signIn({ signer, storage: phoneStorage, deviceLabel: 'Telephone' })
  bob = person()
  await enrol(alice)
}, 60_000)

afterAll(async () => {
  await gateway?.stop()
  network?.close()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

it('brings a native message to every device of the wallet, attested by the gateway', async () => {
  const { remoteId } = post(bob, 'hello from outside')
  for (const client of [alice, phone]) {
    const message = await opened(client, 'hello from outside')
    expect(message).toMatchObject({
      mode: 'hop',
      direction: 'received',
      from: bob.wallet,
      to: [alice.wallet],
      attestation: { network: 'simulator', remoteId, kind: 'direct', sender: bob.address, known: true },
    })
    expect(message.attestation?.attestedBy).toBe((await gatewayInfo()).id)
  }
})

async function gatewayInfo(): Promise<{ id: string }> {
  return (await fetch(`${gateway.url}/v1/gateway`)).json() as Promise<{ id: string }>
}

it('keeps replies and reactions together with what they refer to', async () => {
  const first = post(bob, 'the question')
  const question = await opened(alice, 'the question')
  post(bob, 'the reply', { reference: first.remoteId })
  expect((await opened(alice, 'the reply')).replyTo).toBe(question.id)
})

it('sends natively, with the reference, and does not show the echo', async () => {
  const question = await opened(alice, 'the question')
  const sent = await alice.send({
    to: bob.wallet,
    text: 'my answer',
    replyTo: question.id,
    mode: 'hop',
    network: 'simulator',
  })
  expect(sent.deliveries).toMatchObject([{ network: 'simulator', wallet: bob.wallet }])
  const heard = await waitFor(
    () => bob.heard.find(({ content }) => utf8Decode(content.bytes) === 'my answer'),
    {
      what: 'the native message',
    },
  )
  expect(heard).toMatchObject({
    from: { wallet: alice.wallet },
    reference: question.attestation?.remoteId,
  })
  await waitFor(async () => (await alice.journey(sent.id)).deliveries[0]?.state === 'acknowledged', {
    what: 'the acknowledgement',
  })
  // Bob answers the answer: its reference is the message that left here.
  post(bob, 'about your answer', { reference: heard.remoteId })
  expect((await opened(alice, 'about your answer')).replyTo).toBe(sent.id)
  // Long enough for stream and walk to have brought the echo.
  await waitFor(
    async () => (await alice.journey(sent.id)).checkpoints.some(({ name }) => name === 'remoteEcho'),
    {
      what: 'the echo',
    },
  )
  for (const client of [alice, phone]) {
    expect((await texts(client)).filter((text) => text === 'my answer')).toHaveLength(1)
  }
  expect(await opened(phone, 'my answer')).toMatchObject({ mode: 'hop', direction: 'sent' })
})

it('shows what the wallet wrote with another client of its own as sent', async () => {
  const own = simulatorAddress(alice.wallet)
  const { id } = network.natives.direct(own, bob.address)
  network.natives.post({ address: own, client: 'another client' }, id, {
    content: textContent('from my app'),
  })
  expect(await opened(phone, 'from my app')).toMatchObject({
    mode: 'hop',
    direction: 'sent',
    from: alice.wallet,
    to: [bob.wallet],
  })
})

it('puts a group into one conversation, and answers into it', async () => {
  const carol = person()
  const group = network.natives.group('Climbing', [
    bob.address,
    carol.address,
    simulatorAddress(alice.wallet),
  ])
  for (const [who, text] of [
    [bob, 'Saturday?'],
    [carol, 'Sunday!'],
  ] as const) {
    network.natives.post({ address: who.address, client: 'x' }, group.id, { content: textContent(text) })
  }
  const [saturday, sunday] = [await opened(alice, 'Saturday?'), await opened(alice, 'Sunday!')]
  expect(saturday.conversation).toBe(sunday.conversation)
  expect(saturday.attestation).toMatchObject({ kind: 'group', conversation: group.id })
  expect(saturday.content.parameters).toEqual({ 'causeway/group-name': 'Climbing' })
  await alice.send({
    text: 'both',
    mode: 'hop',
    network: 'simulator',
    native: { conversation: group.id, kind: 'group' },
  })
  for (const who of [bob, carol]) {
    await waitFor(() => who.heard.some(({ content }) => utf8Decode(content.bytes) === 'both'), {
      what: 'both',
    })
  }
  expect((await opened(phone, 'both')).conversation).toBe(saturday.conversation)
})

it('names a sender without a wallet by the address, and answers into the conversation', async () => {
  const address = `sim:${randomHex(16)}`
  const { remoteId, conversation } = post({ address }, 'from nobody you know')
  const message = await opened(alice, 'from nobody you know')
  expect(message.attestation).toMatchObject({ known: false, sender: address, remoteId, conversation })
  const heard: string[] = []
  network.natives.join({
    id: 'stranger',
    address,
    receive: async ({ content }) => void heard.push(utf8Decode(content.bytes)),
  })
  const sent = await alice.send({
    to: message.from,
    text: 'who are you?',
    mode: 'hop',
    network: 'simulator',
    native: { conversation, kind: 'direct' },
  })
  await waitFor(() => heard.includes('who are you?'), { what: 'the answer' })
  expect((await opened(phone, 'who are you?')).conversation).toBe(message.conversation)
  expect(sent.duplicate).toBe(false)
})

it('reads after a restart what came meanwhile, once, and sends again', async () => {
  await gateway.stop()
  for (const text of ['while you were away', 'and another']) post(bob, text)
  gateway = await start()
  alice = await createClient({ gateway: gateway.url, signer, storage })
  await alice.signIn()
  phone = await gateway.signIn({ signer, storage: phoneStorage, deviceLabel: 'Telephone' })
  await opened(alice, 'while you were away')
  await opened(alice, 'and another')
  const all = await texts(alice)
  expect(all.length).toBe(new Set(all).size)
  await alice.send({ to: bob.wallet, text: 'back again', mode: 'hop', network: 'simulator' })
  await waitFor(() => bob.heard.some(({ content }) => utf8Decode(content.bytes) === 'back again'), {
    what: 'the native message after the restart',
  })
})

it('shows each message once, however often stream and history bring it', async () => {
  network.faults.duplication(1)
  post(bob, 'said once')
  await opened(alice, 'said once')
  network.faults.duplication(0)
  network.faults.loss(1)
  post(bob, 'lost on the stream')
  network.faults.loss(0)
  await opened(alice, 'lost on the stream')
  await waitFor(() => network.idle, { what: 'the network to be quiet' })
  for (const text of ['said once', 'lost on the stream']) {
    expect((await texts(alice)).filter((other) => other === text)).toHaveLength(1)
  }
})

it('finds out what became of a send whose answer was lost', async () => {
  network.faults.answerLoss(1)
  const sent = await alice.send({ to: bob.wallet, text: 'perhaps', mode: 'hop', network: 'simulator' })
  await waitFor(() => bob.heard.some(({ content }) => utf8Decode(content.bytes) === 'perhaps'), {
    what: 'the message',
  })
  await waitFor(async () => (await alice.journey(sent.id)).deliveries[0]?.state === 'acknowledged', {
    what: 'the acknowledgement by echo or look-up',
    timeoutMs: 30_000,
  })
  network.faults.answerLoss(0)
  expect(bob.heard.filter(({ content }) => utf8Decode(content.bytes) === 'perhaps')).toHaveLength(1)
  expect((await texts(phone)).filter((text) => text === 'perhaps')).toHaveLength(1)
})

it('ends: nothing more is read or sent, and the secret is gone', async () => {
  const [enrolment] = (await alice.enrolments.list()).filter(({ state }) => state === 'active')
  const stored = await gateway.gateway.store.getEnrolment(enrolment!.id)
  const wrapped = Buffer.from(stored!.secret!)
  expect(await alice.enrolments.revoke(enrolment!)).toMatchObject({ remote: 'done' })
  post(bob, 'too late')
  await expect(
    alice.send({ to: bob.wallet, text: 'no', mode: 'hop', network: 'simulator' }),
  ).rejects.toMatchObject({ problem: 'hop-not-enrolled' })
  await waitFor(() => network.idle, { what: 'the network to be quiet' })
  expect(await texts(alice)).not.toContain('too late')
  expect(await texts(phone)).toContain('hello from outside')
  for (const file of await readdir(directory, { recursive: true })) {
    const bytes = await readFile(join(directory, file)).catch(() => Buffer.alloc(0))
    expect(bytes.includes(wrapped.subarray(-48)), file).toBe(false)
  }
  expect(await alice.enrolments.list()).toMatchObject([{ state: 'ended', reason: 'revoked' }])
  // And may begin anew.
  await enrol(alice)
  post(bob, 'welcome back')
  await opened(phone, 'welcome back')
})
