/** What this adapter's network tests share: a gateway's side that is joined to a sandbox, and real clients. */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { systemClock } from '../../src/adapter/clock.ts'
import type { Adapter, AdapterContext, Clock, SendIntent, WebhookFacet } from '../../src/adapter/index.ts'
import { configSchema } from './config.ts'
import { createNativeIntake, type NativeIntake } from './enrolment/intake.ts'
import { createNativeService } from './enrolment/service.ts'
import definition from './index.ts'
import { createRestClient, type RestClient } from './rest.ts'
import { type ChatClient, connectChatClient } from './sandbox/chat-client.ts'
import type { TrtcSandbox } from './sandbox/index.ts'

export const never = new AbortController().signal

export const alice = `eip155:*:0x${'a1'.repeat(20)}`
export const bob = `eip155:*:0x${'b2'.repeat(20)}`

/** Hop mode of a gateway on which nobody has enrolled. */
export const nobodyEnrolled: NativeIntake = createNativeIntake({
  service: createNativeService({ call: () => Promise.reject(new Error('nothing is asked of the service')) }),
  // biome-ignore lint/correctness/useYield: there is no history
  async *roaming() {
    throw new Error('nothing is asked of the service')
  },
  clock: systemClock,
  members: () => [],
  deliver: () => Promise.reject(new Error('nothing concerns anybody')),
})

/** A client of the stand-in's REST API, as the adapter makes its own. */
export function restClientOf(sandbox: TrtcSandbox, clock: Clock = systemClock): RestClient {
  const random = { bytes: (length: number) => new Uint8Array(length), fraction: Math.random }
  return createRestClient(configSchema.parse(sandbox.gatewayConfig), { clock, random }, () => undefined)
}

/** One command that the adapter has no use for. */
export function callService(
  rest: RestClient,
  command: string,
  body: object,
): Promise<Record<string, unknown>> {
  return rest.call(command, body, z.looseObject({}), 'idempotent', never)
}

export interface Joined<Context extends AdapterContext = AdapterContext> {
  adapter: Adapter
  context: Context
  addressOf(wallet: string): string
  /** Of Alice's for Bob, with a random frame. */
  intent(change?: Partial<SendIntent>): SendIntent
  close(): Promise<void>
}

export interface JoinOptions<Context extends AdapterContext> {
  sandbox: TrtcSandbox
  context: Context
  /** Serves the adapter's webhooks as the gateway does. */
  serveWebhooks(network: string, facet: WebhookFacet): Promise<{ baseUrl: string; close(): Promise<void> }>
  /** On top of the sandbox's `gatewayConfig`. */
  config?: object
}

/** Makes an adapter, serves its webhooks and starts it. */
export async function joinSandbox<Context extends AdapterContext>(
  options: JoinOptions<Context>,
): Promise<Joined<Context>> {
  const { sandbox, context } = options
  const config = definition.config.parse({ ...sandbox.gatewayConfig, ...options.config })
  const adapter = definition.create(config, context)
  const webhooks = await options.serveWebhooks('trtc', adapter.webhook!)
  sandbox.connectGateway({ baseUrl: webhooks.baseUrl })
  await adapter.start(never)
  const addressOf = (wallet: string) => adapter.identity?.addressOf(wallet) ?? ''
  return {
    adapter,
    context,
    addressOf,
    intent: (change) => ({
      transactionId: randomBytes(16).toString('hex'),
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
  const endpoint = { wallet, address: joined.addressOf(wallet) }
  const issued = await joined.adapter.credentials!.issue(endpoint, never)
  return connectChatClient({
    sdkAppId: Number(issued.sdkAppId),
    userId: String(issued.userId),
    userSig: String(issued.userSig),
    proxyServer: String(issued.proxyServer),
  })
}

export function randomFrame(length = 64): Uint8Array {
  return Uint8Array.from(randomBytes(length))
}

export function sameBytes(left: Uint8Array | null, right: Uint8Array): boolean {
  return left !== null && Buffer.compare(left, right) === 0
}

/** Resolves with the message that carries `frame`. */
export function arrived(client: ChatClient, frame: Uint8Array) {
  return client.waitFor((message) => sameBytes(message.frame, frame))
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
