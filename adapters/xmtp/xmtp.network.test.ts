/** What the adapter relies on and the SDK does not promise, and what goes wrong, on the real SDK against the sandbox. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Adapter, AdapterStorage, SendIntent } from '../../src/adapter/index.ts'
import {
  createMemoryStorage,
  createRecordingContext,
  type RecordingContext,
  randomFrame,
  randomHex,
  sameBytes,
  waitFor,
} from '../../src/adapter/testing/index.ts'
import { createXmtpAdapter } from './adapter.ts'
import { envelopeCodec } from './codec.ts'
import { configSchema } from './config.ts'
import { messageIdOf } from './message-id.ts'
import { connectClient, type XmtpNetworkClient } from './sandbox/client.ts'
import { startSandbox, type XmtpSandbox } from './sandbox/index.ts'
import { inboxIdOf } from './wallet.ts'

const never = new AbortController().signal
const PATIENCE = { timeoutMs: 40_000 }
const folders: string[] = []
const running: Gateway[] = []
let sandbox: XmtpSandbox

interface Gateway {
  adapter: Adapter
  context: RecordingContext
}

interface GatewayOptions {
  directory: string
  storage?: AdapterStorage
  walletKey?: string
  databaseKey?: string
}

beforeAll(async () => {
  sandbox = await startSandbox()
}, 60_000)

afterAll(async () => {
  for (const { adapter, context } of running) {
    await adapter.stop(never)
    await context.dispose()
  }
  await sandbox.stop()
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
}, 60_000)

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'causeway-xmtp-network-'))
  folders.push(path)
  return path
}

/** A gateway of its own wallet, started; `directory` is its database. */
async function start(options: GatewayOptions): Promise<Gateway> {
  const { directory, storage, walletKey = Wallet.createRandom().privateKey, databaseKey } = options
  const context = createRecordingContext(storage ? { storage } : {})
  const config = configSchema.parse({
    ...sandbox.gatewayConfig,
    walletKey,
    databaseDirectory: directory,
    probeIntervalMs: 500,
    ...(databaseKey ? { databaseKey } : {}),
  })
  const gateway = { adapter: createXmtpAdapter(config, context), context }
  running.push(gateway)
  await gateway.adapter.start(never)
  return gateway
}

async function connect(options: GatewayOptions): Promise<Gateway> {
  const gateway = await start(options)
  await waitFor(() => gateway.context.lastState() === 'connected', { ...PATIENCE, what: 'connected' })
  return gateway
}

async function client(signer = Wallet.createRandom()): Promise<XmtpNetworkClient & { frames: Uint8Array[] }> {
  const description = { environment: 'local', apiUrl: sandbox.addresses.grpc }
  const joined = await connectClient({ address: '', description, credentials: null, signer })
  const frames: Uint8Array[] = []
  joined.onFrame((frame) => frames.push(frame))
  return { ...joined, frames }
}

const intentFor = (address: string, change: Partial<SendIntent> = {}): SendIntent => ({
  transactionId: randomHex(16),
  envelopeId: randomFrame(32),
  frame: randomFrame(),
  to: { wallet: '', address },
  from: { wallet: '', address: null },
  conversation: randomFrame(32),
  ephemeral: false,
  silent: false,
  attempt: 1,
  ...change,
})

const copies = (frames: readonly Uint8Array[], frame: Uint8Array) =>
  frames.filter((other) => sameBytes(frame, other)).length

async function arrival(frames: readonly Uint8Array[], frame: Uint8Array): Promise<void> {
  await waitFor(() => copies(frames, frame) > 0, { ...PATIENCE, what: 'the frame' })
}

describe('message ids', () => {
  it('follow from conversation, key and content as libxmtp makes them', async () => {
    const [alice, bob] = await Promise.all([client(), client()])
    const dm = await alice.client.conversations.createDm(bob.address)
    for (const [frame, transactionId] of [
      [randomFrame(300), randomHex(16)],
      [randomFrame(20_000), undefined],
      [new Uint8Array(), undefined],
    ] as const) {
      const content = envelopeCodec.encode({ frame, transactionId })
      const key = randomHex(16)
      const options = { shouldPush: true, optimistic: true, idempotencyKey: key }
      expect(await dm.send(content, options)).toBe(messageIdOf(dm.id, key, content))
    }
    await Promise.all([alice.close(), bob.close()])
  }, 60_000)
})

describe('sending', () => {
  it.each(['FetchKeyPackages', 'GetIdentityUpdates'])(
    'completes a conversation that was half made when %s failed',
    async (method) => {
      const gateway = await connect({ directory: await folder() })
      const bob = await client()
      const intent = intentFor(bob.address)
      sandbox.faults.failing('UNAVAILABLE', method)
      await expect(gateway.adapter.send(intent, never)).rejects.toMatchObject({ class: 'retryable' })
      sandbox.faults.failing(null, method)
      await waitFor(() => gateway.context.lastState() === 'connected', PATIENCE)
      await gateway.adapter.send({ ...intent, attempt: 2 }, never)
      await arrival(bob.frames, intent.frame)
      await bob.close()
    },
    90_000,
  )

  it('reaches a wallet that joins XMTP after it was refused', async () => {
    let skipped = 0
    const directory = await folder()
    const walletKey = Wallet.createRandom().privateKey
    const context = createRecordingContext()
    const clock = { ...context.clock, monotonic: () => context.clock.monotonic() + skipped }
    const config = configSchema.parse({ ...sandbox.gatewayConfig, walletKey, databaseDirectory: directory })
    const adapter = createXmtpAdapter(config, { ...context, clock })
    running.push({ adapter, context })
    await adapter.start(never)
    const wallet = Wallet.createRandom()
    const intent = intentFor(inboxIdOf(wallet.address))
    const refused = { class: 'permanent', remoteCode: 'recipient-not-registered' }
    await expect(adapter.send(intent, never)).rejects.toMatchObject(refused)
    const bob = await client(wallet)
    await expect(adapter.send(intent, never)).rejects.toMatchObject(refused)
    skipped = 61_000
    await adapter.send(intent, never)
    await arrival(bob.frames, intent.frame)
    await bob.close()
  }, 60_000)

  it('answers lost: the message is there once, and its sender learns so', async () => {
    const gateway = await connect({ directory: await folder() })
    const bob = await client()
    await gateway.adapter.send(intentFor(bob.address), never)
    const intent = intentFor(bob.address)
    sandbox.faults.answerLost(1)
    const receipt =
      (await gateway.adapter.send(intent, never).catch(() => null)) ??
      (await waitFor(() => gateway.adapter.history!.find(intent, never).catch(() => null), PATIENCE))
    await arrival(bob.frames, intent.frame)
    expect(await gateway.adapter.send({ ...intent, attempt: 2 }, never)).toEqual(receipt)
    await bob.close()
  }, 60_000)

  it('given up by the SDK after an outage: a look-up says no, and the same message goes out', async () => {
    const gateway = await connect({ directory: await folder() })
    const bob = await client()
    await gateway.adapter.send(intentFor(bob.address), never)
    const intent = intentFor(bob.address)
    sandbox.faults.failing('UNAVAILABLE', 'SendGroupMessages')
    await expect(gateway.adapter.send(intent, never)).rejects.toMatchObject({ class: 'uncertain' })
    // Each look-up publishes once more, until the SDK gives the message up.
    await waitFor(
      async () => (await gateway.adapter.history!.find(intent, never).catch(() => 0)) === null,
      PATIENCE,
    )
    sandbox.faults.failing(null, 'SendGroupMessages')
    const receipt = await gateway.adapter.send({ ...intent, attempt: 2 }, never)
    await arrival(bob.frames, intent.frame)
    expect(await gateway.adapter.history!.find(intent, never)).toEqual(receipt)
    await bob.close()
  }, 120_000)
})

describe('hearing', () => {
  it('goes by the content type: what others write is passed over', async () => {
    const gateway = await connect({ directory: await folder() })
    const alice = await client()
    const own = gateway.adapter.identity!.ownAddress()!
    const dm = await alice.client.conversations.createDm(own)
    await dm.sendText('not an envelope')
    const type = { authorityId: 'example.org', typeId: 'x', versionMajor: 1, versionMinor: 0 }
    await dm.send({ type, parameters: {}, content: randomFrame(40) }, { shouldPush: false })
    const frame = randomFrame()
    await alice.send(own, frame)
    await waitFor(() => gateway.context.heard(frame).length > 0, PATIENCE)
    expect(gateway.context.deliveries).toHaveLength(1)
    await alice.close()
  }, 60_000)

  it('hears both conversations of a pair that made two at once, and answers into one that is read', async () => {
    const gateway = await connect({ directory: await folder() })
    const alice = await client()
    const own = gateway.adapter.identity!.ownAddress()!
    const [toAlice, toGateway] = [intentFor(alice.address), randomFrame()]
    await Promise.all([gateway.adapter.send(toAlice, never), alice.send(own, toGateway)])
    await arrival(alice.frames, toAlice.frame)
    await waitFor(() => gateway.context.heard(toGateway).length > 0, PATIENCE)
    const [again, back] = [intentFor(alice.address), randomFrame()]
    await gateway.adapter.send(again, never)
    await alice.send(own, back)
    await arrival(alice.frames, again.frame)
    await waitFor(() => gateway.context.heard(back).length > 0, PATIENCE)
    expect(await gateway.adapter.history!.find(toAlice, never)).not.toBeNull()
    expect(await gateway.adapter.history!.find(again, never)).not.toBeNull()
    await alice.close()
  }, 60_000)
})

describe('reading what was stored', () => {
  it('leaves nothing out and keeps the order, also of more than a page, and not what is long past', async () => {
    const gateway = await connect({ directory: await folder() })
    const alice = await client()
    const own = gateway.adapter.identity!.ownAddress()!
    const dm = await alice.client.conversations.createDm(own)
    const frames = Array.from({ length: 620 }, () => randomFrame(60))
    for (const frame of frames) {
      await dm.send(envelopeCodec.encode({ frame }), {
        shouldPush: false,
        optimistic: true,
        idempotencyKey: randomHex(16),
      })
    }
    await dm.sync()
    const walk = async (since: number) => {
      const found: Uint8Array[] = []
      for await (const { frame } of gateway.adapter.history!.walk({ since, pairs: [] }, never))
        found.push(frame)
      return found
    }
    const hour = 3_600_000
    const found = await walk(Date.now() - hour)
    const places = frames.map((frame) => found.findIndex((other) => sameBytes(frame, other)))
    expect(places.every((place) => place >= 0)).toBe(true)
    expect(places.slice(0, 100)).toEqual(places.slice(0, 100).toSorted((left, right) => left - right))
    // The SDK's time of storing is up to a minute late.
    expect(await walk(Date.now() + hour)).toEqual([])
    await alice.close()
  }, 120_000)
})

describe('the installation', () => {
  it('is refused with the wrong key of its database, which says what to do', async () => {
    const directory = await folder()
    const walletKey = Wallet.createRandom().privateKey
    const first = await connect({ directory, walletKey })
    await first.adapter.stop(never)
    const wrong = await start({ directory, walletKey, databaseKey: `0x${'77'.repeat(32)}` })
    expect(wrong.context.states.at(-1)).toMatchObject({
      state: 'badCredentials',
      userAction: expect.stringContaining('databaseKey'),
    })
    const findings = await wrong.adapter.doctor!.examine(never)
    expect(findings).toContainEqual(expect.objectContaining({ check: 'database', status: 'error' }))
    await expect(wrong.adapter.send(intentFor('ab'.repeat(32)), never)).rejects.toMatchObject({
      class: 'auth',
    })
    await wrong.adapter.stop(never)
    await connect({ directory, walletKey })
  }, 60_000)

  it('stays one over restarts; a lost database costs another one, which the doctor tells', async () => {
    const directory = await folder()
    const storage = createMemoryStorage()
    const walletKey = Wallet.createRandom().privateKey
    const own = inboxIdOf(new Wallet(walletKey).address)
    for (let round = 0; round < 3; round++) {
      const gateway = await connect({ directory, storage, walletKey })
      expect(sandbox.installations(own)).toHaveLength(1)
      await gateway.adapter.stop(never)
    }
    for (const file of await readdir(directory)) await rm(join(directory, file))
    const gateway = await connect({ directory, storage, walletKey })
    expect(sandbox.installations(own)).toHaveLength(2)
    expect(await gateway.adapter.doctor!.examine(never)).toContainEqual(
      expect.objectContaining({ check: 'database-lost', status: 'warning', fix: expect.any(String) }),
    )
  }, 90_000)

  it('is told to be revoked, with what to do', async () => {
    const directory = await folder()
    const walletKey = Wallet.createRandom().privateKey
    const first = await connect({ directory, walletKey })
    await first.adapter.stop(never)
    const revoking = await client(new Wallet(walletKey) as never)
    await revoking.client.revokeAllOtherInstallations()
    await revoking.close()
    const revoked = await start({ directory, walletKey })
    expect(revoked.context.states.at(-1)).toMatchObject({
      state: 'loggedOut',
      userAction: expect.stringContaining('database folder'),
    })
  }, 60_000)

  it('revoked while it runs, refuses to send for want of it and not for the recipient’s sake', async () => {
    const walletKey = Wallet.createRandom().privateKey
    const gateway = await connect({ directory: await folder(), walletKey })
    const bob = await client()
    await gateway.adapter.send(intentFor(bob.address), never)
    const revoking = await client(new Wallet(walletKey) as never)
    await revoking.client.revokeAllOtherInstallations()
    sandbox.faults.cutSubscriptions()
    await waitFor(() => gateway.context.lastState() === 'loggedOut', PATIENCE)
    await expect(gateway.adapter.send(intentFor(bob.address), never)).rejects.toMatchObject({
      class: 'auth',
      remoteCode: 'installation-revoked',
    })
    await Promise.all([revoking.close(), bob.close()])
  }, 90_000)

  it('of a local node that was made anew is set aside', async () => {
    const directory = await folder()
    const walletKey = Wallet.createRandom().privateKey
    const first = await connect({ directory, walletKey })
    await first.adapter.stop(never)
    const before = sandbox
    sandbox = await startSandbox()
    try {
      const second = await connect({ directory, walletKey })
      expect((await readdir(directory)).some((name) => name.includes('of-another-node'))).toBe(true)
      await second.adapter.stop(never)
    } finally {
      await sandbox.stop()
      sandbox = before
    }
  }, 60_000)
})
