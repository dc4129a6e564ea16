/**
 * A wallet's own Push user: the unmodified SDK in a worker thread, driven from here. One thread serves all users of one
 * base URL, because the SDK keeps the base URL once for a thread; and it writes to the console, which is discarded here.
 *
 * @example
 * const bob = await connectPushUser({ baseUrl, signer: Wallet.createRandom() })
 * bob.onMessage(({ from, content }) => console.log(from, content))
 * await bob.sendText(aliceDid, 'hello')
 * await bob.invoke('chat.group.create', 'three of us', { members: [aliceDid], private: true })
 */
import { Worker } from 'node:worker_threads'
import type { WalletSigner } from '../../../src/adapter/index.ts'
import { didOfAddress } from '../did.ts'

export interface PushUserOptions {
  /** REST address of the node, ending in `/apis`. */
  baseUrl: string
  signer: WalletSigner
  /** Accepts every request, as its user would. Default: true. */
  acceptRequests?: boolean
  /** Features of the SDK that are off by default, e.g. `SCALABILITY_V2`: groups with a session key. */
  features?: string[]
}

/** A message as the SDK shows it, decrypted. */
export interface PushUserMessage {
  cid: string
  chatId: string
  from: string
  to: string
  /** `Text`, `Reaction`, … */
  type: string
  content: unknown
  group: boolean
}

/** A notification of a channel, as the SDK's stream shows it. */
export interface PushUserNotification {
  title: string
  body: string
  /** Of the feed of channels that the user did not subscribe to. */
  spam: boolean
}

export interface PushUser {
  did: string
  /** Everything received so far, in order of arrival, each once. */
  readonly messages: readonly PushUserMessage[]
  onMessage(listener: (message: PushUserMessage) => void): void
  /** Follows the notifications of channels from now on. */
  onNotification(listener: (notification: PushUserNotification) => void): Promise<void>
  /** Resolves with the message's cid. */
  sendText(to: string, content: string): Promise<string>
  /** Calls a method of the SDK's `PushAPI` by its path, e.g. `chat.history`. Arguments and result must be plain data. */
  invoke(method: string, ...parameters: unknown[]): Promise<unknown>
  close(): Promise<void>
}

export type UserRequest =
  | {
      type: 'connect'
      call: number
      user: number
      address: string
      acceptRequests: boolean
      features: string[]
    }
  | { type: 'invoke'; call: number; user: number; method: string; parameters: unknown[] }
  | { type: 'watch'; call: number; user: number }
  | { type: 'disconnect'; call: number; user: number }
  | { type: 'signed'; call: number; signature: string | null; reason: string }

export type UserReport =
  | { type: 'result'; call: number; value: unknown }
  | { type: 'failed'; call: number; reason: string }
  | { type: 'sign'; call: number; user: number; text: string }
  | { type: 'message'; user: number; message: PushUserMessage }
  | { type: 'notification'; user: number; notification: PushUserNotification }

interface Host {
  connect(options: PushUserOptions, address: string): Promise<PushUser>
  users: number
  end(): Promise<unknown>
}

interface Receiver {
  signer: WalletSigner
  receive(message: PushUserMessage): void
  notify(notification: PushUserNotification): void
}

const hosts = new Map<string, Host>()

export async function connectPushUser(options: PushUserOptions): Promise<PushUser> {
  const address = await options.signer.getAddress()
  const host = hosts.get(options.baseUrl) ?? startHost(options.baseUrl)
  hosts.set(options.baseUrl, host)
  host.users++
  try {
    return await host.connect(options, address)
  } catch (error) {
    await release(options.baseUrl, host)
    throw error
  }
}

/** The thread ends with its last user. */
async function release(baseUrl: string, host: Host): Promise<void> {
  host.users--
  if (host.users > 0) return
  if (hosts.get(baseUrl) === host) hosts.delete(baseUrl)
  await host.end()
}

function startHost(baseUrl: string): Host {
  const worker = new Worker(new URL('./sdk-user-worker.ts', import.meta.url), {
    workerData: { baseUrl },
    name: 'push-users',
    stdout: true,
    stderr: true,
  })
  worker.stdout.resume()
  worker.stderr.resume()
  const calls = new Map<number, PromiseWithResolvers<unknown>>()
  const users = new Map<number, Receiver>()
  let count = 0
  let ended: Error | null = null

  function request(make: (call: number) => UserRequest): Promise<unknown> {
    const call = ++count
    const promise = Promise.withResolvers<unknown>()
    if (ended) promise.reject(ended)
    else {
      calls.set(call, promise)
      worker.postMessage(make(call))
    }
    return promise.promise
  }

  async function sign(report: Extract<UserReport, { type: 'sign' }>): Promise<void> {
    const reply = (signature: string | null, reason: string) =>
      worker.postMessage({ type: 'signed', call: report.call, signature, reason } satisfies UserRequest)
    try {
      const signer = users.get(report.user)?.signer
      reply((await signer?.signMessage(report.text)) ?? null, 'no such user')
    } catch (error) {
      reply(null, error instanceof Error ? error.message : String(error))
    }
  }

  worker.on('message', (report: UserReport) => {
    if (report.type === 'sign') void sign(report)
    else if (report.type === 'message') users.get(report.user)?.receive(report.message)
    else if (report.type === 'notification') users.get(report.user)?.notify(report.notification)
    else {
      const waiting = calls.get(report.call)
      calls.delete(report.call)
      if (report.type === 'result') waiting?.resolve(report.value)
      else waiting?.reject(new Error(report.reason))
    }
  })
  const end = (error: Error) => {
    ended ??= error
    for (const waiting of calls.values()) waiting.reject(error)
    calls.clear()
  }
  worker.on('error', end)
  worker.on('exit', () => end(new Error('the thread of the Push users has ended')))

  const host: Host = {
    users: 0,
    end: () => worker.terminate(),
    async connect(options, address) {
      const user = ++count
      const messages: PushUserMessage[] = []
      const listeners: ((message: PushUserMessage) => void)[] = []
      const watchers: ((notification: PushUserNotification) => void)[] = []
      users.set(user, {
        signer: options.signer,
        receive(message) {
          messages.push(message)
          for (const listener of listeners) listener(message)
        },
        notify(notification) {
          for (const watcher of watchers) watcher(notification)
        },
      })
      const { acceptRequests = true, features = [] } = options
      await request((call) => ({ type: 'connect', call, user, address, acceptRequests, features }))
      const invoke = (method: string, ...parameters: unknown[]) =>
        request((call) => ({ type: 'invoke', call, user, method, parameters }))
      let closed = false
      return {
        did: didOfAddress(address),
        messages,
        onMessage(listener) {
          for (const message of messages) listener(message)
          listeners.push(listener)
        },
        async onNotification(listener) {
          watchers.push(listener)
          if (watchers.length === 1) await request((call) => ({ type: 'watch', call, user }))
        },
        async sendText(to, content) {
          const { cid } = (await invoke('chat.send', to, { type: 'Text', content })) as { cid: string }
          return cid
        },
        invoke,
        async close() {
          if (closed) return
          closed = true
          await request((call) => ({ type: 'disconnect', call, user })).catch(() => {
            // the thread is gone, and the user with it
          })
          users.delete(user)
          await release(options.baseUrl, host)
        },
      }
    },
  }
  return host
}
