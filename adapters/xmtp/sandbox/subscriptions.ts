/** Live subscribers, by group or installation in hex. SANDBOX. */
import { Metadata, type ServerWritableStream, status } from '@grpc/grpc-js'
import type { FaultState } from './faults.ts'

type Call<Message> = ServerWritableStream<unknown, Message>

export class Subscriptions<Message> {
  readonly #faults: FaultState
  /** Lanes of every open call by key. A muted call is open and has none. */
  readonly #calls = new Map<Call<Message>, Map<string, Lane>>()

  constructor(faults: FaultState) {
    this.#faults = faults
  }

  /** Calls that are open. */
  get size(): number {
    return this.#calls.size
  }

  /** Sends what `history` holds and goes on with what is published. */
  open(call: Call<Message>, keys: readonly string[], history: Iterable<Message>): void {
    // Clients of tonic wait for headers before they look at the stream.
    const metadata = new Metadata()
    metadata.set('subscribed', 'true')
    call.sendMetadata(metadata)
    for (const message of history) call.write(message)
    this.#calls.set(call, new Map(keys.map((key) => [key, new Lane()])))
    const remove = () => this.#remove(call)
    call.once('cancelled', remove)
    call.once('close', remove)
  }

  publish(key: string, message: Message): void {
    for (const [call, lanes] of [...this.#calls]) {
      const lane = lanes.get(key)
      if (!lane) continue
      const { breaks, copies, delayMs } = this.#faults.plan()
      if (breaks) this.#end(call)
      else for (let copy = 0; copy < copies; copy++) lane.put(delayMs, () => call.write(message))
    }
  }

  /** They stay open and hear nothing more. */
  mute(): void {
    for (const lanes of this.#calls.values()) {
      for (const lane of lanes.values()) lane.clear()
      lanes.clear()
    }
  }

  /** Ends those that are open. */
  cut(): void {
    for (const call of [...this.#calls.keys()]) this.#end(call)
  }

  /** Forgets everything, also what is still on its way. */
  clear(): void {
    for (const call of [...this.#calls.keys()]) this.#remove(call)
  }

  #end(call: Call<Message>): void {
    this.#remove(call)
    call.emit('error', { code: status.UNAVAILABLE, details: 'the subscription broke on demand' })
  }

  #remove(call: Call<Message>): void {
    for (const lane of this.#calls.get(call)?.values() ?? []) lane.clear()
    this.#calls.delete(call)
  }
}

/** Events of one key on their way to one subscriber: some are late, none overtakes another. */
class Lane {
  readonly #waiting: { due: number; task: () => void }[] = []
  #timer: NodeJS.Timeout | null = null

  put(delayMs: number, task: () => void): void {
    if (delayMs === 0 && this.#waiting.length === 0) {
      task()
      return
    }
    this.#waiting.push({ due: performance.now() + delayMs, task })
    this.#schedule()
  }

  clear(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    this.#waiting.length = 0
  }

  #schedule(): void {
    const [next] = this.#waiting
    if (this.#timer || !next) return
    this.#timer = setTimeout(
      () => {
        this.#timer = null
        this.#waiting.shift()
        next.task()
        this.#schedule()
      },
      Math.max(0, next.due - performance.now()),
    )
  }
}
