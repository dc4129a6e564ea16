/** Everything that goes wrong on demand, driven by one seeded generator. SANDBOX. */
import type { FaultSwitches } from '../../../src/adapter/index.ts'

/** Calls that a fault is for: the method, and a part of the path. */
export interface CallMatch {
  method?: 'GET' | 'POST' | 'PUT'
  path?: string
}

/** The switches of every sandbox, and those that only this protocol has. */
export interface PushFaults extends FaultSwitches {
  /** The next `times` calls that match answer with this HTTP status and do nothing. `Infinity`: until `healCalls`. */
  failWith(status: number, times: number, match?: CallMatch): void
  /** The next `times` calls that match are never answered, and do nothing. */
  hang(times: number, match?: CallMatch): void
  /** The next `times` messages are taken, but the connection breaks before the answer. */
  answerLost(times: number): void
  /** Calls are answered again: ends `failWith`, `hang` and `answerLost`, and cuts the connections that hang. */
  healCalls(): void
  /** Socket events of the next `count` messages are held and then sent in the opposite order. */
  outOfOrder(count: number): void
  /** Puts a message with a signature that does not hold into the chat of two DIDs, and tells nobody. */
  plantBadlySigned(from: string, to: string): string
  /** Answers with another PGP key for this DID until `false`; the wallet's proof stays as it was. */
  substituteKey(did: string, on: boolean): Promise<void>
  /** Emits the event of this message once more. */
  redeliver(cid: string): void
  /** Cuts every socket once; clients may come back at once. */
  cutSockets(): void
}

/** What becomes of a call instead of an answer. */
export type CallFault = { kind: 'status'; status: number } | { kind: 'hang' } | null

/** What the parts of the stand-in ask before they act. */
export interface FaultState {
  latencyMs: number
  lossShare: number
  duplicationShare: number
  reorderingShare: number
  /** Messages still to be held for `outOfOrder`. */
  toHold: number
  /** Uniform in [0, 1), seeded. */
  random(): number
  takeCallFault(method: string, path: string): CallFault
  takeLostAnswer(): boolean
}

export interface FaultControls
  extends FaultState,
    Pick<PushFaults, 'failWith' | 'hang' | 'answerLost' | 'healCalls' | 'outOfOrder'> {}

export function createFaultState(seed: number): FaultControls {
  const calls: { fault: NonNullable<CallFault>; match: CallMatch; times: number }[] = []
  let lostAnswers = 0
  const add = (fault: NonNullable<CallFault>, times: number, match: CallMatch = {}) => {
    calls.push({ fault, match, times })
  }
  const state: FaultControls = {
    latencyMs: 0,
    lossShare: 0,
    duplicationShare: 0,
    reorderingShare: 0,
    toHold: 0,
    random: seededRandom(seed),
    takeCallFault(method, path) {
      const entry = calls.find(
        ({ match, times }) =>
          times > 0 && (!match.method || match.method === method) && path.includes(match.path ?? ''),
      )
      if (!entry) return null
      entry.times--
      return entry.fault
    },
    takeLostAnswer() {
      if (lostAnswers === 0) return false
      lostAnswers--
      return true
    },
    failWith: (status, times, match) => add({ kind: 'status', status }, times, match),
    hang: (times, match) => add({ kind: 'hang' }, times, match),
    answerLost(times) {
      lostAnswers += times
    },
    healCalls() {
      calls.length = 0
      lostAnswers = 0
    },
    outOfOrder(count) {
      state.toHold = count
    },
  }
  return state
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
