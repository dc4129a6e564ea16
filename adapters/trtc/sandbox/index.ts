/**
 * SANDBOX: a stand-in of Tencent Chat on loopback. REST API version 4, signed webhooks, and the WebSocket side that
 * unmodified `@tencentcloud/chat` clients use through their `proxyServer` option. State is kept in memory.
 *
 * @example
 * const sandbox = await startSandbox()
 * sandbox.connectGateway({ baseUrl: 'http://127.0.0.1:8787' })
 */
import { createHash } from 'node:crypto'
import type {
  NetworkClient,
  NetworkClientInput,
  Sandbox,
  SandboxOptions,
} from '../../../src/adapter/index.ts'
import { createListener } from '../../../src/adapter/sandbox-listener.ts'
import { makeUserSig } from '../usersig.ts'
import { connectChatClient } from './chat-client.ts'
import { createFaultState, type TrtcFaults } from './faults.ts'
import { createRestServer } from './rest.ts'
import { createService } from './service.ts'
import { createSocketServer } from './socket.ts'

export interface TrtcSandboxOptions extends SandboxOptions {
  /** The stand-in's clock in Unix milliseconds. Default: the system's. */
  now?(): number
  /** REST calls a second before error 60011. Default: no limit. */
  requestsPerSecond?: number
  /** Ask the gateway before messages and joins, which the service does only when the console says so. Default: false. */
  beforeWebhooks?: boolean
}

export interface TrtcSandbox extends Sandbox {
  faults: TrtcFaults
  /** The stand-in's app. Its key holds nowhere else. */
  app: {
    sdkAppId: number
    secretKey: string
    adminUserId: string
    webhookToken: string
    webhookSecret: string
  }
  connectGateway(gateway: { baseUrl: string }): void
  /** A UserSig with which a client logs in, valid for a day. */
  userSig(userId: string): string
  /** Sends the webhook of a message once more. */
  redeliver(messageKey: string): Promise<void>
  /** Resolves when no webhook is on its way. */
  idle(): Promise<void>
}

/** Starts the stand-in on 127.0.0.1: REST on `port`, sockets on the next one; any free ports when `port` is absent. */
export async function startSandbox(options: TrtcSandboxOptions = {}): Promise<TrtcSandbox> {
  const seed = options.seed ?? 1
  const now = options.now ?? Date.now
  const faults = createFaultState(seed)
  const app = {
    sdkAppId: 1_400_000_000 + (seed % 1_000_000),
    secretKey: derived(seed, 'secret key'),
    adminUserId: 'administrator',
    webhookToken: derived(seed, 'webhook token'),
    webhookSecret: derived(seed, 'webhook secret').slice(0, 32),
  }
  const service = createService(app, { faults, now, beforeWebhooks: options.beforeWebhooks ?? false })
  const logins = new Map<string, string>()
  let loginCount = 0
  const rest = createListener(createRestServer(service, options.requestsPerSecond), options.port ?? 0)
  const socket = createListener(
    createSocketServer(service, logins, () => derived(seed, `login ${++loginCount}`)),
    options.port ? options.port + 1 : 0,
  )
  await rest.open()
  await socket.open()
  const addresses = {
    rest: `http://127.0.0.1:${rest.port()}`,
    socket: `ws://127.0.0.1:${socket.port()}`,
  }

  async function gatewayOutage(on: boolean): Promise<void> {
    faults.webhooksCut = on
    await (on ? rest.close() : rest.open())
  }

  return {
    network: 'trtc',
    app,
    addresses,
    gatewayConfig: {
      sdkAppId: app.sdkAppId,
      secretKey: app.secretKey,
      adminUserId: app.adminUserId,
      webhookToken: app.webhookToken,
      webhookSecret: app.webhookSecret,
      restUrl: addresses.rest,
      proxyServer: addresses.socket,
    },
    connectGateway({ baseUrl }) {
      service.webhooks.setUrl(`${baseUrl}/hooks/trtc/${app.webhookSecret}`)
    },
    faults: {
      async outage(on) {
        await gatewayOutage(on)
        await (on ? socket.close() : socket.open())
      },
      gatewayOutage,
      latency(ms) {
        faults.latencyMs = ms
      },
      loss(share) {
        faults.lossShare = share
      },
      duplication(share) {
        faults.duplicationShare = share
      },
      reordering(share) {
        faults.reorderingShare = share
      },
      failWith: faults.failWith,
      answerLost: faults.answerLost,
      failing: faults.failing,
      httpStatus: faults.httpStatus,
      answersLost: faults.answersLost,
      forgetLogins() {
        logins.clear()
        socket.cut()
      },
    },
    userSig: (userId) => makeUserSig({ ...app, userId, lifetimeSeconds: 86_400, now: now() }),
    redeliver: (messageKey) => service.webhooks.redeliver(messageKey),
    idle: () => service.webhooks.idle(),
    async stop() {
      service.webhooks.stop()
      await Promise.all([rest.close(), socket.close()])
    },
  }
}

/**
 * Joins as a wallet would: an unmodified SDK in a child process, with the credentials that the gateway issues.
 * It connects to `proxyServer` of the credentials or of the description, and to nothing else.
 */
export async function connectClient(input: NetworkClientInput): Promise<NetworkClient> {
  const { sdkAppId, userId, userSig, proxyServer } = input.credentials ?? {}
  const server = proxyServer ?? input.description.proxyServer
  if (typeof sdkAppId !== 'number' || typeof userSig !== 'string' || typeof server !== 'string') {
    throw new TypeError('a TRTC client needs the credentials that the gateway issues, and a proxyServer')
  }
  if (userId !== input.address) throw new TypeError('the credentials belong to another address')
  const client = await connectChatClient({ sdkAppId, userId: input.address, userSig, proxyServer: server })
  return {
    send: async (address, frame) => (await client.sendFrame(address, frame)).messageKey,
    onFrame(listener) {
      const pass = ({ frame, from }: { frame: Uint8Array | null; from: string }) => {
        if (frame) listener(frame, from)
      }
      for (const message of client.messages) pass(message)
      client.onMessage(pass)
    },
    close: () => client.close(),
  }
}

/** The same seed gives the same keys, so that configuration written for a sandbox goes on working. */
function derived(seed: number, purpose: string): string {
  return createHash('sha256').update(`causeway sandbox ${seed} ${purpose}`).digest('hex')
}
