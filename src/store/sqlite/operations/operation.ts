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
  readonly run: (database: Database, input: Input, moment: Moment) => Output
}

export function reading<Input, Output>(
  run: (database: Database, input: Input, moment: Moment) => Output,
): Operation<Input, Output> {
  return { writes: false, run }
}

export function writing<Input, Output>(
  run: (database: Database, input: Input, moment: Moment) => Output,
): Operation<Input, Output> {
  return { writes: true, run }
}
