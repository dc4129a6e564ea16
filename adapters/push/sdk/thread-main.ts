/**
 * The thread of the unmodified `@pushprotocol/restapi`. It holds the account's PGP key and does the cryptography, and it
 * reaches no network: each HTTP call of the SDK goes to the adapter, which decides about it and makes it.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'
import { parentPort } from 'node:worker_threads'
import { Wallet } from 'ethers/wallet'
import type { HttpAnswer } from '../rest.ts'
import type { FromThread, Opened, Task, ToThread } from './protocol.ts'

/** What is used of the SDK; its own types need a browser's. */
interface Sdk {
  PushAPI: {
    initialize(signer: object, options: { env: string; autoUpgrade: boolean }): Promise<PushApi>
  }
}
interface PushApi {
  readmode(): boolean
  chat: {
    send(to: string, message: { type: 'Text'; content: string }): Promise<{ cid?: unknown }>
    accept(from: string): Promise<unknown>
    decrypt(messages: Record<string, unknown>[]): Promise<{ messageObj?: unknown }[]>
  }
}
interface AxiosConfig {
  method?: string
  url?: string
  data?: string
}

const fromSdk = createRequire(createRequire(import.meta.url).resolve('@pushprotocol/restapi'))
const axios = fromSdk('axios') as { defaults: { adapter: unknown } }
const { PushAPI } = fromSdk('@pushprotocol/restapi') as Sdk

const currentTask = new AsyncLocalStorage<number>()
const calls = new Map<number, PromiseWithResolvers<HttpAnswer>>()
let callCount = 0
let api: PushApi | null = null

function tell(message: FromThread): void {
  parentPort?.postMessage(message)
}

/** The SDK's addresses are process-wide and end in `/apis`; only what follows counts. */
axios.defaults.adapter = async (config: AxiosConfig) => {
  const id = ++callCount
  const answered = Promise.withResolvers<HttpAnswer>()
  calls.set(id, answered)
  tell({
    type: 'call',
    id,
    task: currentTask.getStore() ?? 0,
    call: {
      method: (config.method ?? 'get').toUpperCase(),
      path: (config.url ?? '').replace(/^https?:\/\/[^/]+\/apis/, ''),
      body: config.data === undefined ? undefined : (JSON.parse(config.data) as unknown),
    },
  })
  const { status, body } = await answered.promise
  const response = { data: body, status, statusText: '', headers: {}, config, request: null }
  if (status >= 200 && status < 300) return response
  throw Object.assign(new Error(`HTTP status ${status}`), { response, config, isAxiosError: true })
}

async function unlock({ walletKey, environment }: Extract<Task, { kind: 'unlock' }>): Promise<null> {
  const wallet = new Wallet(walletKey.startsWith('0x') ? walletKey : `0x${walletKey}`)
  const opened = await PushAPI.initialize(wallet, { env: environment, autoUpgrade: false })
  // The SDK does not fail when the key does not open: it falls into guest mode.
  if (opened.readmode()) throw new Error('guest mode')
  api = opened
  return null
}

async function open(message: Record<string, unknown>): Promise<Opened> {
  try {
    const [decrypted] = await unlocked().chat.decrypt([message])
    const object = decrypted?.messageObj
    // What it cannot decrypt the SDK replaces by a sentence.
    if (typeof object !== 'object' || object === null) return { content: null, reason: 'undecryptable' }
    return { content: 'content' in object ? object.content : null, reason: null }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    if (/could not be verified/i.test(text)) return { content: null, reason: 'badly-signed' }
    throw error
  }
}

function unlocked(): PushApi {
  if (!api) throw new Error('not unlocked')
  return api
}

async function run(task: Task): Promise<unknown> {
  switch (task.kind) {
    case 'unlock':
      return unlock(task)
    case 'send':
      return { cid: (await unlocked().chat.send(task.to, { type: 'Text', content: task.content })).cid }
    case 'accept':
      await unlocked().chat.accept(task.from)
      return null
    case 'open':
      return open(task.message)
  }
}

parentPort?.on('message', (message: ToThread) => {
  if (message.type === 'task') {
    const { id, task } = message
    currentTask.run(id, () =>
      run(task).then(
        (value) => tell({ type: 'done', id, value }),
        (error: unknown) =>
          tell({ type: 'failed', id, reason: error instanceof Error ? error.name : 'unknown' }),
      ),
    )
    return
  }
  const waiting = calls.get(message.id)
  calls.delete(message.id)
  if (message.type === 'answer') waiting?.resolve(message.answer)
  else waiting?.reject(new Error('no answer'))
})
