/** Hop mode when things go wrong: stores that fail, networks that go away, gateways that die in the middle. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  createSimulatedNetwork,
  type SimulatedNetwork,
  simulatorAddress,
  simulatorSignature,
} from '../../adapters/simulator/index.ts'
import { randomHex, waitFor } from '../../src/adapter/testing/index.ts'
import { type Client, createClient, memoryStorage } from '../../src/client/index.ts'
import { utf8Decode, utf8Encode } from '../../src/envelope/index.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

let directory: string
let network: SimulatedNetwork
let gateway: TestGateway
let alice: Client
let bob: { address: string; wallet: string; heard: string[] }
const signer = Wallet.createRandom()
const storage = memoryStorage()

const start = () =>
  startTestGateway({
    data: { directory },
    networks: { simulator: { network: network.name } },
    enrolments: { walkIntervalMs: 1_000, wakeIntervalMs: 1_000 },
  })

function write(text: string): string {
  const { id } = network.natives.direct(bob.address, simulatorAddress(alice.wallet))
  const content = { type: 'xmtp.org/text:1.0', parameters: {}, fallback: null, bytes: utf8Encode(text) }
  return network.natives.post({ address: bob.address, client: 'bob' }, id, { content }).remoteId
}

/** Texts of the inbox as it is, repeats included. */
async function texts(): Promise<string[]> {
  const all: string[] = []
  for (let after: string | undefined; ; ) {
    const page = await alice.inbox({ limit: 200, ...(after ? { after } : {}) })
    for (const { message, error } of page) {
      if (error) throw error
      if (message?.text) all.push(message.text)
    }
    if (page.length < 200) return all
    after = page.at(-1)!.cursor
  }
}

async function inPlace(expected: readonly string[]): Promise<string[]> {
  return waitFor(
    async () => {
      const all = await texts()
      return expected.every((text) => all.includes(text)) && all
    },
    { what: `${expected.length} messages`, timeoutMs: 60_000 },
  )
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-hop-faults-'))
  network = createSimulatedNetwork({ name: `hop-faults-${process.pid}-${randomHex(4)}` })
  gateway = await start()
  alice = await gateway.signIn({ signer, storage })
  const wallet = `eip155:*:0x${randomHex(20)}`
  bob = { wallet, address: network.natives.register(wallet), heard: [] }
  network.natives.join({
    id: 'bob',
    address: bob.address,
    receive: async ({ content }) => void bob.heard.push(utf8Decode(content.bytes)),
  })
  const begun = await alice.enrolments.begin('simulator')
  await alice.enrolments.complete(begun, { signature: simulatorSignature(alice.wallet, begun.text) })
}, 60_000)

afterAll(async () => {
  await gateway?.stop()
  network?.close()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

it('takes a message once whether the store fails before it commits, or its answer is lost after', async () => {
  const { store } = gateway.gateway
  const accept = store.accept.bind(store)
  let calls = 0
  store.accept = async (record) => {
    calls++
    if (calls % 3 === 1) throw new Error('the store is not there')
    const result = await accept(record)
    if (calls % 3 === 2) throw new Error('the answer of the store was lost')
    return result
  }
  const expected = Array.from({ length: 12 }, (_, index) => `through a failing store ${index}`)
  for (const text of expected) write(text)
  const all = await inPlace(expected)
  store.accept = accept
  await waitFor(() => network.idle, { what: 'the network to be quiet' })
  expect((await texts()).length).toBe(new Set(all).size)
})

it('loses nothing and doubles nothing over an outage with losses, repeats and disorder', async () => {
  network.faults.loss(0.3)
  network.faults.duplication(0.3)
  network.faults.reordering(0.3)
  const before = Array.from({ length: 20 }, (_, index) => `before ${index}`)
  const during = Array.from({ length: 20 }, (_, index) => `during ${index}`)
  for (const text of before) write(text)
  await network.faults.outage(true)
  for (const text of during) write(text)
  const sent = await alice.send({
    to: bob.wallet,
    text: 'sent in the dark',
    mode: 'hop',
    network: 'simulator',
  })
  await network.faults.outage(false)
  network.faults.loss(0)
  network.faults.duplication(0)
  network.faults.reordering(0)
  await inPlace([...before, ...during])
  await waitFor(async () => (await alice.journey(sent.id)).deliveries[0]?.state === 'acknowledged', {
    what: 'the delivery',
    timeoutMs: 60_000,
  })
  await waitFor(() => network.idle, { what: 'the network to be quiet' })
  const all = await texts()
  expect(all.length).toBe(new Set(all).size)
  expect(
    network.natives
      .history(bob.address)
      .filter(({ content }) => utf8Decode(content.bytes) === 'sent in the dark'),
  ).toHaveLength(1)
})

it('a gateway that dies amid both directions loses and doubles nothing', async () => {
  network.faults.latency(20)
  const coming = Array.from({ length: 15 }, (_, index) => `coming ${index}`)
  const going = Array.from({ length: 15 }, (_, index) => `going ${index}`)
  for (const text of coming.slice(0, 8)) write(text)
  const ids: string[] = []
  for (const text of going) {
    ids.push((await alice.send({ to: bob.wallet, text, mode: 'hop', network: 'simulator' })).id)
    if (text === 'going 9') break
  }
  // What is in memory is gone, what is in the store stays as it is at this moment.
  const dead = gateway
  await dead.gateway.store.close()
  for (const text of coming.slice(8)) write(text)
  await dead.stop().catch(() => undefined)
  network.faults.latency(0)
  gateway = await start()
  alice = await createClient({ gateway: gateway.url, signer, storage })
  await alice.signIn()
  for (const text of going.slice(10)) {
    ids.push((await alice.send({ to: bob.wallet, text, mode: 'hop', network: 'simulator' })).id)
  }
  await inPlace([...coming, ...going])
  for (const id of ids) {
    await waitFor(async () => (await alice.journey(id)).deliveries[0]?.state === 'acknowledged', {
      what: 'every delivery',
      timeoutMs: 60_000,
    })
  }
  await waitFor(() => network.idle, { what: 'the network to be quiet' })
  const all = await texts()
  expect(all.length).toBe(new Set(all).size)
  const native = network.natives.history(bob.address).map(({ content }) => utf8Decode(content.bytes))
  for (const text of going)
    expect(
      native.filter((other) => other === text),
      text,
    ).toHaveLength(1)
}, 120_000)

it('an enrolment that the network was confirming when the gateway died is taken off', async () => {
  const carol = await gateway.signIn()
  const begun = await carol.enrolments.begin('simulator')
  const { store } = gateway.gateway
  const complete = store.completeEnrolment.bind(store)
  store.completeEnrolment = async () => {
    throw new Error('the gateway died here')
  }
  const signature = simulatorSignature(carol.wallet, begun.text)
  await expect(carol.enrolments.complete(begun, { signature })).rejects.toMatchObject({ status: 500 })
  store.completeEnrolment = complete
  expect((await store.getEnrolment(begun.id))?.state).toBe('completing')
  await gateway.stop()
  gateway = await start()
  const ended = await waitFor(
    async () => {
      const stored = await gateway.gateway.store.getEnrolment(begun.id)
      return stored?.state === 'ended' && stored
    },
    { what: 'the end of the half-made enrolment' },
  )
  expect(ended).toMatchObject({ secret: null, reason: 'interrupted' })
})
