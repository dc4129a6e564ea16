import { StoreError, type StoreErrorCode } from '../port.ts'

/** A `StoreError` in a form that can cross from one thread to another. */
export interface Failure {
  code: StoreErrorCode
  message: string
}

// Primary result codes, https://sqlite.org/rescode.html
const SQLITE_READONLY = 8
const SQLITE_IOERR = 10
const SQLITE_CORRUPT = 11
const SQLITE_FULL = 13
const SQLITE_NOTADB = 26

/**
 * Translates whatever went wrong in the database. SQLite's own texts name tables and columns, never values, so they are
 * kept.
 */
export function toFailure(error: unknown): Failure {
  if (error instanceof StoreError) return { code: error.code, message: error.message }
  const text = error instanceof Error ? error.message : String(error)
  switch (primaryCode(error)) {
    case SQLITE_FULL:
      return { code: 'store-full', message: `The disk of the database is full; free space on it (${text})` }
    case SQLITE_READONLY:
      return {
        code: 'store-read-only',
        message: `The database cannot be written; check the permissions of its folder (${text})`,
      }
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return { code: 'store-corrupt', message: `The database is damaged; restore it from a backup (${text})` }
    case SQLITE_IOERR:
      return { code: 'store-failed', message: `The disk of the database failed to read or write (${text})` }
    default:
      return { code: 'store-failed', message: `The database refused the operation (${text})` }
  }
}

export function toStoreError(failure: Failure): StoreError {
  return new StoreError(failure.code, failure.message)
}

function primaryCode(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null
  return error.errcode & 0xff
}
