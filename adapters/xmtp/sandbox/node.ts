/** The node: gRPC over cleartext HTTP/2 on loopback. It can be switched off and comes back on the same port. SANDBOX. */
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { systemClock } from '../../../src/adapter/clock.ts'
import {
  identityService,
  MAX_CALL_BYTES,
  mlsService,
  type SubscribeGroupMessagesRequest,
  type SubscribeWelcomeMessagesRequest,
} from '../wire/index.ts'
import { type ApiParts, identityApi, mlsApi } from './api.ts'
import { MIGRATED_MESSAGE } from './faults.ts'
import { RateLimiter } from './rate-limits.ts'
import { Refusal } from './refusal.ts'

/** While the port was free another process may have taken it for a moment. */
const REOPEN_ATTEMPTS = 100
const REOPEN_PAUSE_MS = 100

type Handlers = Record<string, (request: never) => object>

export class XmtpNode {
  readonly #parts: ApiParts
  readonly #calls = new Map<string, number>()
  readonly #timers = new Set<NodeJS.Timeout>()
  /** Null: no limits. */
  limiter: RateLimiter | null
  #server: Server | null = null
  #port: number

  /** `port` 0: any free port, the same from the first `open` on. */
  constructor(parts: ApiParts, limiter: RateLimiter | null, port: number) {
    this.#parts = parts
    this.limiter = limiter
    this.#port = port
  }

  get port(): number {
    return this.#port
  }

  /** How often each method was called since the start, refused calls included. */
  get calls(): Record<string, number> {
    return Object.fromEntries(this.#calls)
  }

  async open(): Promise<void> {
    if (this.#server) return
    const isFirst = this.#port === 0
    for (let attempt = 1; ; attempt++) {
      const server = this.#build()
      try {
        this.#port = await bind(server, this.#port)
        this.#server = server
        return
      } catch (error) {
        server.forceShutdown()
        if (isFirst || attempt >= REOPEN_ATTEMPTS) throw error
        await systemClock.sleep(REOPEN_PAUSE_MS)
      }
    }
  }

  /** Refuses new connections and cuts those that are open, with everything that is on its way over them. */
  async close(): Promise<void> {
    const server = this.#server
    this.#server = null
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#parts.groupSubscriptions.clear()
    this.#parts.welcomeSubscriptions.clear()
    if (!server) return
    const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()))
    server.forceShutdown()
    await closed
  }

  #build(): Server {
    const server = new Server({ 'grpc.max_receive_message_length': MAX_CALL_BYTES })
    server.addService(identityService, this.#unary(identityApi(this.#parts) as Handlers))
    server.addService(mlsService, { ...this.#unary(mlsApi(this.#parts) as Handlers), ...this.#streams() })
    return server
  }

  #unary(handlers: Handlers): UntypedServiceImplementation {
    const entries = Object.entries(handlers).map(([method, handler]) => {
      const handle: handleUnaryCall<unknown, object> = (call, answer) => {
        const work = () => {
          try {
            this.#check(method, call.getPeer())
            const response = handler(call.request as never)
            if (method === 'SendGroupMessages' && this.#parts.faults.takeLostAnswer()) {
              throw new Refusal(status.UNAVAILABLE, 'the answer was lost on demand')
            }
            answer(null, response)
          } catch (error) {
            answer(refusalOf(error))
          }
        }
        this.#count(method)
        this.#after(this.#parts.faults.latencyMs, work)
      }
      return [method, handle] as const
    })
    return Object.fromEntries(entries)
  }

  #streams(): UntypedServiceImplementation {
    const { store, groupSubscriptions, welcomeSubscriptions } = this.#parts
    const SubscribeGroupMessages: handleServerStreamingCall<SubscribeGroupMessagesRequest, object> = (call) =>
      this.#subscribe('SubscribeGroupMessages', call, () => {
        const { filters } = call.request
        const history = filters.flatMap(({ groupId, idCursor }) =>
          store.groupMessagesAfter(groupId, idCursor),
        )
        const keys = filters.map(({ groupId }) => Buffer.from(groupId).toString('hex'))
        groupSubscriptions.open(
          call,
          keys,
          history.map((v1) => ({ v1 })),
        )
      })
    const SubscribeWelcomeMessages: handleServerStreamingCall<SubscribeWelcomeMessagesRequest, object> = (
      call,
    ) =>
      this.#subscribe('SubscribeWelcomeMessages', call, () => {
        const { filters } = call.request
        const keys = filters.map(({ installationKey }) => Buffer.from(installationKey).toString('hex'))
        const history = filters.flatMap(({ installationKey, idCursor }) =>
          store.welcomesAfter(installationKey, idCursor),
        )
        welcomeSubscriptions.open(call, keys, history)
      })
    return { SubscribeGroupMessages, SubscribeWelcomeMessages }
  }

  #subscribe(
    method: string,
    call: Parameters<handleServerStreamingCall<unknown, object>>[0],
    open: () => void,
  ): void {
    this.#count(method)
    try {
      this.#check(method, call.getPeer())
      open()
    } catch (error) {
      call.emit('error', refusalOf(error))
    }
  }

  #check(method: string, peer: string): void {
    this.#parts.faults.check(method)
    this.limiter?.take(method, peer)
    if (this.#parts.faults.isMigrated && RateLimiter.isPublish(method)) {
      throw new Refusal(status.UNAVAILABLE, MIGRATED_MESSAGE)
    }
  }

  #count(method: string): void {
    this.#calls.set(method, (this.#calls.get(method) ?? 0) + 1)
  }

  #after(ms: number, task: () => void): void {
    if (ms <= 0) {
      task()
      return
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      task()
    }, ms)
    this.#timers.add(timer)
  }
}

function bind(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    )
  })
}

/** Statuses of the protocol as they are; anything else is a defect of the stand-in and says so. */
function refusalOf(error: unknown): { code: status; details: string } {
  if (error instanceof Refusal) return { code: error.code, details: error.message }
  return { code: status.INTERNAL, details: `the sandbox failed: ${(error as Error).message}` }
}
