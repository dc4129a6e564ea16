/**
 * A real client: the unmodified `@tencentcloud/chat` SDK in a child process, driven from here.
 *
 * It has a process of its own because the SDK keeps one instance for each app in a process, logs to the console, and ends
 * the process by an unhandled rejection when a login after a lost connection is refused.
 *
 * @example
 * const bob = await connectChatClient(credentials) // as `POST /v1/networks/trtc/credentials` issues them
 * bob.onMessage((message) => console.log(message.from, message.frame))
 * await bob.sendFrame(aliceUserId, frame)
 * await bob.close()
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { systemClock } from '../../../src/adapter/clock.ts'
import { toBase64url, toHex } from '../../../src/envelope/index.ts'
import { CARRIAGE_DESCRIPTION, CARRIAGE_EXTENSION, decodeMessage } from '../carriage.ts'

const CLOSE_TIMEOUT_MS = 3_000
const CONNECT_TIMEOUT_MS = 30_000
/** Of what a dying child wrote to its error output; the SDK's source lines are 700 KB long. */
const ERROR_OUTPUT_CHARACTERS = 1_000

export interface ChatCredentials {
  sdkAppId: number
  userId: string
  userSig: string
  /** WebSocket address. Required, so that a test can never reach the public service by accident. */
  proxyServer: string
}

export interface CustomPayload {
  data: string
  description: string
  extension: string
}

export interface FacePayload {
  index: number
  data: string
}

export interface LocationPayload {
  description: string
  latitude: number
  longitude: number
}

/** Text, or the payload of an element. */
export type ChatPayload = string | CustomPayload | FacePayload | LocationPayload

/** A message as the SDK hands it out. */
export interface NativeMessage {
  /** The SDK's id: `<TinyId>-<client time>-<random>`. */
  id: string
  /** `<MsgSeq>_<MsgRandom>_<MsgTime>`, by which REST and webhooks name a one-to-one message. */
  messageKey: string
  from: string
  /** A userID, or a group id. */
  to: string
  isGroup: boolean
  /** Unix seconds, the service's clock. */
  time: number
  text: string | null
  custom: CustomPayload | null
  cloudCustomData: string
  /** `TIMTextElem`, `TIMImageElem`, … */
  type: string
  /** As the SDK has it. */
  payload: Record<string, unknown>
}

export interface ChatMessage extends NativeMessage {
  /** The frame, when the message carries one of ours. */
  frame: Uint8Array | null
}

export interface SendChatOptions {
  /** `to` is a group id. */
  isGroup?: boolean
  /** Not kept: only clients that are online get it. */
  onlineOnly?: boolean
  cloudCustomData?: string
}

/** How the child process ended. */
export interface ChatClientExit {
  code: number | null
  signal: NodeJS.Signals | null
  /** What killed it, where that is known. */
  reason: string
}

export interface ChatClient {
  readonly userId: string
  /** Of the child; another one after `restart`. */
  readonly processId: number | undefined
  /** Everything received so far, in order of arrival. */
  readonly messages: readonly ChatMessage[]
  /** `messageKey` of what was taken back, in order. */
  readonly revoked: readonly string[]
  /** Returns a function that ends the subscription. */
  onMessage(listener: (message: ChatMessage) => void): () => void
  /** Called when the child ends without having been told to. */
  onExit(listener: (exit: ChatClientExit) => void): () => void
  /** Sends a frame in the carriage; with `envelopeId` the message names its envelope. */
  sendFrame(
    to: string,
    frame: Uint8Array,
    options?: SendChatOptions & { envelopeId?: Uint8Array },
  ): Promise<NativeMessage>
  /** Rejects with `ChatClientError`, whose `code` is the service's. */
  sendCustom(to: string, payload: CustomPayload, options?: SendChatOptions): Promise<NativeMessage>
  sendText(to: string, text: string, options?: SendChatOptions): Promise<NativeMessage>
  /** Any element that needs no upload. */
  sendPayload(to: string, payload: ChatPayload, options?: SendChatOptions): Promise<NativeMessage>
  /** Takes back a message that this client sent, by its `id`. */
  revoke(id: string): Promise<void>
  /** Tells the peer that everything is read. */
  setRead(peer: string): Promise<void>
  /** Makes a group that anybody may join, with this client as its owner. */
  createGroup(groupId: string, name: string): Promise<void>
  joinGroup(groupId: string): Promise<void>
  /** The latest messages with a user, oldest first, as the service keeps them. */
  messageList(peer: string): Promise<ChatMessage[]>
  /** Resolves with the first message, received already or later, that fits. */
  waitFor(fits: (message: ChatMessage) => boolean, timeoutMs?: number): Promise<ChatMessage>
  /** Starts a new child and logs in again. */
  restart(): Promise<void>
  /** Ends the child, whatever state it is in. May be called more than once. */
  close(): Promise<void>
}

/** An error of the SDK or the service. `code` is theirs; 0 where there is none. */
export class ChatClientError extends Error {
  override readonly name = 'ChatClientError'
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** What the parent asks of the child. */
export type ChatRequest =
  | { method: 'connect'; credentials: ChatCredentials }
  | { method: 'send'; to: string; payload: ChatPayload; options: SendChatOptions }
  | { method: 'revoke'; id: string }
  | { method: 'setRead'; peer: string }
  | { method: 'createGroup'; groupId: string; name: string }
  | { method: 'joinGroup'; groupId: string }
  | { method: 'messageList'; peer: string }
  | { method: 'close' }

/** What the child tells the parent. */
export type ChatReport =
  | { type: 'result'; call: number; value: unknown }
  | { type: 'failed'; call: number; code: number; message: string }
  | { type: 'message'; message: NativeMessage }
  | { type: 'revoked'; messageKey: string }
  | { type: 'crashed'; reason: string }

/** Starts a client and logs it in. Rejects with `ChatClientError` (70001 expired, 70009 wrong key, …). */
export async function connectChatClient(credentials: ChatCredentials): Promise<ChatClient> {
  const messages: ChatMessage[] = []
  const revoked: string[] = []
  const messageListeners = new Set<(message: ChatMessage) => void>()
  const exitListeners = new Set<(exit: ChatClientExit) => void>()
  let child = startChild()
  await connect()

  function startChild(): ReturnType<typeof createChild> {
    return createChild(
      (native) => {
        const message = withFrame(native)
        messages.push(message)
        for (const listener of messageListeners) listener(message)
      },
      (messageKey) => revoked.push(messageKey),
      (exit) => {
        for (const listener of exitListeners) listener(exit)
      },
    )
  }

  async function connect(): Promise<void> {
    const late = new AbortController()
    try {
      await Promise.race([
        child.call({ method: 'connect', credentials }),
        systemClock.sleep(CONNECT_TIMEOUT_MS, late.signal).then(() => {
          throw new ChatClientError(0, `no login within ${CONNECT_TIMEOUT_MS} ms`)
        }),
      ])
    } catch (error) {
      await child.end()
      throw error
    } finally {
      late.abort()
    }
  }

  async function send(to: string, payload: ChatPayload, options: SendChatOptions = {}) {
    return (await child.call({ method: 'send', to, payload, options })) as NativeMessage
  }

  return {
    userId: credentials.userId,
    get processId() {
      return child.processId
    },
    messages,
    revoked,
    onMessage: (listener) => subscribe(messageListeners, listener),
    onExit: (listener) => subscribe(exitListeners, listener),
    sendFrame(to, frame, options = {}) {
      const { envelopeId, ...rest } = options
      const payload = {
        data: toBase64url(frame),
        description: CARRIAGE_DESCRIPTION,
        extension: CARRIAGE_EXTENSION,
      }
      const named = envelopeId ? { cloudCustomData: JSON.stringify({ id: toHex(envelopeId) }) } : {}
      return send(to, payload, { ...named, ...rest })
    },
    sendCustom: send,
    sendText: send,
    sendPayload: send,
    async revoke(id) {
      await child.call({ method: 'revoke', id })
    },
    async setRead(peer) {
      await child.call({ method: 'setRead', peer })
    },
    async createGroup(groupId, name) {
      await child.call({ method: 'createGroup', groupId, name })
    },
    async joinGroup(groupId) {
      await child.call({ method: 'joinGroup', groupId })
    },
    async messageList(peer) {
      return ((await child.call({ method: 'messageList', peer })) as NativeMessage[]).map(withFrame)
    },
    waitFor(fits, timeoutMs = 20_000) {
      return new Promise((resolve, reject) => {
        const early = messages.find(fits)
        if (early) {
          resolve(early)
          return
        }
        const timer = setTimeout(() => {
          unsubscribe()
          reject(new Error(`no such message reached the client within ${timeoutMs} ms`))
        }, timeoutMs)
        const unsubscribe = subscribe(messageListeners, (message: ChatMessage) => {
          if (!fits(message)) return
          clearTimeout(timer)
          unsubscribe()
          resolve(message)
        })
      })
    },
    async restart() {
      await child.end()
      child = startChild()
      await connect()
    },
    close: () => child.end(),
  }
}

/** A child process with calls and answers. `onExit` is not called for an end that was asked for. */
function createChild(
  onMessage: (message: NativeMessage) => void,
  onRevoked: (messageKey: string) => void,
  onExit: (exit: ChatClientExit) => void,
) {
  const calls = new Map<number, PromiseWithResolvers<unknown>>()
  const child: ChildProcess = fork(new URL('./chat-client-process.ts', import.meta.url), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  // Not 'exit': what the child wrote and reported last is read by then.
  const exited = Promise.all([once(child, 'close'), once(child, 'disconnect')]).then(
    ([ended]) => ended as [number | null, NodeJS.Signals | null],
  )
  let lastCall = 0
  let reason = ''
  let ending = false

  child.stderr?.on('data', (chunk: Buffer) => {
    reason = (reason + chunk.toString('utf8')).slice(-ERROR_OUTPUT_CHARACTERS)
  })
  child.on('message', (report: ChatReport) => {
    if (report.type === 'message') onMessage(report.message)
    else if (report.type === 'revoked') onRevoked(report.messageKey)
    else if (report.type === 'crashed') reason = report.reason
    else if (report.type === 'failed') {
      settle(report.call)?.reject(new ChatClientError(report.code, report.message))
    } else settle(report.call)?.resolve(report.value)
  })
  void exited.then(([code, signal]) => {
    for (const call of calls.values()) call.reject(new ChatClientError(0, 'the chat client has ended'))
    calls.clear()
    if (!ending) onExit({ code, signal, reason })
  })

  function settle(id: number): PromiseWithResolvers<unknown> | undefined {
    const call = calls.get(id)
    calls.delete(id)
    return call
  }

  function call(request: ChatRequest): Promise<unknown> {
    if (!child.connected) return Promise.reject(new ChatClientError(0, 'the chat client has ended'))
    const id = ++lastCall
    const answer = Promise.withResolvers<unknown>()
    calls.set(id, answer)
    child.send({ ...request, call: id }, (error) => {
      if (error) settle(id)?.reject(new ChatClientError(0, 'the chat client cannot be reached'))
    })
    return answer.promise
  }

  return {
    processId: child.pid,
    call,
    async end(): Promise<void> {
      ending = true
      if (child.exitCode !== null || child.signalCode !== null) return
      call({ method: 'close' }).catch(() => {
        // it ends without an answer; the exit is what counts
      })
      const late = setTimeout(() => child.kill('SIGKILL'), CLOSE_TIMEOUT_MS)
      await exited
      clearTimeout(late)
    },
  }
}

function withFrame(native: NativeMessage): ChatMessage {
  const element = native.custom && {
    MsgType: 'TIMCustomElem',
    MsgContent: {
      Data: native.custom.data,
      Desc: native.custom.description,
      Ext: native.custom.extension,
    },
  }
  return { ...native, frame: decodeMessage([element], native.cloudCustomData)?.frame ?? null }
}

function subscribe<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
