/** Entry of the writer's thread: it alone owns the database and runs one group after the other. */
import { parentPort, workerData } from 'node:worker_threads'
import type { AcceptResult } from '../port.ts'
import { toFailure } from './errors.ts'
import { runGroup } from './group.ts'
import { type OpenedDatabase, openDatabase } from './open.ts'
import { type OperationName, operations } from './operations/index.ts'
import { unpackAccepts } from './packed.ts'
import {
  type Answer,
  type Call,
  type FromWriter,
  type Group,
  type PostedAnswer,
  Progress,
  type ToWriter,
  type WriterSettings,
} from './protocol.ts'

/**
 * Frames in the log (4 KiB each) beyond which the writer itself makes the log start anew. Under steady load the background
 * checkpoints cannot: there is always a newer commit. Waiting longer makes the log large, doing it more often costs commits.
 */
const RESTART_AFTER_FRAMES = 16_000

const settings = workerData as WriterSettings
const progress = settings.progress === null ? null : new Int32Array(settings.progress)
const port = parentPort
if (port === null) throw new Error('writer.ts runs as a worker thread only')
const send = (message: FromWriter) => port.postMessage(message)

const opened = open()
if (opened === null) port.close()
else serve(opened)

function open(): OpenedDatabase | null {
  try {
    const result = openDatabase(settings.path, settings.indexBatch)
    if (result.unclean) {
      send({
        type: 'log',
        level: 'warn',
        details: {},
        text: 'The store was not closed cleanly; its log was replayed and checked',
      })
    }
    for (const { version, name } of result.applied) {
      send({ type: 'log', level: 'info', details: { version, name }, text: 'The store was migrated' })
    }
    send({ type: 'ready' })
    return result
  } catch (error) {
    send({ type: 'refused', failure: toFailure(error) })
    return null
  }
}

function serve({ database, unlock }: OpenedDatabase): void {
  port?.on('message', (message: ToWriter) => {
    if (message.type === 'close') {
      database.close()
      unlock()
      send({ type: 'closed' })
      port.close()
      return
    }
    const calls = unpack(message)
    const answers = runGroup(database, calls, message.moment)
    if (calls.some((call) => operations[call.name].erases)) checkpointLog('TRUNCATE')
    send({ type: 'answers', answers: answers.map((answer, index) => posted(answer, calls[index]?.name)) })
    if (progress !== null && calls.some((call) => operations[call.name].writes)) {
      Atomics.add(progress, Progress.commits, 1)
      Atomics.notify(progress, Progress.commits)
      if (Atomics.load(progress, Progress.frames) >= RESTART_AFTER_FRAMES) restartLog(progress)
    }
  })

  /** The group before it is committed and answered. */
  function restartLog(shared: Int32Array): void {
    Atomics.store(shared, Progress.frames, 0)
    checkpointLog('RESTART')
  }

  /** A failure here costs nothing but a log that goes on growing, or one that keeps for a while what was erased. */
  function checkpointLog(mode: 'RESTART' | 'TRUNCATE'): void {
    try {
      database.rows(`PRAGMA wal_checkpoint(${mode})`)
    } catch (error) {
      const details = { code: toFailure(error).code }
      send({
        type: 'log',
        level: 'warn',
        details,
        text: 'The log of the store could not be copied and emptied; trying again later',
      })
    }
  }
}

function unpack({ calls, accepts }: Group): Call[] {
  const records = unpackAccepts(accepts)
  return calls.map((call) => (call.name === 'accept' ? { ...call, input: records.next().value } : call))
}

function posted(answer: Answer, name: OperationName | undefined): PostedAnswer {
  if (name !== 'accept' || 'failure' in answer) return answer
  const { outcome, seq } = answer.value as AcceptResult
  return outcome === 'accepted' ? seq : answer
}
