/** Opaque mirroring of XMTP: conversations are followed by their topics, without keys and without the SDK. */
import {
  type AdapterContext,
  AdapterError,
  type Mirror,
  type OpaqueFacet,
} from '../../../src/adapter/index.ts'
import { Line } from './line.ts'
import { type Registration, registrationSchema, type Subscription, subscriptionsOf } from './registration.ts'
import { type Follower, Topic } from './topic.ts'

/** Topics that one connection follows. */
const TOPICS_PER_LINE = 500
/** How long `follow` waits for the network. After that the topics are caught up with when it can be reached. */
const PATIENCE_MS = 5_000

export interface OpaqueMirrors extends OpaqueFacet {
  /** Begins to connect, and goes on until `stop`. */
  start(): void
  /** Ends every connection. `start` may follow. */
  stop(): Promise<void>
}

export interface OpaqueMirrorOptions {
  /** Address of the node: `https://…`, or `http://…` on loopback. */
  apiUrl: string
  /** Between two looks for what the streams passed over, milliseconds. Default 60,000. */
  sweepIntervalMs?: number
}

/** Nothing is opened before `start`. */
export function createOpaqueMirrors(options: OpaqueMirrorOptions, context: AdapterContext): OpaqueMirrors {
  const { storage, clock, log } = context
  const topics = new Map<string, { topic: Topic; line: Line }>()
  /** What was asked for, whether it is followed at the moment or not. */
  const registered = new Map<string, Mirror>()
  /** What is followed. */
  const attached = new Map<string, { texts: Set<string>; ended: AbortController }>()
  let lines: Line[] = []
  /** From a start to its stop. */
  let lifetime: AbortController | null = null

  const keyOf = (mirror: string, text: string) => `opaque/${mirror}/${text}`

  /** Writes a cursor; while one is being written, the newest of those that come is kept for afterwards. */
  function saver(key: string, cursor: () => bigint | null): () => void {
    let writing = false
    let dirty = false
    async function write(): Promise<void> {
      writing = true
      try {
        do {
          dirty = false
          const value = cursor()
          await storage.set(key, value === null ? null : String(value))
        } while (dirty)
      } catch (error) {
        // Without it a restart delivers again what is known already.
        log.warn({ error }, 'the place in a mirrored topic could not be kept')
      } finally {
        writing = false
      }
    }
    return () => {
      dirty = true
      if (!writing) void write()
    }
  }

  function entryOf({ topic: name }: Subscription): { topic: Topic; line: Line } {
    const known = topics.get(name.text)
    if (known) return known
    let line = lines.find(({ topics: held }) => held.size < TOPICS_PER_LINE)
    if (!line) {
      line = new Line(options, context)
      lines.push(line)
      line.start()
    }
    const entry = { topic: new Topic(name, context), line }
    topics.set(name.text, entry)
    return entry
  }

  function join(mirror: string, subscription: Subscription, stored: string | null, ended: AbortSignal): void {
    const { topic, line } = entryOf(subscription)
    const before = topic.followers.get(mirror)
    const { cursor: registered, hmacKeys } = subscription
    // A topic that is followed already goes on from now; its newest message is known.
    const now = topic.followers.size > 0 && topic.position !== null ? topic.newest : null
    const cursor = before?.cursor ?? (stored === null ? (registered ?? now) : BigInt(stored))
    const follower: Follower = {
      mirror,
      cursor,
      hmacKeys,
      ended,
      save: saver(keyOf(mirror, subscription.topic.text), () => topic.followers.get(mirror)?.cursor ?? null),
    }
    const isNew = topic.followers.size === 0
    const place = topic.position
    topic.followers.set(mirror, follower)
    if (cursor !== null && stored === null) follower.save()
    if (isNew) line.add(topic)
    else if (cursor === null || place === null || cursor < place) line.change(topic)
  }

  function leave(mirror: string, text: string): void {
    const entry = topics.get(text)
    if (!entry?.topic.followers.delete(mirror) || entry.topic.followers.size > 0) return
    entry.line.remove(entry.topic)
    topics.delete(text)
  }

  function detach(mirror: string): void {
    const { texts, ended } = attached.get(mirror) ?? {}
    ended?.abort()
    attached.delete(mirror)
    for (const text of texts ?? []) leave(mirror, text)
  }

  async function forget(mirror: string, texts: Iterable<string>): Promise<void> {
    await Promise.all([...texts].map((text) => storage.set(keyOf(mirror, text), null)))
  }

  async function settled(texts: Iterable<string>, signal: AbortSignal): Promise<void> {
    const waited = new Set([...texts].flatMap((text) => topics.get(text)?.line ?? []))
    const done = new AbortController()
    const patience = clock.sleep(PATIENCE_MS, AbortSignal.any([signal, done.signal])).catch(() => undefined)
    await Promise.race([Promise.all([...waited].map((line) => line.live())), patience])
    done.abort()
  }

  /** Begins, or goes on with what has changed. */
  async function attach({ id, registration }: Mirror, signal: AbortSignal): Promise<void> {
    const subscriptions = subscriptionsOf(registration as Registration)
    const stored = await Promise.all(subscriptions.map(({ topic }) => storage.get(keyOf(id, topic.text))))
    if (signal.aborted) throw new AdapterError('retryable', 'aborted', { cause: signal.reason })
    // It ended, or has changed once more, while the places were read.
    if (registered.get(id)?.registration !== registration) return
    const before = attached.get(id)
    const texts = new Set(subscriptions.map(({ topic }) => topic.text))
    const left = [...(before?.texts ?? [])].filter((text) => !texts.has(text))
    const ended = before?.ended ?? new AbortController()
    subscriptions.forEach((subscription, index) => {
      join(id, subscription, stored[index] ?? null, ended.signal)
    })
    for (const text of left) leave(id, text)
    attached.set(id, { texts, ended })
    await forget(id, left)
  }

  async function attachAll(signal: AbortSignal): Promise<void> {
    for (const mirror of registered.values()) {
      for (let done = false; !done && !signal.aborted; ) {
        try {
          await attach(mirror, signal)
          done = true
        } catch (error) {
          if (signal.aborted) return
          log.warn({ error }, 'a mirror could not be taken up; trying again')
          await clock.sleep(PATIENCE_MS, signal).catch(() => undefined)
        }
      }
    }
  }

  return {
    registration: registrationSchema,
    topics: (registration) => subscriptionsOf(registration as Registration).length,
    async follow(mirror, signal) {
      registered.set(mirror.id, mirror)
      if (!lifetime) return
      const either = AbortSignal.any([signal, lifetime.signal])
      await attach(mirror, either)
      await settled(attached.get(mirror.id)?.texts ?? [], either)
    },
    async unfollow(id) {
      const mirror = registered.get(id)
      if (!mirror) return
      registered.delete(id)
      const { texts } = attached.get(id) ?? {
        texts: subscriptionsOf(mirror.registration as Registration).map(({ topic }) => topic.text),
      }
      detach(id)
      await forget(id, texts)
    },
    start() {
      if (lifetime) return
      lifetime = new AbortController()
      void attachAll(lifetime.signal)
    },
    async stop() {
      lifetime?.abort(new Error('the mirrors stop'))
      lifetime = null
      const running = lines
      lines = []
      for (const id of [...attached.keys()]) detach(id)
      await Promise.all(running.map((line) => line.stop()))
    },
  }
}
