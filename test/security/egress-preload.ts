/** Loaded before a gateway process (`--import`): appends every way out of it to the file that `EGRESS_FILE` names. */
import { appendFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { watchEgress } from './egress-watch.ts'

const file = process.env.EGRESS_FILE
if (file === undefined) throw new Error('EGRESS_FILE is not set')
watchEgress((attempt) => appendFileSync(file, `${JSON.stringify({ ...attempt, isMainThread })}\n`))
