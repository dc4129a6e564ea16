/** Everything that goes wrong on demand, driven by one seeded generator. SANDBOX. */
import { status } from '@grpc/grpc-js'
import type { FaultSwitches } from '../../../src/adapter/index.ts'
import type { RateLimits } from './rate-limits.ts'
import { Refusal } from './refusal.ts'

/** Late events arrive this much later at most, in milliseconds, so that those of other groups overtake them. */
const REORDER_MS = 250

/** What nodes answer to publishers once the network has moved to its next protocol. */
export const MIGRATED_MESSAGE =
  'publishing to XMTP V3 is no longer available. Please upgrade your client to XMTP D14N.'

export type FailureStatus = 'UNAVAILABLE' | 'RESOURCE_EXHAUSTED' | 'INTERNAL'

/** The switches of every sandbox, and those that only this protocol has. `method` is a name such as `SendGroupMessages`. */
export interface XmtpFaults extends FaultSwitches {
  /** The next `times` calls, of one method or of any, are answered with the status and do nothing. */
  failWith(code: FailureStatus, times: number, method?: string): void
  /** Every call, of one method or of any, is answered with the status and does nothing, until `null`. */
  failing(code: FailureStatus | null, method?: string): void
  /** The next `times` calls of SendGroupMessages are stored and handed out, but answered UNAVAILABLE. */
  answerLost(times: number): void
  /** While true, every call of SendGroupMessages is stored and handed out, but answered UNAVAILABLE. */
  answersLost(on: boolean): void
  /**
   * Share of events, 0 to 1, that are missing in the middle of a subscription. The network does not do that by design, and
   * the SDK does not notice: it goes on from the newest id that it saw, and no sync brings the missing message.
   */
  gaps(share: number): void
  /** Subscriptions that are open now stay open and say nothing more. Those opened later work. */
  muteSubscriptions(): void
  /** Ends the subscriptions that are open now with UNAVAILABLE. Those opened later work. */
  cutSubscriptions(): void
  /** QueryGroupMessages does not see messages younger than this, in milliseconds, as behind a lagging replica. */
  queryLag(ms: number): void
  /** QueryGroupMessages answers this many messages at most and says that these are all, until `null`. */
  queryLimit(count: number | null): void
  /** `true`: the limits of the public network; or limits of one's own. Begins with full buckets. */
  rateLimits(limits: boolean | Partial<RateLimits>): void
  /** The network has left protocol V3: publishing is refused with the words of the real network. */
  migrated(on: boolean): void
}

/** What the parts of the stand-in ask before they act. */
export class FaultState {
  latencyMs = 0
  loss = 0
  gaps = 0
  duplication = 0
  reordering = 0
  queryLagMs = 0
  queryLimit: number | null = null
  isMigrated = false
  everyAnswerLost = false
  #lostAnswers = 0
  readonly #failures: { code: FailureStatus; method: string | undefined }[] = []
  readonly #standing = new Map<string | undefined, FailureStatus>()
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = seededFractions(seed)
  }

  /** Throws the failure that was asked for, if there is one for this call. */
  check(method: string): void {
    const index = this.#failures.findIndex(
      (failure) => failure.method === undefined || failure.method === method,
    )
    const [next] = index < 0 ? [] : this.#failures.splice(index, 1)
    const code = next?.code ?? this.#standing.get(method) ?? this.#standing.get(undefined)
    if (code) throw new Refusal(status[code], `${code.toLowerCase()} on demand`)
  }

  failWith(code: FailureStatus, times: number, method?: string): void {
    for (let index = 0; index < times; index++) this.#failures.push({ code, method })
  }

  failing(code: FailureStatus | null, method?: string): void {
    if (code === null) this.#standing.delete(method)
    else this.#standing.set(method, code)
  }

  answerLost(times: number): void {
    this.#lostAnswers += times
  }

  /** Whether the answer to this call, which has done its work, is lost. */
  takeLostAnswer(): boolean {
    if (this.everyAnswerLost) return true
    if (this.#lostAnswers === 0) return false
    this.#lostAnswers -= 1
    return true
  }

  /** What becomes of one event on its way to one subscriber. */
  plan(): { breaks: boolean; copies: number; delayMs: number } {
    const breaks = this.#random() < this.loss
    const isMissing = this.#random() < this.gaps
    const isDoubled = this.#random() < this.duplication
    const isLate = this.#random() < this.reordering
    return {
      breaks,
      copies: isMissing ? 0 : isDoubled ? 2 : 1,
      delayMs: isLate ? this.#random() * REORDER_MS : 0,
    }
  }
}

/** mulberry32: small, fast and the same on every machine. Not for secrets. */
function seededFractions(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296
  }
}
