/** A wallet takes the gateway off its inbox with a client of its own, while the gateway's stream stays open. */
import type { Client } from '@xmtp/node-sdk'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AdapterError, EnrolmentFacet } from '../../../src/adapter/index.ts'
import { createRecordingContext, type RecordingContext } from '../../../src/adapter/testing/context.ts'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { utf8Encode } from '../../../src/envelope/index.ts'
import { createXmtpAdapter } from '../adapter.ts'
import { configSchema } from '../config.ts'
import { startSandbox, type XmtpSandbox } from '../sandbox/index.ts'
import { clientPool, newWallet, walletSigner } from '../sandbox/testing/clients.ts'

const signal = () => AbortSignal.timeout(60_000)
const clients = clientPool()
let sandbox: XmtpSandbox
let context: RecordingContext
let adapter: ReturnType<typeof createXmtpAdapter>
let enrolment: EnrolmentFacet
let enrolments = 0

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 31 })
  context = createRecordingContext()
  adapter = createXmtpAdapter(configSchema.parse(sandbox.gatewayConfig), context)
  enrolment = adapter.enrolment as EnrolmentFacet
  await adapter.start(signal())
})
afterAll(async () => {
  await adapter.stop(signal())
  await context.dispose()
  await clients.close()
  await sandbox.stop()
})

const stateOf = (id: string) => context.enrolmentStates.findLast((entry) => entry.id === id)?.report

/** An enrolled wallet that is connected, and its own client. */
async function enrolled() {
  const wallet = newWallet()
  const own: Client<unknown> = await clients.client(
    String(sandbox.gatewayConfig.apiUrl),
    walletSigner(wallet),
  )
  enrolments++
  const id = String(enrolments).repeat(32)
  const { text } = await enrolment.begin(
    {
      id,
      wallet: `eip155:*:${wallet.address.toLowerCase()}`,
      account: { kind: 'evm-account', address: wallet.address, chainId: 1 },
      secret: new Uint8Array(32).fill(enrolments),
    },
    signal(),
  )
  const signature = await wallet.signMessage(text)
  await enrolment.complete({ id, signature, chainId: null, handover: null }, signal())
  await expect.poll(() => stateOf(id)?.state, { timeout: 30_000 }).toBe('connected')
  return { id, own }
}

const loggedOut = { state: 'loggedOut', userAction: expect.stringContaining('enrol again') }

it('is told by the next walk', async () => {
  const { id, own } = await enrolled()
  const walk = async () => {
    for await (const { remoteId } of enrolment.walk({ enrolment: id, since: 0 }, signal())) void remoteId
  }
  await walk()
  expect(stateOf(id)).toMatchObject({ state: 'connected' })
  await own.revokeAllOtherInstallations()
  await expect(walk()).rejects.toMatchObject({ class: 'auth', remoteCode: 'installation-revoked' })
  expect(stateOf(id)).toMatchObject(loggedOut)
})

it('is told by a send that its conversation does not take any more', async () => {
  const { id, own } = await enrolled()
  const bob = newWallet()
  const native = await clients.client(String(sandbox.gatewayConfig.apiUrl), walletSigner(bob))
  const dm = await native.conversations.createDm(own.inboxId)
  await dm.sendText('before')
  await expect.poll(() => context.natives.length, { timeout: 30_000 }).toBeGreaterThan(0)
  await own.revokeAllOtherInstallations()
  let sends = 0
  const send = () => {
    sends++
    return enrolment.send(
      {
        enrolment: id,
        transactionId: sends.toString(16).padStart(32, '0'),
        envelopeId: new Uint8Array(32).fill(sends),
        to: { wallet: `eip155:*:${bob.address.toLowerCase()}` },
        content: {
          type: 'xmtp.org/text:1.0',
          parameters: { encoding: 'UTF-8' },
          fallback: null,
          bytes: utf8Encode(`out ${sends}`),
        },
        reference: null,
        replaces: null,
        silent: false,
        attempt: 1,
      },
      signal(),
    )
  }
  // It takes whoever writes next to take the installation out of the conversation.
  const refused = await waitFor(
    async () => {
      await dm.sendText('after')
      return send().then(
        () => null,
        (error: AdapterError) => (error.remoteCode === 'installation-revoked' ? error : null),
      )
    },
    { what: 'a refusal', timeoutMs: 60_000, intervalMs: 500 },
  )
  expect(refused).toMatchObject({ class: 'auth' })
  expect(stateOf(id)).toMatchObject(loggedOut)
}, 150_000)
