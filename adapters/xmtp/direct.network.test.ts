/** Direct conversations that are made while the network fails or while something else syncs, on the real SDK against the sandbox. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Adapter, SendIntent } from '../../src/adapter/index.ts'
import {
  createRecordingContext,
  type RecordingContext,
  randomFrame,
  randomHex,
  sameBytes,
  waitFor,
} from '../../src/adapter/testing/index.ts'
import { createXmtpAdapter } from './adapter.ts'
import { configSchema } from './config.ts'
import { connectClient, type XmtpNetworkClient } from './sandbox/client.ts'
import { startSandbox, type XmtpSandbox } from './sandbox/index.ts'
import { inboxIdOf } from './wallet.ts'

const never = new AbortController().signal
const PATIENCE = { timeoutMs: 60_000 }
let sandbox: XmtpSandbox
let directory: string
let adapter: Adapter
let context: RecordingContext

type Recipient = XmtpNetworkClient & { frames: Uint8Array[] }

beforeAll(async () => {
  sandbox = await startSandbox()
  directory = await mkdtemp(join(tmpdir(), 'causeway-xmtp-direct-'))
  await open()
}, 120_000)

afterAll(async () => {
  await close()
  await sandbox.stop()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

async function open(): Promise<void> {
  context = createRecordingContext()
  const config = configSchema.parse({
    ...sandbox.gatewayConfig,
    databaseDirectory: directory,
    probeIntervalMs: 500,
  })
  adapter = createXmtpAdapter(config, context)
  await adapter.start(never)
  await connected()
}

async function close(): Promise<void> {
  await adapter.stop(never)
  await context.dispose()
}

const connected = () => waitFor(() => context.lastState() === 'connected', { ...PATIENCE, what: 'connected' })

async function recipient(): Promise<Recipient> {
  const description = { environment: 'local', apiUrl: sandbox.addresses.grpc }
  const signer = Wallet.createRandom()
  const joined = await connectClient({ address: '', description, credentials: null, signer })
  const frames: Uint8Array[] = []
  joined.onFrame((frame) => frames.push(frame))
  return { ...joined, frames }
}

const intentFor = (address: string): SendIntent => ({
  transactionId: randomHex(16),
  envelopeId: randomFrame(32),
  frame: randomFrame(),
  to: { wallet: '', address },
  from: { wallet: '', address: null },
  conversation: randomFrame(32),
  ephemeral: false,
  silent: false,
  attempt: 1,
})

async function arrival({ frames }: Recipient, { frame }: SendIntent): Promise<void> {
  await waitFor(() => frames.some((other) => sameBytes(frame, other)), { ...PATIENCE, what: 'the frame' })
}

/** Sends until the adapter says that it is on the network, as the relay does. */
async function delivered(intent: SendIntent): Promise<void> {
  await waitFor(
    () =>
      adapter.send(intent, never).then(
        () => true,
        () => false,
      ),
    { ...PATIENCE, intervalMs: 100, what: 'the send' },
  )
}

const callsOf = (method: string) => sandbox.calls()[method] ?? 0

describe('a peer is told of a conversation once', () => {
  it('that the stream follows already, because it was half made before the connection broke', async () => {
    const bob = await recipient()
    const intent = intentFor(bob.address)
    sandbox.faults.failing('UNAVAILABLE', 'FetchKeyPackages')
    await expect(adapter.send(intent, never)).rejects.toMatchObject({ class: 'retryable' })
    const reports = context.states.length
    sandbox.faults.cutSubscriptions()
    await waitFor(() => context.states.length > reports, PATIENCE)
    sandbox.faults.failing(null, 'FetchKeyPackages')
    await connected()
    const welcomes = callsOf('SendWelcomeMessages')
    await delivered(intent)
    await arrival(bob, intent)
    // Ends the stream and opens it again: what a second sync of the conversation does, it has done by then.
    await connected()
    expect(callsOf('SendWelcomeMessages') - welcomes).toBe(1)
    await bob.close()
  }, 120_000)

  it('that is made while everything is synced', async () => {
    let walking = true
    const walks = (async () => {
      while (walking) {
        for await (const inbound of adapter.history!.walk({ since: Date.now(), pairs: [] }, never)) {
          expect(inbound.via).toBe('history')
        }
      }
    })()
    const welcomes = callsOf('SendWelcomeMessages')
    const recipients = 12
    for (let made = 0; made < recipients; made++) {
      const bob = await recipient()
      const intent = intentFor(bob.address)
      await delivered(intent)
      await arrival(bob, intent)
      await bob.close()
    }
    walking = false
    await walks
    expect(callsOf('SendWelcomeMessages') - welcomes).toBe(recipients)
  }, 180_000)
})

describe('nothing counts as sent', () => {
  it('in a conversation whose peer was not told of it', async () => {
    const bob = await recipient()
    const intent = intentFor(bob.address)
    sandbox.faults.failing('UNAVAILABLE', 'SendWelcomeMessages')
    for (let attempt = 1; attempt <= 2; attempt++) {
      await expect(adapter.send({ ...intent, attempt }, never)).rejects.toMatchObject({ class: 'retryable' })
      await connected()
    }
    await close()
    await open()
    await expect(adapter.send({ ...intent, attempt: 3 }, never)).rejects.toMatchObject({ class: 'retryable' })
    sandbox.faults.failing(null, 'SendWelcomeMessages')
    await delivered(intent)
    await arrival(bob, intent)
    await bob.close()
  }, 180_000)
})

describe('nothing is left half made', () => {
  it('where the network is away from the first call on, or the peer unknown to it', async () => {
    const bob = await recipient()
    const keyPackages = callsOf('FetchKeyPackages')
    sandbox.faults.failing('UNAVAILABLE', 'GetIdentityUpdates')
    await expect(adapter.send(intentFor(bob.address), never)).rejects.toMatchObject({ class: 'retryable' })
    sandbox.faults.failing(null, 'GetIdentityUpdates')
    await connected()
    const wallet = Wallet.createRandom()
    await expect(adapter.send(intentFor(inboxIdOf(wallet.address)), never)).rejects.toMatchObject({
      class: 'permanent',
      remoteCode: 'recipient-not-registered',
    })
    expect(callsOf('FetchKeyPackages')).toBe(keyPackages)
    // A conversation that was half made is completed with the stream ended, which would be reported.
    const reports = context.states.length
    const intent = intentFor(bob.address)
    await delivered(intent)
    await arrival(bob, intent)
    expect(context.states.slice(reports)).toEqual([])
    await bob.close()
  }, 120_000)

  it('by a caller that gives up: the next one waits for what is under way', async () => {
    const bob = await recipient()
    const intent = intentFor(bob.address)
    const [welcomes, keyPackages] = [callsOf('SendWelcomeMessages'), callsOf('FetchKeyPackages')]
    sandbox.faults.latency(300)
    const over = new AbortController()
    const first = adapter.send(intent, over.signal)
    await waitFor(() => callsOf('FetchKeyPackages') > keyPackages, PATIENCE)
    over.abort()
    await expect(first).rejects.toMatchObject({ class: expect.stringMatching(/retryable|uncertain/) })
    const second = delivered(intent)
    sandbox.faults.latency(0)
    await second
    await arrival(bob, intent)
    expect(callsOf('SendWelcomeMessages') - welcomes).toBe(1)
    await bob.close()
  }, 120_000)
})
