export type { SqliteStore, SqliteStoreOptions, StoreClock, StoreLog } from './store.ts'
export { createSqliteStore } from './store.ts'
