/**
 * Ids of native messages that this gateway sent, by transaction. Most ids follow from the transaction, and are kept in mind
 * only so that an echo is recognised. Those of contents with several parameters do not, because libxmtp writes parameters
 * in any order: they are kept durably, so that no retry makes a second message.
 */
import { LRUCache } from 'lru-cache'
import type { AdapterStorage } from '../../../src/adapter/index.ts'

/** Unpredictable ids kept for each enrolment. A delivery that is still uncertain after as many others is sent anew. */
const KEPT = 128

/** Ids of which an echo is recognised. */
const IN_MIND = 1_000

export class SentMessages {
  readonly #storage: AdapterStorage
  readonly #key: string
  readonly #transactions = new LRUCache<string, string>({ max: IN_MIND })
  #kept: Promise<Map<string, string>> | null = null

  constructor(storage: AdapterStorage, enrolment: string) {
    this.#storage = storage
    this.#key = `sent/${enrolment}`
  }

  /** `key`: of one message of a transaction. */
  async keptIdOf(key: string): Promise<string | null> {
    return (await this.#load()).get(key) ?? null
  }

  /** The transaction by which a message was sent; null where this process did not send it, or does not remember. */
  transactionOf(messageId: string): string | null {
    return this.#transactions.get(messageId) ?? null
  }

  /** To be called before the network can echo the message. `durably`: durable when it resolves. */
  async remember(
    transaction: { id: string; key: string },
    messageId: string,
    durably: boolean,
  ): Promise<void> {
    this.#transactions.set(messageId, transaction.id)
    if (!durably) return
    const kept = await this.#load()
    kept.set(transaction.key, messageId)
    for (const oldest of kept.keys()) {
      if (kept.size <= KEPT) break
      kept.delete(oldest)
    }
    await this.#storage.set(this.#key, JSON.stringify([...kept]))
  }

  async forget(): Promise<void> {
    this.#kept = null
    await this.#storage.set(this.#key, null)
  }

  #load(): Promise<Map<string, string>> {
    this.#kept ??= this.#storage
      .get(this.#key)
      .then((text) => new Map(text === null ? [] : (JSON.parse(text) as [string, string][])))
    return this.#kept
  }
}
