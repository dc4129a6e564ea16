/** Group commit: many operations, one transaction, one wait for the disk. */
import type { Database } from './database.ts'
import { type Failure, toFailure } from './errors.ts'
import { operations } from './operations/index.ts'
import type { Moment, Operation } from './operations/operation.ts'
import type { Answer, Call } from './protocol.ts'

/**
 * Runs the calls in order, in one transaction, and answers them in the same order once it is committed. A call that fails is
 * undone alone. When the transaction itself fails, every call of the group is answered with that failure, reads included:
 * they may have seen what was not kept.
 */
export function runGroup(database: Database, calls: readonly Call[], moment: Moment): Answer[] {
  try {
    // A group that only reads does not take the write lock, so that it works on a disk that is full.
    database.run(calls.some((call) => operations[call.name].writes) ? 'BEGIN IMMEDIATE' : 'BEGIN')
    const answers = calls.map((call) => runCall(database, call, moment))
    database.run('COMMIT')
    return answers
  } catch (error) {
    const failure = toFailure(error)
    return calls.map(() => ({ failure: abandon(database, failure) }))
  }
}

function abandon(database: Database, failure: Failure): Failure {
  try {
    database.rollback()
    return failure
  } catch (error) {
    return {
      code: failure.code,
      message: `${failure.message}; rolling back failed too (${toFailure(error).message})`,
    }
  }
}

function runCall(database: Database, call: Call, moment: Moment): Answer {
  const operation = operations[call.name] as Operation<unknown, unknown>
  if (operation.writes) database.run('SAVEPOINT operation')
  try {
    const value = operation.run(database, call.input, moment)
    if (operation.writes) database.run('RELEASE operation')
    return { value }
  } catch (error) {
    // After some errors (disk full, I/O) SQLite has ended the transaction: then nothing of the group is left.
    if (!database.inTransaction) throw error
    if (operation.writes) database.rollback('operation')
    return { failure: toFailure(error) }
  }
}
