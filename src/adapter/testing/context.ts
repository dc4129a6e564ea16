/** An `AdapterContext` that keeps what an adapter does with it. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import type { AdapterContext, AdapterLog, AdapterStorage, Clock, Random } from '../context.ts'
import type { AdapterState, DeliverResult, Inbound, StateReport } from '../contract.ts'
import type { EnrolmentReport, NativeInbound } from '../enrolment.ts'
import type { OpaqueInbound } from '../opaque.ts'
import { sameBytes } from './bytes.ts'

export interface RecordingContext extends AdapterContext {
  /** Every call of `deliver`, in order, with whether it was taken (resolved) or turned away (rejected). */
  readonly deliveries: readonly { inbound: Inbound; taken: boolean }[]
  /** Every call of `deliverNative`, in order, with whether it was taken. */
  readonly natives: readonly { inbound: NativeInbound; taken: boolean }[]
  /** Every call of `deliverOpaque`, in order, with whether it was taken. */
  readonly parcels: readonly { inbound: OpaqueInbound; taken: boolean }[]
  /** Every state report, in order. */
  readonly states: readonly StateReport[]
  /** Every report on an enrolment, in order. */
  readonly enrolmentStates: readonly { id: string; report: EnrolmentReport }[]
  readonly logs: readonly LogRecord[]
  /** True once the adapter has asked for its folder. */
  readonly directoryUsed: boolean
  /** State of the last report; null before the first. */
  lastState(): AdapterState | null
  /** Inbound frames equal to `frame` that were taken. */
  heard(frame: Uint8Array): Inbound[]
  /** Inbound frames equal to `frame`, taken or turned away. */
  offered(frame: Uint8Array): Inbound[]
  /** While on, `deliver`, `deliverNative` and `deliverOpaque` reject: the gateway could not make the frame durable. */
  rejectDeliveries(on: boolean): void
  /** Removes the folder. */
  dispose(): Promise<void>
}

export interface LogRecord {
  level: 'debug' | 'info' | 'warn' | 'error'
  details: Record<string, unknown>
  text: string
}

export interface RecordingContextOptions {
  /** Default `contract-suite`. */
  gateway?: string
  /** Default: the real clock. */
  clock?: Clock
  random?: Random
  /** Give the storage of an earlier context to play a restart of the gateway. Default: empty, in memory. */
  storage?: AdapterStorage
}

export function createRecordingContext(options: RecordingContextOptions = {}): RecordingContext {
  const deliveries: { inbound: Inbound; taken: boolean }[] = []
  const natives: { inbound: NativeInbound; taken: boolean }[] = []
  const parcels: { inbound: OpaqueInbound; taken: boolean }[] = []
  const states: StateReport[] = []
  const enrolmentStates: { id: string; report: EnrolmentReport }[] = []
  const logs: LogRecord[] = []
  const known = new Set<string>()
  let rejecting = false
  let folder: Promise<string> | null = null

  const log = (level: LogRecord['level']) => (details: Record<string, unknown>, text: string) => {
    logs.push({ level, details, text })
  }
  const matching = (frame: Uint8Array, takenOnly: boolean) =>
    deliveries
      .filter((delivery) => (delivery.taken || !takenOnly) && sameBytes(delivery.inbound.frame, frame))
      .map((delivery) => delivery.inbound)

  return {
    gateway: options.gateway ?? 'contract-suite',
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    log: {
      debug: log('debug'),
      info: log('info'),
      warn: log('warn'),
      error: log('error'),
    } satisfies AdapterLog,
    storage: options.storage ?? createMemoryStorage(),
    deliveries,
    natives,
    parcels,
    states,
    enrolmentStates,
    logs,
    get directoryUsed() {
      return folder !== null
    },
    directory() {
      folder ??= mkdtemp(join(tmpdir(), 'causeway-adapter-'))
      return folder
    },
    async deliver(inbound): Promise<DeliverResult> {
      // A copy: the adapter may use its buffer again once this resolves.
      const taken = !rejecting
      deliveries.push({ inbound: { ...inbound, frame: Uint8Array.from(inbound.frame) }, taken })
      if (!taken) throw new Error('the store is not available (the contract suite turned this frame away)')
      const id = createHash('sha256').update(inbound.frame).digest('hex')
      if (known.has(id)) return { outcome: 'duplicate', id }
      known.add(id)
      return { outcome: 'accepted', id }
    },
    state(report) {
      states.push({ ...report })
    },
    async deliverNative(inbound): Promise<DeliverResult> {
      const taken = !rejecting
      natives.push({ inbound: structuredClone(inbound), taken })
      if (!taken) throw new Error('the store is not available (the contract suite turned this message away)')
      const id = createHash('sha256').update(`${inbound.enrolment} ${inbound.remoteId}`).digest('hex')
      if (known.has(id)) return { outcome: 'duplicate', id }
      known.add(id)
      return { outcome: 'accepted', id }
    },
    async deliverOpaque(inbound): Promise<DeliverResult> {
      const taken = !rejecting
      parcels.push({ inbound: structuredClone(inbound), taken })
      if (!taken) throw new Error('the store is not available (the contract suite turned this parcel away)')
      const id = createHash('sha256').update(`${inbound.mirror} ${inbound.remoteId}`).digest('hex')
      if (known.has(id)) return { outcome: 'duplicate', id }
      known.add(id)
      return { outcome: 'accepted', id }
    },
    enrolmentState(id, report) {
      enrolmentStates.push({ id, report: { ...report } })
    },
    lastState: () => states.at(-1)?.state ?? null,
    heard: (frame) => matching(frame, true),
    offered: (frame) => matching(frame, false),
    rejectDeliveries(on) {
      rejecting = on
    },
    async dispose() {
      if (folder) await rm(await folder, { recursive: true, force: true })
    },
  }
}

/** `AdapterStorage` in memory. */
export function createMemoryStorage(): AdapterStorage {
  const values = new Map<string, string>()
  return {
    async get(key) {
      return values.get(key) ?? null
    },
    async set(key, value) {
      if (value === null) values.delete(key)
      else values.set(key, value)
    },
  }
}

const systemRandom: Random = {
  bytes: (length) => Uint8Array.from(randomBytes(length)),
  fraction: () => Math.random(),
}
