/** Opaque mirroring of Push: chats are followed as anyone may read them, without keys and without the SDK. */
import {
  type AdapterContext,
  AdapterError,
  type Mirror,
  type OpaqueFacet,
} from '../../../src/adapter/index.ts'
import type { PushConfig } from '../config.ts'
import type { TextRestClient } from '../rest.ts'
import { Follower, SWEEP_MS } from './follower.ts'
import { forgetMirror } from './places.ts'
import { objectionTo, type Registration, registrationSchema } from './registration.ts'
import { createGate } from './source.ts'

/** How long `follow` waits for the network. After that the chats are caught up with when it can be reached. */
const PATIENCE_MS = 5_000

export interface OpaqueMirrors extends OpaqueFacet {
  /** Begins to connect, and goes on until `stop`. */
  start(): void
  /** Ends every connection. `start` may follow. */
  stop(): Promise<void>
}

export interface OpaqueMirrorOptions {
  config: PushConfig
  rest: TextRestClient
  /** Between two looks at all chats of an account, milliseconds. Default 300,000. */
  sweepMs?: number
}

/** Nothing is opened before `start`. */
export function createOpaqueMirrors(options: OpaqueMirrorOptions, context: AdapterContext): OpaqueMirrors {
  const { config, rest, sweepMs = SWEEP_MS } = options
  const { clock, log, storage } = context
  const parts = { config, rest, context, sweepMs, gate: createGate() }
  /** What was asked for, whether it is followed at the moment or not. */
  const registered = new Map<string, Mirror>()
  const followers = new Map<string, Follower>()
  /** From a start to its stop. */
  let lifetime: AbortController | null = null

  async function attach({ id, registration }: Mirror): Promise<Follower> {
    const wanted = registration as Registration
    const follower = followers.get(id) ?? new Follower(id, wanted.account, parts)
    followers.set(id, follower)
    await follower.change(wanted)
    return follower
  }

  async function attachAll(signal: AbortSignal): Promise<void> {
    for (const { id } of [...registered.values()]) {
      // It may change or end while others are taken up.
      for (let mirror = registered.get(id); mirror && !signal.aborted; mirror = registered.get(id)) {
        try {
          await attach(mirror)
          break
        } catch (error) {
          log.warn({ error }, 'a mirror could not be taken up; trying again')
          await clock.sleep(PATIENCE_MS, signal).catch(() => undefined)
        }
      }
    }
  }

  return {
    registration: registrationSchema,
    topics: (registration) => (registration as Registration).chats?.length ?? 1,
    objection: (wallet, registration) => objectionTo(wallet, registration as Registration),
    async follow(mirror, signal) {
      registered.set(mirror.id, mirror)
      if (!lifetime) return
      const either = AbortSignal.any([signal, lifetime.signal])
      const follower = await attach(mirror)
      if (either.aborted) throw new AdapterError('retryable', 'aborted', { cause: either.reason })
      const done = new AbortController()
      const patience = clock.sleep(PATIENCE_MS, AbortSignal.any([either, done.signal])).catch(() => undefined)
      await Promise.race([follower.live(), patience])
      done.abort()
    },
    async unfollow(id) {
      registered.delete(id)
      const follower = followers.get(id)
      followers.delete(id)
      await follower?.stop()
      await forgetMirror(storage, id)
    },
    start() {
      if (lifetime) return
      lifetime = new AbortController()
      void attachAll(lifetime.signal)
    },
    async stop() {
      lifetime?.abort(new Error('the mirrors stop'))
      lifetime = null
      const running = [...followers.values()]
      followers.clear()
      await Promise.all(running.map((follower) => follower.stop()))
    },
  }
}
