/** A set of topics that is followed over one connection at a time, without end and without gaps. */
import type { AdapterContext } from '../../../src/adapter/index.ts'
import { openSession, type Session } from './session.ts'
import type { Topic } from './topic.ts'

/** First pause before connecting again, milliseconds; doubles up to the second. */
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000
/** Default of `sweepIntervalMs`. */
const SWEEP_MS = 60_000
/** Changes that come together are taken together. */
const GATHER_MS = 20

export interface LineOptions {
  apiUrl: string
  /** Between two looks for what the streams passed over, milliseconds. */
  sweepIntervalMs?: number
}

export class Line {
  readonly topics = new Set<Topic>()
  readonly #options: LineOptions
  readonly #context: Pick<AdapterContext, 'clock' | 'random' | 'log'>
  readonly #stopping = new AbortController()
  readonly #covered = new WeakMap<Topic, Session>()
  #changed = Promise.withResolvers<void>()
  #lives = Promise.withResolvers<void>()
  #running: Promise<void> | null = null

  constructor(options: LineOptions, context: Pick<AdapterContext, 'clock' | 'random' | 'log'>) {
    this.#options = options
    this.#context = context
  }

  add(topic: Topic): void {
    this.topics.add(topic)
    this.change(topic)
  }

  /** The topic has to be followed from another place: nothing is delivered until that is so. */
  change(topic: Topic): void {
    topic.hold()
    this.#covered.delete(topic)
    this.#change()
  }

  remove(topic: Topic): void {
    this.topics.delete(topic)
    this.#change()
  }

  /** Resolves when all topics are followed as they now are. */
  async live(): Promise<void> {
    while (!this.#stopping.signal.aborted && [...this.topics].some((topic) => !this.#covered.has(topic))) {
      await this.#lives.promise
    }
  }

  start(): void {
    this.#running ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the mirrors stop'))
    this.#change()
    this.#lives.resolve()
    await this.#running
  }

  #change(): void {
    this.#changed.resolve()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    let current: Session | null = null
    let pauseMs = FIRST_PAUSE_MS
    while (!signal.aborted) {
      await this.#sleep(GATHER_MS)
      if (signal.aborted) break
      this.#changed = Promise.withResolvers()
      const topics = [...this.topics]
      if (topics.length === 0) {
        current?.end()
        current = null
        await this.#changed.promise
        continue
      }
      const session = openSession({ apiUrl: this.#options.apiUrl, topics, clock: this.#context.clock })
      const end = () => session.end()
      signal.addEventListener('abort', end, { once: true })
      try {
        await session.live
        pauseMs = FIRST_PAUSE_MS
        for (const topic of topics) if (session.covers(topic)) this.#covered.set(topic, session)
        this.#lives.resolve()
        this.#lives = Promise.withResolvers()
        current?.end()
        current = session
        await this.#watch(session)
        // Changed: this session goes on until the next one is live.
        session.lost.catch(() => this.#uncover(session))
      } catch (error) {
        session.end()
        this.#uncover(session)
        if (!signal.aborted) {
          this.#context.log.warn(
            { error, topics: topics.length },
            'mirrored topics are not followed; connecting again',
          )
          await this.#sleep(pauseMs * (0.5 + this.#context.random.fraction()))
          pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
        }
      } finally {
        signal.removeEventListener('abort', end)
      }
    }
    current?.end()
  }

  /** Resolves when the topics have changed; rejects when the session is lost. */
  async #watch(session: Session): Promise<void> {
    const { promise: changed } = this.#changed
    const intervalMs = this.#options.sweepIntervalMs ?? SWEEP_MS
    for (;;) {
      const wait = new AbortController()
      const slept = this.#context.clock.sleep(intervalMs, wait.signal).then(
        () => 'sweep' as const,
        () => 'woken' as const,
      )
      try {
        const next = await Promise.race([changed.then(() => 'changed' as const), session.lost, slept])
        if (next === 'changed') return
      } finally {
        wait.abort()
      }
      await session.sweep()
    }
  }

  #uncover(session: Session): void {
    for (const topic of this.topics) {
      if (this.#covered.get(topic) !== session) continue
      this.#covered.delete(topic)
      topic.hold()
    }
  }

  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#stopping
    await this.#context.clock.sleep(ms, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }
}
