/** Sends of a wallet's own installation over a network that fails, with the real SDK. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemClock } from '../../../src/adapter/clock.ts'
import type { NativeIntent } from '../../../src/adapter/index.ts'
import { createMemoryStorage } from '../../../src/adapter/testing/context.ts'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { utf8Encode } from '../../../src/envelope/index.ts'
import { BackendPool } from '../backends.ts'
import { XmtpInbox } from '../inbox.ts'
import { messageIdOf } from '../message-id.ts'
import { startSandbox, type XmtpSandbox } from '../sandbox/index.ts'
import { clientPool, newWallet, walletSigner } from '../sandbox/testing/clients.ts'
import { loadSdk } from '../sdk.ts'
import { writeContent } from './content.ts'
import { NativeSender } from './native-sender.ts'

const signal = () => AbortSignal.timeout(60_000)
const clients = clientPool()
let sandbox: XmtpSandbox

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 23 })
})
afterAll(async () => {
  await clients.close()
  await sandbox.stop()
})

it('a message that the SDK gave up is sent again, once, under the same id', async () => {
  const sdk = await loadSdk()
  const apiUrl = String(sandbox.gatewayConfig.apiUrl)
  const pool = new BackendPool({ environment: 'local', apiUrl, clock: systemClock })
  const { shared } = await pool.acquire(sdk)
  const inbox = await XmtpInbox.open({
    sdk,
    shared,
    signer: walletSigner(newWallet()),
    databasePath: null,
    databaseKey: new Uint8Array(32),
    codecs: [],
  })
  clients.later(() => inbox.close())
  const bob = newWallet()
  const native = await clients.client(apiUrl, walletSigner(bob))
  const sender = new NativeSender(sdk, inbox, createMemoryStorage(), 'e'.repeat(32))
  const intent: NativeIntent = {
    enrolment: 'e'.repeat(32),
    transactionId: 'f'.repeat(32),
    envelopeId: new Uint8Array(32),
    to: { wallet: `eip155:*:${bob.address.toLowerCase()}` },
    content: {
      type: 'xmtp.org/text:1.0',
      parameters: { encoding: 'UTF-8' },
      fallback: null,
      bytes: utf8Encode('given up'),
    },
    reference: null,
    replaces: null,
    silent: false,
    attempt: 1,
  }
  const dm = await inbox.dmWith(native.inboxId, signal())
  const { content } = writeContent(sdk, intent.content, null)
  const id = messageIdOf(dm.id, intent.transactionId, content)

  sandbox.faults.failing('INTERNAL', 'SendGroupMessages')
  await expect(sender.send(intent, signal())).rejects.toMatchObject({ stage: 'stored' })
  await waitFor(
    async () => {
      // It rejects as long as the network refuses.
      await dm.sync().catch(() => undefined)
      return inbox.statusOf(id) === 'failed'
    },
    { what: 'the SDK to give it up', timeoutMs: 60_000 },
  )
  sandbox.faults.failing(null, 'SendGroupMessages')
  expect(await sender.find(intent, signal())).toBeNull()
  expect(await sender.send({ ...intent, attempt: 2 }, signal())).toEqual([id])
  expect(await sender.find(intent, signal())).toEqual([id])
  await native.conversations.syncAll()
  const heard = (await native.conversations.getDmByInboxId(inbox.inboxId)?.messages()) ?? []
  expect(heard.filter(({ content: text }) => text === 'given up').map((message) => message.id)).toEqual([id])
}, 150_000)
