import { type Command, count, EXIT, GATEWAY_OPTION, text } from '../command.ts'
import { printMessage } from '../print-message.ts'
import { openWallet, WALLET_OPTIONS } from '../wallet.ts'

export const command: Command = {
  summary: 'Show the messages of a wallet, oldest first.',
  usage: '[--as <name> | --key-file <file>] [--after <cursor>] [--limit <n>]',
  description: 'Opens each message with the keys of this device.\n\n  causeway inbox --as bob',
  options: {
    after: { type: 'string', description: 'Cursor to go on from; --json prints the cursor of each message.' },
    limit: { type: 'string', description: 'At most this many messages. Default 50.' },
    ...WALLET_OPTIONS,
    ...GATEWAY_OPTION,
  },
  positionals: { minimum: 0, maximum: 0 },
  async run(input) {
    const limit = count(input, 'limit', { minimum: 1, maximum: 200 }) ?? 50
    const client = await openWallet(input)
    const after = text(input, 'after')
    const page = await client.inbox({ limit, ...(after === undefined ? {} : { after }) })
    for (const entry of page) printMessage(input, entry)
    if (page.length === 0) input.note(`no messages for ${client.account}`)
    return EXIT.done
  },
}
