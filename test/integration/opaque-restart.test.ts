/** A gateway that mirrors XMTP is stopped and started again, on networks that go on without it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterEach, expect, it } from 'vitest'
import { connectClient, startSandbox as startTrtc } from '../../adapters/trtc/sandbox/index.ts'
import { startSandbox as startXmtp } from '../../adapters/xmtp/sandbox/index.ts'
import { clientPool, textsOf, walletSigner } from '../../adapters/xmtp/sandbox/testing/clients.ts'
import { waitFor } from '../../src/adapter/testing/index.ts'
import { createClient, type Ingested } from '../../src/client/index.ts'
import { startTestGateway } from '../support/gateway.ts'

const pool = clientPool()
afterEach(() => pool.close(), 60_000)

it('what was written while the gateway was down arrives when it is back, in order and once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-opaque-'))
  pool.later(() => rm(directory, { recursive: true, force: true }))
  const [xmtp, trtc] = [await startXmtp(), await startTrtc()]
  pool.later(() => xmtp.stop())
  pool.later(() => trtc.stop())
  const networks = { xmtp: xmtp.gatewayConfig, trtc: trtc.gatewayConfig }
  const start = () => startTestGateway({ networks, data: { directory } })

  const first = await start()
  const wallet = Wallet.createRandom()
  const bob = await createClient({ gateway: first.url, signer: wallet })
  await bob.signIn()
  const sdk = await pool.client(xmtp.addresses.grpc, walletSigner(new Wallet(wallet.privateKey)))
  const alice = await pool.client(xmtp.addresses.grpc)
  const dm = await alice.conversations.createDm(sdk.inboxId)
  await dm.sendText('before')
  await sdk.conversations.syncAll()
  bob.xmtp.attach(sdk)
  await bob.xmtp.mirror()

  const credentials = await bob.credentials('trtc')
  const address = String(credentials.userId)
  const chat = await connectClient({ address, description: {}, credentials })
  pool.later(() => chat.close())
  const results: Promise<Ingested>[] = []
  chat.onFrame((frame) => results.push(bob.xmtp.ingest(frame, { network: 'trtc' })))

  const texts = Array.from({ length: 60 }, (_, index) => `text ${index}`)
  for (const text of texts.slice(0, 20)) await dm.sendText(text)
  await waitFor(() => results.length === 20, { what: 'the first messages' })
  const stopping = first.stop()
  for (const text of texts.slice(20, 40)) await dm.sendText(text)
  await stopping
  const second = await start()
  pool.later(() => second.stop())
  for (const text of texts.slice(40)) await dm.sendText(text)
  await waitFor(() => results.length >= 60, { what: 'all messages', timeoutMs: 60_000 })
  const settled = await Promise.all(results)
  expect(settled.map(({ outcome }) => outcome)).toEqual(texts.map(() => 'message'))
  expect(new Set(settled.map(({ messageId }) => messageId)).size).toBe(60)
  expect(await textsOf(sdk, dm.id)).toEqual(['before', ...texts])
}, 180_000)
