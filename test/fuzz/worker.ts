/** A thread that runs targets, one after the other. Its current input stands in shared memory, where it outlives a hang. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Blackbox, record } from './blackbox.ts'
import { fuzz } from './engine.ts'
import { findTarget } from './targets/index.ts'

export interface Job {
  target: string
  seed: number
  inputs: number
}

const blackbox = workerData as Blackbox

parentPort?.on('message', async ({ target, seed, inputs }: Job) => {
  const before = record.bind(null, blackbox)
  parentPort?.postMessage(await fuzz(findTarget(target), { seed, inputs, before }))
})
