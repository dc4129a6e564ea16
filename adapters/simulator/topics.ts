/** Topics of a simulated network: messages in the network's own form, which a gateway can follow and not read. */

export interface TopicMessage {
  topic: string
  /** 1, 2, 3, … within the topic. */
  number: number
  /** Empty for what only a native client can fetch. */
  bytes: Uint8Array
  silent: boolean
  /** Unix milliseconds. */
  time: number
}

export class TopicBoard {
  readonly #topics = new Map<string, TopicMessage[]>()
  readonly #listeners = new Set<(topic: string) => void>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** A native client posts. Without bytes, followers get a wake-up. */
  post(
    topic: string,
    bytes: Uint8Array = new Uint8Array(),
    options: { silent?: boolean } = {},
  ): TopicMessage {
    const kept = this.#topics.get(topic) ?? []
    this.#topics.set(topic, kept)
    const { silent = false } = options
    const message = {
      topic,
      number: kept.length + 1,
      bytes: Uint8Array.from(bytes),
      silent,
      time: this.#now(),
    }
    kept.push(message)
    for (const listener of this.#listeners) listener(topic)
    return message
  }

  /** Number of the newest message of a topic, 0 for none. */
  newest(topic: string): number {
    return this.#topics.get(topic)?.length ?? 0
  }

  /** The message after `number`, if there is one. */
  next(topic: string, number: number): TopicMessage | undefined {
    return this.#topics.get(topic)?.[number]
  }

  /** Tells of every post. Returns what ends it. */
  onPost(listener: (topic: string) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }
}
