import type { AdapterContext } from '../../../src/adapter/index.ts'
import type { GroupMessageV1, WelcomeMessage } from '../wire/index.ts'
import { isOwnMessage, type TopicName } from './registration.ts'

/** First pause before a message that the gateway turned away is delivered again, milliseconds; doubles up to the second. */
const REDELIVERY_MS = 250
const LONGEST_REDELIVERY_MS = 10_000

/** One message of a topic, as much of it as the gateway can read. */
export interface Heard {
  id: bigint
  /** Empty for a welcome. */
  bytes: Uint8Array
  /** Unix milliseconds. */
  time: number
  silent: boolean
  /** Whether the holder of these keys sent it. */
  isBy(hmacKeys: readonly Uint8Array[]): boolean
  via: 'stream' | 'history'
}

export function heardMessage(bytes: Uint8Array, message: GroupMessageV1, via: Heard['via']): Heard {
  return {
    id: BigInt(message.id),
    bytes,
    time: milliseconds(message.createdNs),
    silent: !message.shouldPush,
    isBy: (hmacKeys) => isOwnMessage(message, hmacKeys),
    via,
  }
}

/** Null for a kind of welcome that this version does not know. */
export function heardWelcome({ v1, welcomePointer }: WelcomeMessage, via: Heard['via']): Heard | null {
  const welcome = v1 ?? welcomePointer
  if (!welcome) return null
  const { id, createdNs } = welcome
  // Its bytes are of no use: only the SDK's own sync takes a wallet into a conversation.
  return {
    id: BigInt(id),
    bytes: new Uint8Array(),
    time: milliseconds(createdNs),
    silent: false,
    isBy: () => false,
    via,
  }
}

function milliseconds(nanoseconds: string): number {
  return Number(BigInt(nanoseconds) / 1_000_000n)
}

/** A mirror's place in a topic. */
export interface Follower {
  readonly mirror: string
  /** Id of the newest message that the gateway has for it; null until it is known where "now" is. */
  cursor: bigint | null
  readonly hmacKeys: readonly Uint8Array[]
  readonly ended: AbortSignal
  /** Keeps the cursor. Repeated calls while one is being written become one. */
  save(): void
}

/**
 * A topic that some mirrors follow. What streams and queries bring of it, in any mixture, goes to each follower in the order of
 * ids and once. Ids grow within a topic.
 */
export class Topic {
  readonly name: TopicName
  readonly followers = new Map<string, Follower>()
  readonly #context: Pick<AdapterContext, 'deliverOpaque' | 'clock' | 'log'>
  readonly #waiting = new Map<bigint, Heard>()
  /** Up to here nothing is missing: what waits beyond it waits for what may come before. Null: no bound. */
  #complete: bigint | null = -1n
  #generation = 0
  #running = false
  #onIdle: (() => void)[] = []

  constructor(name: TopicName, context: Pick<AdapterContext, 'deliverOpaque' | 'clock' | 'log'>) {
    this.name = name
    this.#context = context
  }

  /** Messages that wait to be delivered. */
  get backlog(): number {
    return this.#waiting.size
  }

  /** Where a subscription has to begin: nobody follows from before it. Null while a follower's place is not known. */
  get position(): bigint | null {
    let lowest: bigint | null = null
    for (const { cursor } of this.followers.values()) {
      if (cursor === null) return null
      if (lowest === null || cursor < lowest) lowest = cursor
    }
    return lowest ?? 0n
  }

  /** Highest id that is here or was delivered to everybody. */
  get newest(): bigint {
    let highest = this.position ?? 0n
    for (const id of this.#waiting.keys()) if (id > highest) highest = id
    return highest
  }

  /** Sets the place of followers that begin now. */
  anchor(newest: bigint): void {
    for (const follower of this.followers.values()) {
      if (follower.cursor !== null) continue
      follower.cursor = newest
      follower.save()
    }
  }

  put(heard: Heard): void {
    const { position } = this
    if (position !== null && heard.id <= position) return
    this.#waiting.set(heard.id, heard)
    this.#run()
  }

  /** Something may be missing before what waits. */
  get isHeld(): boolean {
    return this.#complete !== null
  }

  /** Grows with every `hold`. */
  get generation(): number {
    return this.#generation
  }

  /**
   * Nothing is missing up to `id`; null: nor will be, because a stream goes on from here. Says nothing when the topic was held
   * after `generation`.
   */
  completeThrough(id: bigint | null, generation: number): void {
    if (generation !== this.#generation) return
    this.#complete = id
    this.#run()
  }

  /** Something may be missing: deliver nothing until `completeThrough` is called. */
  hold(): void {
    this.#complete = -1n
    this.#generation++
  }

  /** Resolves when nothing is left that may be delivered. */
  async idle(): Promise<void> {
    if (this.#running) await new Promise<void>((resolve) => this.#onIdle.push(resolve))
  }

  #next(): Heard | null {
    let lowest: Heard | null = null
    for (const heard of this.#waiting.values()) if (lowest === null || heard.id < lowest.id) lowest = heard
    return lowest !== null && (this.#complete === null || lowest.id <= this.#complete) ? lowest : null
  }

  #run(): void {
    if (this.#running) return
    this.#running = true
    void this.#work()
  }

  async #work(): Promise<void> {
    try {
      for (let heard = this.#next(); heard; heard = this.#next()) {
        const current = heard
        // Again for those that joined meanwhile.
        for (let behind = this.#behind(current); behind.length > 0; behind = this.#behind(current)) {
          await Promise.all(behind.map((follower) => this.#deliver(follower, current)))
        }
        this.#waiting.delete(current.id)
      }
    } catch (error) {
      this.#context.log.error({ error }, 'a mirrored topic failed')
    }
    this.#running = false
    for (const resolve of this.#onIdle.splice(0)) resolve()
  }

  #behind({ id }: Heard): Follower[] {
    return [...this.followers.values()].filter(
      ({ cursor, ended }) => cursor !== null && cursor < id && !ended.aborted,
    )
  }

  async #deliver(follower: Follower, heard: Heard): Promise<void> {
    if (!heard.isBy(follower.hmacKeys) && !(await this.#hand(follower, heard))) return
    follower.cursor = heard.id
    if (!follower.ended.aborted) follower.save()
  }

  /** Until the gateway has it. False when the mirror ended first. */
  async #hand({ mirror, ended }: Follower, { id, bytes, time, silent, via }: Heard): Promise<boolean> {
    const { kind, text } = this.name
    for (
      let pauseMs = REDELIVERY_MS;
      !ended.aborted;
      pauseMs = Math.min(2 * pauseMs, LONGEST_REDELIVERY_MS)
    ) {
      try {
        await this.#context.deliverOpaque({
          mirror,
          remoteId: `${text}/${id}`,
          kind: kind === 'group' ? 'message' : 'wake',
          bytes,
          conversation: text,
          remoteTime: time,
          silent,
          via,
        })
        return true
      } catch (error) {
        this.#context.log.debug({ error }, 'the gateway turned a parcel away; it is delivered again')
        await this.#context.clock.sleep(pauseMs, ended).catch((reason: unknown) => {
          if (!ended.aborted) throw reason
        })
      }
    }
    return false
  }
}
