/** Entry of the thread that verifies batches of signatures; see `signatures.ts`. */
import { parentPort } from 'node:worker_threads'
import { verifyBatch } from './signature-batch.ts'
import { loadSodium } from './sodium.ts'

const sodium = loadSodium()
if (sodium === null || parentPort === null)
  throw new Error('signature-thread.ts runs as a worker, with sodium-native')
const port = parentPort
port.on('message', (batch: Uint8Array) => {
  port.postMessage(verifyBatch(batch, sodium.crypto_sign_verify_detached))
})
