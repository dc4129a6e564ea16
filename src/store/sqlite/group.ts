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
  // A group that only reads does not take the write lock, so that it works where nothing can be written.
  const writes = calls.some((call) => operations[call.name].writes)
  try {
    database.begin(writes)
    let answers = runTogether(database, calls, moment)
    if (answers === null) {
      database.rollback()
      database.begin(writes)
      answers = calls.map((call) => runApart(database, call, moment))
    }
    database.commit()
    return answers
  } catch (error) {
    const failure = toFailure(error)
    return calls.map(() => ({ failure: abandon(database, failure) }))
  }
}

/**
 * The usual way, without savepoints, which would take a fifth of the time. Null when a writing call failed, since half of its
 * work then stands among that of the others: all of it is undone and run apart, where the failure shows again.
 */
function runTogether(database: Database, calls: readonly Call[], moment: Moment): Answer[] | null {
  const answers: Answer[] = []
  for (const call of calls) {
    const operation = operations[call.name] as Operation<unknown, unknown>
    try {
      answers.push({ value: operation.run(database, call.input, moment) })
    } catch (error) {
      if (operation.writes || !database.inTransaction) return null
      answers.push({ failure: toFailure(error) })
    }
  }
  return answers
}

/** One call that can be undone without the others. */
function runApart(database: Database, call: Call, moment: Moment): Answer {
  const operation = operations[call.name] as Operation<unknown, unknown>
  database.save()
  try {
    const value = operation.run(database, call.input, moment)
    database.keep()
    return { value }
  } catch (error) {
    // After some errors (disk full, I/O) SQLite has ended the transaction: then nothing of the group is left.
    if (!database.inTransaction) throw error
    database.undo()
    return { failure: toFailure(error) }
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
