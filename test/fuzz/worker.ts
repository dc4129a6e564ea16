/** A thread that runs one target. Its current input stands in shared memory, where it outlives a hang. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Blackbox, record } from './blackbox.ts'
import { fuzz } from './engine.ts'
import { findTarget } from './targets/index.ts'

export interface WorkerInput {
  target: string
  seed: number
  inputs: number
  blackbox: Blackbox
}

const { target, seed, inputs, blackbox } = workerData as WorkerInput
const outcome = await fuzz(findTarget(target), {
  seed,
  inputs,
  before: (input, count) => record(blackbox, input, count),
})
parentPort?.postMessage(outcome)
