/** Wallets as users of the service: their userIDs, and the accounts that must exist before a message can be sent. */
import { createHmac } from 'node:crypto'
import { AdapterError, type AdapterStorage } from '../../src/adapter/index.ts'
import { base32Lower, H } from '../../src/envelope/index.ts'
import { MAX_ACCOUNTS_PER_IMPORT, type RestClient } from './rest.ts'

/** Accounts remembered in memory; the durable memory is the adapter's storage. */
const REMEMBERED_ACCOUNTS = 100_000

/**
 * The userID of a wallet: `base32-lower(H('causeway/trtc-user/1', walletKey)[0..20])`, 32 characters of `[a-z2-7]`, which
 * is the service's limit. With `secret` the hash is keyed, so that whoever knows a wallet cannot tell its userID.
 */
export function userIdOf(wallet: string, secret?: string): string {
  const digest = H('causeway/trtc-user/1', wallet)
  const bytes = secret ? createHmac('sha256', secret).update(digest).digest() : digest
  return base32Lower(Uint8Array.from(bytes.subarray(0, 20)))
}

/** Whether a text has the form of a wallet's userID. Administrators and other accounts of the app do not. */
export function isUserId(address: string): boolean {
  return /^[a-z2-7]{32}$/.test(address)
}

export interface Accounts {
  /**
   * Makes sure that the account exists. Accounts asked for at the same time go in one request. Rejects with
   * `AdapterError`: `permanent` when the service refuses the account (70398: the edition's account limit).
   */
  ensure(userId: string, signal: AbortSignal): Promise<void>
  /** The service says that the account does not exist after all (deleted in the console, another app). */
  forget(userId: string): Promise<void>
  /** The error code of the last refused import, null if none was refused since. */
  lastRefusal(): string | number | null
}

/** `lifetime` gives the signal that ends with the adapter: a shared import outlives the caller who asked first. */
export function createAccounts(
  rest: RestClient,
  storage: AdapterStorage,
  lifetime: () => AbortSignal,
): Accounts {
  const known = new Set<string>()
  const wanted = new Map<string, PromiseWithResolvers<void>>()
  let importing = false
  let refusal: string | number | null = null

  const storageKey = (userId: string) => `account/${userId}`

  function remember(userId: string): void {
    known.delete(userId)
    known.add(userId)
    if (known.size > REMEMBERED_ACCOUNTS) {
      for (const oldest of known) {
        known.delete(oldest)
        break
      }
    }
  }

  /** Imports one account and remembers it for good. */
  async function importOne(userId: string): Promise<void> {
    try {
      await rest.importAccounts([userId], lifetime())
      refusal = null
    } catch (error) {
      if (AdapterError.is(error) && error.class === 'permanent') refusal = error.remoteCode ?? null
      throw error
    }
    await imported(userId)
  }

  async function imported(userId: string): Promise<void> {
    await storage.set(storageKey(userId), '1')
    remember(userId)
  }

  /** Imports a batch; those that the batch refuses are tried alone, which tells why. */
  async function importBatch(userIds: string[]): Promise<void> {
    const refused = new Set(userIds.length === 1 ? userIds : await rest.importAccounts(userIds, lifetime()))
    await Promise.all(
      userIds.map(async (userId) => {
        const promise = wanted.get(userId)
        try {
          await (refused.has(userId) ? importOne(userId) : imported(userId))
          promise?.resolve()
        } catch (error) {
          promise?.reject(error)
        }
        wanted.delete(userId)
      }),
    )
  }

  async function importWanted(): Promise<void> {
    while (wanted.size > 0) {
      const batch = [...wanted.keys()].slice(0, MAX_ACCOUNTS_PER_IMPORT)
      try {
        await importBatch(batch)
      } catch (error) {
        for (const userId of batch) {
          wanted.get(userId)?.reject(error)
          wanted.delete(userId)
        }
      }
    }
    importing = false
  }

  function want(userId: string): Promise<void> {
    const existing = wanted.get(userId)
    if (existing) return existing.promise
    const promise = Promise.withResolvers<void>()
    wanted.set(userId, promise)
    if (!importing) {
      importing = true
      queueMicrotask(() => void importWanted())
    }
    return promise.promise
  }

  return {
    async ensure(userId, signal) {
      if (known.has(userId)) return
      if ((await storage.get(storageKey(userId))) !== null) {
        remember(userId)
        return
      }
      await orAborted(want(userId), signal)
    },
    async forget(userId) {
      known.delete(userId)
      await storage.set(storageKey(userId), null)
    },
    lastRefusal: () => refusal,
  }
}

/** Stops waiting when the caller gives up; importing an account may safely be repeated, so that is `retryable`. */
function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = () =>
      reject(new AdapterError('retryable', 'Given up while the account was made', { remoteCode: 'aborted' }))
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}
