/** One chat of a mirror: what is new in it goes to the gateway in the order of its chain, each message once. */
import type { AdapterContext, OpaqueInbound } from '../../../src/adapter/index.ts'
import { boundedSet } from '../account.ts'
import { PushError } from '../errors.ts'
import { PAGE_SIZE, type RawMessage, type Source } from './source.ts'

/** First pause before what failed is tried again, milliseconds; doubles up to the second. */
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 10_000
/** After so many answers in a row that hold no chain, what the service does not give is given up. */
const PATIENCE = 6
/** Messages remembered as done, for events that come late or again. */
const REMEMBERED = 128
/** Messages that are told of and wait; of more, the newest leads back to the others. */
const CAPACITY = 500
/** Without its place in the chain a lane goes back this far behind it, by the service's clock. */
const DAY_MS = 86_400_000

/** Where a mirror is in a chat. */
export interface Place {
  /** cid of the newest message that the gateway has, with all before it; null: none yet. */
  cid: string | null
  /** Messages from before this time (Unix milliseconds) are not mirrored. */
  floor: number
}

/** Word of a message. */
export interface News {
  cid: string
  /** cid of the message before it, where that is known. */
  link: string | null
  at: number | null
  via: OpaqueInbound['via']
}

export interface LaneOptions {
  mirror: string
  chat: string
  source: Source
  context: Pick<AdapterContext, 'deliverOpaque' | 'clock' | 'log'>
  open(): Promise<Place>
  save(place: Place): void
}

export class Lane {
  readonly #options: LaneOptions
  readonly #stopping = new AbortController()
  readonly #pending = new Map<string, News>()
  readonly #recent = boundedSet(REMEMBERED)
  #place: Place | null = null
  #isRunning = false
  #running: Promise<void> = Promise.resolve()

  constructor(options: LaneOptions) {
    this.#options = options
  }

  /** There is this message, and what comes before it. */
  offer(news: News): void {
    if (this.#stopping.signal.aborted) return
    const known = this.#pending.get(news.cid)
    this.#pending.set(news.cid, known ?? news)
    if (this.#pending.size > CAPACITY) {
      const [oldest] = this.#pending.keys()
      if (oldest !== undefined) this.#pending.delete(oldest)
    }
    if (this.#isRunning) return
    this.#isRunning = true
    this.#running = this.#run()
  }

  /** Resolves when nothing is delivered any more. */
  async stop(): Promise<void> {
    this.#stopping.abort(new PushError('aborted', 'The mirror has ended'))
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    const { clock, log } = this.#options.context
    let failures = 0
    let fruitless = 0
    while (!signal.aborted) {
      try {
        this.#place ??= await this.#options.open()
        const newest = this.#newest(this.#place)
        if (!newest) {
          this.#isRunning = false
          return
        }
        await this.#carry(newest, fruitless >= PATIENCE)
        failures = 0
        fruitless = 0
      } catch (error) {
        if (signal.aborted) return
        failures++
        fruitless = isLasting(error) ? fruitless + 1 : 0
        log.debug(
          { error: codeOf(error), failures },
          'a mirrored chat on Push could not be read; trying again',
        )
        await clock.sleep(pauseMs(failures), signal).catch(() => undefined)
      }
    }
  }

  /** The pending message that no other leads back to; null when nothing is new. */
  #newest(place: Place): News | null {
    for (const news of this.#pending.values()) if (!this.#isNew(news, place)) this.#pending.delete(news.cid)
    const links = new Set([...this.#pending.values()].map(({ link }) => link))
    let newest: News | null = null
    for (const news of this.#pending.values()) {
      if (links.has(news.cid)) continue
      if (newest === null || (news.at ?? 0) >= (newest.at ?? 0)) newest = news
    }
    // Messages that name each other in a circle have no newest.
    return newest ?? this.#pending.values().next().value ?? null
  }

  #isNew({ cid, link, at }: News, { cid: done, floor }: Place): boolean {
    if (cid === done || this.#recent.has(cid)) return false
    return (link !== null && link === done) || at === null || at >= floor
  }

  async #carry(news: News, givingUp: boolean): Promise<void> {
    const { signal } = this.#stopping
    const { source } = this.#options
    const isOld = ({ cid, at }: RawMessage) => {
      const place = this.#place
      return cid === place?.cid || this.#recent.has(cid) || (at !== null && at < (place?.floor ?? 0))
    }
    const limit = givingUp ? PAGE_SIZE : Math.min(this.#pending.size, PAGE_SIZE)
    const page = await this.#page(news.cid, limit, givingUp)
    const end = page.findIndex(isOld)
    const before = end < 0 ? page.at(-1)?.link : null
    const isWhole = !before || before === this.#place?.cid || this.#recent.has(before)
    if (isWhole || givingUp) {
      for (const message of page.slice(0, end < 0 ? page.length : end).toReversed()) {
        await this.#take(message, news.via)
      }
    } else {
      for await (const message of source.chain.forwards(news.cid, isOld, signal)) {
        await this.#take(message, news.via)
      }
    }
    if (!signal.aborted) this.#recent.add(news.cid)
  }

  /** What the service does not give must not hold up what it gives. */
  async #page(cid: string, limit: number, givingUp: boolean): Promise<RawMessage[]> {
    const { source, context } = this.#options
    try {
      return await source.page(cid, limit, this.#stopping.signal)
    } catch (error) {
      if (!givingUp || !isLasting(error)) throw error
      return []
    } finally {
      if (givingUp) context.log.error({}, 'the Push service does not give all messages of a mirrored chat')
    }
  }

  async #take(message: RawMessage, via: News['via']): Promise<void> {
    const { signal } = this.#stopping
    const { context, save } = this.#options
    if (!message.isOwn) await this.#hand(message, via)
    signal.throwIfAborted()
    const at = Math.min(message.at ?? 0, context.clock.now())
    this.#place = { cid: message.cid, floor: Math.max(this.#place?.floor ?? 0, at - DAY_MS) }
    this.#recent.add(message.cid)
    this.#pending.delete(message.cid)
    save(this.#place)
  }

  /** Until the gateway has it, or the mirror ends: nothing overtakes it. */
  async #hand({ cid, bytes, at }: RawMessage, via: News['via']): Promise<void> {
    const { signal } = this.#stopping
    const { mirror, chat, context } = this.#options
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await context.deliverOpaque({
          mirror,
          remoteId: cid,
          kind: 'message',
          bytes,
          conversation: chat,
          remoteTime: at,
          silent: false,
          via,
        })
        return
      } catch (error) {
        context.log.debug({ error }, 'the gateway turned a parcel away; it is delivered again')
        await context.clock.sleep(pauseMs(failures), signal).catch(() => undefined)
      }
    }
  }
}

function pauseMs(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS)
}

/** The service is there, and its answer is not the chat. */
function isLasting(error: unknown): boolean {
  if (!(error instanceof PushError)) return false
  return (
    error.code === 'malformed-answer' ||
    (error.code === 'refused' && [400, 404, 410].includes(error.status ?? 0))
  )
}

function codeOf(error: unknown): string {
  return error instanceof PushError ? error.code : 'unexpected'
}
