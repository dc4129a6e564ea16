import type { Conversation } from '../client/index.ts'
import { displayWallet } from '../identity/index.ts'
import { type CommandInput, style } from './command.ts'
import { jsonLine, plain } from './plain.ts'

/** Prints a conversation: with whom, what is unread, over what its messages came, and its last one. */
export function printConversation(
  input: Pick<CommandInput, 'json' | 'print'>,
  conversation: Conversation,
): void {
  const { last, ...known } = conversation
  const body = last.message?.text ?? last.message?.content.fallback ?? null
  if (input.json) {
    const { id, cursor } = last
    input.print(
      jsonLine({
        ...known,
        last: {
          id,
          cursor,
          ...(last.message
            ? { from: last.message.from, contentType: last.message.contentType, text: last.message.text }
            : { error: last.error?.code ?? (last.parcel ? null : 'unknown') }),
        },
      }),
    )
    return
  }
  const { peer, unread, consent, muted, marks, lastAt } = known
  const who = peer === null ? `group ${known.conversation.slice(0, 8)}` : displayWallet(peer)
  const over = marks.map(({ via, mode }) => `${plain(via)}/${mode}`).join(' ')
  const notes = [consent === 'allowed' ? null : consent, muted ? 'muted' : null].filter(
    (note) => note !== null,
  )
  const time = new Date(lastAt).toISOString().slice(0, 16).replace('T', ' ')
  const kind = last.parcel ? 'parcel' : (last.message?.contentType ?? 'cannot be opened')
  input.print(
    [
      style('dim', time),
      style('bold', who),
      unread > 0 ? style('yellow', `${unread} unread`) : null,
      style('dim', `over ${over}`),
      notes.length > 0 ? style('dim', `(${notes.join(', ')})`) : null,
      ` ${plain(body ?? `[${kind}]`)}`,
    ]
      .filter((part) => part !== null)
      .join(' '),
  )
}
