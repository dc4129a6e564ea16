/** Calls the gateway as the service calls webhooks: signed in the query, one after the other for each conversation. SANDBOX. */
import { systemClock as clock } from '../../../src/adapter/clock.ts'
import { webhookSignature } from '../webhook.ts'
import type { FaultState } from './faults.ts'
import { isObject, type JsonObject, type Platform } from './protocol.ts'

/** The service gives up on a webhook after two seconds. */
const TIMEOUT_MS = 2_000
/** Late webhooks come this much later, in milliseconds, times a random share. */
const REORDERING_DELAY_MS = 250
/** Message webhooks kept for `redeliver`. */
const REMEMBERED_MESSAGES = 10_000

export interface Webhooks {
  /** Where webhooks go; null: nowhere. */
  setUrl(url: string | null): void
  /** Asks the gateway before something happens. Null when it does not answer in time: then it happens. */
  ask(command: string, body: JsonObject, platform: Platform): Promise<JsonObject | null>
  /** Tells the gateway afterwards. Calls with the same `order` arrive in order, unless a fault says otherwise. */
  tell(order: string, command: string, body: JsonObject, platform: Platform): void
  /** Tells of a message once more. Throws `RangeError` for a MsgKey that no webhook was made for. */
  redeliver(messageKey: string): Promise<void>
  /** Resolves when no call is waiting. */
  idle(): Promise<void>
  stop(): void
}

export function createWebhooks(options: {
  sdkAppId: number
  token: string
  faults: FaultState
  /** Unix milliseconds. */
  now(): number
}): Webhooks {
  const { faults } = options
  const stopped = new AbortController()
  const lastOf = new Map<string, Promise<void>>()
  const pending = new Set<Promise<void>>()
  const messages = new Map<string, { command: string; body: JsonObject; platform: Platform }>()
  let url: string | null = null

  /** One call. Null for anything but an answer in time; the service does not call again. */
  async function post(command: string, body: JsonObject, platform: Platform): Promise<JsonObject | null> {
    if (url === null || faults.webhooksCut || stopped.signal.aborted) return null
    const target = new URL(url)
    const requestTime = String(Math.floor(options.now() / 1000))
    const query = {
      SdkAppid: String(options.sdkAppId),
      CallbackCommand: command,
      contenttype: 'json',
      ClientIP: '127.0.0.1',
      OptPlatform: platform,
      Sign: webhookSignature(options.token, requestTime),
      RequestTime: requestTime,
    }
    for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value)
    try {
      const response = await fetch(target, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ CallbackCommand: command, ...body, EventTime: options.now() }),
        signal: AbortSignal.any([stopped.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      })
      const answer: unknown = await response.json()
      return response.ok && isObject(answer) ? answer : null
    } catch {
      return null // unreachable, late or not JSON: the service goes on in all three cases
    }
  }

  function track(work: Promise<unknown>): Promise<void> {
    const settled = work.then(
      () => undefined,
      () => undefined, // only a stop aborts the waiting
    )
    pending.add(settled)
    void settled.then(() => pending.delete(settled))
    return settled
  }

  function tellOnce(order: string, command: string, body: JsonObject, platform: Platform): void {
    const due = clock.monotonic() + faults.latencyMs
    const late = faults.random() < faults.reorderingShare
    const before = late ? Promise.resolve() : (lastOf.get(order) ?? Promise.resolve())
    const lateMs = late ? REORDERING_DELAY_MS * faults.random() : 0
    const call = track(
      before.then(async () => {
        const wait = due + lateMs - clock.monotonic()
        if (wait > 0) await clock.sleep(wait, stopped.signal)
        await post(command, body, platform)
      }),
    )
    if (late) return
    lastOf.set(order, call)
    void call.then(() => {
      if (lastOf.get(order) === call) lastOf.delete(order)
    })
  }

  return {
    setUrl(next) {
      url = next
    },
    ask: post,
    tell(order, command, body, platform) {
      if (typeof body.MsgKey === 'string') {
        messages.set(body.MsgKey, { command, body, platform })
        if (messages.size > REMEMBERED_MESSAGES) {
          for (const oldest of messages.keys()) {
            messages.delete(oldest)
            break
          }
        }
      }
      if (faults.random() < faults.lossShare) return
      const copies = faults.random() < faults.duplicationShare ? 2 : 1
      for (let copy = 0; copy < copies; copy++) tellOnce(order, command, body, platform)
    },
    async redeliver(messageKey) {
      const message = messages.get(messageKey)
      if (!message) throw new RangeError('no webhook was made for this MsgKey')
      await track(post(message.command, message.body, message.platform))
    },
    async idle() {
      while (pending.size > 0) await Promise.all(pending)
    },
    stop: () => stopped.abort(),
  }
}
