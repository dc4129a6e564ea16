/**
 * Inbox cursors: where in a wallet's inbox a reader stands. Opaque to clients. A cursor names the store that it belongs to,
 * so that after a store was replaced an old cursor is recognised instead of pointing at other messages.
 */
import { randomBytes } from 'node:crypto'
import type { Store } from '../store/port.ts'
import { HttpError } from './errors.ts'

/** Owner name in the adapters' key-value table that no network can have. */
const OWNER = '_http'
const KEY = 'store-epoch'
const CURSOR = /^([0-9a-f]{16})\.(0|[1-9][0-9]{0,15})$/

export interface Cursors {
  encode(seq: number): string
  /** Place of a cursor in this store, or null for a cursor of another one. Errors: `cursor-invalid`. */
  decode(text: string): number | null
}

export interface CursorSource {
  /** Reads the store's epoch, once; makes it in a new store. */
  load(): Promise<Cursors>
}

export function createCursorSource(store: Store): CursorSource {
  let loaded: Promise<Cursors> | null = null

  async function read(): Promise<Cursors> {
    let epoch = await store.getAdapterValue(OWNER, KEY)
    if (epoch === null) {
      await store.setAdapterValue(OWNER, KEY, randomBytes(8).toString('hex'))
      epoch = await store.getAdapterValue(OWNER, KEY)
    }
    if (epoch === null) throw new Error('The store did not keep its epoch')
    return cursorsOf(epoch)
  }

  return {
    load() {
      loaded ??= read().catch((error: unknown) => {
        loaded = null
        throw error
      })
      return loaded
    },
  }
}

/** `epoch`: 16 lower-case hex characters. */
export function cursorsOf(epoch: string): Cursors {
  return {
    encode: (seq) => `${epoch}.${seq}`,
    decode(text) {
      const parts = CURSOR.exec(text)
      const seq = Number(parts?.[2])
      if (!parts || !Number.isSafeInteger(seq)) {
        throw new HttpError('cursor-invalid', 'The cursor is not one that this API gave out')
      }
      return parts[1] === epoch ? seq : null
    },
  }
}
