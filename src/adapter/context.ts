/** What the gateway gives to an adapter. Adapters take time, randomness and storage from here and from nowhere else. */
import type { DeliverResult, Inbound, StateReport } from './contract.ts'
import type { EnrolmentReport, NativeInbound } from './enrolment.ts'
import type { DeliverOpaque } from './opaque.ts'

export interface AdapterContext {
  /** This gateway's id, as it stands in hop traces. */
  readonly gateway: string
  readonly clock: Clock
  readonly random: Random
  readonly log: AdapterLog
  /** Small durable state: cursors, imported accounts. Not for messages. */
  readonly storage: AdapterStorage
  /** A folder of this adapter's own for databases of its network. Made on first use. */
  directory(): Promise<string>
  /** Resolves when the frame is durable (or known, or refused): only then acknowledge upstream. */
  deliver(inbound: Inbound): Promise<DeliverResult>
  /** The same for what the opaque facet heard for a mirror. */
  deliverOpaque: DeliverOpaque
  /** Reports a change of connection state. Going from any other state to `connected` starts a reconcile walk. */
  state(report: StateReport): void
  /** As `deliver`, for a native message of an enrolled wallet. Streams and walks may both bring it: it is shown once. */
  deliverNative(inbound: NativeInbound): Promise<DeliverResult>
  /** Reports a change of an enrolment's connection. */
  enrolmentState(id: string, report: EnrolmentReport): void
}

export interface Clock {
  /** Unix milliseconds. */
  now(): number
  /** Milliseconds of a clock that never steps back. */
  monotonic(): number
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export interface Random {
  bytes(length: number): Uint8Array
  /** Uniform in [0, 1). */
  fraction(): number
}

/** Structured log of one adapter. Never pass plaintext, keys, tokens or whole addresses. */
export interface AdapterLog {
  debug(details: Record<string, unknown>, text: string): void
  info(details: Record<string, unknown>, text: string): void
  warn(details: Record<string, unknown>, text: string): void
  error(details: Record<string, unknown>, text: string): void
}

export interface AdapterStorage {
  get(key: string): Promise<string | null>
  /** Durable when resolved. `null` deletes. */
  set(key: string, value: string | null): Promise<void>
}
