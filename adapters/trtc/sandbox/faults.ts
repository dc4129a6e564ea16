/** Everything that goes wrong on demand, driven by one seeded generator. SANDBOX. */
import type { FaultSwitches } from '../../../src/adapter/index.ts'

/** The switches of every sandbox, and those that only this protocol has. */
export interface TrtcFaults extends FaultSwitches {
  /** Cuts gateways off while clients stay connected: REST refuses connections and no webhook is sent. */
  gatewayOutage(on: boolean): Promise<void>
  /** The next `times` REST calls answer with this error code and do nothing. */
  failWith(code: number, times: number): void
  /** The next `times` messages sent over REST are taken, but the connection breaks before the answer. */
  answerLost(times: number): void
  /** Every REST call answers with this error code and does nothing, until `null`. */
  failing(code: number | null): void
  /** Every REST call answers with this HTTP status and does nothing, until `null`. */
  httpStatus(status: number | null): void
  /** While true, every message sent over REST is taken, and its answer lost. */
  answersLost(on: boolean): void
  /** Cuts clients off and refuses those that come back. The SDK then ends its process. */
  forgetLogins(): void
}

/** What the parts of the stand-in ask before they act. */
export interface FaultState {
  latencyMs: number
  lossShare: number
  duplicationShare: number
  reorderingShare: number
  /** No webhook leaves. */
  webhooksCut: boolean
  /** Uniform in [0, 1), seeded. */
  random(): number
  /** Error code for this REST call, or null. */
  takeFailure(): number | null
  /** Whether the answer to this send is lost. */
  takeLostAnswer(): boolean
  /** HTTP status in place of any answer, or null. */
  status(): number | null
}

export function createFaultState(
  seed: number,
): FaultState & Pick<TrtcFaults, 'failWith' | 'answerLost' | 'failing' | 'httpStatus' | 'answersLost'> {
  const failures: number[] = []
  let lostAnswers = 0
  let everyAnswerLost = false
  let standingFailure: number | null = null
  let standingStatus: number | null = null
  return {
    latencyMs: 0,
    lossShare: 0,
    duplicationShare: 0,
    reorderingShare: 0,
    webhooksCut: false,
    random: seededRandom(seed),
    takeFailure: () => failures.shift() ?? standingFailure,
    status: () => standingStatus,
    takeLostAnswer() {
      if (everyAnswerLost) return true
      if (lostAnswers === 0) return false
      lostAnswers--
      return true
    },
    failWith(code, times) {
      for (let index = 0; index < times; index++) failures.push(code)
    },
    answerLost(times) {
      lostAnswers += times
    },
    failing(code) {
      standingFailure = code
    },
    httpStatus(status) {
      standingStatus = status
    },
    answersLost(on) {
      everyAnswerLost = on
    },
  }
}

/** Mulberry32: small, fast, good enough to spread faults, and the same on every machine. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
