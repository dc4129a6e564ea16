import type { InboxEntry } from '../client/index.ts'
import { displayWallet } from '../identity/index.ts'
import { type CommandInput, style } from './command.ts'
import { jsonLine, plain } from './plain.ts'

/** Prints a message, or why it could not be opened. */
export function printMessage(input: Pick<CommandInput, 'json' | 'print'>, entry: InboxEntry): void {
  if (input.json) {
    const { message, error } = entry
    input.print(
      jsonLine({
        id: entry.id,
        cursor: entry.cursor,
        ...(message
          ? {
              from: message.from,
              direction: message.direction,
              contentType: message.contentType,
              text: message.text,
              createdAt: message.createdAt,
              via: message.via,
              mode: message.mode,
            }
          : { error: error?.code ?? 'unknown' }),
      }),
    )
    return
  }
  if (!entry.message) {
    input.print(
      `${style('yellow', 'cannot be opened')} ${plain(entry.id.slice(0, 16))}: ${plain(entry.error?.message ?? '')}`,
    )
    return
  }
  const { message } = entry
  const time = new Date(message.createdAt).toISOString().slice(11, 19)
  const who = message.direction === 'sent' ? 'you' : displayWallet(message.from)
  const body = plain(message.text ?? message.content.fallback ?? `[${message.contentType}]`)
  input.print(
    `${style('dim', time)} ${style('bold', who)} ${style('dim', `over ${plain(message.via)}/${message.mode}`)}  ${body}`,
  )
}
