/** Messages that this gateway published: one per transaction, the same on every retry, and recognised when it comes back. */
import type { Clock, SendIntent } from '../../src/adapter/index.ts'
import { createMessage, type NetworkMessage, toNanoseconds } from './wire/message.ts'

/** Archives take timestamps within 20 s of now; a retry with the same timestamp keeps this far from the edge. */
const SAME_TIMESTAMP_MS = 15_000

/** Transactions remembered; a retry of one that is forgotten is looked for in the archive. */
const MOST_TRANSACTIONS = 5_000
const MOST_IDS = 50_000

interface Attempt {
  hash: Uint8Array
  id: string
  timestamp: number
}

export class SentMessages {
  readonly #clock: Clock
  readonly #attempts = new Map<string, Attempt[]>()
  readonly #ids = new Set<string>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * The message for an intent. Retries within 15 s get the same timestamp and so the same hash: the network drops repeats.
   * Encoded here once; every peer and every retry gets these bytes.
   */
  messageOf(intent: SendIntent, pubsubTopic: string): NetworkMessage {
    const now = this.#clock.now()
    const attempts = this.#attempts.get(intent.transactionId) ?? []
    const last = attempts.at(-1)
    const timestamp = last && this.#isFresh(last, now) ? last.timestamp : now
    const message = createMessage({
      pubsubTopic,
      contentTopic: intent.to.address,
      payload: intent.frame,
      timestamp: toNanoseconds(timestamp),
      ephemeral: intent.ephemeral,
    })
    if (last?.id !== message.id) attempts.push({ hash: message.hash, id: message.id, timestamp })
    remember(this.#attempts, intent.transactionId, attempts)
    this.#ids.delete(message.id)
    this.#ids.add(message.id)
    if (this.#ids.size > MOST_IDS) this.#ids.delete(this.#ids.values().next().value as string)
    return message
  }

  /** Whether the last attempt of a transaction is young enough to be repeated with the same timestamp. */
  mayRepeat(intent: SendIntent): boolean {
    const last = this.#attempts.get(intent.transactionId)?.at(-1)
    return last !== undefined && this.#isFresh(last, this.#clock.now())
  }

  /** All attempts of a transaction, oldest first. */
  all(intent: SendIntent): readonly Attempt[] {
    return this.#attempts.get(intent.transactionId) ?? []
  }

  /** Whether a message of the network is one of ours. */
  isOwn(id: string): boolean {
    return this.#ids.has(id)
  }

  #isFresh(attempt: Attempt, now: number): boolean {
    return Math.abs(now - attempt.timestamp) <= SAME_TIMESTAMP_MS
  }
}

/** Puts an entry at the young end of a bounded map. */
function remember(map: Map<string, Attempt[]>, key: string, value: Attempt[]): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > MOST_TRANSACTIONS) map.delete(map.keys().next().value as string)
}
