/** What the threads of the store say to each other. */
import type { Failure } from './errors.ts'
import type { OperationName } from './operations/index.ts'
import type { Moment } from './operations/operation.ts'
import type { PackedAccepts } from './packed.ts'

export interface Call {
  name: OperationName
  input: unknown
}

export type Answer = { value: unknown } | { failure: Failure }

/** As an answer goes over: the seq alone for an envelope that was accepted. */
export type PostedAnswer = Answer | number

export interface WriterSettings {
  path: string
  /** Shared with the checkpointer; null without one. See `Progress`. */
  progress: SharedArrayBuffer | null
  /** See `recent.ts`; undefined for its default. */
  indexBatch: number | undefined
}

export interface CheckpointerSettings {
  path: string
  progress: SharedArrayBuffer
  /** Milliseconds between two checkpoints under load. */
  interval: number
}

/** The inputs of accepts are in `accepts`, in their order, and null in `calls`. */
export interface Group {
  type: 'group'
  calls: Call[]
  accepts: PackedAccepts
  moment: Moment
}

export type ToWriter = Group | { type: 'close' }

export type FromWriter =
  | { type: 'ready' }
  | { type: 'refused'; failure: Failure }
  | { type: 'answers'; answers: PostedAnswer[] }
  | { type: 'closed' }
  | LogLine

export type LogLine = {
  type: 'log'
  level: 'info' | 'warn'
  details: Record<string, unknown>
  text: string
}

/** Places in the 32-bit integers that writer and checkpointer share. */
export const Progress = {
  /** Grows with every group that was committed; the checkpointer sleeps on it. */
  commits: 0,
  /** 1 tells the checkpointer to end. */
  stop: 1,
  /** Frames in the write-ahead log, as the last checkpoint saw them. */
  frames: 2,
} as const

export const PROGRESS_BYTES = 3 * Int32Array.BYTES_PER_ELEMENT
