import { type Command, EXIT, GATEWAY_OPTION, text, UsageError } from '../command.ts'
import { openWallet, resolveRecipient, WALLET_OPTIONS } from '../wallet.ts'

export const command: Command = {
  summary: 'Seal a text and send it to a wallet.',
  usage: '--to <wallet> [--as <name> | --key-file <file>] <text>',
  description:
    'The text is sealed here, to the devices of the recipient; the gateway relays it over every network of the recipient’s route.\n\n  causeway send --as alice --to bob "hello"\n  causeway send --key-file key.txt --to eip155:1:0x… "hello"',
  options: {
    to: {
      type: 'string',
      description: 'Recipient: CAIP-10 account, EVM address, or in the sandbox the name of a test wallet.',
    },
    ...WALLET_OPTIONS,
    ...GATEWAY_OPTION,
  },
  positionals: { minimum: 1, maximum: 1 },
  async run(input) {
    const to = text(input, 'to')
    if (to === undefined) throw new UsageError('--to <wallet> is missing')
    const recipient = await resolveRecipient(input, to)
    const client = await openWallet(input)
    const sent = await client.send({ to: recipient, text: input.positionals[0] ?? '' })
    if (input.json) {
      input.print(JSON.stringify({ id: sent.id, duplicate: sent.duplicate, deliveries: sent.deliveries }))
      return EXIT.done
    }
    input.print(`sent ${sent.id}`)
    for (const delivery of sent.deliveries) input.print(`  ${delivery.network.padEnd(10)} ${delivery.state}`)
    input.print(
      `follow it: npm run causeway -- journey ${sent.id}${text(input, 'as') ? ` --as ${text(input, 'as')}` : ''}`,
    )
    return EXIT.done
  },
}
