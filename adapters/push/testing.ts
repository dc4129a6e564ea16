/** Adapters and users for tests. */
import { randomBytes } from 'node:crypto'
import { Wallet } from 'ethers'
import type { Adapter, AdapterStorage, SendIntent, WalletSigner } from '../../src/adapter/index.ts'
import { createRecordingContext, type RecordingContext } from '../../src/adapter/testing/context.ts'
import { waitFor } from '../../src/adapter/testing/wait.ts'
import { decodeText } from './carriage.ts'
import definition from './index.ts'
import type { PushSandbox } from './sandbox/index.ts'
import { connectPushUser, type PushUser, type PushUserOptions } from './sandbox/sdk-user.ts'

export const neverAborted = new AbortController().signal

export interface TestAdapter {
  adapter: Adapter
  context: RecordingContext
  /** The gateway's own DID. */
  did: string
  connected(): Promise<unknown>
  stop(): Promise<void>
}

export async function startAdapter(
  config: Record<string, unknown>,
  storage?: AdapterStorage,
): Promise<TestAdapter> {
  const context = createRecordingContext(storage ? { storage } : {})
  const adapter = definition.create(definition.config.parse(config), context)
  const test: TestAdapter = {
    adapter,
    context,
    did: adapter.identity?.ownAddress() ?? '',
    connected: () =>
      waitFor(() => context.lastState() === 'connected', {
        what: 'the adapter to be connected',
        timeoutMs: 60_000,
      }),
    async stop() {
      await adapter.stop(neverAborted)
      await context.dispose()
    },
  }
  await adapter.start(neverAborted)
  return test
}

/** A user of the unmodified SDK. */
export async function startUser(
  sandbox: PushSandbox,
  options: Pick<PushUserOptions, 'acceptRequests'> = {},
): Promise<PushUser & { wallet: string; signer: WalletSigner }> {
  const signer = Wallet.createRandom()
  const user = await connectPushUser({ baseUrl: sandbox.addresses.rest ?? '', signer, ...options })
  return Object.assign(user, { wallet: `eip155:*:${signer.address.toLowerCase()}`, signer })
}

export function framesOf(user: PushUser): Uint8Array[] {
  return user.messages.flatMap(({ content }) =>
    typeof content === 'string' ? (decodeText(content) ?? []) : [],
  )
}

export function testFrame(): Uint8Array {
  return Uint8Array.from(randomBytes(200))
}

export function testIntent(
  to: { did: string; wallet: string },
  change: Partial<SendIntent> = {},
): SendIntent {
  return {
    transactionId: randomBytes(16).toString('hex'),
    envelopeId: Uint8Array.from(randomBytes(32)),
    frame: testFrame(),
    to: { wallet: to.wallet, address: to.did },
    from: { wallet: `eip155:*:0x${'c'.repeat(40)}`, address: null },
    conversation: Uint8Array.from(randomBytes(32)),
    ephemeral: false,
    silent: false,
    attempt: 1,
    ...change,
  }
}
