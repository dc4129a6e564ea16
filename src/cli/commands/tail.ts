import { type Command, EXIT, GATEWAY_OPTION, text } from '../command.ts'
import { printMessage } from '../print-message.ts'
import { openWallet, WALLET_OPTIONS } from '../wallet.ts'

export const command: Command = {
  summary: 'Print messages of a wallet as they arrive.',
  usage: '[--as <name> | --key-file <file>] [--after <cursor>]',
  description:
    'Stays connected until interrupted (Ctrl-C) and connects again by itself.\n\n  causeway tail --as bob',
  options: {
    after: { type: 'string', description: 'Cursor to go on from. Default: only what arrives from now on.' },
    ...WALLET_OPTIONS,
    ...GATEWAY_OPTION,
  },
  positionals: { minimum: 0, maximum: 0 },
  async run(input) {
    const client = await openWallet(input)
    const after = text(input, 'after')
    input.note(`waiting for messages to ${client.account}; stop with Ctrl-C`)
    const stream = client.messages({
      signal: input.signal,
      ...(after === undefined ? {} : { after }),
      onRetry: (error, pauseMs) =>
        input.note(`${error?.message ?? 'the gateway ended the stream'}; again in ${pauseMs / 1000} s`),
    })
    for await (const entry of stream) printMessage(input, entry)
    return EXIT.done
  },
}
