/** Hop mode on TRTC: a composite of which the service takes the first part and refuses the second for now. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectChatClient } from '../../adapters/trtc/sandbox/chat-client.ts'
import { startSandbox, type TrtcSandbox } from '../../adapters/trtc/sandbox/index.ts'
import { waitFor } from '../../src/adapter/testing/index.ts'
import { contentFor } from '../../src/client/index.ts'
import { writeContent } from '../../src/content/index.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

const TEXTS = ['one', 'two', 'three']
/** The service takes a repeated send for a new one after 120 s. */
const AFTER_DEDUP_MS = 150_000
const TOO_OFTEN = { ActionStatus: 'FAIL', ErrorCode: 60007, ErrorInfo: '' }

let directory: string
let sandbox: TrtcSandbox
let gateway: TestGateway
let proxy: Server
let aheadMs = 0
let sends = 0

/** In front of the stand-in: refuses the second send, after which so much time has passed that it knows no repeat. */
async function startProxy(): Promise<string> {
  proxy = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (request.url?.includes('/openim/sendmsg') && ++sends === 2) {
      aheadMs = AFTER_DEDUP_MS
      response.end(JSON.stringify(TOO_OFTEN))
      return
    }
    const answer = await fetch(`${sandbox.addresses.rest}${request.url}`, {
      method: 'POST',
      body: Buffer.concat(chunks),
    })
    response.writeHead(answer.status, { 'content-type': 'application/json' })
    response.end(await answer.text())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-trtc-partly-'))
  sandbox = await startSandbox({ now: () => Date.now() + aheadMs })
  const restUrl = await startProxy()
  gateway = await startTestGateway({
    data: { directory },
    networks: { trtc: { ...sandbox.gatewayConfig, restUrl } },
  })
  sandbox.connectGateway({ baseUrl: gateway.url })
}, 120_000)

afterAll(async () => {
  await gateway?.stop()
  proxy?.closeAllConnections()
  await new Promise((resolve) => proxy?.close(resolve))
  await sandbox?.stop()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

it('each part arrives once: the echo of the first neither ends the delivery nor is the part sent again', async () => {
  const [alice, bob] = [await gateway.signIn(), await gateway.signIn()]
  const { sdkAppId, userId, userSig, proxyServer } = await bob.credentials('trtc')
  const app = await connectChatClient({
    sdkAppId: Number(sdkAppId),
    userId: String(userId),
    userSig: String(userSig),
    proxyServer: String(proxyServer),
  })
  try {
    await alice.enrolments.complete(await alice.enrolments.begin('trtc'))
    const parts = TEXTS.map((text) => writeContent({ kind: 'text', text }))
    const content = contentFor({ kind: 'composite', parts })
    const { id } = await alice.send({ to: bob.wallet, mode: 'hop', network: 'trtc', content })
    const sent = await waitFor(
      async () => (await alice.journey(id)).deliveries.find(({ state }) => state === 'acknowledged'),
      { timeoutMs: 50_000, intervalMs: 100, what: 'the delivery to be acknowledged' },
    )
    expect(sent.attempt).toBe(2)
    await waitFor(() => app.messages.some(({ text }) => text === 'three'), {
      timeoutMs: 30_000,
      what: 'the last part',
    })
    expect(app.messages.map(({ text }) => text)).toEqual(TEXTS)
    await sandbox.idle()
    const inbox = await alice.inbox({ limit: 200 })
    expect(inbox.map((entry) => entry.id)).toEqual([id])
  } finally {
    await app.close()
  }
}, 120_000)
