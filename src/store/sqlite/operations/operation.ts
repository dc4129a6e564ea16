import type { Database } from '../database.ts'

/** When the group of an operation began, by the gateway's clocks. */
export interface Moment {
  /** Unix milliseconds. */
  at: number
  /** Milliseconds of the monotonic clock. */
  monotonic: number
}

/** A plain function over the database, and whether it may write. It runs inside the transaction of its group. */
export interface Operation<Input, Output> {
  readonly writes: boolean
  /** What it takes out must not stay behind in the write-ahead log: the log is emptied before the operation is answered. */
  readonly erases: boolean
  readonly run: (database: Database, input: Input, moment: Moment) => Output
}

export function reading<Input, Output>(
  run: (database: Database, input: Input, moment: Moment) => Output,
): Operation<Input, Output> {
  return { writes: false, erases: false, run }
}

export function writing<Input, Output>(
  run: (database: Database, input: Input, moment: Moment) => Output,
): Operation<Input, Output> {
  return { writes: true, erases: false, run }
}

export function erasing<Input, Output>(
  run: (database: Database, input: Input, moment: Moment) => Output,
): Operation<Input, Output> {
  return { writes: true, erases: true, run }
}
