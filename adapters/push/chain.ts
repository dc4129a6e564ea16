/** The messages of a chat: a chain from the newest back, each naming the one before by its cid. */
import { z } from 'zod'
import { canonicalDid } from './did.ts'
import { PushError } from './errors.ts'
import type { RestClient } from './rest.ts'

/** The most that the service gives at once. */
const PAGE_SIZE = 30
/** Pages of one chat that are followed back: 300,000 messages. */
const MOST_PAGES = 10_000

/** Of a field that is not as it should be only the message suffers, not the chain: the chain needs `cid` and `link` alone. */
const text = z.string().catch('')

export const messageSchema = z.looseObject({
  cid: z.string().min(1),
  link: z
    .string()
    .nullish()
    .transform((link) => link || null),
  fromDID: text,
  toDID: text,
  fromCAIP10: text,
  toCAIP10: text,
  messageType: text,
  encType: text,
  messageObj: z.unknown().optional(),
  verificationProof: text,
  /** Unix milliseconds, null where the service gives none. */
  timestamp: z.coerce.number().int().nonnegative().nullable().catch(null),
})

/** A message as the service keeps it, encrypted. */
export type ChainMessage = z.output<typeof messageSchema>

export interface Chain {
  /** Newest first, from this cid on back to the beginning. */
  backwards(cid: string, signal: AbortSignal): AsyncGenerator<ChainMessage>
  /**
   * Oldest first, up to this cid, from the message after the first one (seen from the newest) for which `isOld` holds. Asks
   * for the pages once to find that place, and all but the last of them again on the way forward.
   */
  forwards(
    cid: string,
    isOld: (message: ChainMessage) => boolean,
    signal: AbortSignal,
  ): AsyncGenerator<ChainMessage>
}

export function createChain(rest: RestClient): Chain {
  async function page(cid: string, signal: AbortSignal): Promise<ChainMessage[]> {
    const path = `/v1/chat/conversationhash/${encodeURIComponent(cid)}?fetchLimit=${PAGE_SIZE}`
    const answer = await rest.get(path, z.array(z.unknown()), signal)
    const messages: ChainMessage[] = []
    let expected: string | null = cid
    for (const item of answer) {
      const message = messageSchema.safeParse(item)
      if (!message.success || message.data.cid !== expected) break
      messages.push(message.data)
      expected = message.data.link
    }
    if (messages.length > 0) return messages
    throw new PushError('malformed-answer', 'The Push service does not give the message that was asked for')
  }

  async function* backwards(cid: string, signal: AbortSignal): AsyncGenerator<ChainMessage> {
    const starts = new Set<string>()
    let next: string | null = cid
    while (next !== null) {
      follow(starts, next)
      const messages: ChainMessage[] = await page(next, signal)
      yield* messages
      next = messages.at(-1)?.link ?? null
    }
  }

  return {
    backwards,
    async *forwards(cid, isOld, signal) {
      const followed = new Set<string>()
      const starts: string[] = []
      let next: string | null = cid
      let oldest: ChainMessage[] = []
      while (next !== null) {
        follow(followed, next)
        const messages: ChainMessage[] = await page(next, signal)
        const end = messages.findIndex(isOld)
        if (end !== 0) {
          starts.push(next)
          oldest = end < 0 ? messages : messages.slice(0, end)
        }
        next = end < 0 ? (messages.at(-1)?.link ?? null) : null
      }
      for (const [index, start] of starts.toReversed().entries()) {
        const messages = index === 0 ? oldest : await page(start, signal)
        yield* messages.toReversed()
      }
    },
  }
}

/** A chain that comes back to itself, or does not end, is a fault of the service. */
function follow(starts: Set<string>, cid: string): void {
  if (starts.has(cid) || starts.size === MOST_PAGES) {
    throw new PushError('malformed-answer', 'A chat on Push has no beginning')
  }
  starts.add(cid)
}

/** The other side of a direct chat of `own`, null for messages of other kinds. */
export function peerOf(message: ChainMessage, own: string): string | null {
  const from = canonicalDid(message.fromCAIP10)
  const to = canonicalDid(message.toCAIP10)
  if (from === null || to === null) return null
  if (from === own) return to
  return to === own ? from : null
}
