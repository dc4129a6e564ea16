import type { Client } from '../../client/index.ts'
import { type Command, type CommandInput, count, EXIT, GATEWAY_OPTION, text, UsageError } from '../command.ts'
import { printConversation } from '../print-conversation.ts'
import { printMessage } from '../print-message.ts'
import { openWallet, resolveRecipient, WALLET_OPTIONS } from '../wallet.ts'

export const command: Command = {
  summary: 'Show the messages of a wallet, oldest first, or its conversations.',
  usage:
    '[--conversations | --with <wallet>] [--as <name> | --key-file <file>] [--after <cursor>] [--limit <n>]',
  description:
    'Opens each message with the keys of this device.\n\n  causeway inbox --as bob\n  causeway inbox --as bob --conversations\n  causeway inbox --as bob --with alice',
  options: {
    conversations: {
      type: 'boolean',
      description: 'Show conversations, the latest first: unread items, and over which networks they came.',
    },
    requests: { type: 'boolean', description: 'With --conversations: those of unknown senders.' },
    unread: { type: 'boolean', description: 'With --conversations: only those with unread items.' },
    with: { type: 'string', description: 'Show the messages with this wallet alone.' },
    after: { type: 'string', description: 'Cursor to go on from; --json prints the cursor of each message.' },
    limit: { type: 'string', description: 'At most this many messages. Default 50.' },
    ...WALLET_OPTIONS,
    ...GATEWAY_OPTION,
  },
  positionals: { minimum: 0, maximum: 0 },
  async run(input) {
    const limit = count(input, 'limit', { minimum: 1, maximum: 200 }) ?? 50
    const after = text(input, 'after')
    const peer = text(input, 'with')
    const listed = input.options.conversations === true
    if (listed && (after !== undefined || peer !== undefined)) {
      throw new UsageError('--conversations takes neither --after nor --with')
    }
    const client = await openWallet(input)
    if (listed) return showConversations(input, client, limit)
    const page = await client.inbox({
      limit,
      ...(after === undefined ? {} : { after }),
      ...(peer === undefined
        ? {}
        : { conversation: await conversationWith(client, await resolveRecipient(input, peer)) }),
    })
    for (const entry of page) printMessage(input, entry)
    if (page.length === 0) input.note(`no messages for ${client.account}`)
    return EXIT.done
  },
}

/** Id of the direct conversation; one that has no messages yet is not known. */
async function conversationWith(client: Client, peer: string): Promise<string> {
  return (await client.conversations.get(peer)).conversation
}

async function showConversations(input: CommandInput, client: Client, limit: number): Promise<number> {
  const unread = input.options.unread === true
  const filter = {
    ...(unread ? { unread } : {}),
    ...(input.options.requests === true ? { consent: 'unknown' as const } : {}),
  }
  let shown = 0
  for (let before: string | null | undefined; before !== null && shown < limit; ) {
    const page = await client.conversations.list({
      ...filter,
      limit: limit - shown,
      ...(before === undefined ? {} : { before }),
    })
    for (const conversation of page.conversations) printConversation(input, conversation)
    shown += page.conversations.length
    before = page.next
  }
  if (shown === 0) input.note(`no conversations for ${client.account}`)
  return EXIT.done
}
