/** The thread of `sdk-user.ts`: users of the unmodified `@pushprotocol/restapi`, all at one base URL. */
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { UserReport, UserRequest } from './sdk-user.ts'

/** What is used of the SDK; its own types need a browser's. */
interface Sdk {
  PushAPI: {
    initialize(signer: object, options: { env: string; alpha: { feature: string[] } }): Promise<PushApi>
    initialize(options: { env: string; account: string }): Promise<PushApi>
  }
}
interface PushApi {
  readmode(): boolean
  errors: { message: string }[]
  initStream(listen: string[], options?: object): Promise<Stream>
  chat: {
    accept(from: string): Promise<unknown>
    history(peer: string, options: { limit: number }): Promise<HistoryMessage[]>
    list(kind: string, options: { page: number; limit: number }): Promise<{ did: string | null }[]>
  }
}
interface Stream {
  on(event: 'STREAM.NOTIF', listener: (data: NotificationEvent) => void): void
  on(event: string, listener: (data: StreamEvent) => void): void
  connect(): Promise<void>
  disconnect(): Promise<void>
  chatSocketConnected: boolean
  notifSocketConnected: boolean
}
interface NotificationEvent {
  event: string
  message: { notification: { title: string; body: string } }
}
interface StreamEvent {
  event: string
  origin: string
  chatId: string
  from: string
  to: string[]
  reference: string
  message?: { type: string; content: unknown }
  meta?: { group: boolean }
}
interface HistoryMessage {
  cid: string
  chatId?: string
  fromDID: string
  toDID: string
  messageType: string
  messageObj: { content: unknown }
}
interface User {
  address: string
  api: PushApi
  stream: Stream
  notifications: Stream | null
  seen: Set<string>
  peers: Set<string>
  closed: boolean
}

/** The SDK's stream stops trying after three attempts; asked again it goes on. */
const RECONNECT_PAUSE_MS = 500
const HISTORY_PAGE = 30

const { baseUrl } = workerData as { baseUrl: string }
const require = createRequire(import.meta.url)
const config = require('@pushprotocol/restapi/src/lib/config.js') as {
  API_BASE_URL: Record<string, string>
  default: Record<string, Record<string, { API_BASE_URL: string }>>
}
config.API_BASE_URL.local = baseUrl
// Subscribing copies the address when the module loads, so it has to be set there as well.
for (const network of Object.values(config.default.local ?? {})) network.API_BASE_URL = baseUrl
const { PushAPI } = require('@pushprotocol/restapi') as Sdk

const users = new Map<number, User>()
const signatures = new Map<number, PromiseWithResolvers<string>>()
let signatureCount = 0

function report(message: UserReport): void {
  parentPort?.postMessage(message)
}

function remoteSigner(user: number, address: string) {
  return {
    getAddress: async () => address,
    signMessage(text: string): Promise<string> {
      const call = ++signatureCount
      const promise = Promise.withResolvers<string>()
      signatures.set(call, promise)
      report({ type: 'sign', call, user, text })
      return promise.promise
    },
  }
}

async function connect(request: Extract<UserRequest, { type: 'connect' }>) {
  const { user, address, acceptRequests, features } = request
  const options = { env: 'local', alpha: { feature: features } }
  const api = await PushAPI.initialize(remoteSigner(user, address), options)
  if (api.readmode()) throw new Error(api.errors[0]?.message ?? 'the SDK fell into guest mode')
  const stream = await api.initStream(['STREAM.CHAT', 'STREAM.CONNECT', 'STREAM.DISCONNECT'])
  const entry: User = {
    address,
    api,
    stream,
    notifications: null,
    seen: new Set(),
    peers: new Set(),
    closed: false,
  }
  users.set(user, entry)
  stream.on('STREAM.CHAT', (event) => receive(user, entry, event, acceptRequests))
  stream.on('STREAM.DISCONNECT', () => void reconnect(user, entry))
  await stream.connect()
  while (!stream.chatSocketConnected) await sleep(10)
}

async function watch({ user }: Extract<UserRequest, { type: 'watch' }>): Promise<void> {
  const entry = users.get(user)
  if (!entry) return
  // The SDK has one stream for each instance, and needs no key for this.
  const reader = await PushAPI.initialize({ env: 'local', account: entry.address })
  const stream = await reader.initStream(['STREAM.NOTIF'])
  entry.notifications = stream
  stream.on('STREAM.NOTIF', ({ event, message }) => {
    const { title, body } = message.notification
    report({ type: 'notification', user, notification: { title, body, spam: event === 'notification.spam' } })
  })
  await stream.connect()
  while (!stream.notifSocketConnected) await sleep(10)
}

function receive(user: number, entry: User, event: StreamEvent, acceptRequests: boolean): void {
  const { from, to, reference: cid, chatId, message, meta } = event
  if (event.origin !== 'other') return
  entry.peers.add(from)
  if (event.event === 'chat.request' && acceptRequests && !meta?.group) {
    entry.api.chat.accept(from).catch((error: unknown) => console.error(error))
  }
  if (!message || !['chat.request', 'chat.message'].includes(event.event)) return
  tell(user, entry, {
    cid,
    chatId,
    from,
    to: to[0] ?? '',
    type: message.type,
    content: message.content,
    group: meta?.group ?? false,
  })
}

function tell(user: number, entry: User, message: Extract<UserReport, { type: 'message' }>['message']): void {
  if (entry.seen.has(message.cid)) return
  entry.seen.add(message.cid)
  report({ type: 'message', user, message })
}

/** What an application has to do itself: the SDK gives up, and does not replay what was missed. */
async function reconnect(user: number, entry: User): Promise<void> {
  while (!entry.closed && !entry.stream.chatSocketConnected) {
    await entry.stream.connect().catch((error: unknown) => console.error(error))
    await sleep(RECONNECT_PAUSE_MS)
  }
  for (const peer of entry.peers) {
    const missed = await entry.api.chat.history(peer, { limit: HISTORY_PAGE }).catch((error: unknown) => {
      console.error(error)
      return []
    })
    for (const { cid, chatId = '', fromDID, toDID, messageType, messageObj } of missed.reverse()) {
      if (fromDID !== peer) continue
      const common = { cid, chatId, from: fromDID, to: toDID, type: messageType, group: false }
      tell(user, entry, { ...common, content: messageObj.content })
    }
  }
}

async function invoke({ user, method, parameters }: Extract<UserRequest, { type: 'invoke' }>) {
  let owner: unknown = users.get(user)?.api
  const path = method.split('.')
  const name = path.pop() ?? ''
  for (const part of path) owner = (owner as Record<string, unknown> | undefined)?.[part]
  const target = (owner as Record<string, unknown> | undefined)?.[name]
  if (typeof target !== 'function') throw new Error(`the SDK has no method ${method}`)
  return target.apply(owner, parameters) as unknown
}

async function disconnect(user: number): Promise<void> {
  const entry = users.get(user)
  if (!entry) return
  entry.closed = true
  users.delete(user)
  await entry.stream.disconnect()
  await entry.notifications?.disconnect()
}

parentPort?.on('message', (request: UserRequest) => {
  if (request.type === 'signed') {
    const waiting = signatures.get(request.call)
    signatures.delete(request.call)
    if (request.signature === null) waiting?.reject(new Error(request.reason))
    else waiting?.resolve(request.signature)
    return
  }
  const { call } = request
  const work =
    request.type === 'connect'
      ? connect(request)
      : request.type === 'invoke'
        ? invoke(request)
        : request.type === 'watch'
          ? watch(request)
          : disconnect(request.user)
  work.then(plain).then(
    (value) => report({ type: 'result', call, value }),
    (error: unknown) =>
      report({ type: 'failed', call, reason: error instanceof Error ? error.message : String(error) }),
  )
})

/** Through JSON: what the SDK gives may hold functions, which do not go between threads, and whole HTTP answers. */
function plain(value: unknown): unknown {
  const isAnswer = typeof value === 'object' && value !== null && 'status' in value && 'config' in value
  return JSON.parse(JSON.stringify(isAnswer ? { status: value.status } : (value ?? null)))
}
