/**
 * Hands heard messages to the gateway: those of one conversation one after the other, conversations side by side. One whose
 * delivery failed is tried again until it is durable. What does not fit is read again from the database.
 */
import type { AdapterLog, Clock, Inbound } from '../../src/adapter/index.ts'

export interface IntakeOptions<Message> {
  /** Messages that wait at most. */
  capacity: number
  clock: Clock
  log: AdapterLog
  /** Resolves when the message is durable. */
  deliver(message: Message): Promise<unknown>
  /** Messages were left out; called again with false once there is room and they can be read again. */
  overflow(full: boolean): void
}

const RETRY_MIN_MS = 100
const RETRY_MAX_MS = 10_000

export class Intake<Message = Inbound> {
  readonly #options: IntakeOptions<Message>
  readonly #lanes = new Map<string, Message[]>()
  readonly #workers = new Set<Promise<void>>()
  readonly #stopped = new AbortController()
  #waiting = 0
  #full = false

  constructor(options: IntakeOptions<Message>) {
    this.#options = options
  }

  /** Takes a message of a conversation. Never blocks and never throws. */
  offer(conversation: string, message: Message): void {
    if (this.#stopped.signal.aborted) return
    if (this.#waiting >= this.#options.capacity) {
      if (!this.#full) this.#options.overflow(true)
      this.#full = true
      return
    }
    this.#waiting++
    const lane = this.#lanes.get(conversation)
    if (lane) {
      lane.push(message)
      return
    }
    const messages = [message]
    this.#lanes.set(conversation, messages)
    const worker = this.#drain(conversation, messages).finally(() => this.#workers.delete(worker))
    this.#workers.add(worker)
  }

  /** Gives up what waits: the database has it, and the gateway's next walk reads it there. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error('stopped'))
    await Promise.all(this.#workers)
  }

  async #drain(conversation: string, messages: Message[]): Promise<void> {
    for (let next = messages.shift(); next; next = messages.shift()) {
      await this.#deliver(next)
      this.#waiting--
      if (this.#stopped.signal.aborted) return
      if (this.#full && this.#waiting <= this.#options.capacity / 2) {
        this.#full = false
        this.#options.overflow(false)
      }
    }
    this.#lanes.delete(conversation)
  }

  async #deliver(message: Message): Promise<void> {
    const { signal } = this.#stopped
    let wait = RETRY_MIN_MS
    while (!signal.aborted) {
      try {
        await this.#options.deliver(message)
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
