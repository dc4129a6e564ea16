/** One mirror: a socket of the account, without keys, and a look at all its chats after each connection and now and then. */
import type { AdapterContext } from '../../../src/adapter/index.ts'
import type { PushConfig } from '../config.ts'
import { baseUrlOf } from '../config.ts'
import { PushError } from '../errors.ts'
import type { TextRestClient } from '../rest.ts'
import { connectChatSocket } from '../socket.ts'
import { Lane, type News } from './lane.ts'
import { openPlaces, type Places } from './places.ts'
import { type Registration, scopeOf } from './registration.ts'
import { createSource, type Feed, type Gate, toldOf } from './source.ts'

/** First pause before connecting again, milliseconds; doubles up to the configuration's. */
const FIRST_PAUSE_MS = 250
/** The service loses events now and then: between two looks for what it did not tell, milliseconds. */
export const SWEEP_MS = 300_000
/** Events kept until the chats have places; what is beyond is found with the next look. */
const MOST_EARLY = 1_000

export interface FollowerParts {
  config: PushConfig
  rest: TextRestClient
  gate: Gate
  context: AdapterContext
  /** Between two looks at all chats, milliseconds. */
  sweepMs: number
}

export class Follower {
  readonly #mirror: string
  readonly #account: string
  readonly #parts: FollowerParts
  readonly #source
  readonly #stopping = new AbortController()
  readonly #lanes = new Map<string, Lane>()
  #places: Promise<Places> | null = null
  #scope: ReadonlySet<string> | null = new Set()
  #changes: Promise<unknown> = Promise.resolve()
  #loop: Promise<void> | null = null
  /** Aborted to look at the chats before it is time. */
  #wake = new AbortController()
  #live = Promise.withResolvers<void>()
  #isAnchored = false
  #early: { chat: string; news: News }[] = []

  constructor(mirror: string, account: string, parts: FollowerParts) {
    this.#mirror = mirror
    this.#account = account
    this.#parts = parts
    this.#source = createSource(parts.rest, account, parts.gate)
  }

  /** Begins, or goes on with what has changed. Rejects when the storage does. */
  change(registration: Registration): Promise<void> {
    const turn = this.#changes.then(() => this.#enter(registration))
    this.#changes = turn.catch(() => undefined) // told to the caller
    return turn
  }

  /** Resolves when the chats are followed as they were registered last. */
  live(): Promise<void> {
    return this.#live.promise
  }

  /** Resolves when nothing is delivered any more. */
  async stop(): Promise<void> {
    this.#stopping.abort(new PushError('aborted', 'The mirror has ended'))
    await this.#changes
    await this.#loop
    await Promise.all([...this.#lanes.values()].map((lane) => lane.stop()))
    const places = await this.#places?.catch(() => null) // its failure was told
    await places?.settle()
  }

  async #enter(registration: Registration): Promise<void> {
    const { context } = this.#parts
    this.#places ??= openPlaces(context.storage, this.#mirror, context.log)
    const places = await this.#places.catch((error: unknown) => {
      this.#places = null
      throw error
    })
    if (this.#stopping.signal.aborted) return
    this.#scope = scopeOf(registration)
    const left = await places.enter(registration, context.clock.now())
    const outside = [...this.#lanes].filter(([chat]) => !this.#follows(chat))
    for (const [chat, lane] of outside) {
      this.#lanes.delete(chat)
      await lane.stop()
    }
    await places.settle()
    await places.forget(left)
    this.#isAnchored = places.isAnchored()
    this.#live = Promise.withResolvers<void>()
    this.#wake.abort()
    this.#loop ??= this.#run(places)
  }

  #follows(chat: string): boolean {
    return this.#scope?.has(chat) ?? true
  }

  async #run(places: Places): Promise<void> {
    const { signal } = this.#stopping
    const { config, context } = this.#parts
    let failures = 0
    while (!signal.aborted) {
      const lost = new AbortController()
      try {
        const { requestTimeoutMs: timeoutMs } = config
        const onChat = (event: unknown) => this.#hear(event)
        const { clock } = context
        const options = { baseUrl: baseUrlOf(config), did: this.#account, timeoutMs, clock, onChat }
        const socket = await connectChatSocket(options, signal)
        socket.once('disconnect', () => lost.abort())
        try {
          if (!socket.connected) lost.abort()
          await this.#hold(places, AbortSignal.any([signal, lost.signal]), () => {
            failures = 0
          })
        } finally {
          socket.disconnect()
        }
      } catch (error) {
        if (!signal.aborted && !lost.signal.aborted) {
          const code = error instanceof PushError ? error.code : 'unexpected'
          // There may be many mirrors, and an outage may last.
          const level = failures === 0 ? 'warn' : 'debug'
          context.log[level]({ code, failures }, 'a mirrored Push account is not followed; connecting again')
        }
      }
      failures++
      const longest = Math.min(config.reconnectMaxMs, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 12))
      // Spread by a half, so that mirrors do not come back all at once.
      await this.#sleep(longest * (0.5 + context.random.fraction() / 2), signal)
    }
  }

  /** Looks at the chats again and again, until the signal or a failure. */
  async #hold(places: Places, signal: AbortSignal, onLook: () => void): Promise<void> {
    const { sweepMs, context } = this.#parts
    while (!signal.aborted) {
      this.#wake = new AbortController()
      const live = this.#live
      await this.#look(places, signal)
      live.resolve()
      onLook()
      const pauseMs = sweepMs * (0.75 + context.random.fraction() / 2)
      await this.#sleep(pauseMs, AbortSignal.any([signal, this.#wake.signal]))
    }
  }

  /** Finds what the socket did not tell. */
  async #look(places: Places, signal: AbortSignal): Promise<void> {
    const feeds: Feed[] = []
    for await (const feed of this.#source.feeds(signal)) if (this.#follows(feed.chat)) feeds.push(feed)
    if (!this.#isAnchored) {
      await places.anchor(feeds, this.#parts.context.clock.now())
      this.#isAnchored = places.isAnchored()
    }
    for (const { chat, cid, at } of feeds) {
      if (this.#follows(chat)) this.#offer(places, chat, { cid, link: null, at, via: 'history' })
    }
    for (const { chat, news } of this.#early.splice(0)) {
      if (this.#follows(chat)) this.#offer(places, chat, news)
    }
  }

  #hear(event: unknown): void {
    const told = toldOf(event, this.#account)
    // Answers to requests name no message.
    if (!told || !this.#follows(told.chat) || this.#stopping.signal.aborted) return
    const { chat, cid, link, at } = told
    const news: News = { cid, link, at, via: 'stream' }
    if (this.#isAnchored) {
      void this.#places?.then((places) => this.#offer(places, chat, news))
    } else if (this.#early.length < MOST_EARLY) this.#early.push({ chat, news })
  }

  #offer(places: Places, chat: string, news: News): void {
    if (this.#stopping.signal.aborted) return
    let lane = this.#lanes.get(chat)
    if (!lane) {
      lane = new Lane({
        mirror: this.#mirror,
        chat,
        source: this.#source,
        context: this.#parts.context,
        open: () => places.placeIn(chat),
        save: (place) => places.save(chat, place),
      })
      this.#lanes.set(chat, lane)
    }
    lane.offer(news)
  }

  async #sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    await this.#parts.context.clock.sleep(milliseconds, signal).catch((error: unknown) => {
      // woken early; the caller looks why
      if (!signal.aborted) throw error
    })
  }
}
