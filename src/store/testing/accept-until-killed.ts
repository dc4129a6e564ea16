/**
 * A process that accepts envelopes until it is killed, sixteen at a time, and prints the name of each one on a line of its own
 * once the store has acknowledged it. Arguments: database path, prefix of the names.
 */
import { createSqliteStore } from '../sqlite/index.ts'
import { acceptRecord } from './records.ts'

const [path = '', prefix = ''] = process.argv.slice(2)
const store = createSqliteStore({ path, indexBatch: 50 })
await store.open()
let count = 0

async function acceptForever(): Promise<never> {
  for (;;) {
    const name = `${prefix}-${count++}`
    const { deliveries } = await store.accept(acceptRecord(name, { bytes: new Uint8Array(1_000) }))
    process.stdout.write(`accepted ${name}\n`)
    const id = deliveries[0]?.id ?? 0
    await store.moveDelivery({ id, from: ['pending'], to: 'acknowledged', remoteIds: [name], at: 3_000 })
    process.stdout.write(`moved ${name}\n`)
  }
}

await Promise.all(Array.from({ length: 16 }, acceptForever))
