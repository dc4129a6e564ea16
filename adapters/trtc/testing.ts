/** What this adapter's network tests share: a gateway's side that is joined to a sandbox, and real clients. */
import type { Adapter, Clock, SendIntent } from '../../src/adapter/index.ts'
import { randomFrame, randomHex } from '../../src/adapter/testing/bytes.ts'
import {
  createRecordingContext,
  type RecordingContext,
  type RecordingContextOptions,
} from '../../src/adapter/testing/context.ts'
import { serveWebhooks } from '../../src/adapter/testing/webhooks.ts'
import definition from './index.ts'
import { type ChatClient, connectChatClient } from './sandbox/chat-client.ts'
import type { TrtcSandbox } from './sandbox/index.ts'

export const never = new AbortController().signal

export const alice = `eip155:*:0x${'a1'.repeat(20)}`
export const bob = `eip155:*:0x${'b2'.repeat(20)}`

export interface Joined {
  adapter: Adapter
  context: RecordingContext
  addressOf(wallet: string): string
  intent(change?: Partial<SendIntent>): SendIntent
  close(): Promise<void>
}

/** Makes an adapter, serves its webhooks and starts it. */
export async function join(
  sandbox: TrtcSandbox,
  options: RecordingContextOptions & { config?: object } = {},
): Promise<Joined> {
  const context = createRecordingContext(options)
  const config = definition.config.parse({ ...sandbox.gatewayConfig, ...options.config })
  const adapter = definition.create(config, context)
  const webhooks = await serveWebhooks('trtc', adapter.webhook!)
  sandbox.connectGateway({ baseUrl: webhooks.baseUrl })
  await adapter.start(never)
  const addressOf = (wallet: string) => adapter.identity?.addressOf(wallet) ?? ''
  return {
    adapter,
    context,
    addressOf,
    intent: (change) => ({
      transactionId: randomHex(16),
      envelopeId: randomFrame(32),
      frame: randomFrame(),
      to: { wallet: bob, address: addressOf(bob) },
      from: { wallet: alice, address: addressOf(alice) },
      conversation: randomFrame(32),
      ephemeral: false,
      silent: false,
      attempt: 1,
      ...change,
    }),
    async close() {
      await webhooks.close()
      await adapter.stop(never)
    },
  }
}

/** A real client with the credentials that the adapter issues to the wallet. */
export async function clientOf(joined: Joined, wallet: string): Promise<ChatClient> {
  const issued = await joined.adapter.credentials!.issue({ wallet, address: joined.addressOf(wallet) }, never)
  return connectChatClient({
    sdkAppId: Number(issued.sdkAppId),
    userId: String(issued.userId),
    userSig: String(issued.userSig),
    proxyServer: String(issued.proxyServer),
  })
}

/** A clock that `shift` moves, for two sides that must not agree on the time. */
export function shiftedClock(clock: Clock): Clock & { shift(ms: number): void } {
  let offset = 0
  return {
    ...clock,
    now: () => clock.now() + offset,
    shift(ms) {
      offset += ms
    },
  }
}
