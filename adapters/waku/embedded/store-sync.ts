/**
 * Fetches what other nodes archived while this one was away. Relay does not repeat old messages, so every node that was
 * disconnected asks its peers' Store: first for hashes alone, then for the messages that it does not have.
 */
import type { Connection } from '@libp2p/interface'
import type { AdapterLog, Clock } from '../../../src/adapter/index.ts'
import { type NetworkMessage, toNanoseconds } from '../wire/message.ts'
import { storeHashes, storeMessages } from '../wire/store-client.ts'

export interface StoreSyncOptions {
  pubsubTopic: string
  /** Topics that are asked for. */
  contentTopics: readonly string[]
  /** Unix milliseconds from which a peer that was not asked before is asked. */
  since: number
  clock: Clock
  log: AdapterLog
  has(hash: Uint8Array): boolean
  take(message: NetworkMessage): void
}

/** Asked again behind the last sync: senders' clocks differ by up to 20 s, and messages need time to reach an archive. */
const OVERLAP_MS = 60_000

export class StoreSync {
  readonly #options: StoreSyncOptions
  /** Start of the last complete sync by peer, Unix milliseconds. */
  readonly #completed = new Map<string, number>()
  readonly #running = new Map<string, Promise<void>>()

  constructor(options: StoreSyncOptions) {
    this.#options = options
  }

  /** Syncs with one peer from its last sync on, or from `since` (Unix milliseconds) where that is earlier. One at a time. */
  run(connection: Connection, signal: AbortSignal, since?: number): Promise<void> {
    const peer = connection.remotePeer.toString()
    const previous = this.#running.get(peer) ?? Promise.resolve()
    const next = previous.then(
      () => this.#sync(peer, connection, signal, since),
      () => this.#sync(peer, connection, signal, since),
    )
    this.#running.set(peer, next)
    const forget = () => {
      if (this.#running.get(peer) === next) this.#running.delete(peer)
    }
    next.then(forget, forget)
    return next
  }

  async #sync(peer: string, connection: Connection, signal: AbortSignal, since?: number): Promise<void> {
    const { clock, pubsubTopic, contentTopics, has, take, log } = this.#options
    const started = clock.now()
    const last = this.#completed.get(peer) ?? this.#options.since
    const from = toNanoseconds(Math.min(last, since ?? last) - OVERLAP_MS)
    const to = toNanoseconds(started + OVERLAP_MS)
    let fetched = 0
    for await (const hashes of storeHashes(connection, { pubsubTopic, contentTopics, from, to }, signal)) {
      const missing = hashes.filter((hash) => !has(hash))
      for (const message of await storeMessages(connection, missing, signal)) {
        if (message.pubsubTopic !== pubsubTopic) continue
        take(message)
        fetched += 1
      }
    }
    this.#completed.set(peer, started)
    if (fetched > 0) log.info({ messages: fetched }, 'fetched missed messages from a Waku peer')
  }
}
