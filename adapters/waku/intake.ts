/**
 * Hands received messages to the gateway, with back-pressure. Messages wait in a bounded queue; a few are delivered at a
 * time; one whose delivery failed is tried again until it is durable. What does not fit is read again from the archive.
 */
import type { AdapterLog, Clock, Inbound } from '../../src/adapter/index.ts'
import type { HistoryRange } from './driver.ts'
import { type NetworkMessage, toMilliseconds } from './wire/message.ts'

export interface IntakeOptions {
  /** Messages that wait at most. */
  capacity: number
  /** Deliveries at a time. */
  concurrency: number
  clock: Clock
  log: AdapterLog
  /** Resolves when the message is durable. */
  deliver(inbound: Inbound): Promise<unknown>
  /** Reads the archive. */
  history(range: HistoryRange, signal: AbortSignal): AsyncIterable<NetworkMessage>
}

const RETRY_MIN_MS = 100
const RETRY_MAX_MS = 10_000

/** Senders' clocks differ by up to 20 s, so a message may be archived under a time before the gap. */
const GAP_OVERLAP_MS = 30_000

export class Intake {
  readonly #options: IntakeOptions
  readonly #queue: NetworkMessage[] = []
  readonly #stopped = new AbortController()
  readonly #workers = new Set<Promise<void>>()
  #gapSince: number | null = null
  #recovery: Promise<void> | null = null

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  /** Messages that wait. */
  get waiting(): number {
    return this.#queue.length
  }

  /** Takes a message of the live path. Never blocks and never throws. */
  offer(message: NetworkMessage): void {
    if (this.#stopped.signal.aborted) return
    if (this.#queue.length >= this.#options.capacity) {
      if (message.ephemeral) this.#options.log.warn({}, 'the intake is full; an ephemeral message is dropped')
      this.gap(this.#options.clock.now())
      return
    }
    this.#queue.push(message)
    this.#work()
  }

  /** Notes that messages since `since` (Unix milliseconds) must be read from the archive. */
  gap(since: number): void {
    if (this.#stopped.signal.aborted) return
    this.#gapSince = this.#gapSince === null ? since : Math.min(this.#gapSince, since)
    this.#work()
  }

  /** Gives up what waits: it is not durable yet, and the gateway's next walk finds it in the archive. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error('stopped'))
    this.#queue.length = 0
    await Promise.all([...this.#workers, this.#recovery])
  }

  #work(): void {
    if (this.#stopped.signal.aborted) return
    while (this.#queue.length > 0 && this.#workers.size < this.#options.concurrency) {
      const worker = this.#drain().finally(() => {
        this.#workers.delete(worker)
        this.#work()
      })
      this.#workers.add(worker)
    }
    if (this.#queue.length === 0 && this.#gapSince !== null && this.#recovery === null) {
      this.#recovery = this.#recover().finally(() => {
        this.#recovery = null
        this.#work()
      })
    }
  }

  async #drain(): Promise<void> {
    for (let message = this.#queue.shift(); message; message = this.#queue.shift()) {
      await this.#deliver(message, 'stream')
      if (this.#stopped.signal.aborted) return
    }
  }

  /** Walks the archive from the gap on. The gap is closed only by a walk that ended well. */
  async #recover(): Promise<void> {
    const { clock, log, history } = this.#options
    const { signal } = this.#stopped
    let wait = RETRY_MIN_MS
    while (this.#gapSince !== null && !signal.aborted) {
      const since = this.#gapSince
      this.#gapSince = null
      try {
        const range = { since: since - GAP_OVERLAP_MS, until: clock.now() + GAP_OVERLAP_MS }
        for await (const message of history(range, signal)) {
          await this.#deliver(message, 'history')
          if (signal.aborted) return
        }
        wait = RETRY_MIN_MS
      } catch (error) {
        if (signal.aborted) return
        this.#gapSince = Math.min(since, this.#gapSince ?? since)
        log.warn({ error: String(error) }, 'missed messages cannot be read from the archive yet')
        await this.#pause(wait)
        wait = Math.min(wait * 2, RETRY_MAX_MS)
      }
    }
  }

  async #deliver(message: NetworkMessage, via: 'stream' | 'history'): Promise<void> {
    let wait = RETRY_MIN_MS
    while (!this.#stopped.signal.aborted) {
      try {
        await this.#options.deliver(toInbound(message, via))
        return
      } catch (error) {
        this.#options.log.warn({ error: String(error) }, 'a message is not durable yet; delivering it again')
        await this.#pause(wait)
        wait = Math.min(wait * 2, RETRY_MAX_MS)
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#stopped
    try {
      await this.#options.clock.sleep(ms, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}

/** A message of the network as the gateway takes it. Waku names no sender and carries no transaction id. */
export function toInbound(message: NetworkMessage, via: 'stream' | 'history'): Inbound {
  return {
    frame: message.payload,
    remoteId: message.id,
    to: message.contentTopic,
    from: null,
    via,
    remoteTime: message.timestamp > 0n ? toMilliseconds(message.timestamp) : null,
    transactionId: null,
  }
}
