/** Why a store could not do what it was asked. */
export type StoreErrorCode =
  | 'store-closed'
  | 'store-corrupt'
  | 'store-newer'
  /** Another gateway has the database open. */
  | 'store-in-use'
  | 'store-full'
  | 'store-read-only'
  | 'store-failed'

export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode
  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
