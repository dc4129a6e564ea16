/** Seeded faults between the sandbox's node and all others. */
import { proto_store } from '@waku/proto'
import type { FaultSwitches } from '../../../src/adapter/index.ts'
import type { Faults } from '../embedded/options.ts'

/** Late messages arrive this much later at most, in milliseconds, so that others overtake them. */
const REORDER_MS = 250

/** The switches of every sandbox, and those that only this network has. */
export interface WakuFaults extends FaultSwitches {
  /** Store queries are not answered while true. */
  storeOutage(on: boolean): void
  /** Store answers come this much later, in milliseconds. */
  storeLatency(ms: number): void
  /** Share of messages, 0 to 1, that are missing from Store answers. */
  storeLoss(share: number): void
  /** Ends every Filter subscription without a word to its peer. */
  forgetSubscriptions(): void
}

export class SandboxFaults implements Faults {
  latencyMs = 0
  loss = 0
  duplication = 0
  reordering = 0
  storeDown = false
  storeLatencyMs = 0
  storeLoss = 0
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #fraction: () => number

  constructor(seed: number) {
    this.#fraction = seededFractions(seed)
  }

  deliver(send: () => void): void {
    for (const delay of this.#plan(true)) this.#after(delay, send)
  }

  /** Relay knows no duplicates: every node drops a message that it has seen. */
  async forward(): Promise<boolean> {
    const [delay] = this.#plan(false)
    if (delay === undefined) return false
    if (delay > 0) await new Promise<void>((resolve) => this.#after(delay, resolve))
    return true
  }

  async stored(answer: Uint8Array): Promise<Uint8Array> {
    if (this.storeLatencyMs > 0) {
      await new Promise<void>((resolve) => this.#after(this.storeLatencyMs, resolve))
    }
    if (this.storeDown) throw new Error('the Store is down on demand')
    if (this.storeLoss === 0) return answer
    const response = proto_store.StoreQueryResponse.decode(answer)
    const messages = response.messages.filter(() => this.#fraction() >= this.storeLoss)
    return proto_store.StoreQueryResponse.encode({ ...response, messages })
  }

  /** Drops what is still on its way. */
  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  /** Delays of the copies of one message in milliseconds; empty when it is lost. */
  #plan(copies: boolean): number[] {
    const isLost = this.#fraction() < this.loss
    const isDoubled = this.#fraction() < this.duplication
    const isLate = this.#fraction() < this.reordering
    if (isLost) return []
    const delay = this.latencyMs + (isLate ? this.#fraction() * REORDER_MS : 0)
    return copies && isDoubled ? [delay, delay + 1] : [delay]
  }

  #after(ms: number, task: () => void): void {
    if (ms <= 0) {
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

/** mulberry32: small, fast and the same on every machine. Not for secrets. */
export function seededFractions(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296
  }
}
