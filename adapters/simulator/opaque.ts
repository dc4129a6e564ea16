import { z } from 'zod'
import type { AdapterContext, Mirror, OpaqueFacet } from '../../src/adapter/index.ts'
import type { SimulatedNetwork } from './network.ts'
import type { TopicMessage } from './topics.ts'

/** Before a delivery that the gateway turned away is made again, milliseconds. */
const REDELIVERY_MS = 50

export const registrationSchema = z.strictObject({
  topics: z.array(z.string().regex(/^[\x21-\x7e]{1,64}$/)).max(10_000),
})

type Registration = z.output<typeof registrationSchema>

interface Followed {
  id: string
  /** Highest number delivered, by topic. */
  cursors: Map<string, number>
  /** Topics whose messages are being delivered. */
  busy: Set<string>
  ended: AbortController
}

/** Follows topics of a simulated network, from what is posted after the registration on. */
export interface SimulatorMirrors extends OpaqueFacet {
  /** Delivers whatever waits, e.g. because the connection is back. */
  resume(): void
  /** Begins to hear, and ends it. */
  start(): void
  stop(): void
}

export function createSimulatorMirrors(network: SimulatedNetwork, context: AdapterContext): SimulatorMirrors {
  const { storage, clock, log } = context
  const { topics } = network
  const mirrors = new Map<string, Followed>()
  let stopListening: (() => void) | null = null

  const keyOf = (id: string) => `mirror/${id}`

  async function keep({ id, cursors }: Followed): Promise<void> {
    await storage.set(keyOf(id), JSON.stringify([...cursors]))
  }

  async function deliver({ id, ended }: Followed, message: TopicMessage): Promise<boolean> {
    const { topic, number, bytes, silent, time } = message
    try {
      await context.deliverOpaque({
        mirror: id,
        remoteId: `${topic}/${number}`,
        kind: bytes.length > 0 ? 'message' : 'wake',
        bytes,
        conversation: topic,
        remoteTime: time,
        silent,
        via: 'stream',
      })
      return true
    } catch (error) {
      log.debug({ error }, 'the gateway turned a parcel away; it is delivered again')
      await clock.sleep(REDELIVERY_MS, ended.signal).catch((reason: unknown) => {
        if (!ended.signal.aborted) throw reason
      })
      return false
    }
  }

  /** Delivers a topic's messages in order, until none waits or the connection is lost. */
  async function run(mirror: Followed, topic: string): Promise<void> {
    if (mirror.busy.has(topic)) return
    mirror.busy.add(topic)
    try {
      while (stopListening && !network.out && !mirror.ended.signal.aborted) {
        const message = topics.next(topic, mirror.cursors.get(topic) ?? 0)
        if (!message) return
        if (!(await deliver(mirror, message))) continue
        mirror.cursors.set(topic, message.number)
        if (!mirror.ended.signal.aborted) await keep(mirror)
      }
    } finally {
      mirror.busy.delete(topic)
    }
  }

  function runInBackground(mirror: Followed, topic: string): void {
    run(mirror, topic).catch((error: unknown) => log.error({ error }, 'a mirrored topic failed'))
  }

  function resume(): void {
    for (const mirror of mirrors.values())
      for (const topic of mirror.cursors.keys()) runInBackground(mirror, topic)
  }

  async function follow({ id, registration }: Mirror): Promise<void> {
    const before = mirrors.get(id)
    const stored = await storage.get(keyOf(id))
    const known = new Map(before?.cursors ?? (stored ? (JSON.parse(stored) as [string, number][]) : []))
    const cursors = new Map(
      (registration as Registration).topics.map((topic) => [topic, known.get(topic) ?? topics.newest(topic)]),
    )
    before?.ended.abort()
    const mirror = { id, cursors, busy: new Set<string>(), ended: new AbortController() }
    mirrors.set(id, mirror)
    await keep(mirror)
    for (const topic of cursors.keys()) runInBackground(mirror, topic)
  }

  return {
    registration: registrationSchema,
    topics: (registration) => (registration as Registration).topics.length,
    follow,
    async unfollow(id) {
      mirrors.get(id)?.ended.abort()
      mirrors.delete(id)
      await storage.set(keyOf(id), null)
    },
    resume,
    start() {
      stopListening ??= topics.onPost((topic) => {
        for (const mirror of mirrors.values()) if (mirror.cursors.has(topic)) runInBackground(mirror, topic)
      })
      resume()
    },
    stop() {
      stopListening?.()
      stopListening = null
    },
  }
}
