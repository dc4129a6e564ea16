import { AdapterError, type AdapterErrorClass } from '../adapter/index.ts'
import type { RelaySettings } from './types.ts'

export type RetrySettings = RelaySettings['retry']

/**
 * Milliseconds to wait after the failed try number `attempt` (from 1): the schedule first, then growing by `growth` up to
 * `maxMs`. `fraction` in [0, 1) spreads the wait by ± `spread`, so that messages which failed together do not return
 * together and starve new ones.
 *
 * @example retryDelay({ scheduleMs: [5000], growth: 2, maxMs: 60000, maxAttempts: 9, spread: 0 }, 2, 0) // 10000
 */
export function retryDelay(settings: RetrySettings, attempt: number, fraction: number): number {
  const { scheduleMs, growth, maxMs, spread } = settings
  const last = scheduleMs.at(-1) ?? maxMs
  const planned =
    scheduleMs[attempt - 1] ?? last * growth ** Math.min(Math.max(0, attempt - scheduleMs.length), 64)
  return Math.round(Math.min(planned, maxMs) * (1 + spread * (2 * fraction - 1)))
}

/** So often a delivery may be interrupted by the end of the process before it is suspected. */
const FREE_INTERRUPTIONS = 3
const LONGEST_INTERRUPTION_WAIT_MS = 60_000

/**
 * Milliseconds to wait after try number `attempt` (from 1) was cut off by the end of the gateway itself, which says nothing about
 * the message: the first ones are made up for at once. Then it waits, so that a gateway that ends again and again does not use
 * up the tries in minutes, and, should the message be what ends it, has time for others in between.
 */
export function interruptionDelay(settings: RetrySettings, attempt: number, fraction: number): number {
  const suspected = attempt - FREE_INTERRUPTIONS
  return suspected <= 0
    ? 0
    : Math.min(retryDelay(settings, suspected, fraction), LONGEST_INTERRUPTION_WAIT_MS)
}

/** What a failed send means for its delivery. */
export interface Verdict {
  state: 'pending' | 'uncertain' | 'dead'
  /** Stable code for the journey and operators: the class, with the network's own code where it gave one. */
  reason: string
  /** Whether the try counts towards `maxAttempts`. */
  counts: boolean
  /** Wait in milliseconds before the next try. */
  waitMs: number
  /** The network certainly does not have the message now: a fallback route moves on at once. */
  certain: boolean
  /** A new connection is a reason to try before the wait is over. */
  wakes: boolean
}

export interface FailureContext {
  /** Number of the try that failed, from 1. */
  attempt: number
  /** Times in a row that the network said `rateLimited`. */
  limited: number
  /** The network was connected when the try failed. A try while it was not says nothing about the message. */
  connected: boolean
  fraction: number
}

/** Decides over a failed send. Errors that are not `AdapterError` break the contract and count as `uncertain`. */
export function judge(settings: RetrySettings, error: unknown, context: FailureContext): Verdict {
  const errorClass: AdapterErrorClass = AdapterError.is(error) ? error.class : 'uncertain'
  const reason = reasonOf(error, errorClass)
  const { attempt, connected, fraction } = context
  const waitMs = retryDelay(settings, attempt, fraction)
  const exhausted = attempt >= settings.maxAttempts
  switch (errorClass) {
    case 'retryable':
      if (exhausted && connected) return dead(`attempts-exhausted:${reason}`)
      return { state: 'pending', reason, counts: connected, waitMs, certain: true, wakes: true }
    case 'rateLimited': {
      const asked = AdapterError.is(error) ? (error.retryAfterMs ?? waitMs) : waitMs
      // A network that only ever answers so would hold the message for ever: past the bound, tries count.
      const counts = context.limited >= settings.maxAttempts
      if (counts && exhausted) return dead(`attempts-exhausted:${reason}`)
      const spreadMs = Math.round(
        Math.min(Math.max(asked, 0), settings.maxMs) * (1 + settings.spread * fraction),
      )
      return { state: 'pending', reason, counts, waitMs: spreadMs, certain: true, wakes: false }
    }
    case 'auth':
      // Only an operator can mend it, who may be asleep: slow tries, none counted. The envelope's ttl is the bound.
      return {
        state: 'pending',
        reason,
        counts: false,
        waitMs: retryDelay(settings, Math.max(attempt, settings.scheduleMs.length), fraction),
        certain: true,
        wakes: true,
      }
    case 'uncertain':
      return { state: 'uncertain', reason, counts: true, waitMs, certain: false, wakes: true }
    case 'permanent':
    case 'unsupported':
    case 'tooLarge':
      return dead(reason)
  }
}

function dead(reason: string): Verdict {
  return { state: 'dead', reason, counts: true, waitMs: 0, certain: true, wakes: false }
}

/** A short code without addresses: error texts of SDKs may quote them. */
function reasonOf(error: unknown, errorClass: AdapterErrorClass): string {
  if (!AdapterError.is(error)) return 'uncertain:adapter-fault'
  const code = error.remoteCode === undefined ? '' : String(error.remoteCode)
  return /^[\w.-]{1,32}$/.test(code) ? `${errorClass}:${code}` : errorClass
}
