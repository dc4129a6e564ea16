/** What decoders need around them: a clock that runs only when asked, answers without a network, refusals without an error class. */
import type { AdapterLog, Clock } from '../../../src/adapter/index.ts'
import { START } from './people.ts'

/** For decoders that answer null, false or a status instead of throwing. */
export class Refused extends Error {
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** A clock at a fixed time. Its monotonic side moves on with every look, so that nothing waits for it. */
export function idleClock(): Clock {
  let ticks = 0
  return {
    now: () => START,
    monotonic: () => {
      ticks += 1_000
      return ticks
    },
    sleep: async () => undefined,
  }
}

export const quietLog: AdapterLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

/** What stands in a container as text; anything else is spelled out, without asking it for its own `toString`. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

/** The item at an index that came out of a container; the first for anything else. */
export function chosen<Item>(items: readonly Item[], index: unknown): Item {
  return (typeof index === 'number' ? items[index] : undefined) ?? (items[0] as Item)
}

export interface CannedAnswer {
  status?: unknown
  date?: unknown
  body?: unknown
}

/** More requests than this for one input: the client asks without end. */
const MOST_REQUESTS = 300

/** Puts answers of an untrusted server in the place of `fetch`, in turn, from the first again after the last. */
export function cannedFetch(): {
  load(answers: readonly CannedAnswer[]): void
  requests(): number
  restore(): void
} {
  const original = globalThis.fetch
  let answers: readonly CannedAnswer[] = []
  let requests = 0
  globalThis.fetch = async (_input, init) => {
    init?.signal?.throwIfAborted()
    const answer = answers[requests % Math.max(1, answers.length)] ?? {}
    requests += 1
    if (requests > MOST_REQUESTS) throw new TypeError('fetch failed')
    const status =
      typeof answer.status === 'number' && answer.status >= 200 && answer.status < 600
        ? Math.trunc(answer.status)
        : 200
    const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? null)
    const headers = new Headers()
    if (typeof answer.date === 'string' && /^[ -~]*$/.test(answer.date)) headers.set('date', answer.date)
    const hasBody = ![204, 205, 304].includes(status)
    return new Response(hasBody ? text : null, { status, headers })
  }
  return {
    load(next) {
      answers = next
      requests = 0
    },
    requests: () => requests,
    restore() {
      globalThis.fetch = original
    },
  }
}

/** Whether the last input made the client ask without end. */
export function asksWithoutEnd(requests: number): boolean {
  return requests > MOST_REQUESTS
}
