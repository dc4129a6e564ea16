/**
 * What an enrolled account sent through this gateway. Push carries no id of ours and takes every send for a new message, so
 * what may have left is noted before it does: a retry looks for it first, and equal messages are not taken for each other.
 */
import { z } from 'zod'
import type { AdapterStorage } from '../../../src/adapter/index.ts'

/** Sends kept for each enrolment. */
const KEPT = 256

export interface Sent {
  /** Unix milliseconds of the first attempt that may have left. */
  at: number
  /** Null: nobody knows whether it is there. */
  cid: string | null
}

const schema = z.array(z.tuple([z.string(), z.object({ at: z.number(), cid: z.string().nullable() })]))

export interface SentMessages {
  of(transactionId: string): Promise<Sent | null>
  /** The transaction of a message of the account's own, null where it was not sent here. */
  transactionOf(cid: string): Promise<string | null>
  /** Durable when it resolves. */
  note(transactionId: string, sent: Sent): Promise<void>
}

const keyOf = (enrolment: string) => `sent/${enrolment}`

export function createSentMessages(storage: AdapterStorage, enrolment: string): SentMessages {
  let loading: Promise<Map<string, Sent>> | null = null

  function load(): Promise<Map<string, Sent>> {
    loading ??= storage
      .get(keyOf(enrolment))
      .then((text) => new Map(text === null ? [] : schema.parse(JSON.parse(text))))
    loading.catch(() => {
      loading = null
    })
    return loading
  }

  return {
    of: async (transactionId) => (await load()).get(transactionId) ?? null,
    async transactionOf(cid) {
      for (const [transactionId, sent] of await load()) if (sent.cid === cid) return transactionId
      return null
    },
    async note(transactionId, sent) {
      const all = await load()
      all.set(transactionId, sent)
      for (const oldest of all.keys()) {
        if (all.size <= KEPT) break
        all.delete(oldest)
      }
      await storage.set(keyOf(enrolment), JSON.stringify([...all]))
    },
  }
}

export async function forgetSentMessages(storage: AdapterStorage, enrolment: string): Promise<void> {
  await storage.set(keyOf(enrolment), null)
}
