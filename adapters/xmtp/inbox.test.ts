/** A stream that the SDK does not open in time, as on a connection that died silently. */
import { expect, it } from 'vitest'
import type { SharedBackend } from './backends.ts'
import { XmtpInbox } from './inbox.ts'
import { Limiter } from './limiter.ts'
import type { Sdk } from './sdk.ts'

/** An inbox whose SDK opens its stream when the test says so, by a clock that the test wakes. */
async function slowInbox() {
  const opening = Promise.withResolvers<unknown>()
  const asked = Promise.withResolvers<void>()
  const sleepers: (() => void)[] = []
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        sleepers.push(resolve)
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
      }),
  }
  const streamAllMessages = () => {
    asked.resolve()
    return opening.promise
  }
  const client = { conversations: { streamAllMessages }, close: async () => undefined }
  const requests = new Limiter({ burst: 10, perMinute: 10, clock })
  const inbox = await XmtpInbox.open({
    sdk: { Client: { create: async () => client } } as unknown as Sdk,
    shared: { backend: {} as SharedBackend['backend'], requests, clock },
    signer: {} as never,
    databasePath: null,
    databaseKey: new Uint8Array(32),
    codecs: [],
  })
  const ended = Promise.withResolvers<void>()
  const come = () => opening.resolve({ isDone: false, end: async () => ended.resolve() })
  const passTime = () => {
    for (const wake of sleepers.splice(0)) wake()
  }
  return { inbox, asked: asked.promise, come, fail: opening.reject, ended: ended.promise, passTime }
}

const hooks = { opened: () => expect.unreachable('it opened'), message: () => undefined }

it('is not waited for without a limit, and is ended when it comes', async () => {
  const { inbox, asked, come, ended, passTime } = await slowInbox()
  const listening = expect(inbox.listen(hooks, new AbortController().signal)).rejects.toMatchObject({
    code: 'unavailable',
  })
  await asked
  passTime()
  await listening
  come()
  await ended
  await inbox.close()
})

it('is ended when it comes after the listener has left', async () => {
  const { inbox, asked, come, ended } = await slowInbox()
  const listener = new AbortController()
  const listening = expect(inbox.listen(hooks, listener.signal)).rejects.toMatchObject({ code: 'aborted' })
  await asked
  listener.abort()
  await listening
  come()
  await ended
  await inbox.close()
})

it('tells why it did not open', async () => {
  const { inbox, asked, fail } = await slowInbox()
  const failure = new Error('no stream')
  const listening = expect(inbox.listen(hooks, new AbortController().signal)).rejects.toBe(failure)
  await asked
  fail(failure)
  await listening
  await inbox.close()
})
