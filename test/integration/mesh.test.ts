/** Waku as a node among nodes: two gateways and a stand-alone service node in one mesh, light clients on each of them. */
import { Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { NetworkClient } from '../../src/adapter/index.ts'
import { loadSandbox } from '../../src/adapter/registry.ts'
import { waitFor } from '../../src/adapter/testing/index.ts'
import { type Client, createClient, memoryStorage } from '../../src/client/index.ts'
import { toHex } from '../../src/envelope/index.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

let one: TestGateway
let two: TestGateway
const lightClients: { name: string; client: NetworkClient; address: string; frames: Set<string> }[] = []

const wakuOf = (gateway: TestGateway) =>
  gateway.gateway.networks.list().find(({ network }) => network === 'waku')!
const addressOf = (wallet: string) => one.gateway.networks.get('waku')!.adapter.identity!.addressOf(wallet)!

beforeAll(async () => {
  one = await startTestGateway({ networks: { waku: 'sandbox' }, identity: { domain: 'one.example' } })
  const sandbox = one.sandboxes.get('waku')!
  two = await startTestGateway({
    networks: { waku: sandbox.gatewayConfig },
    identity: { domain: 'two.example', trustedDomains: ['one.example'] },
  })
  await waitFor(() => wakuOf(one).state === 'connected' && wakuOf(two).state === 'connected')
  const nodes = [
    ['the first gateway', wakuOf(one).description],
    ['the second gateway', wakuOf(two).description],
    ['the service node', { ...wakuOf(one).description, multiaddrs: Object.values(sandbox.addresses) }],
  ] as const
  for (const [name, description] of nodes) {
    const address = addressOf(Wallet.createRandom().address.toLowerCase().replace('0x', 'eip155:*:0x'))
    const client = await (await loadSandbox('waku')).connectClient({
      address,
      description,
      credentials: null,
    })
    const frames = new Set<string>()
    client.onFrame((frame) => frames.add(toHex(frame)))
    lightClients.push({ name, client, address, frames })
  }
}, 120_000)

afterAll(async () => {
  for (const { client } of lightClients) await client.close()
  await two?.stop()
  await one?.stop()
}, 60_000)

it('reaches a light client on any node from a light client on any other', async () => {
  for (const sender of lightClients) {
    for (const receiver of lightClients) {
      if (sender === receiver) continue
      // A fresh frame each time: a light push into a mesh that is still forming may reach nobody, as on the real network.
      let attempt = 0
      await waitFor(
        async () => {
          const frame = new TextEncoder().encode(`${sender.name} to ${receiver.name}, attempt ${attempt++}`)
          await sender.client.send(receiver.address, frame)
          await waitFor(() => receiver.frames.has(toHex(frame)), { timeoutMs: 5_000 }).catch(() => undefined)
          return receiver.frames.has(toHex(frame))
        },
        { what: `${sender.name} to reach ${receiver.name}`, timeoutMs: 60_000 },
      )
    }
  }
}, 240_000)

it('carries an envelope from a wallet of one gateway to a wallet of the other', async () => {
  const wallet = Wallet.createRandom()
  const storage = memoryStorage()
  const bobAtOne = await signIn(one, wallet, storage)
  const elsewhere = memoryStorage()
  await elsewhere.set('keyring', (await storage.get('keyring')) ?? '')
  const bobAtTwo = await signIn(two, wallet, elsewhere, ['one.example'])
  const alice = await signIn(one, Wallet.createRandom(), memoryStorage())

  const sent = await alice.send({ to: bobAtOne.account, text: 'across the mesh' })
  const entry = await waitFor(async () => (await bobAtTwo.inbox()).find(({ id }) => id === sent.id), {
    what: 'the second gateway to have it',
    timeoutMs: 40_000,
  })
  // The second gateway never met Alice: her certificate rode along.
  expect(entry.message?.text).toBe('across the mesh')
  expect(entry.message?.via).toBe('waku')
}, 120_000)

async function signIn(
  gateway: TestGateway,
  signer: { getAddress(): Promise<string>; signMessage(text: string): Promise<string> },
  storage: ReturnType<typeof memoryStorage>,
  trustedDomains: string[] = [],
): Promise<Client> {
  const client = await createClient({ gateway: gateway.url, signer, storage, trustedDomains })
  await client.signIn()
  return client
}
