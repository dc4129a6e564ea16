import * as initial from './0001-initial.ts'
import * as enrolments from './0002-enrolments.ts'
import * as mirrors from './0003-mirrors.ts'
import * as walletProofs from './0004-wallet-proofs.ts'
import * as conversations from './0005-conversations.ts'

export interface Migration {
  /** `PRAGMA user_version` once it is applied: 1, 2, 3, … without gaps. */
  version: number
  name: string
  sql: string
}

/** All migrations in order. One that was released is never changed: a change of schema is a new file. */
export const migrations: readonly Migration[] = [
  initial,
  enrolments,
  mirrors,
  walletProofs,
  conversations,
].map((migration, index) => ({ version: index + 1, ...migration }))

export const latestVersion = migrations.length
