import { type Command, EXIT, GATEWAY_OPTION } from '../command.ts'
import { drawJourney } from '../draw-journey.ts'
import { openWallet, WALLET_OPTIONS } from '../wallet.ts'

export const command: Command = {
  summary: 'Show where an envelope went, with times per network.',
  usage: '<id> [--as <name> | --key-file <file>]',
  description: 'For the sender and the recipients of the envelope.\n\n  causeway journey 5f0c… --as alice',
  options: { ...WALLET_OPTIONS, ...GATEWAY_OPTION },
  positionals: { minimum: 1, maximum: 1 },
  async run(input) {
    const client = await openWallet(input)
    const journey = await client.journey(input.positionals[0] ?? '')
    input.print(input.json ? JSON.stringify(journey) : drawJourney(journey))
    return EXIT.done
  },
}
