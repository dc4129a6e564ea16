/** Live subscribers, by group or installation in hex. SANDBOX. */
import { Metadata, type ServerWritableStream, status } from '@grpc/grpc-js'
import type { FaultState } from './faults.ts'

type Call<Message> = ServerWritableStream<unknown, Message>

export class Subscriptions<Message> {
  readonly #faults: FaultState
  readonly #byKey = new Map<string, Set<Call<Message>>>()
  readonly #timers = new Set<NodeJS.Timeout>()

  constructor(faults: FaultState) {
    this.#faults = faults
  }

  /** Sends what `history` holds and goes on with what is published. */
  open(call: Call<Message>, keys: readonly string[], history: Iterable<Message>): void {
    // Clients of tonic wait for headers before they look at the stream.
    const metadata = new Metadata()
    metadata.set('subscribed', 'true')
    call.sendMetadata(metadata)
    for (const message of history) call.write(message)
    for (const key of keys) {
      const calls = this.#byKey.get(key) ?? new Set()
      calls.add(call)
      this.#byKey.set(key, calls)
    }
    const remove = () => this.#remove(call, keys)
    call.once('cancelled', remove)
    call.once('close', remove)
  }

  publish(key: string, message: Message): void {
    for (const call of this.#byKey.get(key) ?? []) {
      for (const delay of this.#faults.plan()) this.#after(delay, () => call.write(message))
    }
  }

  /** They stay open and hear nothing more. */
  mute(): void {
    this.#byKey.clear()
  }

  cut(): void {
    const calls = new Set([...this.#byKey.values()].flatMap((set) => [...set]))
    this.clear()
    for (const call of calls) {
      call.emit('error', { code: status.UNAVAILABLE, details: 'the subscription was cut on demand' })
    }
  }

  /** Forgets everything, also what is still on its way. */
  clear(): void {
    this.#byKey.clear()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  get size(): number {
    return new Set([...this.#byKey.values()].flatMap((set) => [...set])).size
  }

  #remove(call: Call<Message>, keys: readonly string[]): void {
    for (const key of keys) {
      const calls = this.#byKey.get(key)
      calls?.delete(call)
      if (calls?.size === 0) this.#byKey.delete(key)
    }
  }

  #after(ms: number, task: () => void): void {
    if (ms === 0) {
      task()
      return
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      task()
    }, ms)
    this.#timers.add(timer)
  }
}
