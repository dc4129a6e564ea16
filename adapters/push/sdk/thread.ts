/** The adapter's side of the SDK's thread: tasks in, HTTP calls out, the SDK's console output nowhere. */
import { Worker } from 'node:worker_threads'
import { PushError } from '../errors.ts'
import type { HttpAnswer, HttpCall } from '../rest.ts'
import { isTooDeep } from './depth.ts'
import type { FromThread, Opened, SdkMessage, Task, ToThread } from './protocol.ts'

/** Decides about an HTTP call of the SDK, and makes it. What it rejects with is also what the task is told to fail with. */
export type Transport = (call: HttpCall) => Promise<HttpAnswer>

export interface SdkThread {
  /** One of its accounts, by a name of the adapter's: each has a key and does nothing with those of others. */
  account(name: string): SdkAccount
  /** Aborts when the thread has ended, whatever the reason. */
  readonly ended: AbortSignal
  close(): Promise<void>
}

export interface SdkAccount {
  /** Rejects with `profile-locked` when the key does not open with this wallet. */
  unlock(account: { environment: string; walletKey: string }, transport: Transport): Promise<void>
  /** Resolves with whether the key (armored) is that of the wallet's profile, and was taken. */
  admit(account: { environment: string; did: string; key: string }, transport: Transport): Promise<boolean>
  /** The thread forgets the account's key. */
  dismiss(): Promise<void>
  /** Resolves with the message's cid. */
  send(to: string, message: SdkMessage, transport: Transport): Promise<string>
  accept(from: string, transport: Transport): Promise<void>
  open(message: Record<string, unknown>, transport: Transport): Promise<Opened>
}

interface Outcome {
  value: unknown
  /** What a call failed with, though the SDK went on without it. */
  failure: unknown
}

interface Pending {
  promise: PromiseWithResolvers<Outcome>
  transport: Transport
  /** What a call failed with, which says more than what the SDK makes of it. */
  failure: unknown
}

/** Starts the thread, which loads the SDK: half a second of another core. */
export function startSdkThread(): SdkThread {
  const worker = new Worker(new URL('./thread-main.ts', import.meta.url), {
    name: 'push-sdk',
    // The SDK writes whole messages and profiles to the console.
    stdout: true,
    stderr: true,
  })
  worker.stdout.resume()
  worker.stderr.resume()
  const tasks = new Map<number, Pending>()
  const ended = new AbortController()
  let count = 0

  const post = (message: ToThread) => worker.postMessage(message)

  function perform(account: string, task: Task, transport: Transport): Promise<Outcome> {
    if (ended.signal.aborted)
      return Promise.reject(new PushError('sdk-ended', 'The thread of the Push SDK ended'))
    const id = ++count
    const promise = Promise.withResolvers<Outcome>()
    tasks.set(id, { promise, transport, failure: null })
    post({ type: 'task', id, account, task })
    return promise.promise
  }

  async function answer({ id, task, call }: Extract<FromThread, { type: 'call' }>): Promise<void> {
    const pending = tasks.get(task)
    try {
      if (!pending) throw new PushError('sdk-failed', 'The Push SDK made a call that belongs to no task')
      const answered = await pending.transport(call)
      if (isTooDeep(answered.body)) {
        throw new PushError('malformed-answer', 'The Push service gives what is nested too deeply')
      }
      post({ type: 'answer', id, answer: answered })
    } catch (error) {
      if (pending) pending.failure ??= error
      post({ type: 'no-answer', id })
    }
  }

  worker.on('message', (message: FromThread) => {
    if (message.type === 'call') {
      void answer(message)
      return
    }
    const pending = tasks.get(message.id)
    tasks.delete(message.id)
    if (message.type === 'done') pending?.promise.resolve({ value: message.value, failure: pending.failure })
    else
      pending?.promise.reject(
        pending.failure ?? new PushError('sdk-failed', `The Push SDK failed (${message.reason})`),
      )
  })
  const end = () => {
    ended.abort()
    for (const { promise } of tasks.values()) {
      promise.reject(new PushError('sdk-ended', 'The thread of the Push SDK ended'))
    }
    tasks.clear()
  }
  worker.on('error', end)
  worker.on('exit', end)
  // An answer that cannot be read is one of an unknown task.
  worker.on('messageerror', () => {
    end()
    void worker.terminate()
  })

  function account(name: string): SdkAccount {
    const run = async (task: Task, transport: Transport) => (await perform(name, task, transport)).value
    return {
      async unlock(of, transport) {
        try {
          await run({ kind: 'unlock', ...of }, transport)
        } catch (error) {
          if (!(error instanceof PushError) || error.code !== 'sdk-failed') throw error
          throw new PushError('profile-locked', 'The key of the Push profile does not open with this wallet')
        }
      },
      admit: async (of, transport) => (await run({ kind: 'admit', ...of }, transport)) === true,
      async dismiss() {
        await run({ kind: 'dismiss' }, () => Promise.reject(new PushError('sdk-failed', 'No call is needed')))
      },
      async send(to, message, transport) {
        const { cid } = (await run({ kind: 'send', to, message }, transport)) as { cid?: unknown }
        if (typeof cid === 'string' && cid !== '') return cid
        throw new PushError('malformed-answer', 'The Push service took the message, but named no cid')
      },
      async accept(from, transport) {
        await run({ kind: 'accept', from }, transport)
      },
      async open(message, transport) {
        if (isTooDeep(message)) return { object: null, reason: 'undecryptable' }
        const { value, failure } = await perform(name, { kind: 'open', message }, transport)
        const opened = value as Opened
        // The SDK takes a key that it could not fetch for one that does not open the message.
        if (opened.object === null && failure !== null) throw failure
        return opened
      },
    }
  }

  return {
    account,
    ended: ended.signal,
    async close() {
      end()
      await worker.terminate()
    },
  }
}
