import type { Draft, SimulatedMessage } from './network.ts'

/** What a simulated network remembers: messages that it keeps, and the transactions that it has taken. */
export class MessageLog {
  readonly #retain: number
  readonly #messages = new Map<string, SimulatedMessage>()
  readonly #transactions = new Map<string, string>()
  #count = 0
  #lastTime = 0

  constructor(retain: number) {
    this.#retain = retain
  }

  /** Gives the message its id and time. */
  append(draft: Draft, now: number, keep: boolean): SimulatedMessage {
    this.#count += 1
    this.#lastTime = Math.max(this.#lastTime, now)
    const message: SimulatedMessage = { ...draft, remoteId: `sim-${this.#count}`, time: this.#lastTime }
    if (keep) {
      this.#messages.set(message.remoteId, message)
      forgetOldest(this.#messages, this.#retain)
    }
    if (message.gateway !== null && message.transactionId !== null) {
      this.#transactions.set(`${message.gateway} ${message.transactionId}`, message.remoteId)
      forgetOldest(this.#transactions, this.#retain)
    }
    return message
  }

  byId(remoteId: string): SimulatedMessage | undefined {
    return this.#messages.get(remoteId)
  }

  byTransaction(gateway: string, transactionId: string | null): string | undefined {
    return transactionId === null ? undefined : this.#transactions.get(`${gateway} ${transactionId}`)
  }

  /** Oldest first. Copies: nobody can alter what the network holds. */
  since(time: number): SimulatedMessage[] {
    return [...this.#messages.values()]
      .filter((message) => message.time >= time)
      .map((message) => ({ ...message, frame: Uint8Array.from(message.frame) }))
  }
}

function forgetOldest(entries: Map<string, unknown>, retain: number): void {
  if (entries.size <= retain) return
  const oldest = entries.keys().next().value
  if (oldest !== undefined) entries.delete(oldest)
}
