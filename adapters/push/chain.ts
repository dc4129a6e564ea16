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

/** What a chain needs of its messages. */
export type Link = Pick<ChainMessage, 'cid' | 'link'>

export interface Chain<Message extends Link = ChainMessage> {
  /** Newest first, from this cid on back to the beginning. */
  backwards(cid: string, signal: AbortSignal): AsyncGenerator<Message>
  /**
   * Oldest first, up to this cid, from the message after the first one (seen from the newest) for which `isOld` holds. Asks
   * for the pages once to find that place, and all but the last of them again on the way forward.
   */
  forwards(cid: string, isOld: (message: Message) => boolean, signal: AbortSignal): AsyncGenerator<Message>
}

/** Where the messages are that lead back from this cid. */
export function pagePath(cid: string, limit = PAGE_SIZE): string {
  return `/v1/chat/conversationhash/${encodeURIComponent(cid)}?fetchLimit=${limit}`
}

export function createChain(rest: RestClient): Chain {
  return chainOf(async (cid, signal) => {
    const answer = await rest.get(pagePath(cid), z.array(z.unknown()), signal)
    return answer.map((item) => messageSchema.safeParse(item).data ?? null)
  })
}

/**
 * The messages that lead back from `cid`, newest first, as far as an answer is a chain; null stands for what is no message.
 * Throws `malformed-answer` when not even the first is there.
 */
export function linked<Message extends Link>(cid: string, answer: readonly (Message | null)[]): Message[] {
  const messages: Message[] = []
  let expected: string | null = cid
  for (const message of answer) {
    if (message?.cid !== expected) break
    messages.push(message)
    expected = message.link
  }
  if (messages.length > 0) return messages
  throw new PushError('malformed-answer', 'The Push service does not give the message that was asked for')
}

/** A chain whose pages come from `read`: what the service answers at `pagePath`. */
export function chainOf<Message extends Link>(
  read: (cid: string, signal: AbortSignal) => Promise<(Message | null)[]>,
): Chain<Message> {
  const page = async (cid: string, signal: AbortSignal) => linked(cid, await read(cid, signal))

  async function* backwards(cid: string, signal: AbortSignal): AsyncGenerator<Message> {
    const starts = new Set<string>()
    let next: string | null = cid
    while (next !== null) {
      follow(starts, next)
      const messages: Message[] = await page(next, signal)
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
      let oldest: Message[] = []
      while (next !== null) {
        follow(followed, next)
        const messages: Message[] = await page(next, signal)
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
