/**
 * Looks up many messages in peers' Stores with few queries. A gateway that asks for each of its sends by itself soon has used
 * up what a peer answers (429), and then cannot tell a message that arrived from one that did not.
 */
import type { Connection } from '@libp2p/interface'
import type { Clock } from '../../../src/adapter/index.ts'
import { WakuError } from '../errors.ts'
import { MAX_PAGE_SIZE } from './codecs.ts'
import { storeHolding } from './store-client.ts'

/** Below what nodes answer in the long run, so that walks have their share; what waits meanwhile shares the next query. */
const INTERVAL_MS = 1_000 / 15
/** Queries in a row after a pause. */
const BURST = 20
/** Pause after a peer said that these are too many. */
const REFUSED_MS = 1_000
const QUERY_MS = 5_000

interface Lookup {
  hash: Uint8Array
  signal: AbortSignal
  settle(answer: boolean | null): void
  fail(error: unknown): void
}

export class StoreLookups {
  readonly #clock: Clock
  readonly #archives: () => Promise<Connection[]>
  readonly #stopped: AbortSignal
  #waiting: Lookup[] = []
  #asking = false
  /** Monotonic milliseconds at which the queries so far are paid for; it may be {@link BURST} intervals ahead. */
  #paidAt = 0

  /** `archives`: connections to the peers that are asked, one after the other. */
  constructor(options: { clock: Clock; archives: () => Promise<Connection[]>; stopped: AbortSignal }) {
    this.#clock = options.clock
    this.#archives = options.archives
    this.#stopped = options.stopped
  }

  /**
   * Whether a peer's archive holds a message; null when no peer could be asked. A peer that answers 429 is asked again after
   * a pause. Rejects when the signal aborts, and with the `WakuError` of a query that failed.
   */
  has(hash: Uint8Array, signal: AbortSignal): Promise<boolean | null> {
    const either = AbortSignal.any([signal, this.#stopped])
    const { promise, resolve, reject } = Promise.withResolvers<boolean | null>()
    const abort = () => reject(either.reason)
    if (either.aborted) abort()
    else {
      either.addEventListener('abort', abort, { once: true })
      this.#waiting.push({ hash, signal: either, settle: resolve, fail: reject })
      if (!this.#asking) void this.#askAll()
    }
    return promise.finally(() => either.removeEventListener('abort', abort))
  }

  async #askAll(): Promise<void> {
    this.#asking = true
    // What is asked for at once goes into one query.
    await null
    while (this.#waiting.length > 0) {
      const now = this.#clock.monotonic()
      const early = this.#paidAt - BURST * INTERVAL_MS - now
      if (early > 0) {
        await this.#clock.sleep(early)
        continue
      }
      const next = this.#waiting.splice(0, MAX_PAGE_SIZE).filter(({ signal }) => !signal.aborted)
      if (next.length === 0) continue
      this.#paidAt = Math.max(this.#paidAt, now) + INTERVAL_MS
      void this.#ask(next)
    }
    this.#asking = false
  }

  /** A peer that fails spoils nothing: the others are asked for what is still missing, each with its own time. */
  async #ask(lookups: Lookup[]): Promise<void> {
    const errors: unknown[] = []
    let missing = lookups
    let asked = 0
    try {
      for (const connection of await this.#archives()) {
        if (missing.length === 0) return
        asked += 1
        const held = await this.#held(connection, missing).catch((error: unknown) => void errors.push(error))
        if (!held) continue
        for (const { hash, settle } of missing) if (held.has(nameOf(hash))) settle(true)
        missing = missing.filter(({ hash }) => !held.has(nameOf(hash)))
      }
    } catch (error) {
      errors.push(error)
    }
    if (errors.some((error) => error instanceof WakuError && error.status === 429))
      return this.#askLater(missing)
    if (errors.length > 0) for (const { fail } of missing) fail(errors[0])
    else for (const { settle } of missing) settle(asked > 0 ? false : null)
  }

  #held(connection: Connection, lookups: Lookup[]): Promise<Set<string>> {
    const signal = AbortSignal.any([this.#stopped, AbortSignal.timeout(QUERY_MS)])
    const hashes = lookups.map(({ hash }) => hash)
    return storeHolding(connection, hashes, signal)
  }

  #askLater(lookups: Lookup[]): void {
    if (lookups.length === 0) return
    this.#paidAt = this.#clock.monotonic() + BURST * INTERVAL_MS + REFUSED_MS
    this.#waiting.unshift(...lookups)
    if (!this.#asking) void this.#askAll()
  }
}

function nameOf(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex')
}
