/** A process that opens a store, accepts one envelope, closes the store and has nothing more to do. Argument: database path. */
import { createSqliteStore } from '../sqlite/index.ts'
import { acceptRecord } from './records.ts'

const store = createSqliteStore({ path: process.argv[2] ?? '' })
await store.open()
const { outcome } = await store.accept(acceptRecord('one'))
await store.close()
console.log(outcome)
