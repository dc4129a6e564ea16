/**
 * Entry of the checkpointer's thread: copies the write-ahead log into the database in the background, so that no commit waits
 * for it. It sleeps until a group was committed, lets a few more gather, checkpoints, and sleeps again.
 */
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { toFailure } from './errors.ts'
import { type CheckpointerSettings, type LogLine, Progress } from './protocol.ts'

const settings = workerData as CheckpointerSettings
const progress = new Int32Array(settings.progress)
const connection = new DatabaseSync(settings.path)
connection.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0')
const checkpoint = connection.prepare('PRAGMA wal_checkpoint(PASSIVE)')

let seen = 0
let failing = false
while (Atomics.load(progress, Progress.stop) === 0) {
  Atomics.wait(progress, Progress.commits, seen)
  Atomics.wait(progress, Progress.stop, 0, settings.interval)
  seen = Atomics.load(progress, Progress.commits)
  try {
    const frames = checkpoint.get()?.log
    if (typeof frames === 'number') Atomics.store(progress, Progress.frames, frames)
    failing = false
  } catch (error) {
    if (!failing) report(toFailure(error).code)
    failing = true
  }
}
connection.close()

function report(code: string): void {
  const text = 'The store could not be checkpointed; its log grows until it can'
  parentPort?.postMessage({ type: 'log', level: 'warn', details: { code }, text } satisfies LogLine)
}
